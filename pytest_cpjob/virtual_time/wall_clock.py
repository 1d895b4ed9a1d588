"""The time of day: `time.time()` and `datetime.now()`, moved through time-machine."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any


class WallClock:
    """The time of day, moved from the first sleep on, unless a test drives it itself."""

    def __init__(self) -> None:
        self.is_a_tests_own = _is_driven()
        self._lock = threading.Lock()
        self._is_over = False
        self._travel: Any = None
        self._traveller: Any = None

    @staticmethod
    def can_move() -> bool:
        """Whether there is a time-machine that leaves `time.monotonic` alone."""
        try:
            import time_machine
        except ImportError:
            return False
        return not hasattr(time_machine.escape_hatch.time, "monotonic")

    @property
    def moves(self) -> bool:
        """Whether it has moved."""
        return self._traveller is not None

    def move(self, seconds: float) -> None:
        """Move on by `seconds`, if that can be done, and the run is not over."""
        with self._lock:
            if not self._is_over:
                self._move(seconds)

    def _move(self, seconds: float) -> None:
        if self._traveller is None and not _is_driven() and self.can_move():
            import time_machine

            # A timestamp: a datetime would bring its time zone along, into the process.
            self._travel = time_machine.travel(time.time(), tick=True)
            self._traveller = self._travel.start()
        if self._traveller is not None:
            self._traveller.shift(seconds)

    def stop(self) -> None:
        """Go back to the present, for good."""
        with self._lock:
            self._is_over = True
            if self._traveller is not None:
                self._travel.stop()
                self._traveller = None


def _is_driven() -> bool:
    """Whether a test drives the time of day itself."""
    machine = sys.modules.get("time_machine")
    travellers = getattr(machine, "traveller_stack", ())
    freezers = getattr(sys.modules.get("freezegun.api"), "freeze_factories", ())
    return bool(travellers or freezers)
