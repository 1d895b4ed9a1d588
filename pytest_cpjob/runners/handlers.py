"""Handlers, found as Lambda finds them: a function, or its name `package.module.function`."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

from pytest_cpjob.errors import HandlerError
from pytest_cpjob.patching import Undo

Handler = Callable[[Any, Any], Any]
"""A Lambda handler: `handler(event, context)`."""


def load_handler(handler: Handler | str, *, cold: bool, undo: Undo) -> Handler:
    """Return the handler, importing it first if it is given by name, as in Lambda's settings.

    Args:
        handler: the function or its name.
        cold: import its top-level package again; the undo restores `sys.modules`.

    Raises:
        HandlerError: it cannot be imported, is not callable, or is asynchronous.
    """
    if isinstance(handler, str):
        name, handler = handler, _import(handler, cold, undo)
        if not callable(handler):
            raise HandlerError(
                f"{name!r} is not a handler(event, context): it is the {type(handler).__name__}"
                f" {handler!r:.100}"
            )
    elif cold:
        raise HandlerError(
            "cold=True imports the handler again, so it requires its name,"
            f" 'package.module.function', got {handler!r}"
        )
    if not callable(handler):
        raise HandlerError(f"expected a handler(event, context) or its name, got {handler!r}")
    if inspect.iscoroutinefunction(handler):
        raise asynchronous(handler)
    return handler


def _import(name: str, cold: bool, undo: Undo) -> Handler:
    path, _, function_name = name.rpartition(".")
    # As Lambda's own runtime reads the name of a handler in a folder.
    module_name = path.replace("/", ".")
    if not all(module_name.split(".")):
        raise HandlerError(
            f"expected 'package.module.function' or 'folder/file.function', got {name!r}"
        )
    if cold:
        _forget_modules(module_name.partition(".")[0], undo)
    else:
        _leave_other_folder(module_name)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise HandlerError(f"no module {error.name!r} found for the handler {name!r}") from None
    try:
        handler: Handler = getattr(module, function_name)
    except AttributeError:
        raise HandlerError(f"module {module_name!r} has no function {function_name!r}") from None
    return handler


_elsewhere: Final[dict[tuple[str, str], dict[str, ModuleType]]] = {}
"""Modules whose name a module of another folder has taken: by name and file, with their package."""


def _leave_other_folder(module_name: str) -> None:
    """Let a name stand for the module that `sys.path` finds now, not for one of another folder.

    Each function's folder has its own `index.py`, and each is its own module: those that were
    imported before come back as they were, for whoever patched them.
    """
    loaded = _file_of(getattr(sys.modules.get(module_name), "__spec__", None))
    if loaded is None:
        return
    found = _file_of(_find(module_name))
    if found is None or loaded == found:
        return
    modules = _modules_of(module_name.partition(".")[0])
    _elsewhere[module_name, loaded] = modules
    for name in modules:
        del sys.modules[name]
    sys.modules.update(_elsewhere.pop((module_name, found), {}))


def _find(module_name: str) -> ModuleSpec | None:
    """Find a module on `sys.path`, whatever of that name is imported already."""
    spec, path = None, None
    parts = module_name.split(".")
    for number in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: number + 1]), path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return spec


def _file_of(spec: ModuleSpec | None) -> str | None:
    return None if spec is None or not spec.has_location else os.path.realpath(str(spec.origin))


def _modules_of(top: str) -> dict[str, ModuleType]:
    """Return what is imported of a package, itself and its submodules."""
    return {
        name: module
        for name, module in list(sys.modules.items())
        if name == top or name.startswith(f"{top}.")
    }


def _forget_modules(top: str, undo: Undo) -> None:
    """Make the next import of a package, with its submodules, run it again, until the undo."""
    before = _modules_of(top)

    def restore() -> None:
        for name in _modules_of(top):
            del sys.modules[name]
        sys.modules.update(before)

    undo.later(restore)
    for name in before:
        del sys.modules[name]


def asynchronous(handler: object) -> HandlerError:
    """Return the error for a coroutine function, which Lambda would not await."""
    name = getattr(handler, "__name__", repr(handler))
    return HandlerError(
        f"{name} is asynchronous, and Lambda's Python runtime calls handlers without awaiting"
        " them; write a plain function around it:\n"
        f"def lambda_handler(event, context):\n    return asyncio.run({name}(event, context))"
    )
