"""Errors that a test expects: what `pytest.raises` or `assertRaises` caught, nobody swallowed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from pytest_cpjob.patching import Patches, Undo

Met = Callable[[BaseException], None]
"""Told of an error that came before the test's own eyes."""


def watch_expected_errors(met: Met, undo: Undo) -> None:
    """Hear what a test's `pytest.raises` and `assertRaises` catch, until the undo.

    In a function of the test's own, in a fixture, or called with a function, they catch an error
    before that has come to the test's own frame.
    """
    global _met
    _met = met
    undo.later(_forget)
    _patches("pytest" in sys.modules, "unittest.case" in sys.modules).put_in_place(undo)


_met: Met | None = None


def _forget() -> None:
    global _met
    _met = None


@functools.cache
def _patches(with_pytest: bool, with_unittest: bool) -> Patches:
    """Make the patches of the kinds of `with` blocks that expect errors, of what is in use."""
    blocks: list[Any] = []
    if with_pytest:
        blocks.append(type(sys.modules["pytest"].raises(Exception)))
    if with_unittest:
        test = sys.modules["unittest.case"].TestCase()
        # Not used as an assertion: its class is what is asked for.
        blocks.append(type(test.assertRaises(Exception)))  # noqa: PT027
    return Patches(*((block, "__exit__", _heard) for block in blocks))


def _heard(original: Callable[..., Any]) -> Callable[..., Any]:
    def __exit__(
        self: object,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Any:
        caught = original(self, kind, error, traceback)
        met = _met
        if caught and error is not None and met is not None:
            met(error)
        return caught

    return __exit__
