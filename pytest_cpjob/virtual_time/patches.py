"""What stands in for Python's waits and clocks while code under test is run.

`time.sleep` and `time.monotonic` are replaced, also where a module has bound them by `from time
import sleep`; the other waits by `waits` and `locks`. Each asks which run its thread belongs to: a
thread that belongs to none really waits, and is waited for by those that do not, for a while. What
has kept Python's sleep under another name, such as a default argument's, really sleeps.

The time of day moves along through time-machine, if it is installed (the extra `time`), and
`time.monotonic` by as much, so that a loop until a deadline comes to its end. A test's own
time-machine or freezegun is left alone.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from pytest_cpjob.patching import Undo, when_imported
from pytest_cpjob.service.clock import Clock
from pytest_cpjob.threads import Run, current_run
from pytest_cpjob.virtual_time.activity import Activity, real_time
from pytest_cpjob.virtual_time.current import use_time
from pytest_cpjob.virtual_time.interrupts import ThreadInterrupter
from pytest_cpjob.virtual_time.ownership import Ownership
from pytest_cpjob.virtual_time.rebinding import Swap, is_pythons, rebind
from pytest_cpjob.virtual_time.scheduler import Scheduler, Wait
from pytest_cpjob.virtual_time.waits import replace_waits
from pytest_cpjob.virtual_time.wall_clock import WallClock

_FOR_EVER: Final = 366 * 24 * 3600.0
"""Seconds that nobody means to wait: what some say for "without a time-out"."""

_MOST_FROZEN: Final = 10_000
"""Readings of a loop's clock without a wait, after which real time moves it: the loop spins."""

_EXACT_CLOCKS: Final[list[tuple[ModuleType, str]]] = [
    (module, name)
    for module in (threading, queue)
    for name, value in vars(module).items()
    if is_pythons(value) and value.__name__ == "monotonic"
]
"""Where the modules that only compute their waits with it have `time.monotonic`."""

_under_way: VirtualTime | None = None
_changing: Final = threading.RLock()


@contextmanager
def virtual_time(run: Run, clock: Clock) -> Iterator[VirtualTime]:
    """Let the waits of a run move the job clock until the end of the `with` block.

    Runs that overlap share one time, which is theirs alone once the last of them has ended.
    """
    global _under_way
    with _changing:
        if _under_way is not None and _under_way._clock is not clock:
            # An exception that may come between any two lines, such as that of a test's time-out,
            # has kept it from its end.
            _under_way._give_up()
            _under_way = None
        there = _under_way or VirtualTime(clock)
        there._begin(run)
        _under_way = there
    try:
        yield there
    finally:
        with _changing:
            try:
                there._end(run)
            finally:
                if _under_way is there and not there.runs:
                    _under_way = None


