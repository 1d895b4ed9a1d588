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
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import ProxyConfiguration, URLLib3Session

from pytest_cpjob.aws.accepted_requests import accepted_copy
from pytest_cpjob.call_sites import Site, call_site
from pytest_cpjob.clients.credentials import (
    leave_sessions_alone,
    presented_by,
    sign_asynchronously_with_dummies,
    sign_with_dummies,
)
from pytest_cpjob.clients.endpoint_urls import send_to_aws_endpoint
from pytest_cpjob.clients.forked_processes import ForkedProcesses
from pytest_cpjob.clients.leftover_threads import is_cut_off
from pytest_cpjob.clients.moto_gaps import is_gap
from pytest_cpjob.clients.network_guard import check_leaving, passing_by_proxy
from pytest_cpjob.clients.pending_call import PendingCall, pending_call, plain_copy
from pytest_cpjob.clients.responses import Answer
from pytest_cpjob.clients.session_cache import share_endpoints, share_events, share_models
from pytest_cpjob.clients.short_way import Plan, ShortWay
from pytest_cpjob.clients.transfers import transfer_without_crt
from pytest_cpjob.patching import Undo
from pytest_cpjob.service.call_log import Caller
from pytest_cpjob.threads import is_tests

Params = Mapping[str, Any]

_AIO_SESSIONS = (
    ("aiobotocore.httpsession", "AIOHTTPSession"),
    ("aiobotocore.httpxsession", "HttpxSession"),
)


_FRAMES_BETWEEN = 3
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

    def answer_shortly(
        self, call: PendingCall, request: dict[str, Any], credentials: object
    ) -> dict[str, Any] | None:
        """Answer a valid request for which there is a success, or do nothing (None)."""

    def passed(self, call: PendingCall, http: Any, parsed: dict[str, Any]) -> None:
        """Inspect, and if necessary change, the answer to a call that was let pass."""

    def finish(self, call: PendingCall, error: BaseException | None) -> None:
        """Record the call in the call log when it has ended."""

    def stopped(self, what: str, site: Site | None, *, in_moto: bool = False) -> None:
        """Record a request that the network guard blocked."""


class _Met(NamedTuple):
    """What is known about a client: its unique number, and whether moto's handlers are on it."""

    number: int
    by_moto: bool


