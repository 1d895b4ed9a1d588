"""Who acts: threads that are in no wait of ours, as the kernel and its clocks see them.

A thread that is blocked, and has used no processor time since it was last looked at, has done
nothing meanwhile. On Linux both can be had of each thread: the clock of its own, and whether it is
runnable; so a thread that was just woken, and is yet to have its turn on a busy machine, counts as
acting. Elsewhere the clock of the whole process stands for that of each thread.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection
from typing import Final

from pytest_cpjob.threads import OURS
from pytest_cpjob.virtual_time.processes import ChildProcesses

STEP: Final = 0.001
"""Seconds of real time between two looks."""

STILL: Final = 0.02
"""Seconds of real time after which a thread that stands still is taken to wait for others."""

MOST_REAL: Final = 5.0
"""Seconds of real time that a sleeper gives to what only real time can end: in all, for each thread
that waits outside of Python's own waits, or that was there before and really sleeps."""


_WITHOUT_CLOCK_IDS: Final = (time.perf_counter,)
"""What Windows has instead. In a tuple, since freezegun and we replace what modules name."""


def real_time() -> float:
    """Return seconds of real time, whatever a test has put in the place of Python's clocks."""
    if hasattr(time, "clock_gettime"):
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return _WITHOUT_CLOCK_IDS[0]()


class _Seen:
    """What was seen of one thread.

    Attributes:
        cpu: the processor time that it had used, in nanoseconds.
        still: for how long it has stood still, in looks.
        is_settled: it has stood still for long enough, and has used no processor time since.
        held: for how long it has held up the time by a wait outside.
    """

    def __init__(self, cpu: int, *, is_settled: bool = False) -> None:
        self.cpu = cpu
        self.still = 0.0
        self.is_settled = is_settled
        self.held = 0.0


class Activity:
    """Whether any thread or child process of this process may still do something.

    Attributes:
        is_of_a_run: whether a thread belongs to a run, and is not between two tasks of a pool.
        really_waits: by a thread's ident, the real time at which a wait of it ends that is known
            and not ours to pass.
        left: threads whose part is over.
    """

    def __init__(self, is_of_a_run: Callable[[threading.Thread], bool]) -> None:
        self.is_of_a_run = is_of_a_run
        self.really_waits: dict[int, float] = {}
        self.left: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self.processes = ChildProcesses()
        self._seen: weakref.WeakKeyDictionary[threading.Thread, _Seen] = weakref.WeakKeyDictionary()
        self._last_look = real_time()
        # What others do who have done nothing since, they do not do for the code under test.
        for thread in set(threading.enumerate()) - {threading.current_thread()}:
            cpu = _cpu_of(thread)
            if cpu is not None:
                self._seen[thread] = _Seen(cpu, is_settled=True)

    def goes_on(self, waiting: Collection[int]) -> bool:
        """Whether a thread other than those with the idents in `waiting` may act.

        Called again and again, with `STEP` between two looks, until it is False.
        """
        now = real_time()
        elapsed = min(now - self._last_look, 2 * STEP)
        self._last_look = now
        found = False
        for thread in threading.enumerate():
            if thread.ident not in waiting and not thread.name.startswith(OURS):
                found = self._acts(thread, now, elapsed) or found
        return found

    def is_outside(self, waiting: Collection[int]) -> bool:
        """Whether a thread of a run is in a wait that is not known, or at work."""
        return any(
            thread.ident not in waiting and thread not in self.left and self.is_of_a_run(thread)
            for thread in threading.enumerate()
        )

    def _acts(self, thread: threading.Thread, now: float, elapsed: float) -> bool:
        if thread in self.left:
            return False
        cpu = _cpu_of(thread)
        if cpu is None:
            # Without a number of the kernel's it has yet to begin; with one, it has just ended.
            return thread.native_id is None
        seen = self._seen.setdefault(thread, _Seen(cpu))
        is_of_a_run = self.is_of_a_run(thread)
        if cpu != seen.cpu:
            seen.cpu, seen.still, seen.is_settled = cpu, 0.0, False
            if is_of_a_run:
                return True
        else:
            seen.still += elapsed
        is_known = now < self.really_waits.get(thread.ident or 0, 0.0)
        if not is_known and self._is_settled(thread, seen, is_of_a_run=is_of_a_run):
            return False
        seen.held += elapsed
        return is_of_a_run or seen.held < MOST_REAL

    @staticmethod
    def _is_settled(thread: threading.Thread, seen: _Seen, *, is_of_a_run: bool) -> bool:
        patience = MOST_REAL - seen.held if is_of_a_run else STILL
        if not seen.is_settled and seen.still < max(patience, STILL):
            return False
        # In this order: one that was just woken is runnable, or else it has used time since, though
        # it be blocked again, for its turn with the interpreter.
        seen.is_settled = _is_blocked(thread) and _cpu_of(thread) == seen.cpu
        return seen.is_settled


def _cpu_of(thread: threading.Thread) -> int | None:
    """Return the nanoseconds of processor time that a thread has used; None where it is not there.

    Python's own way to the clock's number, `pthread_getcpuclockid`, must not be asked about a
    thread that may just be ending; the kernel makes it of the thread's number, and checks it.
    """
    if thread.native_id is None:
        return None
    if not sys.platform.startswith("linux"):
        return time.process_time_ns() - time.thread_time_ns()
    try:
        return time.clock_gettime_ns((~thread.native_id << 3) | 6)
    except OSError:
        return None


def _is_blocked(thread: threading.Thread) -> bool:
    """Whether a thread is neither running nor about to; where that cannot be known, True."""
    try:
        with open(f"/proc/self/task/{thread.native_id}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] not in (b"R", b"D")
    except OSError:
        return True
