"""The short way: a call of which nobody could tell that botocore was left out.

botocore builds a request before it comes to where we answer, and most of a call's time goes into
it: headers, a body, a user agent, an endpoint. All of that is thrown away. So a call may be
answered without botocore, but only where nothing could have seen it at work. This module decides
that; who answers, and what is recorded, is the same on both ways.

It is sound for these reasons, and any change has to keep them:

- *Nobody watches.* Before each call all that it would meet on the way is read (`long_way`). If one
  place holds another object than when the plan was made, the plan is void, and it is decided anew.
  There is a plan only where each function on the way is botocore's own or our wrap of it, each
  object is of botocore's own class, and the handlers of the call's events are among the few that
  were read and found to have no effect on these operations. Others' are not, botocore's Stubber
  included: a name that is missing from `_HARMLESS` costs time, and nothing else.
- *botocore would not refuse.* It can refuse a call for three things. The parameters: they are
  accepted by one check, compiled from the model (`aws.accepted_requests`), which is stricter than
  both botocore's validation and the service's; the client's model must be the one that botocore
  ships. The endpoint, by region and configuration: for a plan, it is looked up once, by botocore.
  The user agent, by the configuration: for a plan, it is written once, by botocore. Credentials are
  first asked for behind where we answer.
- *A refusal goes the long way.* The service refuses a request before it changes anything; botocore
  then turns the refusal that we have into what the caller gets.

So the first call of an operation can already go the short way. What is not as expected goes the
long way: a newer botocore, a client that was put together differently, an error in here.

A newer botocore may thus make calls slow, never wrong, and the first of the tests fail. Then: read
the handler that it has added to a call's events, and if these operations show nothing of it, add
its name to `_HARMLESS`; add a function that it calls on the way to `long_way`.

`tests/test_short_way.py` runs random programs on both ways and compares all that can be seen of
them; there, one also sees how to switch the short way off.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from botocore.client import BaseClient

from pytest_cpjob.aws.accepted_requests import is_described_by
from pytest_cpjob.clients.long_way import (
    handlers,
    has_still,
    is_botocores,
    is_botocores_own,
    is_of,
    view_of,
)

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
    "before-endpoint-resolution": frozenset(),
}
"""Functions of `botocore.handlers` that a call's events may have, by event.

There is no `after-call-error`: nothing that could fail is left out.
"""

_able: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
"""The parts of clients that have found an endpoint, or written a user agent, without an error."""


class _Response:
    """As much of a response as botocore's handler reads that counts successes."""

    status_code = 200


class Plan:
    """That an operation of a client may go the short way.

    Args:
        quotas: the handlers to call after an answer.
    """

    __slots__ = ("quotas",)

    def __init__(self, quotas: tuple[Callable[..., object], ...]) -> None:
        self.quotas = quotas

    def count_success(self) -> None:
        """Tell botocore's quota of retries, to which each success gives some back."""
        for release in self.quotas:
            try:
                release(context={}, http_response=_Response)
            except Exception:  # the call has taken effect, whatever a newer botocore counts
                continue


_Latest: TypeAlias = (
    "tuple[tuple[object, ...], Callable[[BaseClient], bool] | None, dict[str, Plan | None] | None]"
)


class Seen:
    """What a client's calls met, under one stub, and what was decided then.

    It does not outlive the stub: a client's handlers may hold the client itself.

    Attributes:
        latest: what was seen, what tells whether all is still so, and the plans by operation. What
            tells it is None until it is asked: most clients make one call. A plan is None for an
            operation that has none; instead of the plans, None if no operation may have one.
    """

    __slots__ = ("latest",)

    def __init__(self) -> None:
        self.latest: _Latest | None = None

    def compare(self, latest: _Latest, client: BaseClient) -> bool:
        """Compare for the second call of a client, and make what compares for all later ones.

        Args:
            latest: what the call has found in `latest`; other threads may have seen more since.
        """
        view, _, plans = latest
        still = has_still(view)
        self.latest = view, still, plans
        return still(client)


class ShortWay:
    """Decides which calls go the short way.

    Args:
        original: the method of botocore's clients that was wrapped.
    """

    def __init__(self, original: object) -> None:
        self._is_possible = is_botocores(original)

    def plan_for(self, client: BaseClient, operation: str, seen: Seen) -> Plan | None:
        """Return the plan for a call of one of `JOB_OPERATIONS` if it may go the short way now."""
        if not self._is_possible:
            return None
        try:
            latest = seen.latest
            if latest is None or not (
                seen.compare(latest, client) if latest[1] is None else latest[1](client)
            ):
                view = view_of(client)
                latest = seen.latest = view, None, {} if is_botocores_own(view) else None
            plans = latest[2]
            if plans is None:
                return None
            if operation not in plans:
                plans[operation] = None  # so it stays if botocore refuses
                plans[operation] = _plan(client, operation)
            return plans[operation]
        except Exception:  # botocore is not as it is known to be
            return None


def _plan(client: BaseClient, operation: str) -> Plan | None:
    """Make a plan for one operation, if nothing and nobody is in its way."""
    model = client.meta.service_model
    if not is_described_by(operation, model._service_description):
        return None
    quotas: list[Callable[..., object]] = []
    for event, handler in _handlers(client, operation):
        if event == "after-call" and _counts_successes(handler):
            quotas.append(handler)
        elif not is_of(handler, "handlers") or handler.__name__ not in _HARMLESS[event]:
            return None
    for handler in handlers(
        client.meta.events._emitter, f"request-created.codepipeline.{operation}"
    ):
        if not (getattr(handler, "__module__", None) or "").startswith("botocore."):
            return None  # `interceptor.is_watched` lets it see the request
    return Plan(tuple(quotas)) if _is_able(client, operation) else None


def _handlers(client: BaseClient, operation: str) -> Iterator[tuple[str, Any]]:
    for event in _HARMLESS:
        for handler in handlers(client.meta.events._emitter, f"{event}.codepipeline.{operation}"):
            yield event, handler


def _is_able(client: BaseClient, operation: str) -> bool:
    """Whether botocore finds the client's endpoint and can name itself; else, what it raises.

    Neither depends on the operation or its parameters: the model would say so.
    """
    resolver, creator = client._ruleset_resolver, client._user_agent_creator
    if resolver not in _able:
        endpoint = resolver.construct_endpoint(
            client.meta.service_model.operation_model(operation), {}, {}
        )
        if endpoint.properties or endpoint.headers:
            return False  # CodePipeline's endpoints have neither
        _able.add(resolver)
    if creator not in _able:
        creator.to_string()
        _able.add(creator)
    return True


def _counts_successes(handler: Any) -> bool:
    """Whether a handler only gives a successful call's retries back to its client's quota."""
    return is_of(handler, "retries.standard") and handler.__name__ == "release_retry_quota"
