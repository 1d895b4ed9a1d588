"""Waits of `threading` and `selectors` on the job clock: conditions, joins, selectors.

An event, a semaphore, a barrier, a queue and a future wait by a condition, and an event loop waits
by a selector, so what is done here is done for all of them.
"""

from __future__ import annotations

import math
import selectors
import sys
import threading
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from pytest_cpjob.patching import Patches, Undo
from pytest_cpjob.threads import Run
from pytest_cpjob.virtual_time.activity import MOST_REAL, STEP, real_time
from pytest_cpjob.virtual_time.current import current_time
from pytest_cpjob.virtual_time.scheduler import Time, Wait

_MICROSECOND: Final = 1e-6


# -- conditions ------------------------------------------------------------------------------------


def _conditions(original: Callable[..., bool]) -> Callable[..., bool]:
    """Make `Condition.wait` wait on the job clock."""

    def wait(self: Any, timeout: float | None = None) -> bool:
        time = current_time()
        if time is None:
            return original(self, timeout)
        run = time.run_of_a_wait(timeout)
        if run is None or not hasattr(self, "_waiters"):
            with time.real_wait(timeout):
                return original(self, timeout)
        notified = _wait(self, time, run, timeout)
        if notified is not None:
            return notified
        # The run is over, and the thread goes on: so does its wait, for real.
        return original(self, timeout)

    return wait


def _wait(self: Any, time: Time, run: Run, timeout: float | None) -> bool | None:
    """CPython's own `Condition.wait`, with a wait of ours in the place of its lock."""
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    time.may_go_on(run)
    waiter = time.new_wait(run, timeout)
    self._waiters.append(waiter)
    saved = self._release_save()
    try:
        time.scheduler.pass_time(waiter)
    finally:
        self._acquire_restore(saved)
        if waiter.outcome != "notified" and waiter in self._waiters:
            self._waiters.remove(waiter)
    time.may_go_on(run, waited=waiter.outcome != "notified")
    if waiter.outcome == "notified":
        return True
    return None if timeout is None else False


# -- joins -----------------------------------------------------------------------------------------

_joins: Final[weakref.WeakKeyDictionary[threading.Thread, list[Wait]]] = weakref.WeakKeyDictionary()
"""By thread of a run that has not ended, who waits for its end."""


def thread_begun(thread: threading.Thread) -> None:
    """Take note of a thread whose end will be told."""
    _joins[thread] = []


def thread_ended(thread: threading.Thread) -> None:
    """Let those go on that wait for this thread."""
    for wait in _joins.pop(thread, ()):
        wait.end("notified")


def _joining(original: Callable[..., None]) -> Callable[..., None]:
    """Make `Thread.join` wait on the job clock."""

    def join(self_: threading.Thread, timeout: float | None = None) -> None:
        time = current_time()
        if time is None:
            return original(self_, timeout)
        run = time.run_of_a_wait(timeout)
        waiting = _joins.get(self_)
        if run is None or waiting is None or self_ is threading.current_thread():
            with time.real_wait(timeout):
                return original(self_, timeout)
        wait = time.new_wait(run, timeout)
        wait.can_be_vain = False
        waiting.append(wait)
        if self_ not in _joins:  # it has ended meanwhile
            wait.end("notified")
        outcome = time.scheduler.pass_time(wait)
        if outcome != "notified":
            time.may_go_on(run, waited=True)
        if outcome == "notified" or timeout is None:
            original(self_)

    return join


# -- selectors -------------------------------------------------------------------------------------

_SELECTORS: Final = (
    "SelectSelector",
    "PollSelector",
    "EpollSelector",
    "DevpollSelector",
    "KqueueSelector",
)

_silent: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
"""By selector that watches what others may write, for how long nothing came, in real seconds."""


class SelectorWait(Wait):
    """A wait for files to be ready.

    Args:
        look: returns what is ready, after so many real seconds at most.
        selector: it watches what comes from outside; None where it watches its loop's pipe alone.
    """

    def __init__(
        self, run: Run, until: float, look: Callable[[float], list[Any]], selector: object
    ) -> None:
        super().__init__(run, until)
        self.ready: list[Any] = []
        self._look = look
        self._selector = selector
        self._looked = 0.0
        self._waited_until = real_time()

    def block(self, seconds: float | None) -> None:
        """Wait for real until something is ready, for a moment at most."""
        self._look_now(STEP)

    def _look_now(self, seconds: float) -> None:
        began = real_time()
        ready = self._look(seconds)
        self._looked = began
        if ready:
            self.ready = ready
            self.end("notified")

    def is_fresh(self, since: float, now: float, *, is_mine: bool) -> bool:
        """Whether it has looked since the quiet began, and need not wait for others any longer."""
        if is_mine:
            self._look_now(0)
        if self._selector is not None:
            silent = _silent.get(self._selector, 0.0) + min(now - self._waited_until, 2 * STEP)
            _silent[self._selector] = silent
            self._waited_until = now
            if silent < MOST_REAL:
                return False
        return self._looked >= since


def _selecting(original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Make selectors, and so event loops, wait on the job clock."""

    def select(self: Any, timeout: float | None = None) -> list[Any]:
        time = current_time()
        if time is None:
            return original(self, timeout)
        run = time.run_of_a_wait(timeout)
        if run is None:
            with time.real_wait(timeout):
                return original(self, timeout)
        time.may_go_on(run)
        if ready := original(self, 0):
            _silent.pop(self, None)
            return ready
        loops = _is_a_loops_own(self)
        if timeout is not None:
            # A loop's timers are differences of times, which floats do not give exactly.
            timeout = math.ceil(timeout / _MICROSECOND - 0.01) * _MICROSECOND
            timeout = round(timeout, 6)
        wait = SelectorWait(
            run,
            time.until(timeout),
            lambda seconds: original(self, seconds),
            None if loops else self,
        )
        time.scheduler.pass_time(wait)
        time.may_go_on(run, waited=not wait.ready)
        if wait.ready:
            _silent.pop(self, None)
        elif timeout is None and wait.outcome != "notified":
            return original(self, None)
        return wait.ready

    return select


def _is_a_loops_own(selector: Any) -> bool:
    """Whether a selector is an event loop's that watches nothing but its own pipe."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or len(selector.get_map()) > 1:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def replace_waits(undo: Undo) -> None:
    """Let waits ask the current time, until the undo."""
    # As they are now: gevent, for one, has classes of its own.
    kinds = (getattr(selectors, name, None) for name in _SELECTORS)
    _patches(threading.Condition, threading.Thread, *kinds).put_in_place(undo)


@lru_cache(8)
def _patches(condition: Any, thread: Any, *kinds: Any) -> Patches:
    return Patches(
        (condition, "wait", _conditions),
        (thread, "join", _joining),
        *((kind, "select", _selecting) for kind in kinds if kind is not None),
    )