class ClientInterceptor:
    """The wrap around all clients: one install, one undo list.

    Args:
        router: who answers.
        is_issued: whether an access key id belongs to some job's artifact credentials.
    """

    def __init__(self, router: Router, is_issued: Callable[[str | None], bool]) -> None:
        self._router = router
        self._is_issued = is_issued
        self._undo = Undo()
        self._active = False
        self._met: weakref.WeakKeyDictionary[BaseClient, _Met] = weakref.WeakKeyDictionary()
        self._numbers = itertools.count(1)
        self._thread = threading.local()
        self._told: weakref.WeakSet[BaseClient] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.forked = ForkedProcesses()
        self.own_clients: weakref.WeakSet[BaseClient] = weakref.WeakSet()

    def install(self) -> None:
        """Intercept the calls of every client from now on."""
        self._active = True
        self.forked.begin()
        self._undo.later(self._deactivate)
        self._undo.later(self._take_moto_back)
        share_models(self._undo)
        share_events(self._undo)
        share_endpoints(self._undo)
        is_active = self._asked_weakly()
        sign_with_dummies(self._undo, is_active)
        leave_sessions_alone(self._undo, is_active)
        self._wrap(BaseClient, "_make_api_call", self._wrapped)
        self._wrap(BaseClient, "_emit_api_params", self._reading)
        self._wrap(Endpoint, "make_request", self._answering)
        self._wrap(URLLib3Session, "send", self._guarded)
        self._wrap(ProxyConfiguration, "proxy_url_for", self._without_proxy)
        transfer_without_crt(self._undo)
        self._wrap_aiobotocore_once_there()

    def remove(self) -> None:
        """Undo everything; a wrapper that others have wrapped since stays, but does nothing."""
        self._undo.all()

    def _deactivate(self) -> None:
        self._active = False

    def _asked_weakly(self) -> Callable[[], bool]:
        """Return what says whether this is active, and keeps nothing of the test.

        A session hands its patched methods on to the clients that it makes, which may live as long
        as the process does.
        """
        asked = weakref.ref(self)

        def is_active() -> bool:
            interceptor = asked()
            return interceptor is not None and interceptor._is_active()

        return is_active

    def _is_active(self) -> bool:
        return self._active

    # -- the wrap ------------------------------------------------------------------------------

    def _wrap(
        self, owner: Any, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        """Wrap a method, after removing inactive wrappers that earlier stubs could not remove.

        Such a wrapper stays if a tracer has wrapped it while the stub was active. Without this,
        each test under a tracer would add one more layer to every call.
        """
        there = original = getattr(owner, name)
        while (
            left_by := vars(original).get("interceptor")
        ) is not None and not left_by._is_active():
            original = original.__wrapped__
        if original is not there:
            setattr(owner, name, original)
        ours = wrap(original)
        vars(ours).update(__wrapped__=original, interceptor=self)
        self._undo.set_attribute(owner, name, ours)

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        short_way = ShortWay(original)

        def _make_api_call(client: BaseClient, operation_name: str, api_params: Params) -> Any:
            if not self._active or is_cut_off():
                return original(client, operation_name, api_params)
            call = self._begin(client, operation_name, api_params)
            token = pending_call.set(call)
            try:
                response = None
                plan = short_way.plan_for(client, operation_name)
                if plan is not None:
                    response = self._answered_shortly(call, plan, client.meta.config)
                if response is None:
                    response = original(client, operation_name, api_params)
                    if call.service == "codepipeline":
                        short_way.learn(client, operation_name)
            except BaseException as error:
                self._failed(call, error)
                raise
            finally:
                pending_call.reset(token)
            self._router.finish(call, None)
            return response

        return _make_api_call

    def _wrapped_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def _make_api_call(
            client: BaseClient, operation_name: str, api_params: Params
        ) -> Any:
            if not self._active or is_cut_off():
                return await original(client, operation_name, api_params)
            call = self._begin(client, operation_name, api_params)
            call.is_async = True
            token = pending_call.set(call)
            try:
                response = await original(client, operation_name, api_params)
            except BaseException as error:
                self._failed(call, error)
                raise
            finally:
                pending_call.reset(token)
            self._router.finish(call, None)
            return response

        return _make_api_call

    def _begin(self, client: BaseClient, operation: str, params: Params) -> PendingCall:
        service = client.meta.service_model.service_name
        self.forked.refuse(service, operation)
        number = self._number(client)
        by_test = client in self.own_clients or is_tests()
        call = PendingCall(
            service,
            operation,
            # CodePipeline's are copied once the user's hooks have seen them.
            params if service == "codepipeline" else plain_copy(params),
            by_test,
            Caller(number, self._thread_number(), None, by_test),
            client.meta.endpoint_url,
            None if by_test else call_site(_FRAMES_BETWEEN),
        )
        call.signer = getattr(client, "_request_signer", None)
        self._router.begin(call)
        return call

    def _answered_shortly(self, call: PendingCall, plan: Plan, config: object) -> Any:
        """Answer a call without botocore, or do nothing and return None."""
        request = accepted_copy(call.operation, call.request)
        if request is None:
            return None
        credentials = presented_by(call.signer, config, self._is_issued)
        response = self._router.answer_shortly(call, request, credentials)
        if response is not None:
            plan.count_success()
        return response

    def _failed(self, call: PendingCall, error: BaseException) -> None:
        if not call.by_test and is_gap(error):
            self._router.stopped(call.name, call.site, in_moto=True)
        if call.request is not None:
            call.request = plain_copy(call.request)
        self._router.finish(call, error)

    def _reading(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Take CodePipeline's parameters as the user's hooks have left them."""

        def _emit_api_params(client: BaseClient, *args: Any, **kwargs: Any) -> Any:
            params = original(client, *args, **kwargs)
            self._read(params)
            return params

        return _emit_api_params

    def _reading_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def _emit_api_params(client: BaseClient, *args: Any, **kwargs: Any) -> Any:
            params = await original(client, *args, **kwargs)
            self._read(params)
            return params

        return _emit_api_params

    def _read(self, params: Params) -> None:
        call = pending_call.get()
        if call is not None and self._active and call.service == "codepipeline":
            call.request = plain_copy(params)

    # -- answers ---------------------------------------------------------------------------------

    def _answering(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def make_request(endpoint: Any, operation_model: Any, request: dict[str, Any]) -> Any:
            call = pending_call.get()
            if call is None or not self._active:
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

        return make_request

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
            send_to_aws_endpoint(request, call.endpoint_url, call.service, context["client_region"])
        return answer

    # -- clients ---------------------------------------------------------------------------------

    def _thread_number(self) -> int:
        """Return this thread's number; `threading.get_ident` reuses those of ended threads."""
        number: int | None = getattr(self._thread, "number", None)
        if number is None:
            number = self._thread.number = next(self._numbers)
        return number

    def _number(self, client: BaseClient) -> int:
        """Return a client's number; `id` gives a forgotten client's once more.

        Moto is told of the client, once there is a moto.
        """
        moto_there = "moto.core.models" in sys.modules
        met = self._met.get(client)
        if met is not None and met.by_moto >= moto_there:
            return met.number
        with self._lock:
            met = self._met.get(client)
            if moto_there:
                self._tell_moto(client)
            number = next(self._numbers) if met is None else met.number
            self._met[client] = _Met(number, moto_there)
        return number

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

    def _guarded(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def send(session: Any, request: Any) -> Any:
            if self._active:
                self._check_leaving(request)
            return original(session, request)

        return send

    def _guarded_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def send(session: Any, request: Any) -> Any:
            if self._active:
                self._check_leaving(request)
            return await original(session, request)

        return send

    def _without_proxy(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def proxy_url_for(configuration: Any, url: str) -> Any:
            proxy = original(configuration, url)
            return passing_by_proxy(url, proxy) if self._active else proxy

        return proxy_url_for

    def _check_leaving(self, request: Any) -> None:
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
            self._wrap_aiobotocore(loaded.AioBaseClient)
            return

        # aiobotocore may be imported during the test, and with `from aiobotocore.client import`,
        # so patching its module after the import may be too late for a reference taken before.
        def __init_subclass__(cls: Any, /, **kwargs: Any) -> None:
            super(BaseClient, cls).__init_subclass__(**kwargs)
            if cls.__name__ == "AioBaseClient" and "_make_api_call" in vars(cls):
                self._wrap_aiobotocore(cls)

        self._undo.set_attribute(BaseClient, "__init_subclass__", classmethod(__init_subclass__))

    def _wrap_aiobotocore(self, client_class: Any) -> None:
        self._wrap(client_class, "_make_api_call", self._wrapped_async)
        self._wrap(client_class, "_emit_api_params", self._reading_async)
        sign_asynchronously_with_dummies(self._undo, self._asked_weakly())
        for module, name in _AIO_SESSIONS:
            session_class = getattr(sys.modules.get(module), name, None)
            if session_class is not None:
                self._wrap(session_class, "send", self._guarded_async)


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
