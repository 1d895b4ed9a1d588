"""The wrappers: what stands in the place of botocore's methods while a stub is active.

They are made once, and keep nothing of a test. Each has a seat; whoever sits there is asked, and
while nobody does, the method is botocore's own. A wrapper that a tracer has wrapped in turn stays
in place after its test. What is put over it then has a seat of its own, and the old one is empty.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from types import FunctionType
from typing import Any, Final, Protocol

from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import ProxyConfiguration, URLLib3Session

from pytest_cpjob.clients.leftover_threads import is_cut_off
from pytest_cpjob.patching import Patches

Params = Mapping[str, Any]
Method = Callable[..., Any]


class Seated(Protocol):
    """Who is asked; the first argument is what the wrapper stands for."""

    def call(self, original: Method, client: BaseClient, operation: str, params: Params, /) -> Any:
        """Answer a call of a client's."""

    def call_async(
        self, original: Method, client: BaseClient, operation: str, params: Params, /
    ) -> Awaitable[Any]:
        """Answer a call of aiobotocore's."""

    def read(self, params: Params) -> None:
        """Take a call's parameters as the user's hooks have left them."""

    def make_request(
        self, original: Method, endpoint: Any, operation_model: Any, request: Any
    ) -> Any:
        """Answer in the place of an HTTP request."""

    def check_leaving(self, request: Any) -> None:
        """Raise for a request that must not leave this machine."""

    def wrap_aiobotocore(self, client_class: type) -> None:
        """Take note that aiobotocore is there now."""


class Seat:
    """Where the one sits who is asked by a wrapper; None while nobody is."""

    __slots__ = ("seated",)

    def __init__(self) -> None:
        self.seated: Seated | None = None


def seat_of(wrapper: Any) -> Seat:
    """Return the seat of a wrapper."""
    seat: Seat = getattr(wrapper, "__func__", wrapper).seat
    return seat


def _with_seat(make: Callable[[Method, Seat], Method]) -> Callable[[Method], Method]:
    """Return what makes a wrapper, with a seat, of what stands in its place."""

    def wrap(original: Method) -> Method:
        # An earlier one whose seat is empty is passed by: else, under a tracer that wraps it each
        # time, each test would add a layer to every call. A proxy of wrapt's, as X-Ray, Datadog and
        # OpenTelemetry put there once, shows the seat of what it wraps, and stays.
        while (
            type(original) is FunctionType
            and (seat := vars(original).get("seat")) is not None
            and seat.seated is None
        ):
            original = vars(original)["__wrapped__"]
        seat = Seat()
        wrapper = make(original, seat)
        vars(wrapper).update(__wrapped__=original, seat=seat)
        return wrapper

    return wrap


def _calling(original: Method, seat: Seat) -> Method:
    def _make_api_call(client: BaseClient, operation_name: str, api_params: Params) -> Any:
        seated = seat.seated
        if seated is None or is_cut_off():
            return original(client, operation_name, api_params)
        return seated.call(original, client, operation_name, api_params)

    return _make_api_call


def _calling_async(original: Method, seat: Seat) -> Method:
    async def _make_api_call(client: BaseClient, operation_name: str, api_params: Params) -> Any:
        seated = seat.seated
        if seated is None or is_cut_off():
            return await original(client, operation_name, api_params)
        return await seated.call_async(original, client, operation_name, api_params)

    return _make_api_call


def _reading(original: Method, seat: Seat) -> Method:
    def _emit_api_params(client: BaseClient, *args: Any, **kwargs: Any) -> Any:
        params = original(client, *args, **kwargs)
        seated = seat.seated
        if seated is not None:
            seated.read(params)
        return params

    return _emit_api_params


def _reading_async(original: Method, seat: Seat) -> Method:
    async def _emit_api_params(client: BaseClient, *args: Any, **kwargs: Any) -> Any:
        params = await original(client, *args, **kwargs)
        seated = seat.seated
        if seated is not None:
            seated.read(params)
        return params

    return _emit_api_params


def _answering(original: Method, seat: Seat) -> Method:
    def make_request(endpoint: Any, operation_model: Any, request: dict[str, Any]) -> Any:
        seated = seat.seated
        if seated is None:
            return original(endpoint, operation_model, request)
        return seated.make_request(original, endpoint, operation_model, request)

    return make_request


def _guarded(original: Method, seat: Seat) -> Method:
    def send(session: Any, request: Any) -> Any:
        seated = seat.seated
        if seated is not None:
            seated.check_leaving(request)
        return original(session, request)

    return send


def _guarded_async(original: Method, seat: Seat) -> Method:
    async def send(session: Any, request: Any) -> Any:
        seated = seat.seated
        if seated is not None:
            seated.check_leaving(request)
        return await original(session, request)

    return send


def _without_proxy(original: Method, seat: Seat) -> Method:
    def proxy_url_for(configuration: Any, url: str) -> Any:
        proxy = original(configuration, url)
        if proxy is None or seat.seated is None:
            return proxy
        from pytest_cpjob.clients.network_guard import passing_by_proxy

        return passing_by_proxy(url, proxy)

    return proxy_url_for


WRAPPERS: Final = Patches(
    (BaseClient, "_make_api_call", _with_seat(_calling)),
    (BaseClient, "_emit_api_params", _with_seat(_reading)),
    (Endpoint, "make_request", _with_seat(_answering)),
    (URLLib3Session, "send", _with_seat(_guarded)),
    (ProxyConfiguration, "proxy_url_for", _with_seat(_without_proxy)),
)
"""Those of botocore."""


def _until_aiobotocore(_: Method) -> Any:
    """Hear of aiobotocore when its client class is defined.

    It may be imported during the test, and with `from aiobotocore.client import`, so patching its
    module after the import may be too late for a reference taken before.
    """
    seat = Seat()

    def __init_subclass__(cls: Any, /, **kwargs: Any) -> None:
        super(BaseClient, cls).__init_subclass__(**kwargs)
        is_aiobotocores = cls.__name__ == "AioBaseClient" and "_make_api_call" in vars(cls)
        seated = seat.seated
        if is_aiobotocores and seated is not None:
            seated.wrap_aiobotocore(cls)

    vars(__init_subclass__)["seat"] = seat
    return classmethod(__init_subclass__)


UNTIL_AIOBOTOCORE: Final = Patches((BaseClient, "__init_subclass__", _until_aiobotocore))
"""What hears of aiobotocore."""


@cache
def wrappers_of_aiobotocore(client_class: Any, *session_classes: Any) -> Patches:
    """Make those of aiobotocore."""
    return Patches(
        (client_class, "_make_api_call", _with_seat(_calling_async)),
        (client_class, "_emit_api_params", _with_seat(_reading_async)),
        *((each, "send", _with_seat(_guarded_async)) for each in session_classes),
    )
