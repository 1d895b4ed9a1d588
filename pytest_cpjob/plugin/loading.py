"""How this package's own modules are loaded: as Python loads any, past pytest's import hook.

pytest marks every module of a plugin's distribution for the rewriting of its assertions. There are
none to rewrite here, and going through the hook takes as long again as loading the modules does;
where no bytecode is written, it parses and compiles each of them anew at every start.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from pytest_cpjob.patching import Undo

_PREFIX = f"{__package__.partition('.')[0]}."


class _OwnModules:
    """Finds what is below this package, and nothing else."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path, target) if name.startswith(_PREFIX) else None


def load_own_modules_plainly(undo: Undo) -> None:
    """Come before pytest's import hook for this package's modules, until the undo."""
    finder = _OwnModules()
    sys.meta_path.insert(0, finder)
    undo.later(lambda: sys.meta_path.remove(finder))
