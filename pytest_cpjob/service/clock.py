"""The job clock, by which a stub's jobs, credentials and timelines measure time."""

from __future__ import annotations

import bisect
import itertools
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from pytest_cpjob.documents import timestamps

_LONGEST: Final = sys.float_info.max


class Clock:
    """Seconds since the stub was entered; moves only by `advance`.

    Real time never moves it, so nothing in a test depends on how fast the machine is.

    Args:
        start: returns the date of its 0, in milliseconds since 1970; asked once, when it is needed.
    """

    def __init__(self, start: Callable[[], int] = lambda: timestamps.FIRST_DAY) -> None:
        self.now = 0.0
        self._start = start
        self._listeners: list[Callable[[float], object]] = []
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    @cached_property
    def start(self) -> int:
        """The date of its 0, in milliseconds since 1970."""
        return self._start()

    def date(self, seconds: float | None = None) -> int:
        """Return a time of the clock, by default now, in milliseconds since 1970."""
        return timestamps.moment(self.start, self.now if seconds is None else seconds)

    def on_advance(self, listener: Callable[[float], object]) -> None:
        """Call `listener` with the time whenever the clock has moved."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[float], object]) -> None:
        """Call `listener` no more."""
        self._listeners.remove(listener)

    # -- what is to happen -----------------------------------------------------------------------

    @property
    def next_due(self) -> float:
        """When the next action is to happen; infinity if none is."""
        return self._due[0][0] if self._due else float("inf")

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Call `action` as soon as the clock stands at `seconds`; equal times in order of calls.

        Raises:
            ValueError: the time is past, or not a finite number.
        """
        _check_number(seconds)
        if not self.now <= seconds <= _LONGEST:
            raise ValueError(
                f"seconds: expected a time of the job clock from now on, which is {self.now:.10g},"
                f" got {_shown(seconds)}"
            )
        bisect.insort(self._due, (float(seconds), next(self._numbers), action))
        if seconds == self.now:
            self._happen()

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`; what is to happen on the way happens, each at its time.

        Raises:
            ValueError: `seconds` is negative or not a finite number.
            Exception: what the first of the actions to fail raised; the clock has moved.
        """
        _check_number(seconds)
        if not 0 <= seconds <= _LONGEST:
            raise ValueError(
                "seconds: the job clock only moves forward, by a finite number, got"
                f" {_shown(seconds)}"
            )
        self.advance_to(self.now + seconds)

    def advance_to(self, moment: float) -> None:
        """Move on to a moment; a past one moves nothing.

        Raises:
            Exception: what the first of the actions to fail raised; the clock has moved.
        """
        failure: BaseException | None = None
        while True:
            following = min(self.next_due, moment)
            if following > self.now or following == moment:
                self.now = max(self.now, following)
                for listener in list(self._listeners):
                    listener(self.now)
            try:
                self._happen()
            except Exception as error:
                failure = failure or error
            if self.now >= moment and self.next_due > self.now:
                break
        if failure is not None:
            raise failure

    def _happen(self) -> None:
        while self.next_due <= self.now:
            self._due.pop(0)[2]()


def _check_number(seconds: Any) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ValueError(f"seconds: expected a number, got {seconds!r}")


def _shown(seconds: float) -> str:
    return str(seconds)[:60]
