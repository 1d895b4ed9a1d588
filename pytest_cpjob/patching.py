"""The undo list: changes to the process, undone in reverse unless others have changed it since."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, MutableMapping, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import FunctionType, ModuleType
from typing import Any, Final

_ABSENT: Final = object()


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
        if self._environ.get(self._name) == self._value:
            _put(self._environ, self._name, self._before)
            return True
        self.is_settled = self._environ.get(self._name) == self._before
        return False


_late_variables: Final[dict[str, _LateVariable]] = {}
_late_attributes: Final[list[tuple[Any, str, weakref.ref[Any], object]]] = []


def restore_late_changes() -> None:
    """Take back what others have put in place anew, after it was taken back.

    pytest's `monkeypatch` does so where its fixture came first, and so is undone last; a patch that
    was put over ours, when it goes. To be called while nothing of ours is in place.
    """
    for name, variable in list(_late_variables.items()):
        if variable.is_restored():
            del _late_variables[name]
    for late in list(_late_attributes):
        owner, name, value, before = late
        ours = value()
        if ours is None:
            _late_attributes.remove(late)
        elif owner.__dict__.get(name) is ours:
            _late_attributes.remove(late)
            _set_back(owner, name, before)


class Undo:
    """Steps that undo changes to the process, run in reverse order."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def later(self, step: Callable[[], object]) -> None:
        """Add a step."""
        self._steps.append(step)

    def set_attribute(self, owner: Any, name: str, value: object) -> None:
        """Set `owner.name` until the undo, which leaves it alone if others have set it since."""
        before = owner.__dict__.get(name, _ABSENT)
        setattr(owner, name, value)
        # A closure, with its cells, would be four more objects for the collector.
        self._steps.append(partial(_restore_attribute, owner, name, value, before))

    def set_variable(self, environ: MutableMapping[str, str], name: str, value: str | None) -> None:
        """Set (or, with None, remove) a variable until the undo, unless others change it.

        Who has changed it may have kept our value to put back later: see `restore_late_changes`.
        """
        before = environ.get(name)
        _put(environ, name, value)
        self._steps.append(partial(_restore_variable, environ, name, value, before))

    def all(self) -> None:
        """Run every step, even after an exception; then raise the first exception."""
        failure: BaseException | None = None
        while self._steps:
            try:
                self._steps.pop()()
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure


def _restore_attribute(owner: Any, name: str, value: object, before: object) -> None:
    if owner.__dict__.get(name) is value:
        _set_back(owner, name, before)
    elif isinstance(value, FunctionType):
        _late_attributes.append((owner, name, weakref.ref(value), before))


def _restore_variable(
    environ: MutableMapping[str, str], name: str, value: str | None, before: str | None
) -> None:
    if environ.get(name) == value:
        _put(environ, name, before)
        return
    late = _late_variables.get(name)
    # Of several, the first knows what was there before any of ours.
    if late is None or late.is_settled:
        _late_variables[name] = _LateVariable(environ, name, value, before)


def _set_back(owner: Any, name: str, before: object) -> None:
    if before is _ABSENT:
        delattr(owner, name)
    else:
        setattr(owner, name, before)


def _put(environ: MutableMapping[str, str], name: str, value: str | None) -> None:
    if value is None:
        environ.pop(name, None)
    else:
        environ[name] = value


def when_imported(name: str, then: Callable[[], None], undo: Undo) -> None:
    """Call `then` now if a module is imported, or else right after its import, until the undo."""
    if name in sys.modules:
        then()
        return
    finder = _Finder(name, then)
    sys.meta_path.insert(0, finder)
    undo.later(finder.remove)


class _Finder:
    """Finds one module as Python would, and calls `then` when it has been executed."""

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name = name
        self._then = then
        self._is_looking = False

    def remove(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._name or self._is_looking:
            return None
        self._is_looking = True
        try:
            spec = find_spec(name)
        finally:
            self._is_looking = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                if self in sys.meta_path:
                    self._then()

            # Only on this loader object, which was created for this one import.
            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
