"""Functions of `time`, replaced wherever a module has bound them by their own names."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

Swap: TypeAlias = tuple[str, object, object]
"""A name, what a module has there, and what it is to have."""


def is_pythons(function: object) -> bool:
    """Whether a function of `time` is Python's own, and no test has replaced it."""
    return getattr(function, "__self__", None) is time


def rebind(swaps: Sequence[Swap]) -> None:
    """Put the new in the old's place wherever a module has it under its own name."""
    for module in list(sys.modules.values()):
        names: dict[str, Any] = getattr(module, "__dict__", {})
        # Asked first: nearly all of a process's thousand modules have neither.
        if "sleep" in names or "monotonic" in names:
            for name, old, new in swaps:
                if names.get(name) is old:
                    names[name] = new
