"""The long way: what of botocore a call meets until it comes to where we answer.

Whoever watches or changes calls does it in one of these places. So while each of them holds what it
held before, nobody new does (`short_way` builds on this). They are:

- `_PARTS`, the objects that a client consists of, as far as they have a part in it, and what they
  were told. The handlers of its events are among them: botocore's emitter has a new table of those
  that it has looked up (`_lookup_cache`) after each `register` and `unregister`.
- `_FUNCTIONS`, the methods and functions that botocore calls on the way.
- `_HIDING`, whether an object has something of its own that hides its class's method.
- `_LOGS`, the modules' logs, with their levels, and `_LISTENING`, whether somebody reads these or
  the history, which are told of each step.

All of it is looked at before each call, which is a good part of a call's time. So the places are
written down as Python's expressions, and one function is made of all of them, which takes a third
of the time of a loop:

    lambda client: (kind := type(client)) is seen_14 and … and (kind._make_request) is seen_35 and …

To add a place, add a line; what it names by `:=` later lines can use. A name that botocore does not
have any more means the long way for every call. To make that function takes half a millisecond: so
it is made for the second call of a client.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cache
from logging import DEBUG, Logger
from operator import is_
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

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
from botocore.client import BaseClient, ClientMeta
from botocore.config import Config
from botocore.endpoint import Endpoint
from botocore.history import HistoryRecorder
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.model import ServiceModel
from botocore.regions import EndpointRulesetResolver
from botocore.serialize import JSONSerializer
from botocore.signers import RequestSigner
from botocore.useragent import UserAgentString
from botocore.validate import ParamValidationDecorator, ParamValidator

_BOTOCORE: Final = os.path.dirname(botocore.__file__) + os.sep
_OURS: Final = os.path.dirname(__file__) + os.sep

_of_client: Final = vars(botocore.client)
_LOGS: Final = {
    f"(log_of_{module.__name__.rpartition('.')[2]} := {module.__name__}.{name})": vars(module)[name]
    for module in (
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
    for name in ("logger", "LOG")
    if name in vars(module)
}
"""The logs of the modules on the way, by where these have them."""

_LEVELS: Final = tuple(f"{place[1:].partition(' ')[0]}.level" for place in _LOGS)
_log: Final = logging.getLogger("botocore")
"""The parent of all of these, whose level they have unless they have one of their own."""

_CLASS: Final = "(kind := type(client))"
_CONFIG: Final = "(config := client._client_config)"
_PARTS: Final[dict[str, type | None]] = {
    _CLASS: None,
    "(recorder := botocore.client.history_recorder)": HistoryRecorder,
    "(meta := client.meta)": ClientMeta,
    _CONFIG: Config,
    "(model := meta._service_model)": ServiceModel,
    "(events := meta.events)": EventAliaser,
    "(emitter := events._emitter)": HierarchicalEmitter,
    "(resolver := client._ruleset_resolver)": EndpointRulesetResolver,
    "(creator := client._user_agent_creator)": UserAgentString,
    "(validating := client._serializer)": ParamValidationDecorator,
    "(validator := validating._param_validator)": ParamValidator,
    "(serializer := validating._serializer)": JSONSerializer,
    "(endpoint := client._endpoint)": Endpoint,
    "client._request_signer": RequestSigner,
    "meta._client_config": Config,
    "config.signature_version": None,
    "emitter._lookup_cache": dict,
    "emitter._handlers": None,
}
"""With the class that each has to be of; None where others look at it."""

_FUNCTIONS: Final = (
    "kind._emit_api_params",
    "kind._resolve_endpoint_ruleset",
    "kind._convert_to_request_dict",
    "kind._make_request",
    "kind._service_model",
    "ServiceModel.operation_model",
    "HistoryRecorder.record",
    "EventAliaser.emit",
    "EventAliaser.emit_until_response",
    "EventAliaser._alias_event_name",
    "HierarchicalEmitter.emit",
    "HierarchicalEmitter.emit_until_response",
    "HierarchicalEmitter._emit",
    "EndpointRulesetResolver.construct_endpoint",
    "UserAgentString.to_string",
    "ParamValidationDecorator.serialize_to_request",
    "ParamValidator.validate",
    "JSONSerializer.serialize_to_request",
    "Endpoint.make_request",
    "botocore.useragent.modify_components",
    "_of_client['prepare_request_dict']",
    "_of_client['resolve_checksum_context']",
    "_of_client['apply_request_checksum']",
    "_of_client['maybe_compress_request']",
    "_of_client['first_non_none_response']",
    *(
        f"_of_client['{name}']"
        for name in ("resolve_auth_scheme_preference",)  # not in all versions
        if name in _of_client
    ),
)
_LISTENING: Final = (
    "_log.isEnabledFor(DEBUG)",
    "recorder._enabled",
)
_HIDING: Final = (
    "'_emit_api_params' in (own := client.__dict__)",
    "'_resolve_endpoint_ruleset' in own",
    "'_convert_to_request_dict' in own",
    "'_make_request' in own",
    "'_service_model' in own",
    "'operation_model' in model.__dict__",
    "'record' in recorder.__dict__",
    "'emit' in (of_events := events.__dict__)",
    "'emit_until_response' in of_events",
    "'_alias_event_name' in of_events",
    "'emit' in (of_emitter := emitter.__dict__)",
    "'emit_until_response' in of_emitter",
    "'_emit' in of_emitter",
    "'construct_endpoint' in resolver.__dict__",
    "'to_string' in creator.__dict__",
    "'serialize_to_request' in validating.__dict__",
    "'validate' in validator.__dict__",
    "'serialize_to_request' in serializer.__dict__",
    "'make_request' in endpoint.__dict__",
)
_PLACES: Final = (*_LOGS, *_LEVELS, *_PARTS, *_FUNCTIONS, *_LISTENING, *_HIDING)
_FIRST_PART: Final = len(_LOGS) + len(_LEVELS)
_FIRST_FUNCTION: Final = _FIRST_PART + len(_PARTS)
_FIRST_FLAG: Final = _FIRST_FUNCTION + len(_FUNCTIONS)

view_of: Final[Callable[[BaseClient], tuple[object, ...]]] = eval(
    f"lambda client: ({', '.join(_PLACES)})"
)
"""Return what each place of the way holds now, for calls of a client."""


@cache
def _comparing() -> Callable[..., Callable[[BaseClient], bool]]:
    seen = [f"seen_{number}" for number in range(len(_PLACES))]
    made: Callable[..., Callable[[BaseClient], bool]] = eval(
        f"lambda {', '.join(seen)}: lambda client: "
        + " and ".join(f"({place}) is {each}" for place, each in zip(_PLACES, seen, strict=True))
    )
    return made


def has_still(view: tuple[object, ...]) -> Callable[[BaseClient], bool]:
    """Return what tells whether, for a client, each place holds the same object as in a view.

    Equal is not enough: a wrapper may claim to be equal to what it wraps.
    """
    return _comparing()(*view)


def is_botocores_own(view: tuple[object, ...]) -> bool:
    """Whether a view shows nothing but botocore's own, or our wraps, and nobody who listens."""
    logs = view[: len(_LOGS)]
    parts = view[_FIRST_PART:_FIRST_FUNCTION]
    functions = view[_FIRST_FUNCTION:_FIRST_FLAG]
    at: dict[str, Any] = dict(zip(_PARTS, parts, strict=True))
    return (
        all(flag is False for flag in view[_FIRST_FLAG:])
        and all(map(is_, logs, _LOGS.values()))
        and all(map(_leaves_debug_to_its_parent, _LOGS.values()))
        and all(map(_is_of_class, _PARTS.values(), parts))
        and at[_CLASS].__mro__[1:] == (BaseClient, object)
        and at["meta._client_config"] is at[_CONFIG]
        and at["config.signature_version"] is not botocore.UNSIGNED
        and all(map(is_botocores, functions))
    )


