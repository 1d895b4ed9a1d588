"""The application: HTTP requests in, answered by the active stub or passed on to moto."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from email.message import Message
from typing import TYPE_CHECKING, Any, Final

from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from pytest_cpjob.aws.botocore_models import operations
from pytest_cpjob.clients.pending_call import PendingCall, plain_copy
from pytest_cpjob.endpoint import request_parsing as wire
from pytest_cpjob.endpoint import s3_checks
from pytest_cpjob.endpoint.http_server import Answer, HttpRequest
from pytest_cpjob.endpoint.moto_app import MotoApplication
from pytest_cpjob.endpoint.moto_codepipeline import (
    as_cbor,
    codepipeline_answer,
    codepipeline_request,
)
from pytest_cpjob.endpoint.origins import foreign
from pytest_cpjob.endpoint.responses import written, written_error
from pytest_cpjob.endpoint.signatures import is_wrong
from pytest_cpjob.errors import UnfakedCallError
from pytest_cpjob.service.call_log import Caller
from pytest_cpjob.service.errors import ServiceError

if TYPE_CHECKING:
    from pytest_cpjob.harness import Harness

PATIENCE: Final = 5.0
"""Seconds of real time that pending answers have to finish when a test ends."""

_ACCESS_KEY_ID: Final = re.compile(rb"<AccessKeyId>(\w+)</AccessKeyId>")
_CODE: Final = re.compile(rb"<Code>([\w.]+)</Code>")


class Application:
    """Answers HTTP requests from one stub at a time.

    Args:
        moto: answers what the stub does not.
        on_call: called with each call and its outcome, as text.
        allowed_hosts: public host names that lead here.

    Attributes:
        failures: internal errors, which the test must report: the call, and the error.
    """

    def __init__(
        self,
        moto: MotoApplication,
        on_call: Callable[[str], None] | None = None,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._moto = moto
        self._on_call = on_call
        self._harness: Harness | None = None
        self._faults_met: dict[str, Answer | None] = {}
        self._answering = 0
        self._idle = threading.Condition()
        self.failures: list[tuple[str, BaseException]] = []

    def serve(self, harness: Harness | None) -> None:
        """Answer from this stub, or not at all (None), after pending answers have finished."""
        with self._idle:
            self._harness = None
            self._idle.wait_for(lambda: self._answering == 0, PATIENCE)
            self._faults_met = {}
            self._harness = harness

    def warm_up(self) -> None:
        """Let moto answer once, for nobody."""
        headers = Message()
        headers["Host"] = "localhost"  # older versions of moto cannot do without
        self._moto.answer(HttpRequest("GET", "/", headers, b"", 0))

    def fail(self, what: str, error: BaseException) -> None:
        """Record an internal error."""
        self.failures.append((what, error))

    def respond(self, http: HttpRequest, *, is_earlier: bool = False) -> Answer | None:
        """Answer one request; None is for a connection that is to break.

        Args:
            is_earlier: it came by a connection to a test that has ended.
        """
        with self._idle:
            harness = None if is_earlier else self._harness
            self._answering += 1
        try:
            if harness is None:
                gone = ServiceError("ServiceUnavailable", "no test with cpjob_endpoint is running")
                return written_error(gone, "json")
            refusal = foreign(http, self._allowed_hosts)
            if refusal is not None:
                if self._on_call is not None:
                    self._on_call(f"{http.method} refused: {refusal.message}")
                return written_error(refusal, "json", head=http.method == "HEAD")
            return self._answer(harness, http)
        except Exception as error:
            self.fail(f"{http.method} {http.target.partition('?')[0]}", error)
            defect = ServiceError("InternalFailure", f"pytest-cpjob: {error!r}")
            return written_error(defect, "json", head=http.method == "HEAD")
        finally:
            with self._idle:
                self._answering -= 1
                self._idle.notify_all()

    def _answer(self, harness: Harness, http: HttpRequest) -> Answer | None:
        headers = lowered(http)
        try:
            request = wire.read(http.method, http.target, headers, http.body)
            request = _as_s3(harness, request, http)
            if request.service == "codepipeline":
                _check_operation(request.operation)
        except ServiceError as error:
            return written_error(error, wire.protocol_of(headers))
        invocation = headers.get("amz-sdk-invocation-id", "")
        if invocation in self._faults_met:
            # A client's own retries of one call all get the one fault that was set up for it.
            return self._faults_met[invocation]
        return self._routed(harness, request, http, invocation)

    def _routed(
        self, harness: Harness, request: wire.Request, http: HttpRequest, invocation: str
    ) -> Answer | None:
        call = PendingCall(
            request.service,
            request.operation,
            plain_copy(request.params),
            False,
            Caller(http.connection, 0),
        )
        answer: Answer | None = None
        error: BaseException | None = None
        try:
            answer, error = self._answered(harness, call, request, http)
        except Exception as raised:
            error = raised
            if call.fault is None:
                answer = self._not_answered(harness, call, request, raised)
        harness.router.finish(call, error)
        if call.fault is not None and invocation:
            self._faults_met[invocation] = answer
        if self._on_call is not None:
            self._on_call(f"{call.name} -> {error or 'answered'}")
        return answer

    def _not_answered(
        self,
        harness: Harness,
        call: PendingCall,
        request: wire.Request,
        error: Exception,
    ) -> Answer:
        """Tell the test, and the caller, that there is no answer."""
        if isinstance(error, (UnfakedCallError, NotImplementedError)):
            harness.router.stopped(call.name, in_moto=True)
        else:
            self.fail(call.name, error)
        refused = ServiceError("NotImplemented", f"{call.name}: {error!r}", 501)
        return written_error(refused, request.protocol, head=_is_head(request))

    def _answered(
        self,
        harness: Harness,
        call: PendingCall,
        request: wire.Request,
        http: HttpRequest,
    ) -> tuple[Answer, BaseException | None]:
        early = harness.router.answer(call, request.params, "", _presented(harness, request, http))
        if early is None:
            return self._passed_on(harness, call, request, http)
        response, parsed = early
        if "Error" in parsed:
            return _refused(request, response.status_code, parsed)
        content = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        return written(content, request.protocol), None

    def _passed_on(
        self,
        harness: Harness,
        call: PendingCall,
        request: wire.Request,
        http: HttpRequest,
    ) -> tuple[Answer, BaseException | None]:
        """Let moto answer, and the router change the answer."""
        if request.service == "codepipeline":
            answer = codepipeline_answer(self._moto.answer(codepipeline_request(request, http)))
        else:
            answer = self._moto.answer(http)
        if answer.status in (404, 405) and answer.body.startswith(b"<!doctype html>"):
            raise UnfakedCallError("moto has no such path for this service")
        parsed: dict[str, Any] = {}
        if answer.status >= 400:
            parsed["Error"] = {"Code": _code_of(answer), "Message": ""}
        issued = _ACCESS_KEY_ID.search(answer.body) if request.service == "sts" else None
        if issued is not None:
            parsed["Credentials"] = {"AccessKeyId": issued[1].decode()}
        seen, before = _Response(answer.status), parsed.get("Error")
        harness.router.passed(call, seen, parsed)
        if parsed.get("Error") is not before:
            return _refused(request, seen.status_code, parsed)
        if answer.status >= 500:
            self.fail(call.name, RuntimeError(f"moto answered {answer.status}: {answer.body!r}"))
        if request.protocol == "cbor":
            answer = as_cbor(request.operation, answer)
        if before is None:
            return answer, None
        return answer, _raised_there(parsed, request.operation)


def _presented(harness: Harness, request: wire.Request, http: HttpRequest) -> Credentials | None:
    """Return the credentials that a request was signed with, as far as they are known."""
    if request.access_key_id is None:
        return None
    grant = harness.service.grants.find(request.access_key_id)
    credentials = Credentials(request.access_key_id, None, request.session_token, method="explicit")
    if request.service == "s3" and grant is not None:
        bucket = str(request.params.get("Bucket"))
        region = harness.store.buckets.get(bucket, harness.settings.region)
        credentials.refusal = s3_checks.refusal(http, region)
        if is_wrong(http, grant.credentials.secret_access_key):
            credentials.secret_key = "another"
    return credentials


def _as_s3(harness: Harness, request: wire.Request, http: HttpRequest) -> wire.Request:
    """Read a request that is signed for another service and asks for an artifact's bucket.

    S3 refuses it; whatever else is asked for at a bucket's path nobody would answer.
    """
    path = http.target.partition("?")[0]
    bucket = path.lstrip("/").partition("/")[0]
    if request.protocol != "rest-json" or bucket not in harness.store.buckets:
        return request
    return wire.as_s3(request, http.method, http.target, lowered(http))


def lowered(http: HttpRequest) -> dict[str, str]:
    """Return a request's headers by name in lower case."""
    return {name.lower(): http.header(name) or "" for name in http.headers}


