"""The endpoint against web pages, forged scopes, huge headers and a machine without descriptors."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import time
from email.message import Message
from typing import Any

import pytest
from artifact_clients import credentials_of
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from pytest_cpjob import CodePipelineStub, Endpoint

pytest.importorskip("flask", reason="the endpoint needs the extra server")

from pytest_cpjob.endpoint import request_parsing as wire
from pytest_cpjob.endpoint.http_server import Answer, HttpRequest, WebServer
from pytest_cpjob.endpoint.origins import foreign


def asked(
    endpoint: Endpoint, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(endpoint.url.removeprefix("http://"), timeout=30)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


# -- web pages -------------------------------------------------------------------------------------


def a_request(**headers: str) -> HttpRequest:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return HttpRequest("POST", "/moto-api/reset", message, b"", 1)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4566",
        "[::1]:4566",
        "10.0.0.7",
        "localhost:4566",
        "LOCALHOST.",
        "codepipeline:4566",
        "host.docker.internal:4566",
        "a.bucket.localhost:4566",
        "my-bucket.host.docker.internal",
        "my-bucket.s3.eu-west-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
        "build.example.com:80",
        "my-bucket.build.example.com",
    ],
)
def test_a_name_that_can_only_lead_here_is_answered(host: str) -> None:
    assert foreign(a_request(Host=host), ["build.example.com"]) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:4566",
        "127.0.0.1.nip.io",
        "localhost.evil.example",
        "evil-amazonaws.com",
        "notbuild.example.com",
        "build.example.com.evil.example",
        "[::1",
    ],
)
def test_a_name_that_anybody_could_let_lead_here_is_refused(host: str) -> None:
    refusal = foreign(a_request(Host=host), ["build.example.com"])

    assert refusal is not None
    assert refusal.status == 403
    assert "use an IP address, localhost or a name without dots" in refusal.message


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://203.0.113.5"}, True),
        ({"Origin": "http://localhost.evil.example"}, True),
        ({"Origin": "http://[::1"}, True),
        ({"Origin": ""}, True),
        ({"Sec_Fetch_Site": "cross-site"}, True),
        ({"Origin": "http://localhost:3000", "Sec_Fetch_Site": "cross-site"}, False),
        ({"Origin": "http://127.0.0.1:4566"}, False),
        ({"Origin": "http://[::1]:3000"}, False),
        ({"Origin": "http://codepipeline:4566", "Host": "codepipeline:4566"}, False),
        ({"Sec_Fetch_Site": "none"}, False),
        ({}, False),
    ],
)
def test_a_page_may_call_only_from_this_machine(headers: dict[str, str], is_refused: bool) -> None:
    refusal = foreign(a_request(**{"Host": "127.0.0.1:4566", **headers}), [])
    assert (refusal is not None) is is_refused


def test_no_foreign_page_resets_the_test(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    out = cpjob.add_lambda_job(input_artifacts=["Source"], allow=["no-result"]).input_artifacts

    for headers in (
        {"Origin": "https://evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ):
        status, said = asked(cpjob_endpoint, "POST", "/moto-api/reset", headers)
        assert (status, json.loads(said)["__type"]) == (403, "AccessDenied")
        preflight, _ = asked(cpjob_endpoint, "OPTIONS", "/moto-api/reset", headers)
        assert preflight == 403

    assert out["Source"].exists
    assert not cpjob.calls


# -- scopes ----------------------------------------------------------------------------------------


@pytest.mark.cpjob(allow=["no-result", "refused-request", "own-role"])
@pytest.mark.parametrize("service", ["s3-object-lambda", "s3-outposts", "s3"])
@pytest.mark.parametrize("named", ["target", "action", "nothing"])
def test_a_scope_that_moto_takes_for_s3_is_judged_as_s3s(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint, service: str, named: str
) -> None:
    """Whatever else the request names, nothing gets around what S3 checks."""
    job = cpjob.add_lambda_job(output_artifacts=["Out"])
    other = cpjob.add_lambda_job(output_artifacts=["Out"])
    out, keys = other.output_artifacts["Out"], credentials_of(job)
    path = f"/{out.bucket}/{out.key}" + ("?Action=PutThings" if named == "action" else "")
    host = cpjob_endpoint.url.removeprefix("http://")
    request = AWSRequest("PUT", f"http://{host}{path}", {"Host": host}, b"forged")
    request.headers["X-Amz-Content-Sha256"] = "UNSIGNED-PAYLOAD"
    if named == "target":
        request.headers["X-Amz-Target"] = "Things_20200101.PutThings"
    signer = Credentials(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"])
    SigV4Auth(signer, service, "us-east-1").add_auth(request)

    status, said = asked(cpjob_endpoint, "PUT", path, dict(request.headers.items()), b"forged")

    assert status in (400, 403), said
    if service != "s3":
        assert f'incorrect service "{service}"'.encode() in said.replace(b"&quot;", b'"')
    assert not out.exists


# -- sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Amz-Target", "a" * 65_000),
        ("Authorization", "Credential=" * 6_000),
        ("X-Large", "a" * 200_000),
    ],
)
def test_a_huge_header_is_refused_at_once(
    cpjob_endpoint: Endpoint, cpjob: CodePipelineStub, name: str, value: str
) -> None:
    began = time.monotonic()
    status, _ = asked(cpjob_endpoint, "POST", "/", {name: value})

    assert status == 431
    assert time.monotonic() - began < 5
    assert not cpjob.calls


@pytest.mark.parametrize(
    ("target", "authorization"),
    [("/", "Credential=" * 2_800), ("a" * 31_000, ""), ("/?Action=" + "Action=" * 4_000, "")],
)
def test_a_large_head_that_is_read_takes_no_time(target: str, authorization: str) -> None:
    began = time.process_time()
    wire.read("POST", target, {"authorization": authorization}, b"")

    assert time.process_time() - began < 0.5


# -- descriptors and threads -----------------------------------------------------------------------


def answer(server: WebServer, request: HttpRequest) -> Answer:
    return Answer(200, [], b"")


def get(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED])
def test_a_server_without_descriptors_waits_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    accept, tries = WebServer.get_request, []

    def failing(server: WebServer) -> Any:
        tries.append(time.monotonic())
        if len(tries) <= 4:
            raise OSError(number, "no descriptors")
        return accept(server)

    monkeypatch.setattr(WebServer, "get_request", failing)
    server = WebServer(("127.0.0.1", 0), answer, pytest.fail)
    try:
        assert get(server.port) == 200
    finally:
        server.close_port()

    if number == errno.ECONNABORTED:  # the client's doing: the next is not kept waiting
        assert tries[4] - tries[0] < 0.2
    else:
        assert tries[4] - tries[0] >= 0.3


def test_a_server_without_threads_hangs_up_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    serve, tries = WebServer.process_request, []

    def failing(server: WebServer, *arguments: Any) -> None:
        tries.append(arguments)
        if len(tries) == 1:
            raise RuntimeError("can't start new thread")
        serve(server, *arguments)

    monkeypatch.setattr(WebServer, "process_request", failing)
    server = WebServer(("127.0.0.1", 0), answer, pytest.fail)
    try:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            get(server.port)
        assert get(server.port) == 200
    finally:
        server.close_port()


def test_a_port_is_closed_although_nothing_can_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    server = WebServer(("127.0.0.1", 0), answer, pytest.fail)

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "no descriptors")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(socket, "create_connection", refuse)
        server.close_port()

    with pytest.raises(ConnectionError):
        get(server.port)
