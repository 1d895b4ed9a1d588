"""The stub beside the user's own `mock_aws`, whichever starts and stops first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import requests
import responses
from botocore.exceptions import ClientError
from requests.adapters import HTTPAdapter
from user_projects import run_program

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.patching import restore_late_attributes

# Made before moto is imported, as a handler's module makes them.
EARLY = {
    name: boto3.Session().client(name, region_name="us-east-1")
    for name in ("cloudformation", "codepipeline", "dynamodb", "s3", "ssm", "sts")
}

# Only now, and so not at the top of the file.
from moto import mock_aws  # noqa: E402
from moto.core.config import default_user_config  # noqa: E402
from moto.core.models import MockAWS, botocore_stubber, patch_client  # noqa: E402

for client in EARLY.values():
    # Where another test module has imported moto before, its handler is there already.
    client.meta.events.unregister("before-send", botocore_stubber)

REAL = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEXAMPLE",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
TEMPLATE = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def developer(monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    """A developer's machine: real credentials, and a default session made with them."""
    for name, value in REAL.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    return session


def run_a_job(cpjob: CodePipelineStub) -> Any:
    """Read the input, write the output, report: what handlers do, with clients of all ages."""
    job = cpjob.add_lambda_job(
        input_artifacts={"Source": {"index.md": "# Hi"}}, output_artifacts=["Site"]
    )
    data = EARLY["codepipeline"].get_job_details(jobId=job.id)["jobDetails"]["data"]
    credentials = data["artifactCredentials"]
    s3 = boto3.Session(
        credentials["accessKeyId"],
        credentials["secretAccessKey"],
        credentials["sessionToken"],
        region_name="us-east-1",
    ).client("s3")
    source, site = job.input_artifacts["Source"], job.output_artifacts["Site"]
    s3.put_object(
        Bucket=site.bucket,
        Key=site.key,
        Body=s3.get_object(Bucket=source.bucket, Key=source.key)["Body"].read(),
    )
    EARLY["codepipeline"].put_job_success_result(jobId=job.id)
    assert dict(site.files) == {"index.md": b"# Hi"}
    assert job.status == "Succeeded"
    return job


def bucket_names() -> list[str]:
    return [bucket["Name"] for bucket in EARLY["s3"].list_buckets()["Buckets"]]


# -- where the user's mock is ----------------------------------------------------------------------


def test_a_mock_fixture_started_before_us(aws: None, cpjob: CodePipelineStub) -> None:
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="mine")
    job = run_a_job(cpjob)
    assert set(bucket_names()) == {"mine", job.input_artifacts["Source"].bucket}


def test_a_mock_fixture_started_after_us(cpjob: CodePipelineStub, aws: None) -> None:
    run_a_job(cpjob)


@mock_aws
def test_a_mock_decorator_around_the_test(cpjob: CodePipelineStub) -> None:
    run_a_job(cpjob)


def test_a_job_added_inside_the_users_mock_keeps_its_artifacts_when_that_stops(
    cpjob: CodePipelineStub,
) -> None:
    with mock_aws():
        job = cpjob.add_lambda_job(input_artifacts={"Source": {"index.md": "# Hi"}})

    assert job.input_artifacts["Source"].files["index.md"] == b"# Hi"


def test_a_mock_opened_inside_sees_the_artifacts_and_takes_none_with_it(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"Source": {"index.md": "# Hi"}})

    with mock_aws():
        EARLY["ssm"].put_parameter(Name="stage", Value="prod", Type="String")
        run_a_job(cpjob)

    assert job.input_artifacts["Source"].files["index.md"] == b"# Hi"


# -- every order of starting and stopping ----------------------------------------------------------

ORDERS = {
    "around us": ("mock", "stub", "-stub", "-mock"),
    "inside us": ("stub", "mock", "-mock", "-stub"),
    "before us, stopped before us": ("mock", "stub", "-mock", "-stub"),
    "inside us, stopped after us": ("stub", "mock", "-stub", "-mock"),
}


