"""Waiting that takes no time: while a handler or a worker runs, sleeping moves the job clock.

`time.sleep` is replaced, also where a module has bound it by `from time import sleep`. The time of
day moves along through time-machine, if it is installed (the extra `time`), and `time.monotonic`
by as much, so that a loop until a deadline comes to its end. A test's own time-machine or freezegun
is left alone. `Event.wait`, queues and `asyncio.sleep` wait for real: what ends such a wait is
another thread's or task's doing, and a time that jumps would end it wrongly.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime, timezone
from importlib.util import find_spec
from types import BuiltinFunctionType, TracebackType
from typing import Any, Final

from pytest_cpjob.clients.undo import Undo
from pytest_cpjob.threads import OURS

_LET_OTHERS_RUN: Final = 0.005
"""Seconds that a sleeper really waits while other threads of the code under test are at work."""


class Waiting:
    """Sleep replaced until the end of the `with` block.

    Args:
        slept: told of each sleep's seconds, in the thread that sleeps; it may raise.
    """

    def __init__(self, slept: Callable[[float], None]) -> None:
        self._slept = slept
        self._undo = Undo()
        self._outsiders = set(threading.enumerate()) - {threading.current_thread()}
        self._time_of_day = _TimeOfDay()
        self._active = False

    def __enter__(self) -> Waiting:
        # A sleep that a test has replaced itself is the test's.
        if isinstance(time.sleep, BuiltinFunctionType):
            self._active = True
            self._undo.later(self._end)
            sleep, monotonic = time.sleep, time.monotonic
            self._replace("sleep", sleep, self._sleeping(sleep))
            if isinstance(monotonic, BuiltinFunctionType):
                self._replace("monotonic", monotonic, self._counting(monotonic))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.all()

    def _end(self) -> None:
        self._active = False
        self._time_of_day.stop()

    @property
    def moves_time_of_day(self) -> bool:
        """Whether `time.time()` and `datetime.now()` move along."""
        return self._time_of_day.moves or self._time_of_day.can_move

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

    # -- what stands in --------------------------------------------------------------------------

    def _sleeping(self, original: Callable[[float], None]) -> Callable[[float], None]:
        def sleep(seconds: float) -> None:
            if not (self._active and self.is_mine() and seconds + 0.0 > 0):
                original(seconds)
                return
            original(min(seconds, _LET_OTHERS_RUN) if self.threads() else 0)
            self._time_of_day.move(seconds)
            self._slept(seconds)

        return sleep

    def _counting(self, original: Callable[[], float]) -> Callable[[], float]:
        def monotonic() -> float:
            return original() + (self._time_of_day.moved if self._active else 0.0)

        return monotonic

    def _replace(self, name: str, before: object, after: object) -> None:
        """Put `after` wherever a module has `before` under its own name, and take it out again."""
        self._undo.later(lambda: _rebind(name, after, before))
        _rebind(name, before, after)


def _rebind(name: str, before: object, after: object) -> None:
    for module in list(sys.modules.values()):
        names: dict[str, Any] = getattr(module, "__dict__", {})
        if names.get(name) is before:
            names[name] = after


class _TimeOfDay:
    """The time of day, moved by time-machine from the first sleep on.

    Attributes:
        moved: seconds so far.
    """

    def __init__(self) -> None:
        self.moved = 0.0
        self._stack = ExitStack()
        self._traveller: Any = None
        self._lock = threading.Lock()

    @property
    def moves(self) -> bool:
        return self._traveller is not None

    @property
    def can_move(self) -> bool:
        return find_spec("time_machine") is not None and not _is_a_tests_own()

    def move(self, seconds: float) -> None:
        with self._lock:
            self.moved += seconds
            if self._traveller is None and self.can_move:
                import time_machine

                now = datetime.now(timezone.utc)
                self._traveller = self._stack.enter_context(time_machine.travel(now, tick=True))
            if self._traveller is not None:
                self._traveller.shift(seconds)

    def stop(self) -> None:
        self._traveller = None
        self._stack.close()


def _is_a_tests_own() -> bool:
    """Whether a test drives the time of day itself."""
    modules: Mapping[str, Any] = sys.modules
    machine = modules.get("time_machine")
    travellers = getattr(machine, "traveller_stack", getattr(machine, "coordinates_stack", ()))
    return bool(travellers or getattr(modules.get("freezegun.api"), "freeze_factories", ()))
