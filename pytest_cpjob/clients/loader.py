"""botocore's models read once for the whole run, however many sessions a handler makes.

A fresh `boto3.Session` reads every model again: two thirds of what a typical test costs. While a
stub is active, all sessions share what was read. Only files inside botocore's and boto3's own
packages are shared, so a project's own models, and changes to them, are always read anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import boto3
import botocore
from botocore.loaders import JSONFileLoader, Loader

from pytest_cpjob.clients.undo import Undo

_PACKAGES = tuple(
    os.path.join(os.path.dirname(package.__file__), "data") for package in (botocore, boto3)
)
_files: dict[str, Any] = {}
_listings: dict[tuple[str, tuple[str, ...]], list[str]] = {}


def share_models(undo: Undo) -> None:
    """Let all loaders in the process share what they read, until the undo."""
    undo.set_attribute(JSONFileLoader, "load_file", _sharing_files(JSONFileLoader.load_file))
    undo.set_attribute(
        Loader, "list_available_services", _sharing_listings(Loader.list_available_services)
    )


def _sharing_files(original: Callable[..., Any]) -> Callable[..., Any]:
    def load_file(self: JSONFileLoader, file_path: str) -> Any:
        if not file_path.startswith(_PACKAGES):
            return original(self, file_path)
        if file_path not in _files:
            loaded = original(self, file_path)
            if loaded is None:
                return None
            _files[file_path] = loaded
        return _files[file_path]

    return load_file


def _sharing_listings(original: Callable[..., Any]) -> Callable[..., Any]:
    def list_available_services(self: Loader, type_name: str) -> list[str]:
        paths = tuple(self.search_paths)
        if not all(path.startswith(_PACKAGES) for path in paths if os.path.isdir(path)):
            return list(original(self, type_name))
        if (type_name, paths) not in _listings:
            _listings[type_name, paths] = list(original(self, type_name))
        return list(_listings[type_name, paths])

    return list_available_services
