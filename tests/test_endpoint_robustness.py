"""The endpoint lives with what clients send, and with those that go away."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from artifact_clients import credentials_of
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cpjob import AWSSessionCredentials, CodePipelineStub, Endpoint

pytest.importorskip("flask", reason="the endpoint needs the extra server")
cbor2 = pytest.importorskip("cbor2", reason="the endpoint needs the extra server")

TARGET = "CodePipeline_20150709"
ASK = (
    f"POST / HTTP/1.1\r\nHost: here\r\nX-Amz-Target: {TARGET}.ListActionTypes\r\n"
    "Content-Length: 2\r\n\r\n{}"
).encode()


class Line:
    """A connection that says what it is told to, byte by byte."""

    def __init__(self, endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 0), 30)
        self.heard = self.socket.makefile("rb")

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Give the next answer's status, headers and body; 0 where the line was cut."""
        first = self.heard.readline()
        if not first:
            return 0, {}, b""
        headers = {}
        while line := self.heard.readline().strip():
            name, _, value = line.decode("latin-1").partition(": ")
            headers[name.lower()] = value
        return int(first.split()[1]), headers, self.heard.read(int(headers["content-length"]))

    def close(self) -> None:
        self.heard.close()
        self.socket.close()


@pytest.fixture
def call_up(cpjob_endpoint: Endpoint) -> Iterator[Callable[[], Line]]:
    with ExitStack() as lines:

        def call_up() -> Line:
            line = Line(cpjob_endpoint)
            lines.callback(line.close)
            return line

        yield call_up


@pytest.fixture
def line(call_up: Callable[[], Line]) -> Line:
    return call_up()


def request(operation: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    head = [f"{method} / HTTP/1.1", "Host: here", f"X-Amz-Target: {TARGET}.{operation}"]
    head += [*headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "\r\n"]).encode() + body


def signed(method: str, path: str, keys: AWSSessionCredentials) -> bytes:
    credentials = Credentials(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"])
    headers = {"Host": "here", "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}
    asked = AWSRequest(method, f"http://here{path}", headers)
    SigV4Auth(credentials, "s3", "us-east-1").add_auth(asked)
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in asked.headers.items()), ""]
    return "\r\n".join(lines).encode()


# -- what is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("GetJobDetails", b"{", "SerializationException"),
        ("GetJobDetails", b"\xff", "SerializationException"),
        ("GetJobDetails", b"[]", "SerializationException"),
        ("GetJobDetails", b'{"jobId": 5}', "SerializationException"),
        ("GetJobDetails", b"[" * 100_000, "SerializationException"),
        ("GetJobDetails", b'{"jobId": {"a": "' + b"b" * 100_000 + b'"}}', "SerializationException"),
        ("NoSuchOperation", b"{}", "UnknownOperationException"),
        ("", b"{}", "UnknownOperationException"),
    ],
    ids=["cut off", "not UTF-8", "list", "type", "deep", "big", "unknown", "none"],
)
def test_what_is_no_call_is_refused_with_400_and_is_no_defect(
    line: Line, operation: str, body: bytes, code: str
) -> None:
    line.say(request(operation, body))

    status, headers, answer = line.answer()

    assert (status, json.loads(answer)["__type"]) == (400, code)
    assert "x-amzn-requestid" in headers
    line.say(ASK)
    assert line.answer()[0] == 200


@pytest.mark.cpjob(allow=["refused-request"])
def test_a_result_of_10_mb_is_read_whole_and_refused(line: Line, cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(allow=["no-result"])
    message = "x" * (10 * 1024 * 1024)
    failure = {"jobId": job.id, "failureDetails": {"type": "JobFailed", "message": message}}

    line.say(request("PutJobFailureResult", json.dumps(failure).encode()))

    status, _, answer = line.answer()
    assert (status, json.loads(answer)["__type"]) == (400, "ValidationException")
    assert b"length less than or equal to 5000" in answer


def test_an_object_of_10_mb_goes_in_and_out_in_one_piece(
    line: Line, cpjob: CodePipelineStub
) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Out"])
    out, keys, content = job.output_artifacts["Out"], credentials_of(job), b"0123456789" * 1024**2
    place = f"/{out.bucket}/{out.key}"

    line.say(signed("PUT", place, keys), b"Content-Length: %d\r\n\r\n" % len(content), content)
    assert line.answer()[0] == 200
    line.say(signed("GET", place, keys), b"\r\n")

    assert line.answer()[2] == content
    assert out.content == content


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operation=st.sampled_from(
        ["PollForJobs", "AcknowledgeJob", "PutJobSuccessResult", "CreateCustomActionType"]
    ),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["jobId", "nonce", "actionTypeId", "category", "settings"])
                | st.text(),
                inner,
            )
        ),
        max_leaves=8,
    ),
)
@pytest.mark.cpjob(allow=["refused-request"])
def test_whatever_a_client_says_in_cbor_is_answered_and_never_a_defect(
    line: Line, operation: str, body: Any
) -> None:
    content = cbor2.dumps(body)
    line.say(
        f"POST /service/{TARGET}/operation/{operation} HTTP/1.1\r\nHost: here\r\n"
        f"smithy-protocol: rpc-v2-cbor\r\nContent-Length: {len(content)}\r\n\r\n".encode(),
        content,
    )

    status, headers, answer = line.answer()

    assert status == 400
    assert headers["smithy-protocol"] == "rpc-v2-cbor"
    assert cbor2.loads(answer)["__type"].startswith("com.amazonaws.codepipeline#")


