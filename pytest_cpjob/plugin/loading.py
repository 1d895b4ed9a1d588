"""Loads this package's own modules directly, without pytest's import hook.

pytest rewrites the assertions of every module in a plugin's distribution. This package has none to
rewrite, and the hook doubles the time to load it; if Python writes no bytecode, the hook also
parses and compiles each module again at every start.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from pytest_cpjob.patching import Undo

_PREFIX = f"{__package__.partition('.')[0]}."


class _OwnModules:
    """Finds this package's submodules, and nothing else."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path, target) if name.startswith(_PREFIX) else None


def load_own_modules_plainly(undo: Undo) -> None:
    """Find this package's modules before pytest's import hook does, until the undo."""
    finder = _OwnModules()
    sys.meta_path.insert(0, finder)
    undo.later(lambda: sys.meta_path.remove(finder))
