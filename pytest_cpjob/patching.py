"""The undo list: changes to the process, undone in reverse unless others have changed it since."""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

_ABSENT: Final = object()


_changed_since: Final[dict[str, Callable[[], bool]]] = {}
"""Variable -> a function that retries to restore it and returns whether it is restored.

Contains the variables that could not be restored in time, because other code had changed them.
"""


def restore_late_variables() -> None:
    """Restore variables that other code has set back to our value after our undo.

    pytest's `monkeypatch` does so if the test used it inside the stub: it saved our dummy value as
    the original, and is undone after us if its fixture was requested first. Without this, later
    tests would run with the dummy. To be called only while no stub is active.
    """
    for name, restore in list(_changed_since.items()):
        if restore():
            del _changed_since[name]


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

        def restore() -> None:
            if owner.__dict__.get(name) is value:
                if before is _ABSENT:
                    delattr(owner, name)
                else:
                    setattr(owner, name, before)

        self.later(restore)

    def set_variable(self, environ: MutableMapping[str, str], name: str, value: str | None) -> None:
        """Set (or, with None, remove) a variable until the undo, unless others change it.

        Code that changes it may save our value and set it again: see `restore_late_variables`.
        """
        before = environ.get(name)
        _put(environ, name, value)

        def is_restored() -> bool:
            if environ.get(name) == value:
                _put(environ, name, before)
            return environ.get(name) == before

        def restore() -> None:
            if not is_restored():
                # setdefault: of several stubs, the first one knows the original value.
                _changed_since.setdefault(name, is_restored)

        self.later(restore)

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