def _is_of_class(kind: type | None, part: object) -> bool:
    return kind is None or type(part) is kind


def _leaves_debug_to_its_parent(log: Logger) -> bool:
    return (
        log.parent is _log
        and not 0 < log.level <= DEBUG
        and type(log).isEnabledFor is Logger.isEnabledFor
        and type(log).getEffectiveLevel is Logger.getEffectiveLevel
    )


_of_botocore: Final[dict[FunctionType, CodeType]] = {}
"""Functions that were found to be botocore's, with their code then: most stay what they are."""


def is_botocores(function: Any) -> bool:
    """Whether a function is botocore's own, or our wrap of one that is.

    Decorators copy names and modules, so it is the code's file that tells.
    """
    if type(function) is property:
        function = function.fget
    if type(function) is not FunctionType:  # it may claim to be equal to one
        return False
    code = function.__code__
    if _of_botocore.get(function) is code:
        return True
    wrapped = vars(function).get("__wrapped__")
    if wrapped is not None:
        return code.co_filename.startswith((_BOTOCORE, _OURS)) and is_botocores(wrapped)
    is_own = code.co_filename.startswith(_BOTOCORE)
    if is_own:
        _of_botocore[function] = code
    return is_own


def handlers(emitter: Any, event: str) -> Any:
    """Return the handlers that botocore calls for an event, and keep them for it as it does."""
    table = emitter._lookup_cache
    found = table.get(event)
    if found is None:
        found = table[event] = emitter._handlers.prefix_search(event)
    return found


def is_of(handler: Any, module: str) -> bool:
    """Whether a handler is a function or a method of a module of botocore."""
    function = handler.__func__ if type(handler) is MethodType else handler
    return type(function) is FunctionType and function.__code__.co_filename == _path(module)


@cache
def _path(module: str) -> str:
    return os.path.join(_BOTOCORE, *module.split(".")) + ".py"