class VirtualTime:
    """Waits replaced, for as long as there are runs.

    Attributes:
        runs: those under way.
        scheduler: who waits until when.
        ownership: which threads and pieces of work are a run's.
    """

    def __init__(self, clock: Clock) -> None:
        self.runs: list[Run] = []
        self.ownership = Ownership()
        self._clock = clock
        self._undo = Undo()
        self._time_of_day = WallClock()
        self._interrupter = ThreadInterrupter()
        self._activity = Activity(self.ownership.is_of_a_run)
        # Before the scheduler, so that whoever goes on after a jump sees the time of day moved.
        self._followed = clock.now
        clock.on_advance(self._follow)
        self.scheduler = Scheduler(clock, self._activity)
        self._pid = os.getpid()
        self._begin_at = clock.now
        self._base = real_time()
        self._frozen = 0
        self._thread = threading.local()

    # -- beginning and end -----------------------------------------------------------------------

    def _begin(self, run: Run) -> None:
        is_first = not self.runs
        try:
            if is_first:
                self._patch()
            self.runs.append(run)
            self.ownership.begin(run)
        except BaseException:
            # What could not be replaced, gevent's classes say, is no reason to leave the rest.
            if run in self.runs:
                self.runs.remove(run)
            if is_first:
                self._undo.all()
            raise

    def _end(self, run: Run) -> None:
        if run not in self.runs:
            return  # given up
        self.runs.remove(run)
        try:
            self._interrupter.stop_insisting()
            self.ownership.end(run)
            self.scheduler.interrupt(run)
        finally:
            if not self.runs:
                self._undo.all()

    def _give_up(self) -> None:
        self.runs.clear()
        self._undo.all()

    def _patch(self) -> None:
        undo = self._undo
        undo.later(self._time_of_day.stop)
        undo.later(lambda: self._clock.forget(self._follow))
        undo.later(self.scheduler.stop)
        undo.later(self._interrupter.stop_insisting)
        self.ownership.patch(undo)
        use_time(self, undo)
        replace_waits(undo)
        self._swap_exact_clocks()
        # A sleep that a test has replaced itself is the test's.
        pythons = getattr(time.sleep, "stands_for", time.sleep)
        if is_pythons(pythons):
            swaps: list[Swap] = [("sleep", time.sleep, self._sleep(pythons))]
            if is_pythons(time.monotonic):
                swaps.append(("monotonic", time.monotonic, self._monotonic(time.monotonic)))
            rebind(swaps, undo)
        # Not imported for it: that takes longer than all else of many a test.
        when_imported("asyncio", self._patch_loops, undo)
        when_imported("subprocess", self._patch_processes, undo)

    def _swap_exact_clocks(self) -> None:
        """Give these modules a clock without real time."""

        def exact_clock(original: Any) -> Callable[[], float]:
            return lambda: original() if current_run() is None else self._clock.now

        for module, name in _EXACT_CLOCKS:
            clock = vars(module).get(name)
            if is_pythons(clock):
                self._undo.set_attribute(module, name, exact_clock(clock))

    def _patch_loops(self) -> None:
        owner = sys.modules["asyncio"].BaseEventLoop
        original = owner.time

        def loop_time(loop: Any) -> float:
            if current_run() is None:
                return float(original(loop))
            self._frozen += 1
            if self._frozen > _MOST_FROZEN:
                self._frozen, self._base = 0, real_time()
            return self._base + self._moved

        self._undo.set_attribute(owner, "time", loop_time)

    def _patch_processes(self) -> None:
        owner = sys.modules["subprocess"].Popen
        for name in ("wait", "communicate"):
            self._undo.set_attribute(owner, name, self._for_real(getattr(owner, name)))

    @property
    def moves_time_of_day(self) -> bool:
        """Whether `time.time()` and `datetime.now()` move along, or a test moves them itself."""
        return self._time_of_day.moves or self._time_of_day.is_a_tests_own or WallClock.can_move()

    # -- threads ---------------------------------------------------------------------------------

    def leave(self, thread: threading.Thread) -> None:
        """Count on no more of a thread: its part is over."""
        self._activity.left.add(thread)

    def may_end(self, step: Callable[[], None]) -> None:
        """Take a step that may end this thread by raising, also where its code catches all."""
        try:
            step()
        except BaseException as error:
            if not isinstance(error, (Exception, KeyboardInterrupt)):
                self.leave(threading.current_thread())
                self._interrupter.insist(error)
            raise

    def may_go_on(self, run: Run, *, waited: bool = False) -> None:
        """Raise if this thread is to end."""
        self.may_end(lambda: run.may_go_on(waited=waited))

    # -- waits -----------------------------------------------------------------------------------

    def run_of_a_wait(self, timeout: float | None) -> Run | None:
        """Return the run that waits; None if the wait is not one for the job clock to pass."""
        run = current_run()
        if run is None or run not in self.runs or os.getpid() != self._pid:
            return None
        if getattr(self._thread, "is_real", False):
            return None
        if timeout is None:
            return run
        is_number = isinstance(timeout, (int, float))
        return run if is_number and 0 < timeout <= threading.TIMEOUT_MAX else None

    def until(self, timeout: float | None) -> float:
        """Return the time of the job clock at which a wait that begins now ends."""
        if timeout is None or timeout >= _FOR_EVER:
            return float("inf")
        # Time-outs are often differences of times, which floats do not give exactly.
        return self._clock.now + (round(timeout, 9) or timeout)

    def new_wait(self, run: Run, timeout: float | None) -> Wait:
        """Begin a wait."""
        self._activity.left.discard(threading.current_thread())
        return Wait(run, self.until(timeout))

    def pass_wait(
        self,
        run: Run,
        timeout: float | None,
        waits: deque[Wait],
        try_it: Callable[[], bool],
        *,
        is_outside: bool,
    ) -> bool | None:
        """Wait until something can be had, of which `waits` are told one by one.

        Returns:
            Whether it was had; None if the wait is to go on for real, since the run is over.
        """
        until = self.until(timeout)
        while True:
            wait = self.new_wait(run, None)
            wait.until, wait.can_be_vain, wait.is_outside = until, False, is_outside
            waits.append(wait)
            if try_it():
                wait.end("notified")
                return True
            outcome = self.scheduler.pass_time(wait)
            if outcome != "notified":
                self.may_go_on(run, waited=True)
            if try_it():
                return True
            if outcome == "expired":
                return False
            if outcome == "interrupted":
                return None if timeout is None else False

    @contextmanager
    def real_wait(self, timeout: float | None) -> Iterator[None]:
        """Let the others know of a wait that is real, and ends by itself."""
        me = threading.get_ident()
        if timeout is None or not isinstance(timeout, (int, float)) or timeout <= 0:
            yield
            return
        before = self._activity.really_waits.get(me)
        self._activity.really_waits[me] = real_time() + timeout
        try:
            yield
        finally:
            if before is None:
                self._activity.really_waits.pop(me, None)
            else:
                self._activity.really_waits[me] = before

    def _for_real(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Let a function of Python's wait for real: what it waits for runs in real time."""

        def really(*args: Any, **kwargs: Any) -> Any:
            before = getattr(self._thread, "is_real", False)
            self._thread.is_real = True
            try:
                return original(*args, **kwargs)
            finally:
                self._thread.is_real = before

        return really

    def _sleep(self, original: Callable[[float], None]) -> Callable[[float], None]:
        def sleep(seconds: float) -> None:
            # `+ 0.0` raises what Python's own raises, for what is not a number.
            run = self.run_of_a_wait(seconds + 0.0) if seconds is not None else None
            if run is None:
                with self.real_wait(seconds):
                    original(seconds)
                return
            self.may_go_on(run)
            wait = self.new_wait(run, seconds)
            wait.is_sleep = True
            self.scheduler.pass_time(wait)
            self.may_go_on(run, waited=True)

        # So that pickle, for a pool of processes, finds it where it stands.
        sleep.__module__, sleep.__qualname__ = "time", "sleep"
        return sleep

    # -- clocks ----------------------------------------------------------------------------------

    def _monotonic(self, original: Callable[[], float]) -> Callable[[], float]:
        def monotonic() -> float:
            if current_run() is None:
                return original()
            return original() + self._moved

        monotonic.__module__, monotonic.__qualname__ = "time", "monotonic"
        return monotonic

    @property
    def _moved(self) -> float:
        return self._clock.now - self._begin_at

    def _follow(self, now: float) -> None:
        self._frozen = 0
        moved, self._followed = now - self._followed, now
        if moved > 0:
            self._time_of_day.move(moved)
