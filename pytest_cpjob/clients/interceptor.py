"""The interceptor: the stub answers every botocore client, whenever and however it was created.

All clients call through `BaseClient._make_api_call`, where moto's manual, too, recommends to
patch. While a stub is active it is wrapped for two purposes: to register our handlers on the
events of the calling client, and to record the call in the call log when it ends.
The handlers answer at `before-call`: after botocore has validated the parameters, before it signs
or sends anything. So no credentials are needed, and moto never gets what is answered here.
"""

from __future__ import annotations

import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from botocore.client import BaseClient
from botocore.httpsession import URLLib3Session

from pytest_cpjob.clients.credentials import (
    leave_sessions_alone,
    presented_by,
    sign_asynchronously_with_dummies,
    sign_with_dummies,
)
from pytest_cpjob.clients.endpoint_urls import send_to_aws_endpoint
from pytest_cpjob.clients.forked_processes import ForkedProcesses
from pytest_cpjob.clients.leftover_threads import is_cut_off
from pytest_cpjob.clients.network_guard import check_leaving
from pytest_cpjob.clients.pending_call import PendingCall, pending_call, plain_copy
from pytest_cpjob.clients.responses import Answer
from pytest_cpjob.clients.session_cache import share_endpoints, share_events, share_models
from pytest_cpjob.patching import Undo
from pytest_cpjob.service.call_log import Caller
from pytest_cpjob.threads import is_tests

Params = Mapping[str, Any]

_AIO_SESSIONS = (
    ("aiobotocore.httpsession", "AIOHTTPSession"),
    ("aiobotocore.httpxsession", "HttpxSession"),
)


class Router(Protocol):
    """Answers the intercepted calls."""

    def begin(self, call: PendingCall) -> None:
        """Be notified of a call before anything else; raising ends it without a record."""

    def answer(
        self, call: PendingCall, params: Params, url: str, credentials: object
    ) -> Answer | None:
        """Answer the call, let it pass (None), or raise what the caller should get."""

    def passed(self, call: PendingCall, http: Any, parsed: dict[str, Any]) -> None:
        """Inspect, and if necessary change, the answer to a call that was let pass."""

    def finish(self, call: PendingCall, error: BaseException | None) -> None:
        """Record the call in the call log when it has ended."""

    def stopped(self, what: str) -> None:
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
        self._undo.later(self._forget_clients)
        share_models(self._undo)
        share_events(self._undo)
        share_endpoints(self._undo)
        sign_with_dummies(self._undo, self._is_active)
        leave_sessions_alone(self._undo, self._is_active)
        self._wrap(BaseClient, "_make_api_call", self._wrapped)
        self._wrap(URLLib3Session, "send", self._guarded)
        self._wrap_aiobotocore_once_there()

    def remove(self) -> None:
        """Undo everything; a wrapper that others have wrapped since stays, but does nothing."""
        self._undo.all()

    def _deactivate(self) -> None:
        self._active = False

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
        def _make_api_call(client: BaseClient, operation_name: str, api_params: Params) -> Any:
            if not self._active or is_cut_off():
                return original(client, operation_name, api_params)
            call = self._begin(client, operation_name, api_params)
            token = pending_call.set(call)
            try:
                response = original(client, operation_name, api_params)
            except BaseException as error:
                self._router.finish(call, error)
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
                self._router.finish(call, error)
                raise
            finally:
                pending_call.reset(token)
            self._router.finish(call, None)
            return response

        return _make_api_call

    def _begin(self, client: BaseClient, operation: str, params: Params) -> PendingCall:
        service = client.meta.service_model.service_name
        self.forked.refuse(f"{service}.{operation}")
        number = self._meet(client)
        by_test = client in self.own_clients or is_tests()
        call = PendingCall(
            service,
            operation,
            plain_copy(params),
            by_test,
            Caller(number, self._thread_number(), None, by_test),
            client.meta.endpoint_url,
        )
        self._router.begin(call)
        return call

    # -- a client's events -----------------------------------------------------------------------

    def _thread_number(self) -> int:
        """Return this thread's number; `threading.get_ident` reuses those of ended threads."""
        number: int | None = getattr(self._thread, "number", None)
        if number is None:
            number = self._thread.number = next(self._numbers)
        return number

    def _meet(self, client: BaseClient) -> int:
        """Make sure that our handlers are on this client, and moto's too once moto is imported.

        Returns:
            The client's number, as `id` reuses those of deleted clients.
        """
        moto_there = "moto.core.models" in sys.modules
        met = self._met.get(client)
        if met is not None and met.by_moto >= moto_there:
            return met.number
        with self._lock:
            met = self._met.get(client)
            if met is None:
                client.meta.events.register("before-call", self._before_call)
                client.meta.events.register("after-call", self._after_call)
            if moto_there:
                self._tell_moto(client)
            number = next(self._numbers) if met is None else met.number
            self._met[client] = _Met(number, moto_there)
        return number

    def _tell_moto(self, client: BaseClient) -> None:
        """Register moto on a client created before moto was imported (its `patch_client`)."""
        from moto.core.models import botocore_stubber, patch_client

        if not _has_handler(client, "before-send", botocore_stubber):
            patch_client(client)
            self._told.add(client)

    def _forget_clients(self) -> None:
        """Remove our handlers, and those of moto that we registered, from all living clients."""
        for client in list(self._met):
            client.meta.events.unregister("before-call", self._before_call)
            client.meta.events.unregister("after-call", self._after_call)
        if self._told:
            from moto.core.models import botocore_stubber

            for client in list(self._told):
                client.meta.events.unregister("before-send", botocore_stubber)

    def _before_call(
        self, model: Any, params: Any, request_signer: Any, context: Any, **_: Any
    ) -> Answer | None:
        call = pending_call.get()
        if call is None or not self._active:
            return None
        redirect = context.get("s3_redirect") or {}
        given = redirect.get("params") or call.request
        answer = self._router.answer(
            call,
            given,
            str(params.get("url", "")),
            presented_by(request_signer, context.get("client_config"), self._is_issued),
        )
        # moto answers aiobotocore only as an HTTP server: there the client's own URL is right.
        if answer is None and call.is_in_store and not call.is_async:
            send_to_aws_endpoint(params, call.endpoint_url, call.service, context["client_region"])
        return answer

    def _after_call(self, http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        call = pending_call.get()
        if call is not None and self._active:
            self._router.passed(call, http_response, parsed)

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

    def _check_leaving(self, request: Any) -> None:
        call = pending_call.get()

        def report(what: str) -> None:
            if call is None or not call.by_test:
                self._router.stopped(what)

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
        sign_asynchronously_with_dummies(self._undo, self._is_active)
        for module, name in _AIO_SESSIONS:
            session_class = getattr(sys.modules.get(module), name, None)
            if session_class is not None:
                self._wrap(session_class, "send", self._guarded_async)


def _has_handler(client: BaseClient, event: str, handler: object) -> bool:
    """Return whether exactly this handler is registered for an event of the client."""
    emitter = getattr(client.meta.events, "_emitter", client.meta.events)
    handlers = getattr(emitter, "_handlers", None)
    found = handlers.prefix_search(event) if handlers is not None else ()
    return any(each is handler for each in found)
