"""Measuring in pairs: both sides in turn, so that a noisy machine is noisy for both."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: what is compared.
        ours, theirs: medians in seconds.
        budget: the largest ratio that is fine, None where there is none.
    """

    name: str
    ours: float
    theirs: float
    budget: float | None

    @property
    def ratio(self) -> float:
        """How many times theirs ours is."""
        return self.ours / self.theirs


def compared(
    name: str, ours: Work, theirs: Work, *, budget: float | None, rounds: int = 15, inner: int = 1
) -> Row:
    """Time two works in interleaved rounds, after one of each that is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for work, into in zip((ours, theirs), times, strict=True):
            gc.collect()
            start = time.perf_counter()
            for _ in range(inner):
                work()
            if number:
                into.append((time.perf_counter() - start) / inner)
    return Row(name, statistics.median(times[0]), statistics.median(times[1]), budget)


def process(arguments: Sequence[str], folder: str, env: Mapping[str, str] | None = None) -> Work:
    """Give the work of running this Python with arguments, in a folder."""

    def run() -> None:
        subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=None if env is None else dict(env),
            check=True,
            capture_output=True,
        )

    return run


def table(rows: Sequence[Row]) -> str:
    """Give the rows as a Markdown table."""
    lines = ["| what | ours | theirs | ratio | budget |", "|---|---|---|---|---|"]
    for row in rows:
        budget = "" if row.budget is None else f"{row.budget:.3g}"
        late = " (over)" if row.budget is not None and row.ratio > row.budget else ""
        lines.append(
            f"| {row.name} | {_shown(row.ours)} | {_shown(row.theirs)} |"
            f" {row.ratio:.3g}{late} | {budget} |"
        )
    return "\n".join(lines)


def _shown(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
