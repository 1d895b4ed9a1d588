"""Environment variables that are set for a while, and put back unless others change them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Final

from pytest_cpjob.patching import Undo


class _LateVariable:
    """A variable that somebody else had changed when its undoing was due.

    Attributes:
        is_settled: it was once seen as it is to be; it may still come back.
    """

    def __init__(
        self, environ: MutableMapping[str, str], name: str, value: str | None, before: str | None
    ) -> None:
        self._environ = environ
        self._name = name
        self._value = value
        self._before = before
        self.is_settled = False

    def is_restored(self) -> bool:
        """Put back what was before, where our value is in place once more."""
        there = self._environ.get(self._name)
        if there == self._value:
            _put(self._environ, self._name, there, self._before)
            return True
        self.is_settled = there == self._before
        return False


_late: Final[dict[str, _LateVariable]] = {}


def restore_late_variables() -> None:
    """Take back what others have set anew, after it was taken back.

    pytest's `monkeypatch` does so where its fixture came first, and so is undone last. To be called
    while nothing of ours is set.
    """
    for name, variable in list(_late.items()):
        if variable.is_restored():
            del _late[name]


_encoded: Final = lru_cache(1_000)(os.environ.encodekey)


def values_of(names: Iterable[str]) -> dict[str, str | None]:
    """Return the values of variables, None for those that are not set.

    `os.environ` encodes each name, and raises and catches two errors for one that is not set; where
    it keeps them, it is only looked.
    """
    environ: Any = os.environ
    data = getattr(environ, "_data", None)
    if data is None:  # somebody's own mapping, in its place
        return {name: environ.get(name) for name in names}
    found = {}
    for name in names:
        value = data.get(_encoded(name))
        found[name] = None if value is None else environ.decodevalue(value)
    return found


def set_variables(
    values: Mapping[str, str | None], undo: Undo, before: Mapping[str, str | None] | None = None
) -> None:
    """Set variables, or remove those that are to be None, until the undo, unless others change one.

    Who has changed one may have kept our value to put back later: see `restore_late_variables`.

    Args:
        before: what they are now, where that is known.
    """
    environ = os.environ
    if before is None:
        before = values_of(values)
    undo.later(partial(_restore, environ, values, before))
    for name, value in values.items():
        _put(environ, name, before[name], value)


def _restore(
    environ: MutableMapping[str, str],
    values: Mapping[str, str | None],
    before: Mapping[str, str | None],
) -> None:
    there = values_of(values) if environ is os.environ else {n: environ.get(n) for n in values}
    for name, value in values.items():
        if there[name] == value:
            _put(environ, name, value, before[name])
            continue
        late = _late.get(name)
        # Of several, the first knows what was there before any of ours.
        if late is None or late.is_settled:
            _late[name] = _LateVariable(environ, name, value, before[name])


def _put(
    environ: MutableMapping[str, str], name: str, there: str | None, value: str | None
) -> None:
    if value is not None:
        environ[name] = value
    elif there is not None:
        with suppress(KeyError):  # another thread was faster
            del environ[name]
