"""Errors that a test expects: what `pytest.raises` or `assertRaises` caught, nobody swallowed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from pytest_cpjob.clients.undo import Undo

Met = Callable[[BaseException], None]
"""Told of an error that came before the test's own eyes."""


def hear_expected(met: Met, undo: Undo) -> None:
    """Hear what a test's `pytest.raises` and `assertRaises` catch, until the undo.

    In a function of the test's own, in a fixture, or called with a function, they catch an error
    before that has come to the test's own frame.
    """
    pytest: Any = sys.modules.get("pytest")
    unittest: Any = sys.modules.get("unittest.case")
    blocks = []
    if pytest is not None:
        blocks.append(type(pytest.raises(Exception)))
    if unittest is not None:
        blocks.append(type(unittest.TestCase().assertRaises(Exception)))  # noqa: PT027
    for block in blocks:
        undo.set_attribute(block, "__exit__", _heard(block.__exit__, met))


def _heard(original: Callable[..., Any], met: Met) -> Callable[..., Any]:
    def __exit__(
        self: object,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Any:
        caught = original(self, kind, error, traceback)
        if caught and error is not None:
            met(error)
        return caught

    return __exit__