class _Response:
    """The part of an answer that the router changes."""

    def __init__(self, status: int) -> None:
        self.status_code = status


def _check_operation(operation: str) -> None:
    if operation not in operations("codepipeline"):
        raise wire.unknown_operation()


def _is_head(request: wire.Request) -> bool:
    return request.protocol == "s3" and request.operation.startswith("Head")


def _refused(
    request: wire.Request, status: int, parsed: dict[str, Any]
) -> tuple[Answer, BaseException]:
    """Return the answer for an error from the router."""
    code, message = parsed["Error"]["Code"], parsed["Error"]["Message"]
    error = ServiceError(code, message, status)
    answer = written_error(error, request.protocol, head=_is_head(request))
    return answer, _raised_there(parsed, request.operation)


def _raised_there(parsed: dict[str, Any], operation: str) -> ClientError:
    """Return the error that the caller's SDK would raise, with a traceback for the report."""
    try:
        raise ClientError({"Error": parsed["Error"]}, operation)
    except ClientError as error:
        return error


def _code_of(answer: Answer) -> str:
    """Return the error code in moto's answer, or the status if it has no body."""
    found = _CODE.search(answer.body)
    if found is not None:
        return found[1].decode()
    with suppress(ValueError, AttributeError, KeyError):
        return str(json.loads(answer.body)["__type"]).rpartition("#")[2]
    return str(answer.status)
