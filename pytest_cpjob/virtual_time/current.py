"""The time that waits ask while runs are under way: what replaces them is made once a process."""

from __future__ import annotations

from pytest_cpjob.patching import Undo
from pytest_cpjob.virtual_time.scheduler import Time

_time: Time | None = None


def use_time(time: Time, undo: Undo) -> None:
    """Let waits ask a time, until the undo."""
    global _time
    _time = time
    undo.later(_forget)


def _forget() -> None:
    global _time
    _time = None


def current_time() -> Time | None:
    """Return the time to ask, if there is one."""
    return _time
