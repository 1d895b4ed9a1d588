"""The job clock, by which a stub's jobs, credentials and timelines measure time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

_LONGEST: Final = sys.float_info.max


class Clock:
    """Seconds since the stub was entered; moves only by `advance`.

    Real time never moves it, so nothing in a test depends on how fast the machine is.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._listeners: list[Callable[[], None]] = []

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the clock has moved."""
        self._listeners.append(listener)

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`.

        Raises:
            ValueError: `seconds` is negative or not a finite number.
        """
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise ValueError(f"seconds: expected a number, got {seconds!r}")
        if not 0 <= seconds <= _LONGEST:
            raise ValueError(
                "seconds: the job clock only moves forward, by a finite number, got"
                f" {str(seconds)[:60]}"
            )
        self.now += seconds
        for listener in self._listeners:
            listener()