# -- how it is sent --------------------------------------------------------------------------------


def test_a_connection_is_kept_for_the_next_request(line: Line) -> None:
    for _ in range(3):
        line.say(ASK)
        status, headers, _ = line.answer()
        assert (status, headers.get("connection")) == (200, None)
        assert "date" in headers


def test_requests_may_come_before_the_answers_to_those_before(line: Line) -> None:
    line.say(ASK * 3)

    assert [line.answer()[0] for _ in range(3)] == [200, 200, 200]


def test_a_client_of_http_1_0_is_answered_and_hung_up_on(line: Line) -> None:
    line.say(ASK.replace(b"HTTP/1.1", b"HTTP/1.0"))

    assert line.answer()[0] == 200
    assert line.answer()[0] == 0


def test_a_slow_client_holds_up_nobody(line: Line, call_up: Callable[[], Line]) -> None:
    for cut in (5, 40, len(ASK) - 1):
        line.say(ASK[:cut])
        other = call_up()
        other.say(ASK)
        assert other.answer()[0] == 200
        line.say(ASK[cut:])
        assert line.answer()[0] == 200


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked_once(line: Line) -> None:
    line.say(request("ListActionTypes", b"{}", "Expect: 100-continue").removesuffix(b"{}"))
    assert line.heard.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert line.heard.readline() == b"\r\n"

    line.say(b"{}")

    assert line.answer()[0] == 200


def test_a_body_may_come_in_chunks(line: Line) -> None:
    head = ASK.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked").removesuffix(b"{}")

    line.say(head, b"1;name=value\r\n{\r\n", b"1\r\n}\r\n", b"0\r\nTrailer: x\r\n\r\n", ASK)

    assert [line.answer()[0], line.answer()[0]] == [200, 200]


@pytest.mark.parametrize(
    "length",
    [
        b"Content-Length: two",
        b"Content-Length: -2",
        "Content-Length: ²".encode("latin-1"),
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\n\r\n-1",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 5000,
    ],
    ids=["a word", "negative", "no ASCII digit", "no length", "a negative chunk", "a huge chunk"],
)
def test_a_body_without_an_end_is_refused_and_the_line_cut(line: Line, length: bytes) -> None:
    line.say(ASK.replace(b"Content-Length: 2", length).replace(b"{}", b"{}\r\n"))

    assert line.answer()[0] == 400
    assert line.answer()[0] == 0


@pytest.mark.parametrize(
    ("length", "status"),
    [(b"1", 400), (b"1000000", 0), (b"1" + b"0" * 15, 413), (b"9" * 5000, 413)],
    ids=["too short", "too long", "more than S3 takes", "5,000 digits"],
)
def test_a_wrong_content_length_harms_nobody_else(
    line: Line, call_up: Callable[[], Line], length: bytes, status: int
) -> None:
    line.say(ASK.replace(b"Length: 2", b"Length: " + length))
    line.socket.shutdown(socket.SHUT_WR)

    # Cut off after one byte it is no JSON; what never comes is not waited for once it cannot.
    assert line.answer()[0] == status
    other = call_up()
    other.say(ASK)
    assert other.answer()[0] == 200


@pytest.mark.parametrize("cut", [3, 60, len(ASK) - 1], ids=["first line", "headers", "body"])
def test_a_client_that_hangs_up_is_no_defect_and_no_call(
    line: Line, call_up: Callable[[], Line], cpjob: CodePipelineStub, cut: int
) -> None:
    line.say(ASK[:cut])
    # Not closed in peace but reset: the answer, if there were one, could not be written.
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.close()

    other = call_up()
    other.say(ASK)

    assert other.answer()[0] == 200
    assert len(cpjob.calls) == 1


def test_a_client_that_does_not_wait_for_its_answer_has_called(
    line: Line, call_up: Callable[[], Line], cpjob: CodePipelineStub
) -> None:
    job = cpjob.add_lambda_job()
    line.say(request("PutJobSuccessResult", json.dumps({"jobId": job.id}).encode()))
    line.close()

    other = call_up()
    while job.status == "InProgress":
        other.say(ASK)
        assert other.answer()[0] == 200

    assert job.status == "Succeeded"


def test_what_is_no_http_is_refused(line: Line) -> None:
    line.say(b"\x16\x03\x01\x02\x00\x01\x00 this is TLS\r\n\r\n")

    assert b"Error code: 400" in line.heard.read()


def test_a_method_of_webdav_is_refused(line: Line) -> None:
    line.say(request("ListActionTypes", b"", method="PROPFIND"))

    assert line.answer()[0] == 501


def test_100_connections_at_once_are_all_answered(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    jobs = [cpjob.add_lambda_job() for _ in range(100)]
    address = cpjob_endpoint.url.removeprefix("http://")
    together = threading.Barrier(len(jobs))

    def report(job_id: str) -> int:
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.connect()
        together.wait(60)
        try:
            body = json.dumps({"jobId": job_id})
            connection.request("POST", "/", body, {"X-Amz-Target": f"{TARGET}.PutJobSuccessResult"})
            return connection.getresponse().status
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        statuses = set(pool.map(report, [job.id for job in jobs]))

    assert statuses == {200}
    assert {job.status for job in jobs} == {"Succeeded"}
    assert len(cpjob.calls) == 100
