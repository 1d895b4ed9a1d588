"""What nothing fakes does not leave the machine, and the test hears of it."""

from __future__ import annotations

import io
import pickle
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import boto3.s3.transfer
import pytest
from artifact_clients import s3_of
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    MetadataRetrievalError,
    NoCredentialsError,
)
from botocore.httpsession import URLLib3Session
from botocore.utils import ContainerMetadataFetcher, InstanceMetadataFetcher

from pytest_cpjob import CodePipelineStub, ContractError, UnfakedCallError
from pytest_cpjob.clients.network_guard import check_leaving, is_loopback

NO_RETRIES = Config(retries={"max_attempts": 0})


def client(service: str, **arguments: Any) -> Any:
    return boto3.client(service, region_name="us-east-1", **arguments)


def finding(action: Callable[[CodePipelineStub], object]) -> ContractError:
    with pytest.raises(ContractError) as caught, CodePipelineStub() as cpjob:
        action(cpjob)
    return caught.value


def swallowing(action: Callable[[], object]) -> Callable[[CodePipelineStub], None]:
    def swallow(_: CodePipelineStub) -> None:
        try:
            action()
        except Exception:  # as handlers do
            return
        raise AssertionError("the call was answered")

    return swallow


# -- stopped ---------------------------------------------------------------------------------------


def test_an_unfaked_call_is_stopped_with_an_error_that_names_it(cpjob: CodePipelineStub) -> None:
    with pytest.raises(UnfakedCallError) as caught:
        client("ssm").describe_parameters()

    assert str(caught.value) == (
        "ssm.DescribeParameters was blocked before it reached https://ssm.us-east-1.amazonaws.com/:"
        " nothing fakes it.\n"
        "Inside the test, start moto's mock_aws() for services other than CodePipeline, or point"
        " the client at a local endpoint; a job with artifacts starts moto by itself."
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(ContractError):
        cpjob.check()


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-3", "cn-north-1"])
def test_each_client_keeps_its_own_endpoint(cpjob: CodePipelineStub, region: str) -> None:
    clients = [
        boto3.client("codepipeline", region_name=region),
        boto3.client("codepipeline", region_name="ap-south-1"),
        boto3.client("codepipeline", region_name=region, endpoint_url="https://pipes.invalid"),
    ]
    urls = []

    for each in clients * 2:
        with pytest.raises(UnfakedCallError) as caught:
            each.list_pipelines()
        urls.append(str(caught.value).partition("it reached ")[2].partition("/:")[0])
    with pytest.raises(ContractError):
        cpjob.check()

    suffix = ".cn" if region == "cn-north-1" else ""
    assert urls == 2 * [
        f"https://codepipeline.{region}.amazonaws.com{suffix}",
        "https://codepipeline.ap-south-1.amazonaws.com",
        "https://pipes.invalid",
    ]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: client("s3").list_buckets(), "s3.ListBuckets"),
        (lambda: client("ssm").get_parameter(Name="stage"), "ssm.GetParameter"),
        (lambda: client("codepipeline").list_webhooks(), "codepipeline.ListWebhooks"),
        (
            lambda: client("s3", config=Config(signature_version=UNSIGNED)).list_buckets(),
            "s3.ListBuckets",
        ),
        (
            lambda: client("ssm", endpoint_url="http://localstack:4566").describe_parameters(),
            "ssm.DescribeParameters",
        ),
    ],
)
def test_a_stopped_call_is_reported_although_the_handler_swallowed_it(
    call: Callable[[], object], name: str
) -> None:
    error = finding(swallowing(call))

    assert error.names == ("unfaked-call",)
    assert f": {name} was blocked before it reached the network.\n" in str(error)
    assert '@pytest.mark.cpjob(allow=["unfaked-call"])' in str(error)


def test_a_request_outside_of_any_call_is_stopped_and_named_by_its_address() -> None:
    request = AWSRequest("GET", "https://example.invalid/token?secret=1").prepare()

    error = finding(swallowing(lambda: URLLib3Session().send(request)))

    assert "GET https://example.invalid/token was blocked before" in str(error)
    assert "secret" not in str(error)


