"""One failure for a sweep that does not fit its test; its other variations are skipped.

Only when a test runs is it known which actions its pipelines have. All variations of a sweep that
names another action would fail, each with the same text.
"""

from __future__ import annotations

import os
from typing import Final

import pytest

from pytest_cpjob.sweeps.variations import UnfitSweepError

_TOLD: Final = pytest.StashKey[dict[tuple[str, str], str]]()
"""By test function and text, the test that has failed with it, in this process."""

_SKIPPED: Final = pytest.StashKey[bool]()


def skip_unfit(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Skip a test that an unfit sweep's error has left, if another variation has told it."""
    if call.excinfo is not None and isinstance(call.excinfo.value, UnfitSweepError):
        skip_told(item, call, call.excinfo.value)


def skip_told(item: pytest.Item, call: pytest.CallInfo[None], error: UnfitSweepError) -> None:
    """Skip a test that fails for an unfit sweep, if another variation of it has told the error.

    A run again of the test that has told it fails again.
    """
    told = item.config.stash.setdefault(_TOLD, {})
    name: str = getattr(item, "originalname", item.name)
    where = "" if item.parent is None else item.parent.nodeid
    first = told.setdefault((f"{where}::{name}", str(error)), item.nodeid)
    if first == item.nodeid:
        return
    try:
        pytest.skip(f"@pytest.mark.{error.marker} does not fit this test: see {first}")
    except pytest.skip.Exception:
        call.excinfo = pytest.ExceptionInfo.from_current()
    item.stash[_SKIPPED] = True


def place_skip(item: pytest.Item, report: pytest.TestReport) -> None:
    """Let the report of a test that was skipped here name the test's place, and not this file."""
    if item.stash.get(_SKIPPED, False) and isinstance(report.longrepr, tuple):
        del item.stash[_SKIPPED]
        path, line, _ = item.reportinfo()
        report.longrepr = (os.fspath(path), (line or 0) + 1, report.longrepr[2])
