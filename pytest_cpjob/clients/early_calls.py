"""What the import guard puts around botocore: clients without a region, calls that are stopped."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pytest_cpjob.aws.environment import is_configured
from pytest_cpjob.patching import Undo

_NOT_THE_USERS: Final = frozenset(
    {"aiobotocore", "boto3", "botocore", "pytest_cpjob", "s3transfer"}
)
_OF_AWS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


class _EarlyCall(NamedTuple):
    """A call that is made while no stub is active.

    Attributes:
        has_role: the machine is one of AWS's, whose role signs.
        has_region: it is of a client that botocore would have made.
    """

    name: str
    place: str
    has_role: bool
    has_region: bool


_early_call: ContextVar[_EarlyCall | None] = ContextVar("pytest_cpjob_early_call", default=None)


class EarlyCalls:
    """What happens to clients and their calls while no stub is active.

    Args:
        region: of clients that are made where no region is known.
        makes_clients, stops_calls: as `ImportGuard` has them.
        environ: the variables at pytest's start. A conftest that sets a region makes no configured
            machine of it.

    Attributes:
        when: when calls are stopped, in words for an error; empty while none is.
    """

    def __init__(
        self,
        region: str,
        *,
        makes_clients: bool,
        stops_calls: bool | None,
        environ: Mapping[str, str],
    ) -> None:
        self.when = ""
        self._region = region
        self._makes_clients = makes_clients
        self._stops_calls = stops_calls
        self._is_installed = False
        self._is_bare = stops_calls is not False and not is_configured(environ)
        self._without_region: weakref.WeakSet[Any] = weakref.WeakSet()

    def reach_botocore(self, undo: Undo) -> None:
        """Put this around botocore's own, until the undo."""
        from botocore.client import BaseClient, ClientCreator
        from botocore.httpsession import URLLib3Session

        self._is_installed = True
        undo.later(self._deactivate)
        if self._makes_clients:
            undo.set_attribute(
                ClientCreator, "create_client", self._making(ClientCreator.create_client)
            )
        undo.set_attribute(BaseClient, "_make_api_call", self._calling(BaseClient._make_api_call))
        undo.set_attribute(URLLib3Session, "send", self._sending(URLLib3Session.send))

    def _deactivate(self) -> None:
        self._is_installed = False
        self.when = ""

    def _making(self, original: Callable[..., Any]) -> Callable[..., Any]:
        from botocore.exceptions import NoRegionError

        def create_client(
            creator: Any, service_name: str, region_name: str | None, *args: Any, **kwargs: Any
        ) -> Any:
            try:
                return original(creator, service_name, region_name, *args, **kwargs)
            except NoRegionError:
                if region_name is not None or not self._is_installed:
                    raise
            client = original(creator, service_name, self._region, *args, **kwargs)
            self._without_region.add(client)
            return client

        return create_client

    def _calling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        from botocore.exceptions import NoCredentialsError

        def _make_api_call(client: Any, operation_name: str, api_params: Any) -> Any:
            __tracebackhide__ = True
            if not (self.when or self._without_region) or _is_stub_active():
                return original(client, operation_name, api_params)
            call = _early_call_of(client, operation_name, client not in self._without_region)
            token = _early_call.set(call)
            try:
                return original(client, operation_name, api_params)
            except NoCredentialsError:
                if not (self._stops(call) or (self.when and self._is_bare)):
                    raise
                from pytest_cpjob.clients.import_errors import CallAtImportError

                raise CallAtImportError(self._told(call)) from None
            finally:
                _early_call.reset(token)

        # While a stub is active this only calls the original: `short_way` looks through it.
        _make_api_call.__wrapped__ = original  # type: ignore[attr-defined]
        return _make_api_call

    def _sending(self, original: Callable[..., Any]) -> Callable[..., Any]:
        from botocore.exceptions import NoRegionError

        from pytest_cpjob.errors import UnfakedCallError

        def send(session: Any, request: Any) -> Any:
            __tracebackhide__ = True
            call = _early_call.get()
            host = urlsplit(request.url).hostname or "" if call is not None else ""
            if call is None or not host.endswith(_OF_AWS) or _is_stub_active():
                return original(session, request)
            if self._stops(call):
                raise UnfakedCallError(self._told(call))
            if not call.has_region:
                raise NoRegionError
            return original(session, request)

        return send

    def _stops(self, call: _EarlyCall) -> bool:
        if not self.when or self._stops_calls is False:
            return False
        return bool(self._stops_calls) or not (call.has_role or is_configured(os.environ))

    def _told(self, call: _EarlyCall) -> str:
        why = (
            "cpjob_stop_calls_at_import is set"
            if self._stops_calls
            else "this machine has no AWS configuration"
        )
        return (
            f"{call.name} was called {self.when}, at {call.place}, and nothing fakes it: {why}.\n"
            'Let the test import the module, by job.invoke("package.module.handler"): then moto'
            " answers the call, if the job has artifacts or the test is in mock_aws(). Or make the"
            " call where the handler needs it. With cpjob_aws_env = false in the ini file"
            " pytest-cpjob leaves such calls alone."
        )


def _is_stub_active() -> bool:
    harness = sys.modules.get("pytest_cpjob.harness")
    return harness is not None and harness.active_harness() is not None


def _early_call_of(client: Any, operation: str, has_region: bool) -> _EarlyCall:
    credentials = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    return _EarlyCall(
        f"{client.meta.service_model.service_name}.{operation}",
        _place(),
        getattr(credentials, "method", None) == "iam-role",
        has_region,
    )


def _place() -> str:
    """Return the file and line of the user's code that makes the call."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] not in _NOT_THE_USERS:
            break
        frame = frame.f_back
    path = frame.f_code.co_filename
    with suppress(ValueError):  # on another drive
        relative = os.path.relpath(path)
        path = path if relative.startswith("..") else relative
    return f"{path}:{frame.f_lineno}"
