"""The test that this process sets up or runs now, for the fixture that most tests here have.

It could ask pytest for `request`, as other fixtures do. But pytest makes an object of that for each
fixture, and inspects a signature for it, three times a test: a good part of the fixture's cost.
"""

from __future__ import annotations

from functools import partial

import pytest

_item: pytest.Item | None = None


def begin(item: pytest.Item) -> None:
    """Take this test for the current one from now on."""
    global _item
    _item = item


def current_test() -> pytest.Item:
    """Return the current test.

    Raises:
        LookupError: pytest has set up none, which only another plugin can bring about.
    """
    if _item is None:
        raise LookupError(
            "cpjob: the fixture was asked for outside of a test: pytest's hook pytest_runtest_setup"
            " was not called for one; use `with CodePipelineStub() as cpjob` there"
        )
    return _item


def have_own(config: pytest.Config) -> None:
    """Let a run of pytest inside a test, as `pytester` makes it, have its own until its end."""
    config.add_cleanup(partial(_resume, _item))


def _resume(item: pytest.Item | None) -> None:
    global _item
    _item = item
