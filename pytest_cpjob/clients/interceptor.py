"""The interceptor: the stub answers every botocore client, whenever and however it was created.

`BaseClient._make_api_call` is the one way that all clients call through, and the place that
moto's manual names for this. While a stub is active it is wrapped, to note the call in the call log
when it ends. The answer is given one step further in, where `Endpoint.make_request` would make an
HTTP request: after botocore has validated the parameters and every hook of the user's has had its
say, before anything is signed or sent. So no credentials are needed, what is answered is what would
have been sent, and moto never sees what is answered here.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import weakref
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Protocol

from botocore.client import BaseClient

from pytest_cpjob.aws.accepted_requests import accepted_copy
from pytest_cpjob.call_sites import Site, call_site
from pytest_cpjob.clients.credentials import (
    access_key_of,
    key_signed_with,
    leave_sessions_alone,
    presented_by,
    sign_asynchronously_with_dummies,
    sign_with_dummies,
)
from pytest_cpjob.clients.forked_processes import ForkedProcesses
from pytest_cpjob.clients.pending_call import PendingCall, pending_call, plain_copy
from pytest_cpjob.clients.responses import Answer
from pytest_cpjob.clients.session_cache import share_among_sessions
from pytest_cpjob.clients.short_way import Plan, Seen, ShortWay
from pytest_cpjob.clients.transfers import transfer_without_crt
from pytest_cpjob.clients.wrappers import (
    UNTIL_AIOBOTOCORE,
    WRAPPERS,
    Method,
    Params,
    Seat,
    seat_of,
    wrappers_of_aiobotocore,
)
from pytest_cpjob.patching import Patches, Undo
from pytest_cpjob.service.call_log import Caller
from pytest_cpjob.service.job_service import JOB_OPERATIONS
from pytest_cpjob.threads import is_tests

_AIO_SESSIONS = (
    ("aiobotocore.httpsession", "AIOHTTPSession"),
    ("aiobotocore.httpxsession", "HttpxSession"),
)


_FRAMES_BETWEEN = 4
"""From our wrap's own function for a call's beginning to botocore's for an operation."""


