"""Handlers, found as Lambda finds them: a function, or its name `package.module.function`."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

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
        handler = _import(handler, cold, undo)
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
    module_name, _, function_name = name.rpartition(".")
    if not module_name:
        raise HandlerError(f"expected 'package.module.function', got {name!r}")
    if cold:
        _forget_modules(module_name.partition(".")[0], undo)
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


def _forget_modules(top: str, undo: Undo) -> None:
    """Make the next import of a package, with its submodules, run it again, until the undo."""

    def of_the_package() -> dict[str, ModuleType]:
        return {
            name: module
            for name, module in list(sys.modules.items())
            if name == top or name.startswith(f"{top}.")
        }

    before = of_the_package()

    def restore() -> None:
        for name in of_the_package():
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
