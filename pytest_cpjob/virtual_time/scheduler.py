"""The timetable: which thread goes on when, in a time that moves once nobody is at work.

A thread of the code under test that sleeps is entered here with the moment of its waking. When all
the others sleep as well, or wait for one another, nothing more can happen before the earliest of
these moments, and time moves there at once. While another is at work it is given real time first,
so that a poller's naps do not run ahead of a job's work, and two sleepers do not each move the
clock by the time that they share.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from pytest_cpjob.threads import place_of, waits_for_an_end, waits_for_others

STEP: Final = 0.001
"""Seconds of real time between two looks at the others."""

_SETTLED: Final = 5
"""Looks without a change after which those that only wait for others do so indeed."""

_SURE: Final = 20
"""The same where a rest could end otherwise, if one of them went on."""

_OUTSIDE: Final = 250
"""Looks at one place after which a thread waits for something outside: a process, a socket."""

_MOST_REAL: Final = 5.0
"""Seconds of real time that a sleeper gives to a thread that never rests: so many looks, or twice
as long where such a thread keeps the interpreter, and each look takes its time."""

_Place = tuple[int, int]


class _Rest(NamedTuple):
    """A thread's rest: until a moment, or until something has happened."""

    until: float
    is_over: Callable[[], bool]


class Scheduler:
    """Who rests until when.

    Args:
        others: gives the other threads of the code under test.
        move: moves the clocks on by some seconds; it may raise.

    Attributes:
        moved: seconds that time has moved so far.
        left: threads whose part is over, and which nobody need wait for.
    """

    def __init__(
        self,
        others: Callable[[], Iterable[threading.Thread]],
        move: Callable[[float], None],
    ) -> None:
        self.moved = 0.0
        self.left: set[threading.Thread] = set()
        self._others = others
        self._move = move
        self._resting: dict[threading.Thread, _Rest] = {}
        self._outside: dict[threading.Thread, _Place] = {}
        self._lock = threading.RLock()

    def rest(
        self,
        seconds: float,
        pause: Callable[[float], object],
        is_over: Callable[[], bool],
        *,
        patient: bool,
    ) -> bool:
        """Let this thread rest for some seconds, which pass at once where nobody is at work.

        Args:
            seconds: at most.
            pause: waits for real.
            is_over: whether it need not rest any longer.
            patient: wait for real as long as another thread might end the rest.

        Returns:
            Whether it was this thread that moved the clocks.
        """
        look, real, began = _Look(), 0.0, _clock()
        most_real = seconds if patient else min(seconds, _MOST_REAL)
        with self._resting_here(self.moved + seconds, is_over) as mine:
            while not is_over():
                with self._lock:
                    left = mine.until - self.moved
                    if left <= 0:
                        return False
                    waited = max(real, (_clock() - began) / 2)
                    if waited >= most_real or self._nobody_is_at_work(mine, look, patient):
                        self.moved = mine.until
                        self._move(left)
                        return True
                pause(min(STEP, most_real))
                real += STEP
        return False

    def rest_for_ever(
        self,
        pause: Callable[[float], object],
        is_over: Callable[[], bool],
        check: Callable[[bool], None],
    ) -> None:
        """Let this thread rest until something has happened, or `check` raises.

        Args:
            pause: waits for real.
            is_over: whether it has happened.
            check: called again and again, with whether nobody is left who might let it happen.
        """
        look = _Look()
        with self._resting_here(float("inf"), is_over) as mine:
            while not is_over():
                check(self._nobody_is_at_work(mine, look, patient=False))
                pause(_SETTLED * STEP)

    def catch_up(self, moment: float) -> None:
        """Move the clocks on to where a rest in real time has brought them, if they are behind."""
        with self._lock:
            behind = moment - self.moved
            if behind > 0:
                self.moved = moment
                self._move(behind)

    @contextmanager
    def _resting_here(self, until: float, is_over: Callable[[], bool]) -> Iterator[_Rest]:
        me = threading.current_thread()
        with self._lock:
            self.left.discard(me)
            mine = self._resting[me] = _Rest(until, is_over)
        try:
            yield mine
        finally:
            with self._lock:
                del self._resting[me]

    def _nobody_is_at_work(self, mine: _Rest, look: _Look, patient: bool) -> bool:
        places: dict[threading.Thread, _Place] = {}
        for thread in self._others():
            rest = self._resting.get(thread)
            if rest is not None:
                if rest.until < mine.until or rest.is_over():
                    look.see({})
                    return False
            elif thread.ident is None:  # it has yet to begin
                look.see({})
                return False
            elif thread not in self.left and not waits_for_an_end(thread):
                places[thread] = place_of(thread)
        look.see(places)
        if not places:
            return True
        settled = look.unchanged >= (_SURE if patient else _SETTLED)
        if settled and all(map(waits_for_others, places)):
            return True
        if patient:
            return False
        known = all(self._outside.get(thread) == place for thread, place in places.items())
        if look.unchanged >= (_SETTLED if known else _OUTSIDE):
            self._outside = places
            return True
        return False


def _clock() -> float:
    """Give a time that goes on whatever a test has put in the place of Python's clocks."""
    return os.times().elapsed


class _Look:
    """What a sleeper has seen of those who do not rest, and for how many looks."""

    def __init__(self) -> None:
        self.unchanged = 0
        self._seen: dict[threading.Thread, _Place] = {}

    def see(self, places: dict[threading.Thread, _Place]) -> None:
        self.unchanged = self.unchanged + 1 if places == self._seen else 0
        self._seen = places
