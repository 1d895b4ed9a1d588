"""How far a test of the `cpjob` fixture has come: kept from its set-up to its last report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pytest_cpjob.harness import Harness


class Progress:
    """What a test's reports, and the end of its fixture, need to know of the test.

    Attributes:
        harness: that of the test's stub.
        is_running: the test itself runs now: a report that is made meanwhile is of a part of it.
        has_ended: the test itself has finished.
        has_passed: neither the set-up nor the test itself failed, or was skipped, so far.
        has_failed: one of them failed, and was not skipped or expected to.
    """

    __slots__ = ("harness", "has_ended", "has_failed", "has_passed", "is_running")

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.is_running = False
        self.has_ended = False
        self.has_passed = True
        self.has_failed = False


PROGRESS: Final[pytest.StashKey[Progress]] = pytest.StashKey()
EARLIER_OUTPUT: Final = pytest.StashKey[int]()
"""How many sections of output pytest had of a test, from earlier runs of it, when it was set up."""