def test_an_unfaked_call_of_a_thread_is_reported_too() -> None:
    def in_a_thread(cpjob: CodePipelineStub) -> None:
        call = swallowing(client("sts").get_caller_identity)
        thread = threading.Thread(target=call, args=(cpjob,))
        thread.start()
        thread.join()

    assert finding(in_a_thread).names == ("unfaked-call",)


def test_the_same_call_stopped_again_and_again_is_one_finding() -> None:
    call = swallowing(client("sts").get_caller_identity)

    assert finding(lambda cpjob: (call(cpjob), call(cpjob))).names == ("unfaked-call",)


def test_allowed_it_is_stopped_all_the_same_but_not_reported() -> None:
    with CodePipelineStub(allow=["unfaked-call"]), pytest.raises(UnfakedCallError):
        client("sts").get_caller_identity()


def test_a_stopped_call_is_in_the_record(cpjob: CodePipelineStub) -> None:
    with pytest.raises(UnfakedCallError):
        client("sts").get_caller_identity()
    with pytest.raises(ContractError):
        cpjob.check()

    assert [(call.operation, call.error) for call in cpjob.calls] == [
        ("GetCallerIdentity", "UnfakedCallError")
    ]


# -- what moto does not have -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("codepipeline", "list_webhooks", {}),
        ("ssm", "describe_sessions", {"State": "Active"}),
        ("appstream", "describe_fleets", {}),  # a whole service
        ("cloudsearch", "list_domain_names", {}),  # one that answers in XML
    ],
)
def test_what_moto_does_not_implement_is_an_unfaked_call_too(
    service: str, operation: str, arguments: dict[str, str]
) -> None:
    def calls(cpjob: CodePipelineStub) -> None:
        cpjob.add_lambda_job(input_artifacts=["Source"])
        swallowing(lambda: getattr(client(service), operation)(**arguments))(cpjob)

    error = finding(calls)
    assert error.names == ("unfaked-call",)
    assert " went to moto, which does not implement it.\n" in str(error)
    assert "Stub the client that calls it" in str(error)
    assert not re.search("the network|mock_aws", str(error))


# -- let pass --------------------------------------------------------------------------------------


@pytest.fixture
def local_service() -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = b'{"Parameter": {"Name": "stage", "Value": "prod"}}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_local_endpoint_is_really_called(cpjob: CodePipelineStub, local_service: str) -> None:
    ssm = client("ssm", endpoint_url=local_service)
    try:
        assert ssm.get_parameter(Name="stage")["Parameter"]["Value"] == "prod"
    finally:
        ssm.close()


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:4566/x", True),
        ("http://127.9.9.9/", True),
        ("http://[::1]:8000/", True),
        ("https://localhost.example.com/", False),
        ("http://10.0.0.1/", False),
        ("https://127.0.0.1.example.com/", False),
        ("https:///nothing", False),
        ("http://127.0.0.1\\@example.com/", False),
        ("http://example.com\\@127.0.0.1/", False),
        ("http://[127.0.0.1/", False),
    ],
)
def test_what_is_on_this_machine(url: str, *, loopback: bool) -> None:
    assert is_loopback(url) == loopback


@pytest.mark.parametrize(
    ("resolved", "loopback"),
    [(["127.0.0.1", "::1"], True), (["127.0.0.1", "192.0.2.7"], False), ([], False)],
)
def test_a_name_below_localhost_is_where_it_is_resolved_to(
    monkeypatch: pytest.MonkeyPatch, resolved: list[str], *, loopback: bool
) -> None:
    def getaddrinfo(host: str, port: None) -> list[Any]:
        if not resolved:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in resolved]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert is_loopback("http://bucket.s3.localhost:4566/") == loopback


@pytest.mark.parametrize("by_variable", [False, True])
def test_no_proxy_takes_a_call_to_a_local_endpoint_off_the_machine(
    cpjob: CodePipelineStub,
    local_service: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    by_variable: bool,
) -> None:
    proxies = {"http": "http://proxy.invalid:3128"}
    if by_variable:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", proxies["http"])
    config = Config(retries={"max_attempts": 0}, proxies=None if by_variable else proxies)

    ssm = client("ssm", endpoint_url=local_service, config=config)
    try:
        assert ssm.get_parameter(Name="stage")["Parameter"]["Value"] == "prod"
    finally:
        ssm.close()


