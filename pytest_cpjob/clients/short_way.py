"""The short way: a call of which nobody could tell that botocore was left out.

botocore builds a request before it comes to where we answer, and half of a call's time goes into
it: headers, a body, a user agent, a signer's context. All of that is thrown away. So a call may be
answered without botocore, but only where nothing could have seen it at work. This module decides
that; who answers, and what is recorded, is the same on both ways.

It is sound for these reasons, and any change has to keep them:

- A `Plan` is made only after the same client's same operation was answered on the long way, under
  the same stub; twice, since most tests call each operation once. So the region, the endpoint and
  the configuration are such that botocore answers.
- A plan lists every place through which somebody could watch or change a call: the methods and
  functions of botocore that the long way goes through, the same names on the client's class, on the
  client and on its parts, the parts themselves, and the emitter's table of looked up handlers,
  which botocore replaces at each `register` and `unregister`. Each place is a namespace, a name and
  the object that was there. Before each call all of them are compared; one
  difference, and the call goes the long way. That answers anew whether a plan can be made.
- A plan is only made where each of these is botocore's own code, or our wrap of it, and where the
  handlers on the call's events are among the few that were read and found to have no effect on
  these operations. Others' are not, botocore's Stubber included: a name that is missing
  from `_HARMLESS` costs time, and nothing else.
- botocore's debug log and its history, which see each step, are asked before each call.
- The parameters are accepted by one check, compiled from the model (`aws.accepted_requests`),
  which is stricter than both botocore's validation and the service's.
- A request that the service refuses has changed nothing, and then goes the long way too.

`tests/test_short_way.py` runs random programs on both ways and compares all that can be seen of
them; there, one also sees how to switch the short way off.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from logging import DEBUG
from operator import itemgetter
from types import FunctionType, MethodType
from typing import Any, Final, NamedTuple

import botocore
import botocore.client
import botocore.handlers
import botocore.hooks
import botocore.httpchecksum
import botocore.regions
import botocore.serialize
import botocore.useragent
import botocore.utils
import botocore.validate
from botocore.client import BaseClient
from botocore.endpoint import Endpoint

from pytest_cpjob.aws.accepted_requests import is_described_by
from pytest_cpjob.service.job_service import JOB_OPERATIONS

_BOTOCORE: Final = os.path.dirname(botocore.__file__) + os.sep
_OURS: Final = os.path.dirname(__file__) + os.sep

_HARMLESS: Final[Mapping[str, frozenset[str]]] = {
    "provide-client-params": frozenset(),
    # Both fill in members that these operations do not have.
    "before-parameter-build": frozenset(
        {"generate_idempotent_uuid", "_handle_request_validation_mode_member"}
    ),
    # Both set a header of the request, which nobody sees.
    "before-call": frozenset(
        {"add_recursion_detection_header", "inject_api_version_header_if_needed"}
    ),
    "after-call": frozenset(),
    "after-call-error": frozenset(),
    "before-endpoint-resolution": frozenset(),
}
"""Functions of `botocore.handlers` that a call's events may have, by event."""

_OF_CLIENTS: Final = (
    "_emit_api_params",
    "_resolve_endpoint_ruleset",
    "_convert_to_request_dict",
    "_make_request",
    "_service_model",
)
_OF_MODULES: Final = (
    (
        botocore.client,
        (
            "prepare_request_dict",
            "resolve_checksum_context",
            "apply_request_checksum",
            "maybe_compress_request",
            "first_non_none_response",
            "resolve_auth_scheme_preference",
        ),
    ),
)
_OF_EVENTS: Final = (
    (botocore.hooks.EventAliaser, ("emit", "emit_until_response", "_alias_event_name")),
    (botocore.hooks.HierarchicalEmitter, ("emit", "emit_until_response", "_emit")),
)
_PARTS: Final = (
    "meta",
    "_endpoint",
    "_serializer",
    "_ruleset_resolver",
    "_request_signer",
    "_client_config",
    "_user_agent_creator",
)
_LOGGING: Final = (
    botocore.client,
    botocore.hooks,
    botocore.regions,
    botocore.handlers,
    botocore.httpchecksum,
    botocore.useragent,
    botocore.utils,
    botocore.serialize,
    botocore.validate,
)
_LOGS: Final = [
    (module, name) for module in _LOGGING for name in ("logger", "LOG") if name in vars(module)
]
"""Where the modules have their logs that the long way goes through."""

_loggers: Final = [getattr(module, name) for module, name in _LOGS]


class _Unlike(Exception):
    """Something is not as botocore has it."""


class _Response:
    """As much of a response as botocore's handler reads that counts successes."""

    status_code = 200


