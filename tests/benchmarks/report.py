"""The rows as a Markdown table and as a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.benchmarks.measuring import Row

HEADER: Final = (
    "| | what | against | ours | theirs | figure | quartiles | budget |\n"
    "|---|---|---|---:|---:|---:|---:|---:|"
)
_LEFT, _WIDTH, _STEP = 470, 330, 24
_LOWEST, _HIGHEST = 0.1, 10.0


def table(rows: Sequence[Row]) -> str:
    """Give the rows as a Markdown table."""
    return "\n".join([HEADER, *map(_line, rows)])


def _line(row: Row) -> str:
    late = " (over)" if row.is_over else ""

    def shown(figure: float) -> str:
        return _shown(figure, row.unit) if row.theirs is None else _ratio(figure)

    cells = [
        f"({row.part})",
        row.what,
        row.against,
        _shown(row.ours, row.unit),
        "" if row.theirs is None else _shown(row.theirs, row.unit),
        shown(row.figure) + late,
        "" if row.spread is None else " to ".join(map(shown, row.spread)),
        "" if row.budget is None else shown(row.budget),
    ]
    return f"| {' | '.join(cells)} |"


def over_budget(rows: Sequence[Row]) -> str:
    """Say in one paragraph which rows are over budget."""
    over = [f"({row.part}) {row.what}" for row in rows if row.is_over]
    if not over:
        return "No row is over its budget."
    return f"Over budget: {'; '.join(over)}."


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.5 else f"1/{1 / ratio:.1f}"


def _shown(figure: float, unit: str) -> str:
    if unit != "s":
        return f"{figure:.0f} {unit}" if figure >= 100 else f"{figure:.3g} {unit}"
    for name, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if figure * factor >= 1:
            return f"{figure * factor:.3g} {name}"
    return f"{figure * 1e9:.3g} ns"


def plot(rows: Sequence[Row]) -> str:
    """Give figures as an SVG: a dot for each, as a multiple of its budget.

    A row without a budget is left out.
    """
    shown = [row for row in rows if row.budget is not None]
    height = 60 + _STEP * len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 150} {height}"'
        ' font-family="sans-serif" font-size="12">',
        "<title>What pytest-cpjob costs, as a multiple of its budgets</title>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for power in range(-1, 2):
        x = _x(10.0**power)
        name = f"1/{10**-power:,}" if power < 0 else str(10**power)
        dashes = "" if power == 0 else ' stroke-dasharray="2 4"'
        parts += [
            f'<path d="M{x:.0f} 30V{height - 20}" stroke="#888"{dashes}/>',
            f'<text x="{x:.0f}" y="20" text-anchor="middle">{name}</text>',
        ]
    for number, row in enumerate(shown):
        parts += _drawn(row, 45 + _STEP * number)
    words = "as a multiple of the budget, logarithmic; grey: within it; line: quartiles"
    parts.append(f'<text x="{_LEFT}" y="{height - 5}" fill="#555">{words}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _drawn(row: Row, y: int) -> list[str]:
    assert row.budget is not None
    against = f" / {row.against}" if row.against else ""
    label = escape(f"({row.part}) {row.what}{against}".replace("`", ""))
    parts = [
        f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end" font-size="11">{label}</text>',
        f'<rect x="{_LEFT}" y="{y - 6}" width="{_x(1) - _LEFT:.0f}" height="12" fill="#ddd"/>',
    ]
    x, colour = _x(row.figure / row.budget), "#c33" if row.is_over else "#27a"
    if row.spread is not None:
        first, third = (_x(each / row.budget) for each in row.spread)
        parts.append(f'<path d="M{first:.1f} {y}H{third:.1f}" stroke="{colour}" stroke-width="3"/>')
    parts.append(f'<circle cx="{x:.0f}" cy="{y}" r="5" fill="{colour}"/>')
    ours = _shown(row.ours, row.unit) if row.theirs is None else _ratio(row.figure)
    budget = _shown(row.budget, row.unit) if row.theirs is None else _ratio(row.budget)
    words = escape(f"{ours} of {budget}")
    parts.append(f'<text x="{max(x, _x(1)) + 9:.0f}" y="{y + 4}" font-size="11">{words}</text>')
    return parts


def _x(ratio: float) -> float:
    """Where a multiple is, on a logarithmic axis."""
    bounded = min(max(ratio, _LOWEST), _HIGHEST)
    return _LEFT + _WIDTH * math.log(bounded / _LOWEST) / math.log(_HIGHEST / _LOWEST)
