"""Hearing of a module's import, so that what it defines can be replaced without importing it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from pytest_cpjob.clients.undo import Undo


def when_imported(name: str, then: Callable[[], None], undo: Undo) -> None:
    """Do something as soon as a module is there: now, or right after its import; until the undo."""
    if name in sys.modules:
        then()
        return
    finder = _Finder(name, then)
    sys.meta_path.insert(0, finder)
    undo.later(finder.remove)


class _Finder:
    """Finds the one module as Python would, and hears of the end of its execution."""

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

            # On this loader alone, which was made for this one import.
            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