_ABSENT: Final = object()


class Place(NamedTuple):
    """A place that has to stay as it was: what `vars(owner)` has under the name, if anything."""

    owner: Any
    name: str
    value: object


class Plan(NamedTuple):
    """What has to hold for one operation of one client to go the short way.

    All of it is looked at before each call, so it is laid out for few steps in Python.

    Attributes:
        there: for each namespace a function that takes values out of it, and what they were.
        absent: for each namespace a function that says whether it has none of the names.
        quotas: the handlers to call after an answer.
    """

    there: tuple[tuple[Callable[[Any], tuple[object, ...]], Any, tuple[object, ...]], ...]
    absent: tuple[tuple[Callable[[tuple[str, ...]], bool], tuple[str, ...]], ...]
    quotas: tuple[Callable[..., object], ...]

    def holds(self) -> bool:
        """Whether every place is as it was."""
        for has_none_of, names in self.absent:
            if not has_none_of(names):
                return False
        try:
            for taken_out, namespace, values in self.there:
                # Of a tuple's items, those that are the same object are not asked.
                if taken_out(namespace) != values:
                    return False
        except KeyError:
            return False
        return True

    def count_success(self) -> None:
        """Tell botocore's quota of retries, to which each success gives some back."""
        for release in self.quotas:
            release(context={}, http_response=_Response)


class ShortWay:
    """The plans for the clients of one stub.

    Args:
        original: the method of botocore's clients that was wrapped.
    """

    def __init__(self, original: object) -> None:
        self._is_possible = _is_botocores(original)
        self._plans: weakref.WeakKeyDictionary[BaseClient, dict[str, Plan | None]] = (
            weakref.WeakKeyDictionary()
        )

    def plan_for(self, client: BaseClient, operation: str) -> Plan | None:
        """Return the plan for a call if it may go the short way now."""
        plans = self._plans.get(client)
        plan = None if plans is None else plans.get(operation)
        if plans is None or plan is None:
            return None
        if not plan.holds():
            plans[operation] = None
            return None
        return None if _is_listened_to() else plan

    def learn(self, client: BaseClient, operation: str) -> None:
        """Make a plan, after a call was answered on the long way, if there can be one.

        At the second call: most tests make one of each, and a plan costs more than such a call.
        """
        # None of these has a member that a handler of botocore's would fill in.
        if not self._is_possible or operation not in JOB_OPERATIONS:
            return
        plans = self._plans.setdefault(client, {})
        if operation not in plans:
            plans[operation] = None
        elif plans[operation] is None:
            # Else botocore is not as it is known to be.
            with suppress(_Unlike, AttributeError, KeyError, TypeError):
                plans[operation] = _plan(client, operation)


def _is_listened_to() -> bool:
    """Whether botocore's debug log or its history is kept."""
    if getattr(botocore.client.history_recorder, "_enabled", True):
        return True
    return any(logger.isEnabledFor(DEBUG) for logger in _loggers)


def _plan(client: BaseClient, operation: str) -> Plan:
    meta, endpoint = client.meta, client._endpoint
    events = meta.events
    emitter = events._emitter
    kinds = (
        (events, botocore.hooks.EventAliaser),
        (emitter, botocore.hooks.HierarchicalEmitter),
        (endpoint, Endpoint),
    )
    if any(type(part) is not kind for part, kind in kinds):
        raise _Unlike
    if type(client).__mro__[1:] != (BaseClient, object):
        raise _Unlike
    if client._client_config.signature_version is botocore.UNSIGNED:
        raise _Unlike
    if not is_described_by(operation, meta.service_model._service_description):
        raise _Unlike
    there: dict[int, tuple[Any, dict[str, object]]] = {}
    absent: dict[int, tuple[Any, list[str]]] = {}
    for owner, name, value in _places(client):
        if value is _ABSENT:
            absent.setdefault(id(owner), (owner, []))[1].append(name)
        else:
            there.setdefault(id(owner), (owner, {}))[1][name] = value
    return Plan(
        tuple(_comparison(owner, values) for owner, values in there.values()),
        tuple((vars(owner).keys().isdisjoint, tuple(names)) for owner, names in absent.values()),
        tuple(_quotas(emitter, operation)),
    )


def _comparison(
    owner: Any, values: dict[str, object]
) -> tuple[Callable[[Any], tuple[object, ...]], Any, tuple[object, ...]]:
    names = tuple(values) * (2 if len(values) == 1 else 1)  # of one, itemgetter returns no tuple
    return itemgetter(*names), vars(owner), tuple(values[name] for name in names)