class Router(Protocol):
    """Answers the intercepted calls."""

    def begin(self, call: PendingCall) -> None:
        """Be notified of a call before anything else; raising ends it without a record."""

    def serves(self, call: PendingCall) -> bool:
        """Whether the service itself answers the call."""

    def answer(
        self, call: PendingCall, params: Params, url: str, credentials: object
    ) -> Answer | None:
        """Answer the call, let it pass (None), or raise what the caller should get."""

    def answer_shortly(self, call: PendingCall, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a valid request for which there is a success, or do nothing (None)."""

    def passed(self, call: PendingCall, http: Any, parsed: dict[str, Any]) -> None:
        """Inspect, and if necessary change, the answer to a call that was let pass."""

    def finish(self, call: PendingCall, error: BaseException | None) -> None:
        """Record the call in the call log when it has ended."""

    def stopped(self, what: str, site: Site | None, *, in_moto: bool = False) -> None:
        """Record a request that the network guard blocked."""


class _Met:
    """What is known about a client: its number, its service, its endpoint, and what it met.

    Attributes:
        by_moto: whether moto's handlers are on it.
        is_tests: whether it is the test's own.
        seen: what its calls met when it was decided whether they may go the short way.
    """

    __slots__ = ("_callers", "by_moto", "endpoint_url", "is_tests", "number", "seen", "service")

    def __init__(self, client: BaseClient, number: int, *, is_tests: bool) -> None:
        self.number = number
        self.by_moto = False
        self.is_tests = is_tests
        self.service: str = client.meta.service_model.service_name
        self.endpoint_url: str = client.meta.endpoint_url
        self.seen = Seen()
        self._callers: dict[tuple[int, str | None, bool], Caller] = {}

    def caller(self, thread: int, access_key_id: str | None, by_test: bool, /) -> Caller:
        """Return who calls by it: one object for all calls, not one for each."""
        who = thread, access_key_id, by_test
        caller = self._callers.get(who)
        if caller is None:
            caller = self._callers[who] = Caller(self.number, *who)
        return caller


class ClientInterceptor:
    """The wrap around all clients: one install, one undo list.

    Args:
        router: who answers.
        is_issued: whether an access key id belongs to some job's artifact credentials.
        own_clients: those of the test and of ours, exempt from the contract.
    """

    def __init__(
        self,
        router: Router,
        is_issued: Callable[[str | None], bool],
        own_clients: Collection[BaseClient],
    ) -> None:
        self._router = router
        self._is_issued = is_issued
        self._own_clients = own_clients
        self._undo = Undo()
        self._short_way: ShortWay | None = None
        self._met: weakref.WeakKeyDictionary[BaseClient, _Met] = weakref.WeakKeyDictionary()
        self._numbers = itertools.count(1)
        self._thread = threading.local()
        self._told: weakref.WeakSet[BaseClient] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.forked = ForkedProcesses()

    def install(self) -> None:
        """Intercept the calls of every client from now on."""
        self.forked.begin()
        self._undo.later(self._take_moto_back)
        share_among_sessions(self._undo)
        sign_with_dummies(self._undo)
        leave_sessions_alone(self._undo)
        self._sit_down(WRAPPERS)
        transfer_without_crt(self._undo)
        self._wrap_aiobotocore_once_there()

    def remove(self) -> None:
        """Undo everything; a wrapper that others have wrapped since stays, but does nothing."""
        self._undo.all()

    def _sit_down(self, wrappers: Patches) -> None:
        """Be the one whom wrappers ask, until the undo."""
        wrappers.put_in_place(self._undo)
        seats = [seat_of(wrapper) for wrapper in wrappers.those_in_place()]
        self._undo.later(partial(_leave, seats))
        for seat in seats:
            seat.seated = self

    # -- calls ---------------------------------------------------------------------------------

    def call(self, original: Method, client: BaseClient, operation: str, params: Params, /) -> Any:
        """Answer a call of a client's."""
        short_way = self._short_way
        if short_way is None:
            short_way = self._short_way = ShortWay(original)
        met = self._meet(client)
        call = self._begin(client, met, operation, params)
        try:
            response = None
            if operation in JOB_OPERATIONS:
                plan = short_way.plan_for(client, operation, met.seen)
                if plan is not None:
                    response = self._answered_shortly(call, plan, met)
            if response is None:
                token = pending_call.set(call)
                try:
                    response = original(client, operation, params)
                finally:
                    pending_call.reset(token)
                self._own_request(call, params)
        except BaseException as error:
            self._failed(call, error)
            raise
        self._router.finish(call, None)
        return response

    async def call_async(
        self, original: Method, client: BaseClient, operation: str, params: Params, /
    ) -> Any:
        """Answer a call of aiobotocore's."""
        call = self._begin(client, self._meet(client), operation, params)
        call.is_async = True
        token = pending_call.set(call)
        try:
            response = await original(client, operation, params)
            self._own_request(call, params)
        except BaseException as error:
            self._failed(call, error)
            raise
        finally:
            pending_call.reset(token)
        self._router.finish(call, None)
        return response

    def _begin(self, client: BaseClient, met: _Met, operation: str, params: Params) -> PendingCall:
        service = met.service
        if os.getpid() != self.forked.pid:
            self.forked.refuse(service, operation)
        by_test = met.is_tests or is_tests()
        call = PendingCall(
            service,
            operation,
            # CodePipeline's are copied once the user's hooks have seen them.
            params if service == "codepipeline" else plain_copy(params),
            by_test,
            met.caller(self._thread_number(), None, by_test),
            met.endpoint_url,
            None if by_test else call_site(_FRAMES_BETWEEN),
        )
        call.signer = getattr(client, "_request_signer", None)
        self._router.begin(call)
        return call

    def _answered_shortly(self, call: PendingCall, plan: Plan, met: _Met) -> Any:
        """Answer a call without botocore, or do nothing and return None."""
        request = accepted_copy(call.operation, call.request)
        if request is None:
            return None
        # Nothing that goes the short way is unsigned, or signed with a job's credentials.
        credentials = call.signer._credentials
        access_key_id = access_key_of(credentials)
        if self._is_issued(access_key_id):
            return None
        access_key_id = key_signed_with(credentials, access_key_id)
        call.caller = met.caller(call.caller.thread, access_key_id, call.by_test)
        response = self._router.answer_shortly(call, request)
        if response is not None and plan.quotas:
            plan.count_success()
        return response

    def _failed(self, call: PendingCall, error: BaseException) -> None:
        from pytest_cpjob.clients.moto_gaps import is_gap

        if not call.by_test and is_gap(error):
            self._router.stopped(call.name, call.site, in_moto=True)
        if call.request is not None:
            call.request = plain_copy(call.request)
        self._router.finish(call, error)

    @staticmethod
    def _own_request(call: PendingCall, params: Params) -> None:
        """Copy the parameters of a call that somebody has answered before they came to `read`."""
        if call.request is params:
            call.request = plain_copy(params)

    def read(self, params: Params) -> None:
        """Take CodePipeline's parameters as the user's hooks have left them."""
        call = pending_call.get()
        if call is not None and call.service == "codepipeline":
            call.request = plain_copy(params)

    # -- answers ---------------------------------------------------------------------------------

    def make_request(
        self, original: Method, endpoint: Any, operation_model: Any, request: dict[str, Any]
    ) -> Any:
        """Answer the call that comes to its HTTP request."""
        call = pending_call.get()
        if call is None:
            return original(endpoint, operation_model, request)
        if call.is_async:  # of aiobotocore this method is the same, and returns a coroutine
            return self._answer_async(original, endpoint, operation_model, request, call)
        if self._router.serves(call) and is_watched(endpoint, operation_model):
            endpoint.create_request(request, operation_model)
        answer = self._answer(call, request)
        if answer is None:
            answer = original(endpoint, operation_model, request)
            self._router.passed(call, *answer)
        return answer

    async def _answer_async(
        self,
        original: Callable[..., Any],
        endpoint: Any,
        operation_model: Any,
        request: dict[str, Any],
        call: PendingCall,
    ) -> Any:
        if self._router.serves(call) and is_watched(endpoint, operation_model):
            await endpoint.create_request(request, operation_model)
        answer = self._answer(call, request)
        if answer is None:
            answer = await original(endpoint, operation_model, request)
            self._router.passed(call, *answer)
        return answer

    def _answer(self, call: PendingCall, request: dict[str, Any]) -> Answer | None:
        context = request.get("context") or {}
        redirect = context.get("s3_redirect") or {}
        answer = self._router.answer(
            call,
            redirect.get("params") or call.request,
            str(request.get("url", "")),
            presented_by(call.signer, context.get("client_config"), self._is_issued),
        )
        # moto answers aiobotocore over HTTP only: what it sends there is to arrive there.
        if answer is None and call.is_in_store and not call.is_async:
            from pytest_cpjob.clients.endpoint_urls import send_to_aws_endpoint

            send_to_aws_endpoint(request, call.endpoint_url, call.service, context["client_region"])
        return answer

    # -- clients ---------------------------------------------------------------------------------

    def _thread_number(self) -> int:
        """Return this thread's number; `threading.get_ident` reuses those of ended threads."""
        try:
            number: int = self._thread.number
        except AttributeError:
            number = self._thread.number = next(self._numbers)
        return number

    def _meet(self, client: BaseClient) -> _Met:
        """Return what is known about a client, its number too: `id` gives a forgotten one's again.

        Moto is told of the client, once there is a moto.
        """
        moto_there = "moto.core.models" in sys.modules
        met = self._met.get(client)
        if met is not None and met.by_moto >= moto_there:
            return met
        with self._lock:
            met = self._met.get(client)
            if moto_there:
                self._tell_moto(client)
            if met is None:
                is_own = client in self._own_clients
                met = self._met[client] = _Met(client, next(self._numbers), is_tests=is_own)
            met.by_moto = moto_there
        return met

    def _tell_moto(self, client: BaseClient) -> None:
        """Register moto on a client created before moto was imported (its `patch_client`)."""
        from moto.core.models import botocore_stubber, patch_client

        if botocore_stubber not in handlers_of(client.meta.events, "before-send"):
            patch_client(client)
            self._told.add(client)

    def _take_moto_back(self) -> None:
        """Take moto's handlers, where we put them, off the clients that are still there."""
        if self._told:
            from moto.core.models import botocore_stubber

            for client in list(self._told):
                client.meta.events.unregister("before-send", botocore_stubber)

    # -- the network -----------------------------------------------------------------------------

    def check_leaving(self, request: Any) -> None:
        """Block a request that would leave this machine, and report it.

        Raises:
            UnfakedCallError: it is blocked.
        """
        from pytest_cpjob.clients.network_guard import check_leaving

        call = pending_call.get()

        def report(what: str) -> None:
            if call is None or not call.by_test:
                self._router.stopped(what, call.site if call else call_site())

        check_leaving(request.method, request.url, call.name if call else None, report)

    # -- aiobotocore -----------------------------------------------------------------------------

    def _wrap_aiobotocore_once_there(self) -> None:
        """Wrap aiobotocore's client class, now or as soon as it is defined."""
        loaded = sys.modules.get("aiobotocore.client")
        if loaded is not None:
            self.wrap_aiobotocore(loaded.AioBaseClient)
        else:
            self._sit_down(UNTIL_AIOBOTOCORE)

    def wrap_aiobotocore(self, client_class: type) -> None:
        """Answer the calls of aiobotocore's clients as well."""
        found = (getattr(sys.modules.get(module), name, None) for module, name in _AIO_SESSIONS)
        sessions = [each for each in found if each is not None]
        self._sit_down(wrappers_of_aiobotocore(client_class, *sessions))
        sign_asynchronously_with_dummies(self._undo)


def _leave(seats: list[Seat]) -> None:
    for seat in seats:
        seat.seated = None


def handlers_of(events: Any, event: str) -> list[Any]:
    """Return the handlers that a client's emitter has for an event."""
    emitter = getattr(events, "_emitter", events)
    handlers = getattr(emitter, "_handlers", None)
    return list(handlers.prefix_search(event)) if handlers is not None else []


def is_watched(endpoint: Any, operation_model: Any) -> bool:
    """Whether somebody but botocore itself wants to see a request before it is sent.

    Only then is it made, and signed, of a call that is answered without one.
    """
    service_id = operation_model.service_model.service_id.hyphenize()
    event = f"request-created.{service_id}.{operation_model.name}"
    return any(
        not (getattr(each, "__module__", None) or "").startswith(("botocore.", "aiobotocore."))
        for each in handlers_of(endpoint._event_emitter, event)
    )