@pytest.mark.parametrize("config", [None, {"core": {"service_whitelist": None}}])
@pytest.mark.parametrize("job_at", [2, 3])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_any_order_of_starting_and_stopping_leaves_everything_as_it_was(
    developer: boto3.Session, order: tuple[str, ...], job_at: int, config: Any
) -> None:
    environment, settings = dict(os.environ), repr(default_user_config)
    mock = mock_aws(config=config)
    stub = CodePipelineStub()
    steps: dict[str, Callable[[], None]] = {
        "mock": lambda: mock.start(),
        "stub": stub._start,
        "-mock": lambda: mock.stop(),
        "-stub": lambda: stub._harness.stop(),
    }

    for position, step in enumerate(order):
        if position == job_at and stub._harness.is_active:
            run_a_job(stub)
            boto3.client("codepipeline").list_action_types()
        steps[step]()

    assert dict(os.environ) == environment
    assert boto3.DEFAULT_SESSION is developer
    assert developer.get_credentials().access_key == REAL["AWS_ACCESS_KEY_ID"]
    assert (MockAWS._nested_count, botocore_stubber.enabled) == (0, False)
    assert repr(default_user_config) == settings


def test_the_environment_shows_our_dummies_while_artifacts_are_there(
    developer: boto3.Session,
) -> None:
    with CodePipelineStub() as cpjob:
        cpjob.add_lambda_job(input_artifacts=["Source"])
        assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIACPJOBOWNROLE0000"
        assert "AWS_SESSION_TOKEN" not in os.environ


def test_moto_is_empty_again_for_the_next_stub() -> None:
    for _ in range(2):
        with CodePipelineStub() as cpjob:
            cpjob.add_lambda_job(input_artifacts=["Source"])
            EARLY["ssm"].put_parameter(Name="stage", Value="prod", Type="String")
            assert len(bucket_names()) == 1


# -- beside what else fakes HTTP -------------------------------------------------------------------

HOOK = "https://hooks.example.invalid/services"


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    """The fixture of the README of `responses`."""
    with responses.RequestsMock() as mock:
        yield mock


def post_and_read(cpjob: CodePipelineStub, mocked: responses.RequestsMock) -> None:
    mocked.add(responses.POST, HOOK, json={"ok": True})
    job = cpjob.add_lambda_job(input_artifacts={"Source": {"index.md": "# Hi"}})
    assert requests.post(HOOK, json={}, timeout=5).json() == {"ok": True}
    run_a_job(cpjob)
    EARLY["codepipeline"].put_job_success_result(jobId=job.id)
    assert requests.post(HOOK, json={}, timeout=5).json() == {"ok": True}


def test_a_faked_webhook_stays_faked(
    cpjob: CodePipelineStub, mocked: responses.RequestsMock
) -> None:
    post_and_read(cpjob, mocked)


def test_a_faked_webhook_stays_faked_whichever_fixture_comes_first(
    mocked: responses.RequestsMock, cpjob: CodePipelineStub
) -> None:
    post_and_read(cpjob, mocked)


def test_one_that_is_faked_after_the_job_came_stays_faked_too(cpjob: CodePipelineStub) -> None:
    run_a_job(cpjob)
    with responses.RequestsMock() as mock:
        post_and_read(cpjob, mock)


@pytest.mark.parametrize("ours_ends_first", [False, True])
@pytest.mark.parametrize("job_first", [False, True])
def test_requests_are_sent_as_before_whichever_ends_first(
    *, job_first: bool, ours_ends_first: bool
) -> None:
    before, mock, stub = HTTPAdapter.send, responses.RequestsMock(), CodePipelineStub()
    stub._start()
    if job_first:
        run_a_job(stub)
    mock.start()
    if not job_first:
        run_a_job(stub)
    for end in (stub._harness.stop, mock.stop)[:: 1 if ours_ends_first else -1]:
        end()
    restore_late_attributes()  # as at the end of each test

    assert HTTPAdapter.send is before


def test_a_presigned_url_reaches_the_artifact(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"Source": b"content"})
    source = job.input_artifacts["Source"]
    url = EARLY["s3"].generate_presigned_url(
        "get_object", Params={"Bucket": source.bucket, "Key": source.key}
    )

    assert requests.get(url, timeout=5).content == b"content"
    with requests.get(url, timeout=5, stream=True) as answer:
        assert b"".join(answer.iter_content(3)) == b"content"


def test_a_default_session_made_before_the_first_artifact_is_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with CodePipelineStub() as cpjob:
        boto3.client("sqs", region_name="us-east-1")
        run_a_job(cpjob)
    assert boto3.DEFAULT_SESSION is None


# -- other services, from clients older than moto --------------------------------------------------


