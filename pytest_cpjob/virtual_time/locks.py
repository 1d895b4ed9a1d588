"""Locks and simple queues that know who waits for them: stand-ins for those that C implements.

Python's own do not say that a thread waits for them, nor for how long. Those that are made while a
stub is active are of the classes here; older ones are not known, and a wait for them is real.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from pytest_cpjob.patching import Patches, Undo
from pytest_cpjob.threads import current_run, idle_thread
from pytest_cpjob.virtual_time.current import current_time
from pytest_cpjob.virtual_time.scheduler import Wait

_new_lock: Final = threading.Lock
_RLock: Final = type(threading.RLock())


def stand_in_for_locks(undo: Undo) -> None:
    """Let `threading` and `queue` make locks and simple queues of the classes here."""
    _PATCHES.put_in_place(undo)


def _wait_for(
    timeout: float | None,
    waits: deque[Wait],
    try_it: Callable[[], bool],
    *,
    is_outside: bool = False,
) -> bool | None:
    """Wait on the job clock; None if the wait is to be real."""
    time = current_time()
    run = time.run_of_a_wait(timeout) if time is not None else None
    if time is None or run is None:
        return None
    return time.pass_wait(run, timeout, waits, try_it, is_outside=is_outside)


def wake_one(waits: deque[Wait]) -> None:
    """Let the first of those that still wait try again."""
    while waits:
        try:
            wait = waits.popleft()
        except IndexError:  # another thread was faster
            return
        if wait.end("notified"):
            return


class Lock:
    """`threading.Lock`."""

    __slots__ = ("__weakref__", "_is_runs", "_lock", "_waits")

    def __init__(self) -> None:
        self._lock = _new_lock()
        self._waits: deque[Wait] = deque()
        self._is_runs = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, waiting for it if need be."""
        if timeout == -1 and self._try():
            return True
        if blocking and (timeout == -1 or timeout > 0):
            seconds = None if timeout == -1 else timeout
            acquired = self._try() or _wait_for(
                seconds, self._waits, self._try, is_outside=not self._is_runs
            )
            if acquired is not None:
                return acquired
        # Python's own says what is wrong with the arguments, if anything is.
        return self._lock.acquire(blocking, timeout)

    def _try(self) -> bool:
        if not self._lock.acquire(False):
            return False
        self._is_runs = current_time() is not None and current_run() is not None
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()
        if self._waits:
            wake_one(self._waits)

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self._try() or self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()  # type: ignore[attr-defined]  # typeshed leaves it out
        self._waits.clear()

    def __repr__(self) -> str:
        return repr(self._lock)


class RLock(_RLock):  # type: ignore[valid-type,misc]  # its type has no name
    """`threading.RLock`."""

    def __init__(self) -> None:
        super().__init__()
        self._waits: deque[Wait] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, waiting for it if need be."""
        if blocking and (timeout == -1 or timeout > 0):
            if super().acquire(False):
                return True
            seconds = None if timeout == -1 else timeout
            acquired = _wait_for(
                seconds, self._waits, lambda: bool(super(RLock, self).acquire(False))
            )
            if acquired is not None:
                return acquired
        return bool(super().acquire(blocking, timeout))

    __enter__ = acquire

    def release(self) -> None:
        """Give the lock back."""
        super().release()
        self._wake()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _release_save(self) -> Any:
        state = super()._release_save()
        self._wake()
        return state

    def _acquire_restore(self, state: Any) -> None:
        self.acquire()
        for _ in range(state[0] - 1):
            super().acquire()

    def _wake(self) -> None:
        if self._waits and not self._is_owned():
            wake_one(self._waits)


class SimpleQueue(queue.SimpleQueue[Any]):
    """`queue.SimpleQueue`."""

    def __init__(self) -> None:
        super().__init__()
        self._waits: deque[Wait] = deque()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item into the queue."""
        super().put(item)
        if self._waits:
            wake_one(self._waits)

    def put_nowait(self, item: Any) -> None:
        """Put an item into the queue."""
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item out of the queue, waiting for one if need be."""
        if not block or (timeout is not None and timeout <= 0):
            return super().get(block, timeout)
        got: list[Any] = []

        def try_it() -> bool:
            try:
                got.append(super(SimpleQueue, self).get(False))
            except queue.Empty:
                return False
            return True

        if try_it():
            return got[0]
        if timeout is not None:
            return self._wait(timeout, got, try_it)
        with idle_thread():
            return self._wait(timeout, got, try_it)

    def _wait(self, timeout: float | None, got: list[Any], try_it: Callable[[], bool]) -> Any:
        has_one = _wait_for(timeout, self._waits, try_it)
        if has_one is None:
            return super().get(True, timeout)
        if not has_one:
            raise queue.Empty
        return got[0]


_PATCHES: Final = Patches(
    (threading, "Lock", lambda original: Lock),
    (threading, "RLock", lambda original: RLock),
    (queue, "SimpleQueue", lambda original: SimpleQueue),
)
