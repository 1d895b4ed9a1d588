"""Threads that a test has started: waited for, and named if they do not end."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Collection
from pathlib import PurePath
from types import FrameType
from typing import Final

OURS: Final = "pytest-cpjob"
"""How the names of this project's own threads begin."""

_STEP: Final = 0.01

_looking: Final = threading.RLock()
_never_released: Final = threading.Lock()
_never_released.acquire()


def pause(seconds: float) -> None:
    """Wait for real, whatever a test or a library has put in the place of sleep and the clocks."""
    _never_released.acquire(timeout=seconds)


def wait_for_threads(
    before: Collection[threading.Thread], seconds: float, *, daemons: bool
) -> list[threading.Thread]:
    """Wait until the threads that were not there `before` have ended; give those that have not.

    Threads of a pool with nothing to do, and those that wait for ever at a queue, do not count.

    Args:
        seconds: of real time, about the most. They are counted in steps: freezegun stops clocks.
        daemons: whether daemon threads are waited for as well.
    """
    steps_left = round(seconds / _STEP)
    while True:
        running = [
            thread
            for thread in threading.enumerate()
            if thread not in before
            and not thread.name.startswith(OURS)
            and thread is not threading.current_thread()
            and (daemons or not thread.daemon)
            and not _is_parked(thread)
        ]
        if not running or steps_left <= 0:
            return running
        pause(_STEP)
        steps_left -= 1


def waits_for_an_end(thread: threading.Thread) -> bool:
    """Whether a thread does nothing until another one has ended."""
    frame = _frame_of(thread)
    if frame is None or not _waits_for_ever(frame) or _place(frame)[1] == "wait":
        return False
    joined = frame.f_locals.get("self")
    return not isinstance(joined, threading.Thread) or joined.is_alive()


def waits_for_others(thread: threading.Thread) -> bool:
    """Whether a thread does nothing until another one does: it waits, without a time-out.

    One that has been given work, or been notified, and had no turn yet, waits no longer.
    """
    frame = _frame_of(thread)
    if frame is None:
        return False
    if _has_no_work(frame):
        work_queue = frame.f_locals.get("work_queue")
        return work_queue is None or bool(work_queue.empty())
    waiter = frame.f_locals.get("waiter")
    return _waits_for_ever(frame) and (waiter is None or bool(waiter.locked()))


def place_of(thread: threading.Thread) -> tuple[int, int]:
    """Say where in its code a thread is: another place, and it has gone on meanwhile."""
    frame = _frame_of(thread)
    return (0, 0) if frame is None else (id(frame.f_code), frame.f_lasti)


def _is_parked(thread: threading.Thread) -> bool:
    """Whether a thread only waits for work, without an end."""
    frame = _frame_of(thread)
    if frame is None:
        return False
    if _has_no_work(frame):
        return True
    above = frame.f_back
    return _waits_for_ever(frame) and above is not None and _place(above)[0].endswith("queue.py")


def _frame_of(thread: threading.Thread) -> FrameType | None:
    return _current_frames().get(thread.ident or 0)


def _current_frames() -> dict[int, FrameType]:
    """Give each thread's frame, with the garbage collector at rest.

    Where it runs inside of that call, and a finalizer lets another thread have its turn, Pythons
    before 3.12 can stand still for ever (python/cpython#106883).
    """
    with _looking:
        collects = gc.isenabled()
        gc.disable()
        try:
            return sys._current_frames()
        finally:
            if collects:
                gc.enable()


def _has_no_work(frame: FrameType) -> bool:
    """Whether it is a pool's thread, between two pieces of work."""
    return _place(frame) == ("futures/thread.py", "_worker")


def _waits_for_ever(frame: FrameType) -> bool:
    """Whether it waits for a condition, or for a thread's end, without a time-out."""
    file, function = _place(frame)
    if file != "threading.py" or function not in ("wait", "join", "_wait_for_tstate_lock"):
        return False
    # The last is what join() waits in before Python 3.13; it has -1 for no time-out.
    return frame.f_locals.get("timeout") in (None, -1)


def _place(frame: FrameType) -> tuple[str, str]:
    path = PurePath(frame.f_code.co_filename)
    name = path.name if path.name != "thread.py" else f"{path.parent.name}/{path.name}"
    return name, frame.f_code.co_name
