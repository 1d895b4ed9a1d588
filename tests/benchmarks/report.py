"""The rows as a Markdown table and as a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.benchmarks.measuring import Row

HEADER: Final = (
    "| | what | against | ours | theirs | figure | budget |\n|---|---|---|---:|---:|---:|---:|"
)
_LEFT, _WIDTH, _STEP = 500, 400, 22
_LOWEST, _HIGHEST = 0.001, 10.0


def table(rows: Sequence[Row]) -> str:
    """Give the rows as a Markdown table."""
    return "\n".join([HEADER, *map(_line, rows)])


def _line(row: Row) -> str:
    late = " (over)" if row.is_over else ""
    cells = [f"({row.part})", row.what, row.against]
    if row.theirs is None:
        budget = "" if row.budget is None else _shown(row.budget, row.unit)
        cells += [_shown(row.ours, row.unit), "", f"{_shown(row.figure, row.unit)}{late}", budget]
    else:
        budget = "" if row.budget is None else _ratio(row.budget)
        cells += [_shown(row.ours, row.unit), _shown(row.theirs, row.unit)]
        cells += [f"{_ratio(row.figure)}{late}", budget]
    return f"| {' | '.join(cells)} |"


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.5 else f"1/{1 / ratio:.1f}"


def _shown(figure: float, unit: str) -> str:
    if unit != "s":
        return f"{figure:.0f} {unit}"
    for name, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if figure * factor >= 1:
            return f"{figure * factor:.3g} {name}"
    return f"{figure * 1e9:.3g} ns"


def plot(rows: Sequence[Row]) -> str:
    """Give the ratios as an SVG: a dot for each, its yardstick at 1, its budget as a bar."""
    shown = [row for row in rows if row.theirs is not None]
    height = 60 + _STEP * len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 90} {height}"'
        ' font-family="sans-serif" font-size="12">',
        "<title>What pytest-cpjob costs, as a ratio to its yardsticks</title>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for power in range(-3, 2):
        x = _x(10.0**power)
        name = f"1/{10**-power:,}" if power < 0 else str(10**power)
        dashes = "" if power == 0 else ' stroke-dasharray="2 4"'
        parts += [
            f'<path d="M{x:.0f} 30V{height - 20}" stroke="#888"{dashes}/>',
            f'<text x="{x:.0f}" y="20" text-anchor="middle">{name}</text>',
        ]
    for number, row in enumerate(shown):
        parts += _drawn(row, 45 + _STEP * number)
    words = "time as a multiple of the yardstick's; grey: within the budget; logarithmic"
    parts.append(f'<text x="{_LEFT}" y="{height - 5}" fill="#555">{words}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _drawn(row: Row, y: int) -> list[str]:
    label = escape(f"({row.part}) {row.what} / {row.against}".replace("`", ""))
    parts = [f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end" font-size="11">{label}</text>']
    if row.budget is not None:
        end = _x(row.budget)
        parts.append(
            f'<rect x="{_LEFT}" y="{y - 6}" width="{end - _LEFT:.0f}" height="12" fill="#ddd"/>'
        )
    x, colour = _x(row.figure), "#c33" if row.is_over else "#27a"
    parts.append(f'<circle cx="{x:.0f}" cy="{y}" r="5" fill="{colour}"/>')
    ratio = _ratio(row.figure)
    parts.append(f'<text x="{x + 9:.0f}" y="{y + 4}" font-size="11">{ratio}</text>')
    return parts


def _x(ratio: float) -> float:
    """Where a ratio is, on a logarithmic axis."""
    bounded = min(max(ratio, _LOWEST), _HIGHEST)
    return _LEFT + _WIDTH * math.log(bounded / _LOWEST) / math.log(_HIGHEST / _LOWEST)
