"""Threads that a test has started: waited for, and named if they do not end."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Collection
from pathlib import PurePath
from types import FrameType
from typing import Final

OURS: Final = "pytest-cpjob"
"""How the names of this project's own threads begin."""

_STEP: Final = 0.01

_now = time.monotonic
_pause = time.sleep


def wait_for_threads(
    before: Collection[threading.Thread], seconds: float, *, daemons: bool
) -> list[threading.Thread]:
    """Wait until the threads that were not there `before` have ended; give those that have not.

    Threads of a pool with nothing to do, and those that wait for ever at a queue, do not count.

    Args:
        seconds: of real time, at most.
        daemons: whether daemon threads are waited for as well.
    """
    end = _now() + seconds
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
        if not running or _now() >= end:
            return running
        _pause(_STEP)


def _is_parked(thread: threading.Thread) -> bool:
    """Whether a thread only waits for work, without an end."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return False
    here = _place(frame)
    if here == ("futures/thread.py", "_worker"):
        return True
    if here != ("threading.py", "wait") or frame.f_locals.get("timeout") is not None:
        return False
    above = frame.f_back
    return above is not None and _place(above)[0].endswith("queue.py")


def _place(frame: FrameType) -> tuple[str, str]:
    path = PurePath(frame.f_code.co_filename)
    name = path.name if path.name != "thread.py" else f"{path.parent.name}/{path.name}"
    return name, frame.f_code.co_name
