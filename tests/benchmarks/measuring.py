"""Measuring in pairs: both sides in turn, so that a noisy machine is noisy for both."""

from __future__ import annotations

import gc
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

Work = Callable[[], object]
Side = Callable[[], AbstractContextManager[Work]]
"""Makes what a work needs, gives the work, and takes it all away again; only the work is timed."""

TOLERANCE: Final = 1.25
"""How far past its budget a row may be before the command fails."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        part: the letter of the group that it is in.
        what, against: what is compared with what.
        ours, theirs: medians in seconds; theirs is None where ours alone is the figure.
        budget: the largest ratio (or figure) that is fine, None where there is none.
        unit: of ours, `s` or `bytes`.
        spread: the quartiles of the figure, of all rounds; None where it was measured once.
        is_first: whether it is among the rows that the page begins with.
    """

    part: str
    what: str
    against: str
    ours: float
    theirs: float | None
    budget: float | None = None
    unit: str = "s"
    spread: tuple[float, float] | None = None
    is_first: bool = False

    @property
    def figure(self) -> float:
        """What the budget is for: the ratio, or ours alone."""
        return self.ours if self.theirs is None else self.ours / self.theirs

    @property
    def is_over(self) -> bool:
        """Whether it is past its budget."""
        return self.budget is not None and self.figure > self.budget

    @property
    def is_failure(self) -> bool:
        """Whether it is so far past its budget that noise does not explain it."""
        return self.budget is not None and self.figure > self.budget * TOLERANCE


def always(work: Work) -> Side:
    """Give the side of a work that needs nothing around it."""

    @contextmanager
    def side() -> Iterator[Work]:
        yield work

    return side


def compared(
    part: str,
    what: str,
    against: str,
    ours: Side,
    theirs: Side,
    *,
    budget: float | None = None,
    rounds: int = 15,
    inner: int = 1,
    clock: Callable[[], float] = time.process_time,
    is_first: bool = False,
) -> Row:
    """Time two works in interleaved rounds, after one of each that is not counted.

    In this process the clock is its CPU time: nothing here waits, and others use the machine too.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for side, into in zip((ours, theirs), times, strict=True):
            taken = timed(side, inner, clock)
            if number or rounds == 1:
                into.append(taken)
        if rounds == 1:
            break
    ratios = [ours / theirs for ours, theirs in zip(*times, strict=True)]
    return Row(
        part,
        what,
        against,
        statistics.median(times[0]),
        statistics.median(times[1]),
        budget,
        spread=quartiles(ratios),
        is_first=is_first,
    )


def alone(
    part: str,
    what: str,
    side: Side,
    *,
    budget: float,
    rounds: int = 15,
    inner: int = 1,
    is_first: bool = False,
) -> Row:
    """Time one work, whose own figure has the budget."""
    times = [timed(side, inner, time.process_time) for _ in range(rounds + 1)][1:]
    return Row(
        part,
        what,
        "",
        statistics.median(times),
        None,
        budget,
        spread=quartiles(times),
        is_first=is_first,
    )


def quartiles(figures: Sequence[float]) -> tuple[float, float] | None:
    """Give the first and the third quartile, None of fewer than three figures."""
    if len(figures) < 3:
        return None
    first, _, third = statistics.quantiles(figures, n=4, method="inclusive")
    return first, third


def timed(side: Side, inner: int, clock: Callable[[], float]) -> float:
    """Seconds that one of `inner` repetitions takes, with the garbage that they make themselves."""
    with side() as work:
        if inner > 1:
            work()
        gc.collect()
        start = clock()
        for _ in range(inner):
            work()
        return (clock() - start) / inner


def process(arguments: Sequence[str], folder: str, env: Mapping[str, str] | None = None) -> Side:
    """Give the work of running a program with arguments, in a folder."""

    def run() -> None:
        ended = subprocess.run(
            arguments,
            cwd=folder,
            env=None if env is None else dict(env),
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise RuntimeError(f"{arguments} failed:\n{ended.stdout}\n{ended.stderr}")

    return always(run)
