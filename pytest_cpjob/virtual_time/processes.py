"""Child processes: they run in real time, whatever the code under test sleeps meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

MOST_REAL: Final = 5.0
"""Seconds of real time that are given in all to a child process that is older than the run."""

MOST_REAL_IN_ALL: Final = 30.0
"""Seconds of real time that are given to a child process in all: more, and it is a server, say.
Later it is waited for only while it is seen at work."""

_STILL: Final = 0.02


class _Child:
    """What is known of one child process: for how long it has held up the time, and its work."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.held = 0.0
        self.cpu = 0
        self.still = 0.0


_known: dict[int, _Child] = {}


class ChildProcesses:
    """The child processes that live."""

    def __init__(self) -> None:
        living = _living_children()
        for pid in set(_known) - set(living):
            del _known[pid]
        for pid in living:
            _known.setdefault(pid, _Child(0.0)).most = MOST_REAL

    def live(self, elapsed: float) -> bool:
        """Whether a child process lives that those who wait are to be held up for.

        Args:
            elapsed: the seconds since this was last asked.
        """
        # All of them are looked at, so that each one's time is counted.
        holding = [pid for pid in _living_children() if _holds(pid, elapsed)]
        return bool(holding)


def _holds(pid: int, elapsed: float) -> bool:
    child = _known.setdefault(pid, _Child(MOST_REAL_IN_ALL))
    child.held += elapsed
    cpu = _cpu_of(pid)
    child.still = child.still + elapsed if cpu == child.cpu else 0.0
    child.cpu = cpu
    return child.held < child.most or child.still < _STILL


def _living_children() -> list[int]:
    """Return the numbers of the processes that this one has started and that have not ended."""
    try:
        # Asked first, since it costs least; without reaping: whoever started one waits for it.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):
        return []
    children: list[int] = []
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            children.extend(map(int, task.read_text().split()))
        except OSError:  # the thread has just ended
            continue
    return [pid for pid in children if not _has_ended(pid)]


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] in (b"Z", b"X")
    except OSError:
        return True


def _cpu_of(pid: int) -> int:
    """Return the nanoseconds of processor time that a process has used; -1 if it has ended."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except (OSError, AttributeError):
        return -1
