"""Processes that the code under test has started: they run in real time, whatever it sleeps."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from pytest_cpjob.patching import Undo
from pytest_cpjob.threads import pause

MOST_REAL: Final = 5.0
"""Seconds of real time that one sleep gives to a process which its thread has found running."""

_STEP: Final = 0.001


class Processes:
    """Who has found which process running."""

    def __init__(self) -> None:
        self._running: dict[threading.Thread, subprocess.Popen[Any]] = {}
        self._poll = subprocess.Popen.poll

    def watch(self, undo: Undo) -> None:
        """Take note of each `Popen.poll` that finds a process running, until the undo."""
        original = self._poll

        def poll(process: subprocess.Popen[Any]) -> int | None:
            code = original(process)
            if code is None:
                self._running[threading.current_thread()] = process
            return code

        undo.set_attribute(subprocess.Popen, "poll", poll)
        undo.later(self._running.clear)

    def give_time(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Wait for real, for a while, until the process that this thread saw running has ended."""
        process = self._running.pop(threading.current_thread(), None)
        left = min(seconds, MOST_REAL)
        while process is not None and left > 0 and not is_over() and self._poll(process) is None:
            pause(_STEP)
            left -= _STEP


def asks_for_a_process() -> bool:
    """Whether the caller's caller is `subprocess` itself, between two looks at a process."""
    return sys._getframe(2).f_globals.get("__name__") == "subprocess"
