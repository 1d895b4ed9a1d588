"""Ends for code that does not let itself be ended: a bare `except:` around all that it does.

An end is raised where the code sleeps or calls AWS. Code that catches it there, and goes on, meets
it again at the next sleep or call. After some of these it is raised where no `try` of the code may
be around it: at one of its next lines, first the very next one, then the one after, and so on.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from types import FrameType
from typing import Any, Final

SWALLOWED: Final = 20
"""How many ends a thread may swallow before it is insisted."""

_MOST_LINES: Final = 50


class ThreadInterrupter:
    """The ends of one run, by thread."""

    def __init__(self) -> None:
        self._raised: Counter[threading.Thread] = Counter()
        self._tracers: dict[threading.Thread, Any] = {}

    def insist(self, error: BaseException) -> None:
        """Take note that `error` is about to be raised in this thread, and make sure of it."""
        thread = threading.current_thread()
        self._raised[thread] += 1
        in_vain = self._raised[thread] - SWALLOWED
        if in_vain > 0:
            self._tracers.setdefault(thread, sys.gettrace())
            _raise_at_a_line(error, (in_vain - 1) % _MOST_LINES + 1)

    def stop_insisting(self) -> None:
        """Give this thread its tracer back: coverage's, or a debugger's."""
        thread = threading.current_thread()
        if thread in self._tracers:
            sys.settrace(self._tracers.pop(thread))


def _raise_at_a_line(error: BaseException, lines: int) -> None:
    """Raise in the calling code when it comes to the so-many-th line from here on."""
    left = lines

    def at_a_line(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if event == "line":
            left -= 1
            if left <= 0:
                raise error
        return at_a_line

    # Frames that begin from now on are left alone, and so are our own.
    sys.settrace(lambda frame, event, argument: None)
    frame: FrameType | None = sys._getframe()
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    while frame is not None and not _is_ours(frame):
        frame.f_trace = at_a_line
        frame = frame.f_back


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("pytest_cpjob.")
