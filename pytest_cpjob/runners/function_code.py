"""A Lambda function's code where its definition says it is, loaded as Lambda's runtime does."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType
from typing import Final, NoReturn

from pytest_cpjob.documents.functions import FunctionCode
from pytest_cpjob.errors import HandlerError
from pytest_cpjob.patching import Undo
from pytest_cpjob.runners.handlers import Handler

_NAMED: Final = "the template's Handler and CodeUri name it; "
"""Of code that there is, and in which the handler is not found."""


def load_function(code: FunctionCode, undo: Undo) -> Handler:
    """Return a function's handler; what it imports from beside it is forgotten at the undo.

    A module that the test has imported from the same file already is used as it is, so that what
    the test has patched in it counts.

    Raises:
        HandlerError: there is no code, or no such handler in it.
    """
    __tracebackhide__ = True
    if code.missing:
        _refuse(code, code.missing)
    folder = code.path if code.path is not None else _written(code, undo)
    module_name, _, function_name = code.handler.replace("/", ".").rpartition(".")
    if not module_name:
        _refuse(code, f"the Handler {code.handler!r} is not 'file.function'", _NAMED)
    module = _imported_already(folder, module_name) or _import(code, folder, module_name, undo)
    handler = getattr(module, function_name, None)
    if not callable(handler):
        _refuse(code, f"{module_name}.py in {folder} has no function {function_name!r}", _NAMED)
    found: Handler = handler
    return found


def _refuse(code: FunctionCode, why: str, named: str = "") -> NoReturn:
    __tracebackhide__ = True
    raise HandlerError(
        f"{why}: there is no code to run for function {code.name!r}; {named}job.invoke(handler)"
        " runs another"
    ) from None


def _written(code: FunctionCode, undo: Undo) -> Path:
    """Write inline code into a folder of its own, as Lambda does: its module is `index`."""
    folder = Path(mkdtemp(prefix="cpjob-"))
    undo.later(lambda: shutil.rmtree(folder, ignore_errors=True))
    (folder / "index.py").write_text(code.inline or "", encoding="utf-8")
    return folder


def _imported_already(folder: Path, module_name: str) -> ModuleType | None:
    file = folder.joinpath(*module_name.split(".")).with_suffix(".py")
    for module in list(sys.modules.values()) if file.is_file() else ():
        known = getattr(module, "__file__", None)
        if known is not None and known.endswith(file.name) and os.path.samefile(known, file):
            return module
    return None


def _import(code: FunctionCode, folder: Path, module_name: str, undo: Undo) -> ModuleType:
    __tracebackhide__ = True
    before = dict(sys.modules)
    for name in _modules_of(folder):
        # Functions have modules of the same names, `app` or `index`: this one's must be found. But
        # a boto3 that is packed with a function would not be the one that is answered here.
        if not _is_installed(sys.modules.get(name)):
            sys.modules.pop(name, None)
    kept = set(sys.modules)
    sys.path.insert(0, str(folder))

    def restore() -> None:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        for name in set(sys.modules) - kept:
            if _is_in(sys.modules[name], folder):
                del sys.modules[name]
        for name, module in before.items():
            sys.modules.setdefault(name, module)

    undo.later(restore)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        _refuse(code, f"there is no {module_name.replace('.', '/')}.py in {folder}", _NAMED)


def _modules_of(folder: Path) -> list[str]:
    """Return the names of the modules that a folder or a zip file has at its top."""
    if folder.is_dir():
        entries = [entry.name for entry in folder.iterdir()]
    else:
        from zipfile import BadZipFile, ZipFile

        try:
            with ZipFile(folder) as archive:
                entries = [name.split("/", 1)[0] for name in archive.namelist()]
        except BadZipFile:
            entries = []
    return list({entry.removesuffix(".py") for entry in entries if not entry.startswith(".")})


def _is_installed(module: ModuleType | None) -> bool:
    file = getattr(module, "__file__", None)
    return file is None or "site-packages" in file or file.startswith(os.path.dirname(os.__file__))


def _is_in(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(folder)
