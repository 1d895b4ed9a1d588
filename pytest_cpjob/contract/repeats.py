"""Repeats: items that come again and again in a sequence, found so that they are shown once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_LONGEST_PERIOD: Final = 8
"""How many items may come again together: what a worker does between two polls."""

_FEWEST_SAVED: Final = 2
"""Items that must become fewer, for a line that says so."""


class Run(NamedTuple):
    """Some items in a row, and how often the same come there.

    Attributes:
        start: where the first of them is.
        period: how many there are.
        times: how often they come, 1 for what does not repeat.
    """

    start: int
    period: int
    times: int


def runs(keys: Sequence[object]) -> Iterator[Run]:
    """Iterate over a sequence in runs, each the one that leaves out the most.

    >>> [tuple(run) for run in runs("abcbcbcd")]
    [(0, 1, 1), (1, 2, 3), (7, 1, 1)]
    """
    start = 0
    while start < len(keys):
        best = max(
            (_run(keys, start, period) for period in range(1, _LONGEST_PERIOD + 1)),
            key=lambda run: (run.period * (run.times - 1), -run.period),
        )
        if best.period * (best.times - 1) < _FEWEST_SAVED:
            best = Run(start, 1, 1)
        yield best
        start += best.period * best.times


def _run(keys: Sequence[object], start: int, period: int) -> Run:
    times = 1
    block = keys[start : start + period]
    while len(block) == period:
        following = start + times * period
        if keys[following : following + period] != block:
            break
        times += 1
    return Run(start, period, times)
