"""The session cache: what all boto3 sessions share while a stub is active, to save time.

A handler may create a session for each job. Each new `boto3.Session` reads every model again, and
computes again the names of events, the parameters of handlers and the endpoints of services: most
of the time of a typical test. So these are computed once. Only files of the botocore and boto3
packages, and what follows from them, are shared: a project's own models are always read again, so
that a test sees changes to them.
"""

from __future__ import annotations

import inspect
import os
import weakref
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, Final

import boto3
import botocore
import botocore.hooks
import botocore.regions
from botocore.client import ClientCreator
from botocore.hooks import EVENT_ALIASES, EventAliaser
from botocore.loaders import JSONFileLoader, Loader

from pytest_cpjob.patching import Patches, Undo

_PACKAGES = tuple(
    os.path.join(os.path.dirname(package.__file__), "data") for package in (botocore, boto3)
)
_files: dict[str, Any] = {}
_shared: set[int] = set()
_listings: dict[tuple[str, tuple[str, ...]], list[str]] = {}
_event_names: dict[str, str] = {}
_endpoints: dict[tuple[object, ...], Any] = {}
_service_models: dict[tuple[str, int], Any] = {}
_methods: dict[tuple[object, int], dict[str, Any]] = {}
_resolved: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
"""Clients' resolvers -> the endpoint, while one stub is active."""


def share_among_sessions(undo: Undo) -> None:
    """Share it all until the undo."""
    _resolved.clear()
    _PATCHES.put_in_place(undo)


def _sharing_names(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, event_emitter: Any, event_aliases: Any = None) -> None:
        original(self, event_emitter, event_aliases)
        # Aliased names depend on the aliases only, so emitters with botocore's own can share.
        if event_aliases is None or event_aliases == EVENT_ALIASES:
            self._alias_name_cache = _event_names

    return __init__


def _copied_at_once(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Copy the three lists of a node without asking `copy` how: a client's emitter has hundreds."""

    def __copy__(self: Any) -> Any:
        if type(self) is not botocore.hooks.NodeList:
            return original(self)
        return type(self)(*map(list, self))

    return __copy__


def _asking_the_code(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Read the code object's flag instead of calling `inspect.signature`, which is slow.

    Each session registers about a hundred handlers, and botocore inspects each of them.
    """

    def accepts_kwargs(func: Any) -> Any:
        function = getattr(func, "__func__", func)
        if type(function) is not FunctionType or "__signature__" in function.__dict__:
            return original(func)
        return function.__code__.co_flags & inspect.CO_VARKEYWORDS

    return accepts_kwargs


def _sharing_rules(original: Callable[..., Any]) -> Callable[..., Any]:
    """Parse rules once if they come from a shared file, so are the same object."""

    def endpoint_provider(ruleset_data: Any, partition_data: Any, **options: Any) -> Any:
        def made() -> Any:
            return original(ruleset_data=ruleset_data, partition_data=partition_data, **options)

        # `_files` keeps the shared objects alive, so their ids stay unique. Others' ids may be
        # reused, and their content may be a project's own.
        if not {id(ruleset_data), id(partition_data)} <= _shared:
            return made()
        key = (original, id(ruleset_data), id(partition_data), repr(options))
        if key not in _endpoints:
            _endpoints[key] = made()
        return _endpoints[key]

    return endpoint_provider


def _resolving_once(original: Callable[..., Any]) -> Callable[..., Any]:
    """Resolve each client's CodePipeline endpoint once: its rules do not depend on operations."""

    def construct_endpoint(
        self: Any, operation_model: Any, call_args: Any, request_context: Any
    ) -> Any:
        if operation_model.service_model.service_name != "codepipeline":
            return original(self, operation_model, call_args, request_context)
        endpoint = _resolved.get(self)
        if endpoint is None:
            endpoint = _resolved[self] = original(self, operation_model, call_args, request_context)
        return endpoint

    construct_endpoint.__wrapped__ = original  # type: ignore[attr-defined]  # a function's own
    return construct_endpoint


def _sharing_files(original: Callable[..., Any]) -> Callable[..., Any]:
    def load_file(self: JSONFileLoader, file_path: str) -> Any:
        if not file_path.startswith(_PACKAGES):
            return original(self, file_path)
        if file_path not in _files:
            loaded = original(self, file_path)
            if loaded is None:
                return None
            _files[file_path] = loaded
            _shared.add(id(loaded))
        return _files[file_path]

    return load_file


def _sharing_service_models(original: Callable[..., Any]) -> Callable[..., Any]:
    """Parse a model's shapes and operations once, if it comes from a shared file."""

    def _load_service_model(self: Any, service_name: str, api_version: str | None = None) -> Any:
        made = original(self, service_name, api_version=api_version)
        description = id(getattr(made, "_service_description", None))
        if description not in _shared:
            return made
        return _service_models.setdefault((service_name, description), made)

    return _load_service_model


def _sharing_methods(original: Callable[..., Any]) -> Callable[..., Any]:
    """Make the methods of a service's clients once; each class of clients has its own dict."""

    def _create_methods(self: Any, service_model: Any) -> dict[str, Any]:
        description = id(getattr(service_model, "_service_description", None))
        made_by = getattr(type(self), "_create_api_method", None)  # a tracer may replace it
        key = (made_by, description)
        if description not in _shared:
            return dict(original(self, service_model))
        if key not in _methods:
            _methods[key] = original(self, service_model)
        return dict(_methods[key])

    return _create_methods


def _sharing_listings(original: Callable[..., Any]) -> Callable[..., Any]:
    def list_available_services(self: Loader, type_name: str) -> list[str]:
        paths = tuple(self.search_paths)
        if not all(path.startswith(_PACKAGES) for path in paths if os.path.isdir(path)):
            return list(original(self, type_name))
        if (type_name, paths) not in _listings:
            _listings[type_name, paths] = list(original(self, type_name))
        return list(_listings[type_name, paths])

    return list_available_services


def _replacements() -> Iterator[tuple[Any, str, Callable[[Any], Any]]]:
    """Yield what is replaced of the botocore that is installed; not each one has all of it."""
    hooks, regions = botocore.hooks, botocore.regions
    for owner, name, sharing in (
        (JSONFileLoader, "load_file", _sharing_files),
        (Loader, "list_available_services", _sharing_listings),
        (ClientCreator, "_load_service_model", _sharing_service_models),
        (ClientCreator, "_create_methods", _sharing_methods),
        (EventAliaser, "__init__", _sharing_names),
        (hooks, "accepts_kwargs", _asking_the_code),
        (getattr(hooks, "NodeList", None), "__copy__", _copied_at_once),
        (regions, "EndpointProvider", _sharing_rules),
        (getattr(regions, "EndpointRulesetResolver", None), "construct_endpoint", _resolving_once),
    ):
        if name in getattr(owner, "__dict__", ()):
            yield owner, name, sharing


_PATCHES: Final = Patches(*_replacements())
