"""Times as AWS writes them, in milliseconds since 1970: drawn from the seed, never today's."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final

from pytest_cpjob.documents.streams import Stream

FIRST_DAY: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z: every job clock starts on this day."""

_SECONDS_OF_A_DAY: Final = 24 * 3600

CREDENTIALS_LIFETIME: Final = 15 * 60.0
"""Seconds from the issue of a job's artifact credentials to their `expirationTime`."""


def clock_start(stream: Stream) -> int:
    """Return the whole second of the first day that a stream's job clock starts at."""
    drawn = int.from_bytes(stream.values.generator.random.randbytes(8), "big")
    return FIRST_DAY + drawn % _SECONDS_OF_A_DAY * 1000


def first_expiration(stream: Stream) -> int:
    """Return the `expirationTime` of credentials issued when a stream's job clock starts."""
    return clock_start(stream) + int(CREDENTIALS_LIFETIME * 1000)


def moment(start: int, seconds: float) -> int:
    """Return the milliseconds since 1970 at which the job clock shows `seconds`."""
    return start + round(seconds * 1000)


def to_seconds(milliseconds: int) -> str:
    """Return a time as EventBridge's envelope has it.

    >>> to_seconds(FIRST_DAY)
    '2026-01-01T00:00:00Z'
    """
    return f"{_date(milliseconds):%Y-%m-%dT%H:%M:%SZ}"


def to_milliseconds(milliseconds: int) -> str:
    """Return a time as CodePipeline's `start-time` is written.

    >>> to_milliseconds(FIRST_DAY + 7)
    '2026-01-01T00:00:00.007Z'
    """
    return f"{_date(milliseconds):%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def _date(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, timezone.utc)
