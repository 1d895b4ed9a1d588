"""Functions of `time`, replaced wherever a module has bound them by their own names.

To look through a thousand modules takes longer than all else of a short test. So the look is kept,
and done again where there are other modules than then, or where more or less refers to the function
than then: whoever binds a function refers to it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from pytest_cpjob.patching import Undo

Swap: TypeAlias = tuple[str, object, object]
"""A name, what a module has there, and what it is to have."""


class _Look:
    """What was seen when all modules were last looked at, while nothing was replaced.

    Args:
        modules: these modules; a tuple compares by identity first, and so quickly.
        references: how much referred to each function.
        namespaces: of the modules with one of the names.
    """

    def __init__(
        self,
        modules: tuple[object, ...],
        references: list[int],
        namespaces: list[dict[str, Any]],
    ) -> None:
        self.modules = modules
        self.references = references
        self.namespaces = namespaces


_last: _Look | None = None


def is_pythons(function: object) -> bool:
    """Whether a function of `time` is Python's own, and no test has replaced it."""
    return getattr(function, "__self__", None) is time


def rebind(swaps: Sequence[Swap], undo: Undo) -> None:
    """Put the new in the old's place wherever a module has it under its own name, until the undo.

    Args:
        swaps: with new functions that nothing else refers to: so it is seen who keeps them.
    """
    global _last
    modules = tuple(sys.modules.values())
    references = [sys.getrefcount(old) for _, old, _ in swaps]
    if _last is None or _last.references != references or _last.modules != modules:
        _last = _Look(modules, references, _namespaces(modules))
    before = [sys.getrefcount(new) for _, _, new in swaps]
    undo.later(lambda: _put_back(swaps, before))
    _swap(_last.namespaces, swaps)


def _put_back(swaps: Sequence[Swap], before: list[int]) -> None:
    """Put the old back where the new is, also where code has bound the new since."""
    _swap_back([] if _last is None else _last.namespaces, swaps)
    modules = tuple(sys.modules.values())
    if [sys.getrefcount(new) for _, _, new in swaps] != before:
        _swap_back(_namespaces(modules), swaps)
    if _last is not None and _last.modules != modules:
        forget_modules()  # those that are gone must not be kept


def forget_modules() -> None:
    """Keep no module alive."""
    global _last
    _last = None


def _namespaces(modules: Sequence[object]) -> list[dict[str, Any]]:
    found = []
    for module in modules:
        names: dict[str, Any] = getattr(module, "__dict__", {})
        # Nearly all of a process's thousand modules have neither.
        if "sleep" in names or "monotonic" in names:
            found.append(names)
    return found


def _swap(namespaces: Sequence[dict[str, Any]], swaps: Sequence[Swap]) -> None:
    for names in namespaces:
        for name, old, new in swaps:
            if names.get(name) is old:
                names[name] = new


def _swap_back(namespaces: Sequence[dict[str, Any]], swaps: Sequence[Swap]) -> None:
    _swap(namespaces, [(name, new, old) for name, old, new in swaps])
