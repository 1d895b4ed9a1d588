"""The application: one HTTP request in, answered by the active stub or passed on to moto."""

from __future__ import annotations

import importlib
import io
import re
import socket
import uuid
from collections.abc import Callable, Iterable, Mapping
from http.client import responses
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from pytest_cpjob.clients.calls import CallInFlight
from pytest_cpjob.endpoint import wire
from pytest_cpjob.service.aws_services import operations
from pytest_cpjob.service.errors import ServiceError
from pytest_cpjob.service.record import Caller

if TYPE_CHECKING:
    from pytest_cpjob.stub import CodePipelineStub

StartResponse = Callable[[str, list[tuple[str, str]]], object]
_ACCESS_KEY_ID: Final = re.compile(rb"<AccessKeyId>(\w+)</AccessKeyId>")
_CODE: Final = re.compile(rb"<Code>(\w+)</Code>")


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Application:
    """A WSGI application over one stub at a time.

    Attributes:
        stub: who answers; without one, every request gets 503.
        failures: what went wrong in here, for the test to hear of.
        on_call: told of each call and its outcome.
    """

    def __init__(self, on_call: Callable[[str], None] | None = None) -> None:
        # moto re-exports these without saying so to type checkers.
        moto_server: Any = importlib.import_module("moto.server")
        self._moto = moto_server.DomainDispatcherApplication(moto_server.create_backend_app)
        self._on_call = on_call
        self.stub: CodePipelineStub | None = None
        self.failures: list[BaseException] = []

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            answer = self._answer(environ)
        except ConnectionAbortedError:
            _hang_up(environ)
            return []
        except Exception as error:
            self.failures.append(error)
            answer = _problem(500, "InternalFailure", f"pytest-cpjob: {error!r}")
        start_response(
            f"{answer.status} {responses.get(answer.status, 'Unknown')}", _with_length(answer)
        )
        return [answer.body]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        stub = self.stub
        if stub is None:
            return _problem(503, "ServiceUnavailable", "no test with cpjob_endpoint is running")
        headers = _headers(environ)
        body = _body(environ)
        try:
            request = wire.read(
                environ["REQUEST_METHOD"],
                environ.get("RAW_URI", environ.get("PATH_INFO", "/")).partition("?")[0],
                environ.get("QUERY_STRING", ""),
                headers,
                body,
            )
        except ServiceError as error:
            cbor = "cbor" in headers.get("content-type", "")
            return _of_codepipeline(error, cbor=cbor)
        known = operations("codepipeline")
        if request.service == "codepipeline" and request.operation not in known:
            unknown = ServiceError("UnknownOperationException", f"no operation {request.operation}")
            return _of_codepipeline(unknown, cbor=request.cbor)
        return self._exchange(stub, request, environ, body)

    def _exchange(
        self, stub: CodePipelineStub, request: wire.Request, environ: dict[str, Any], body: bytes
    ) -> Answer:
        call = CallInFlight(
            request.service,
            request.operation,
            request.params,
            False,
            Caller(hash((environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT"))), 0),
        )
        exchange = stub.exchange
        exchange.began(call)
        credentials = None
        if request.access_key_id is not None:
            credentials = Credentials(
                request.access_key_id, None, request.session_token, method="explicit"
            )
        error: BaseException | None = None
        try:
            early = exchange.before(call, request.params, "", credentials)
            if early is not None:
                answer, error = _early(request, early)
            else:
                answer, error = self._pass_on(stub, call, request, environ, body)
        except Exception as lost:
            # A fault that is an exception: the caller's connection breaks.
            if call.fault is None:
                raise
            exchange.ended(call, lost)
            self._tell(call, type(lost).__name__)
            raise ConnectionAbortedError from lost
        exchange.ended(call, error)
        self._tell(call, error)
        return answer

    def _pass_on(
        self,
        stub: CodePipelineStub,
        call: CallInFlight,
        request: wire.Request,
        environ: dict[str, Any],
        body: bytes,
    ) -> tuple[Answer, BaseException | None]:
        """Let moto answer, with what the exchange makes of it afterwards."""
        answer = _run(self._moto, environ, body)
        parsed: dict[str, Any] = {}
        found = _CODE.search(answer.body)
        code = found[1].decode() if found else str(answer.status)
        if answer.status >= 400:
            parsed["Error"] = {"Code": code, "Message": ""}
        issued = _ACCESS_KEY_ID.search(answer.body) if request.service == "sts" else None
        if issued is not None:
            parsed["Credentials"] = {"AccessKeyId": issued[1].decode()}
        http = _Http(answer.status)
        stub.exchange.after(call, http, parsed)
        if http.status_code != answer.status:
            answer = _s3_problem(http.status_code, parsed, request.operation.startswith("Head"))
        if answer.status < 400:
            return answer, None
        return answer, ClientError({"Error": parsed["Error"]}, request.operation)

    def _tell(self, call: CallInFlight, outcome: object) -> None:
        if self._on_call is not None:
            self._on_call(f"{call.name} -> {outcome or 'answered'}")


class _Http:
    """What the exchange changes of an answer."""

    def __init__(self, status: int) -> None:
        self.status_code = status


def _with_length(answer: Answer) -> list[tuple[str, str]]:
    """Give the headers with the body's length; a HEAD of S3's tells the object's instead."""
    if any(name.lower() == "content-length" for name, _ in answer.headers):
        return answer.headers
    return [*answer.headers, ("Content-Length", str(len(answer.body)))]


def _early(
    request: wire.Request, early: tuple[Any, dict[str, Any]]
) -> tuple[Answer, BaseException | None]:
    """Write an answer of our own in the protocol that was asked in."""
    http, parsed = early
    response = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
    if "Error" not in response:
        kind, body = wire.written(response, cbor=request.cbor)
        return Answer(200, _plain_headers(kind, cbor=request.cbor), body), None
    failed = ClientError({"Error": response["Error"]}, request.operation)
    status = http.status_code
    if request.service == "s3":
        return _s3_problem(status, response, request.operation.startswith("Head")), failed
    error = ServiceError(response["Error"]["Code"], response["Error"]["Message"], status)
    return _of_codepipeline(error, cbor=request.cbor), failed


def _of_codepipeline(error: ServiceError, *, cbor: bool) -> Answer:
    kind, body = wire.written_error(error, cbor=cbor)
    return Answer(error.status, _plain_headers(kind, cbor=cbor), body)


def _s3_problem(status: int, parsed: Mapping[str, Any], head: bool) -> Answer:
    error = parsed["Error"]
    kind, body = wire.written_s3_error(error["Code"], error["Message"], head=head)
    return Answer(status, _plain_headers(kind, cbor=False), body)


def _problem(status: int, code: str, message: str) -> Answer:
    return _of_codepipeline(ServiceError(code, message, status), cbor=False)


def _plain_headers(content_type: str, *, cbor: bool) -> list[tuple[str, str]]:
    headers = [("Content-Type", content_type), ("x-amzn-RequestId", str(uuid.uuid4()))]
    if cbor:
        headers.append(("smithy-protocol", "rpc-v2-cbor"))
    return headers


# -- WSGI ------------------------------------------------------------------------------------------


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    headers["content-type"] = str(environ.get("CONTENT_TYPE", ""))
    return headers


def _body(environ: Mapping[str, Any]) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        content: bytes = stream.read()
        return content
    left = int(environ.get("CONTENT_LENGTH") or 0)
    parts = []
    while left:
        part = stream.read(min(left, 1024 * 1024))
        if not part:
            raise ConnectionAbortedError("the caller hung up")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _run(application: Any, environ: dict[str, Any], body: bytes) -> Answer:
    """Let another WSGI application answer the same request."""
    inner = dict(environ)
    inner["wsgi.input"] = io.BytesIO(body)
    inner["CONTENT_LENGTH"] = str(len(body))
    inner.pop("wsgi.input_terminated", None)
    inner.pop("HTTP_TRANSFER_ENCODING", None)
    began: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        began.append((status, headers))
        return lambda data: None

    content = application(inner, start_response)
    try:
        answered = b"".join(content)
    finally:
        close = getattr(content, "close", None)
        if close is not None:
            close()
    status, headers = began[-1]
    return Answer(int(status.split()[0]), headers, answered)


def _hang_up(environ: Mapping[str, Any]) -> None:
    """Break the caller's connection, so that its answer is lost."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