def test_transfers_never_go_by_awss_own_library(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"Source": {"a": "b"}})
    source = job.input_artifacts["Source"]
    monkeypatch.setattr(boto3.s3.transfer, "HAS_CRT", True)
    monkeypatch.setattr(boto3.s3.transfer, "has_minimum_crt_version", lambda minimum: True)
    target = io.BytesIO()

    # Where the library is asked for, its absence would be an error.
    s3_of(job).download_fileobj(
        source.bucket, source.key, target, Config=TransferConfig(preferred_transfer_client="crt")
    )

    assert target.getvalue() == source.content


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "[fd00:ec2::23]"],
)
def test_metadata_is_a_connection_error_and_nothing_to_report(address: str) -> None:
    reported: list[str] = []
    with pytest.raises(EndpointConnectionError):
        check_leaving("GET", f"http://{address}/latest", None, reported.append)
    assert reported == []


def test_looking_for_credentials_in_metadata_finds_none_and_is_no_finding(
    cpjob: CodePipelineStub,
) -> None:
    assert InstanceMetadataFetcher(num_attempts=1).retrieve_iam_role_credentials() == {}
    with pytest.raises(MetadataRetrievalError, match=r"169\.254\.170\.2"):
        ContainerMetadataFetcher(sleep=lambda _: None).retrieve_uri("/role")
    cpjob.check()


def test_a_presigned_url_is_only_made_and_never_with_the_machines_key(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    s3 = boto3.Session().client("s3", region_name="us-east-1")

    url = s3.generate_presigned_url("get_object", Params={"Bucket": "web", "Key": "index.html"})
    post = s3.generate_presigned_post("web", "index.html")

    assert "AKIACPJOBOWNROLE0000" in url
    assert "AKIAIOSFODNN7EXAMPLE" not in url + repr(post)
    assert cpjob.calls == []


def test_a_presigned_url_of_the_jobs_own_credentials_carries_them(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job()
    credentials = job.details["jobDetails"]["data"]["artifactCredentials"]
    s3 = client(
        "s3",
        aws_access_key_id=credentials["accessKeyId"],
        aws_secret_access_key=credentials["secretAccessKey"],
        aws_session_token=credentials["sessionToken"],
    )

    url = s3.generate_presigned_url("get_object", Params={"Bucket": "web", "Key": "index.html"})

    assert credentials["accessKeyId"] in url


# -- afterwards ------------------------------------------------------------------------------------


def test_afterwards_requests_go_where_they_want_again() -> None:
    session = URLLib3Session(timeout=0.01)
    request = AWSRequest("GET", "http://nobody.invalid/").prepare()
    with CodePipelineStub(allow=["unfaked-call"]), pytest.raises(UnfakedCallError):
        session.send(request)

    with pytest.raises((EndpointConnectionError, ConnectTimeoutError, HTTPClientError)):
        session.send(request)


def test_a_client_without_credentials_signs_as_the_own_role_only_while_a_stub_is_active() -> None:
    session = boto3.Session()
    session._session.get_component("credential_provider").providers.clear()
    sts = session.client("sts", region_name="us-east-1")

    with CodePipelineStub(allow=["unfaked-call"]), pytest.raises(UnfakedCallError):
        sts.get_caller_identity()

    with pytest.raises(NoCredentialsError):
        sts.get_caller_identity()


@pytest.mark.parametrize("host", ["emulator.example:4566", "169.254.169.254"])
def test_a_password_in_an_endpoints_url_is_never_printed(host: str) -> None:
    s3 = client("s3", endpoint_url=f"http://hans:hunter2@{host}", config=NO_RETRIES)
    raised: list[Exception] = []

    def call(cpjob: CodePipelineStub) -> None:
        for action in (
            s3.list_buckets,
            lambda: check_leaving("GET", f"http://hans:hunter2@{host}/", None, reported.append),
        ):
            with pytest.raises((UnfakedCallError, EndpointConnectionError)) as caught:
                action()
            raised.append(caught.value)

    reported: list[str] = []
    if host.startswith("169."):
        with CodePipelineStub() as cpjob:
            call(cpjob)
        texts = reported
    else:
        texts = [str(finding(call)), *reported]

    assert host in str(raised[1])
    for text in (*texts, *map(str, raised), *map(repr, raised)):
        assert "hunter2" not in text