def _places(client: BaseClient) -> Iterator[Place]:
    """Yield every place; an `_Unlike` where one is not botocore's own."""
    yield from _functions(BaseClient, _OF_CLIENTS)
    yield from _absent(type(client), _OF_CLIENTS)
    yield from _absent(client, _OF_CLIENTS)
    yield from _values(client, _PARTS)
    yield from _values(client.meta, ("events", "_client_config", "_service_model"))
    yield from _values(client._client_config, ("signature_version",))
    for module, names in _OF_MODULES:
        yield from _functions(module, [name for name in names if name in vars(module)])
    for (module, name), logger in zip(_LOGS, _loggers, strict=True):
        if vars(module).get(name) is not logger:
            raise _Unlike
        yield Place(module, name, logger)
    yield from _values(botocore.client, ("history_recorder",))
    yield from _method(botocore.client.history_recorder, "record")
    yield from _method(client.meta.service_model, "operation_model")
    events = client.meta.events
    emitter = events._emitter
    for part, (kind, methods) in zip((events, emitter), _OF_EVENTS, strict=True):
        yield from _functions(kind, methods)
        yield from _absent(part, methods)
    yield from _values(events, ("_emitter",))
    yield from _values(emitter, ("_lookup_cache", "_handlers"))
    for part, name in (
        (client._endpoint, "make_request"),
        (client._ruleset_resolver, "construct_endpoint"),
        (client._user_agent_creator, "to_string"),
    ):
        yield from _method(part, name)
    serializer = client._serializer
    yield from _method(serializer, "serialize_to_request")
    if "_serializer" in vars(serializer):
        yield from _values(serializer, ("_serializer", "_param_validator"))
        yield from _method(serializer._serializer, "serialize_to_request")
        yield from _method(serializer._param_validator, "validate")


def _functions(owner: Any, names: Any) -> Iterator[Place]:
    for name in names:
        function = vars(owner)[name]
        if not _is_botocores(function.fget if isinstance(function, property) else function):
            raise _Unlike
        yield Place(owner, name, function)


def _absent(owner: Any, names: Any) -> Iterator[Place]:
    for name in names:
        if name in vars(owner):
            raise _Unlike
        yield Place(owner, name, _ABSENT)


def _values(owner: Any, names: Any) -> Iterator[Place]:
    for name in names:
        yield Place(owner, name, vars(owner)[name])


def _method(part: Any, name: str) -> Iterator[Place]:
    """Yield where an object's method comes from, and that neither it nor a subclass hides it."""
    yield from _absent(part, (name,))
    for kind in type(part).__mro__:
        if name in vars(kind):
            yield from _functions(kind, (name,))
            return
        yield from _absent(kind, (name,))
    raise _Unlike


def _is_botocores(function: Any) -> bool:
    """Whether a function is botocore's own, or our wrap of one that is.

    Decorators copy names and modules, so it is the code's file that tells.
    """
    while type(function) is FunctionType:
        wrapped = vars(function).get("__wrapped__")
        path = function.__code__.co_filename
        if path.startswith(_OURS):
            if wrapped is None:
                return False
        elif not path.startswith(_BOTOCORE):
            return False
        if wrapped is None:
            return True
        function = wrapped
    return False


def _quotas(emitter: Any, operation: str) -> Iterator[Callable[..., object]]:
    """Yield the handlers to call after an answer; an `_Unlike` where there are others' handlers."""
    for event, harmless in _HARMLESS.items():
        for handler in _handlers(emitter, f"{event}.codepipeline.{operation}"):
            if event == "after-call" and _counts_successes(handler):
                yield handler
            elif not _is_of(handler, "handlers") or handler.__name__ not in harmless:
                raise _Unlike
    for handler in _handlers(emitter, f"request-created.codepipeline.{operation}"):
        if not (getattr(handler, "__module__", None) or "").startswith("botocore."):
            raise _Unlike  # `interceptor.is_watched` lets it see the request


def _handlers(emitter: Any, event: str) -> Any:
    """Return the handlers that botocore would call for an event: what it once looked up."""
    known = emitter._lookup_cache.get(event)
    return list(emitter._handlers.prefix_search(event) if known is None else known)


def _is_of(handler: Any, module: str) -> bool:
    function = handler.__func__ if type(handler) is MethodType else handler
    path = os.path.join(_BOTOCORE, *module.split(".")) + ".py"
    return type(function) is FunctionType and function.__code__.co_filename == path


def _counts_successes(handler: Any) -> bool:
    """Whether a handler only gives a successful call's retries back to its client's quota."""
    return _is_of(handler, "retries.standard") and handler.__name__ == "release_retry_quota"
