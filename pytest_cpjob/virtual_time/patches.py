"""Waiting that takes no time: while a handler or a worker runs, sleeping moves the job clock.

`time.sleep` is replaced, also where a module has bound it by `from time import sleep`, and so is
`Event.wait` with a time-out: it ends when the event is set, and time moves only when no other
thread can set it any more. `asyncio.sleep` moves time in a task that is alone in its loop; beside
other tasks it waits for real, and so do queues and locks with a time-out: what ends such a wait may
be real. The time of day moves along through time-machine, if it is installed (the extra `time`),
and `time.monotonic` by as much, so that a loop until a deadline comes to its end. A test's own
time-machine or freezegun is left alone.

What has kept Python's sleep under another name, such as a default argument's, really sleeps.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Final, Protocol, TypeAlias

from pytest_cpjob.patching import Undo, when_imported
from pytest_cpjob.threads import OURS, pause
from pytest_cpjob.virtual_time.interrupts import ThreadInterrupter
from pytest_cpjob.virtual_time.processes import Processes, asks_for_a_process
from pytest_cpjob.virtual_time.scheduler import Scheduler
from pytest_cpjob.virtual_time.wall_clock import WallClock

_SLICE: Final = 0.01

_FOR_EVER: Final = 366 * 24 * 3600.0
"""Seconds that nobody means to wait: what some say for "without a time-out"."""

_Swap: TypeAlias = tuple[str, object, object]


class Check(Protocol):
    """Looks whether a thread may go on."""

    def __call__(self, *, in_vain: bool) -> None:
        """Raise if it may not."""


_under_way: VirtualTime | None = None


class VirtualTime:
    """Waits replaced until the end of the `with` block.

    Args:
        slept: told of each sleep's end, in the thread that slept, with the seconds by which the
            job clock is to move: 0 where another's sleep has moved it. It may raise.
        check: called before each rest, and again and again in one without an end, then with
            whether it is `in_vain`: nobody is left to end it. It may raise.
    """

    def __init__(self, slept: Callable[[float], None], check: Check | None = None) -> None:
        self._slept = slept
        self._check = check
        self._undo = Undo()
        self._outsiders = set(threading.enumerate()) - {threading.current_thread()}
        self._time_of_day = WallClock()
        self._scheduler = Scheduler(self.threads, self._move)
        self._ending = ThreadInterrupter()
        self._processes = Processes()
        self._active = False

    def __enter__(self) -> VirtualTime:
        global _under_way
        if _under_way is not None:
            return self
        _under_way = self
        self._active = True
        self._undo.later(self._end)
        self._undo.later(self._ending.stop_insisting)
        self._processes.watch(self._undo)
        self._undo.set_attribute(
            threading, "excepthook", self._ending.unheard(threading.excepthook)
        )
        self._undo.set_attribute(threading.Event, "wait", self._event_wait(threading.Event.wait))
        swaps: list[_Swap] = []
        # A sleep that a test has replaced itself is the test's.
        if _is_pythons(time.sleep):
            swaps.append(("sleep", time.sleep, self._sleep(time.sleep)))
            if _is_pythons(time.monotonic):
                swaps.append(("monotonic", time.monotonic, self._monotonic(time.monotonic)))
        self._swap(swaps)
        # Not imported for it: that takes longer than all else of many a test.
        when_imported("asyncio", self._swap_task_sleep, self._undo)
        return self

    def _swap(self, swaps: list[_Swap]) -> None:
        self._undo.later(lambda: _rebind([(name, new, old) for name, old, new in swaps]))
        _rebind(swaps)

    def _swap_task_sleep(self) -> None:
        original = sys.modules["asyncio"].sleep
        self._swap([("sleep", original, self._task_sleep(original))])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.all()

    def _end(self) -> None:
        global _under_way
        _under_way = None
        self._active = False
        self._time_of_day.stop()

    @property
    def moves_time_of_day(self) -> bool:
        """Whether `time.time()` and `datetime.now()` move along, or a test moves them itself."""
        return self._time_of_day.moves or self._time_of_day.is_a_tests_own or WallClock.can_move()

    def threads(self) -> list[threading.Thread]:
        """Give the threads that were started since the beginning, and have not ended."""
        mine = set(threading.enumerate()) - self._outsiders
        return [
            thread
            for thread in mine
            if thread is not threading.current_thread() and not thread.name.startswith(OURS)
        ]

    def is_mine(self) -> bool:
        """Whether this thread is the code's under test."""
        return threading.current_thread() not in self._outsiders

    def leave(self, thread: threading.Thread) -> None:
        """Count on no more of a thread: its part is over."""
        self._scheduler.left.add(thread)

    def has_left(self, thread: threading.Thread) -> bool:
        """Whether a thread's part is over."""
        return thread in self._scheduler.left

    def may_end(self, step: Callable[[], None]) -> None:
        """Take a step that may end this thread by raising, also where its code catches all."""
        try:
            step()
        except BaseException as error:
            if not isinstance(error, (Exception, KeyboardInterrupt)):
                self.leave(threading.current_thread())
                self._ending.insist(error)
            raise

    # -- what stands in --------------------------------------------------------------------------

    def _sleep(self, original: Callable[[float], None]) -> Callable[[float], None]:
        def sleep(seconds: float) -> None:
            if self._stands_in(seconds) and not asks_for_a_process():
                self._rest(seconds, pause, lambda: False, patient=False)
            else:
                original(seconds)

        return sleep

    def _event_wait(self, original: Callable[..., bool]) -> Callable[..., bool]:
        def wait(event: threading.Event, timeout: float | None = None) -> bool:
            seconds = None if timeout is None or timeout >= _FOR_EVER else timeout
            if event.is_set() or not self._stands_in(1 if seconds is None else seconds):
                return original(event, timeout)

            def wait_a_little(step: float) -> None:
                original(event, step)

            if seconds is not None:
                self._rest(seconds, wait_a_little, event.is_set, patient=True)
                return event.is_set()
            self._scheduler.rest_for_ever(
                wait_a_little,
                lambda: event.is_set() or not self._active,
                lambda in_vain: self._may_go_on(in_vain=in_vain),
            )
            return original(event)

        return wait

    def _task_sleep(
        self, original: Callable[..., Coroutine[Any, Any, Any]]
    ) -> Callable[..., Coroutine[Any, Any, Any]]:
        import asyncio

        async def sleep(delay: float, result: Any = None) -> Any:
            if not self._stands_in(delay):
                return await original(delay, result)
            self._may_go_on()
            begin, left = self._scheduler.moved, delay
            while left > 0 and len(asyncio.all_tasks()) > 1:
                await original(min(left, _SLICE))
                left -= _SLICE
            # What happened meanwhile, the loop hears before time moves.
            await original(0)
            self._scheduler.catch_up(begin + delay - max(0.0, left))
            if left > 0:
                self._rest(left, pause, lambda: False, patient=False)
            return result

        return sleep

    def _monotonic(self, original: Callable[[], float]) -> Callable[[], float]:
        def monotonic() -> float:
            return original() + (self._scheduler.moved if self._active else 0.0)

        return monotonic

    # -- how it passes ---------------------------------------------------------------------------

    def _stands_in(self, seconds: float) -> bool:
        """Whether a wait of so many seconds, in this thread, is ours to pass."""
        return self._active and self.is_mine() and 0 < seconds + 0.0 < float("inf")

    def _rest(
        self,
        seconds: float,
        pause: Callable[[float], object],
        is_over: Callable[[], bool],
        *,
        patient: bool,
    ) -> None:
        self._may_go_on()
        self._processes.give_time(seconds + 0.0, is_over)
        moved = self._scheduler.rest(
            seconds + 0.0, pause, lambda: is_over() or not self._active, patient=patient
        )
        if not moved and not is_over() and self._active:
            self._tell(0.0)

    def _move(self, seconds: float) -> None:
        self._time_of_day.move(seconds)
        self._tell(seconds)

    def _tell(self, seconds: float) -> None:
        self.may_end(lambda: self._slept(seconds))

    def _may_go_on(self, *, in_vain: bool = False) -> None:
        check = self._check
        if check is not None:
            self.may_end(lambda: check(in_vain=in_vain))


def _is_pythons(function: object) -> bool:
    return getattr(function, "__self__", None) is time


def _rebind(swaps: Sequence[_Swap]) -> None:
    """Put the new in the old's place wherever a module has it under its own name."""
    for module in list(sys.modules.values()):
        names: dict[str, Any] = getattr(module, "__dict__", {})
        # Asked first: nearly all of a process's thousand modules have neither.
        if "sleep" in names or "monotonic" in names:
            for name, old, new in swaps:
                if names.get(name) is old:
                    names[name] = new