def test_early_clients_of_other_services_reach_moto(cpjob: CodePipelineStub, aws: None) -> None:
    EARLY["ssm"].put_parameter(Name="stage", Value="prod", Type="String")
    EARLY["dynamodb"].create_table(
        TableName="pages",
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    EARLY["cloudformation"].create_stack(StackName="site", TemplateBody=TEMPLATE)

    assert EARLY["ssm"].get_parameter(Name="stage")["Parameter"]["Value"] == "prod"
    assert EARLY["dynamodb"].list_tables()["TableNames"] == ["pages"]
    assert EARLY["sts"].get_caller_identity()["Account"] == "123456789012"
    stacks = EARLY["cloudformation"].describe_stacks(StackName="site")["Stacks"]
    assert [stack["StackStatus"] for stack in stacks] == ["CREATE_COMPLETE"]


@pytest.mark.parametrize("patched_by_user", [False, True])
def test_moto_handles_a_call_of_an_early_client_once(
    monkeypatch: pytest.MonkeyPatch, *, patched_by_user: bool
) -> None:
    client = EARLY["ssm"]
    handled = []
    original = type(botocore_stubber).__call__

    def counting(self: Any, event_name: str, request: Any, **kwargs: Any) -> Any:
        handled.append(event_name)
        return original(self, event_name, request, **kwargs)

    monkeypatch.setattr(type(botocore_stubber), "__call__", counting)
    if patched_by_user:
        patch_client(client)
    try:
        for _ in range(2):
            with CodePipelineStub() as cpjob, mock_aws():
                client.describe_parameters()
                client.describe_parameters()
                assert len(cpjob.calls) == 2
        kept = botocore_stubber in client.meta.events._emitter._handlers.prefix_search(
            "before-send.ssm.DescribeParameters"
        )
    finally:
        client.meta.events.unregister("before-send", botocore_stubber)

    assert handled == ["before-send.ssm.DescribeParameters"] * 4
    assert kept == patched_by_user


def test_codepipelines_other_operations_go_to_moto(cpjob: CodePipelineStub, aws: None) -> None:
    assert EARLY["codepipeline"].list_pipelines()["pipelines"] == []


def test_a_moto_that_knows_the_job_operations_is_not_asked(
    cpjob: CodePipelineStub, aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.codepipeline.responses import CodePipelineResponse

    asked = []
    # The first two are on their way into moto: getmoto/moto#10190.
    for name in (
        "put_job_success_result",
        "put_job_failure_result",
        "get_job_details",
        "poll_for_jobs",
    ):
        monkeypatch.setattr(
            CodePipelineResponse, name, lambda self: asked.append(self) or "{}", raising=False
        )
    job, failing = cpjob.add_lambda_job(), cpjob.add_lambda_job()

    EARLY["codepipeline"].get_job_details(jobId=job.id)
    boto3.client("codepipeline", region_name="us-east-1").put_job_success_result(jobId=job.id)
    EARLY["codepipeline"].put_job_failure_result(
        jobId=failing.id, failureDetails={"type": "JobFailed", "message": "broken"}
    )

    assert (asked, job.status, failing.status) == ([], "Succeeded", "Failed")


def test_the_users_own_buckets_are_nobodys_business_of_ours(
    cpjob: CodePipelineStub, aws: None
) -> None:
    run_a_job(cpjob)
    EARLY["s3"].create_bucket(Bucket="mine")
    EARLY["s3"].put_object(Bucket="mine", Key="a/b", Body=b"1")
    assert EARLY["s3"].get_object(Bucket="mine", Key="a/b")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="NoSuchKey"):
        EARLY["s3"].get_object(Bucket="mine", Key="missing")


# -- only when there is a need ---------------------------------------------------------------------


def test_moto_is_not_imported_while_no_job_has_artifacts() -> None:
    program = """
import sys, boto3
from pytest_cpjob import CodePipelineStub
with CodePipelineStub() as cpjob:
    job = cpjob.add_lambda_job(user_parameters={"theme": "dark"}, encryption_key=True)
    boto3.client("codepipeline", region_name="us-east-1").put_job_success_result(jobId=job.id)
    assert job.status == "Succeeded"
    assert "moto" not in sys.modules
    cpjob.add_lambda_job(input_artifacts=["Source"])
    assert "moto" in sys.modules
"""
    ended = run_program(program)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_moto_is_not_started_while_no_job_has_artifacts(cpjob: CodePipelineStub) -> None:
    EARLY["codepipeline"].put_job_success_result(jobId=cpjob.add_lambda_job().id)
    assert (MockAWS._nested_count, botocore_stubber.enabled) == (0, False)
