"""What a process does at the endpoint is held against the contract, and meets the test's faults."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from artifact_clients import credentials_of
from botocore.exceptions import ReadTimeoutError

from pytest_cpjob import CodePipelineStub, ContractError, Endpoint, Job, JobSuccess

pytest.importorskip("flask", reason="the endpoint needs the extra server")
pytest.importorskip("cbor2", reason="the endpoint needs the extra server")

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}


class Worker:
    """A worker of few words: one connection, and no SDK that would try again."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._connection = http.client.HTTPConnection(endpoint.url.removeprefix("http://"))

    def call(self, operation: str, /, invocation: str = "", **parameters: Any) -> tuple[int, Any]:
        """Call CodePipeline; give the status and the answer."""
        headers = {"X-Amz-Target": f"CodePipeline_20150709.{operation}"}
        if invocation:
            headers["amz-sdk-invocation-id"] = invocation
        self._connection.request("POST", "/", json.dumps(parameters), headers)
        answer = self._connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else None

    def poll(self) -> Any:
        return self.call("PollForJobs", actionTypeId=DOCS)[1]["jobs"]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def connect(cpjob_endpoint: Endpoint) -> Iterator[Callable[[], Worker]]:
    with ExitStack() as workers:
        yield lambda: workers.enter_context(closing(Worker(cpjob_endpoint)))


@pytest.fixture
def job(cpjob: CodePipelineStub) -> Job:
    return cpjob.add_job(action_type=DOCS)


def found(cpjob: CodePipelineStub) -> tuple[str, ...]:
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    return caught.value.names


# -- findings --------------------------------------------------------------------------------------


def test_a_job_without_a_result_is_found(
    cpjob: CodePipelineStub, connect: Callable[[], Worker], job: Job
) -> None:
    worker = connect()
    (offer,) = worker.poll()
    worker.call("AcknowledgeJob", jobId=offer["id"], nonce=offer["nonce"])

    assert found(cpjob) == ("no-result",)


def test_a_second_result_is_found(
    cpjob: CodePipelineStub, connect: Callable[[], Worker], job: Job
) -> None:
    worker = connect()
    (offer,) = worker.poll()
    worker.call("AcknowledgeJob", jobId=offer["id"], nonce=offer["nonce"])
    worker.call("PutJobSuccessResult", jobId=job.id)

    assert worker.call("PutJobSuccessResult", jobId=job.id)[0] == 200
    status, answer = worker.call(
        "PutJobSuccessResult", jobId=job.id, executionDetails={"summary": "another"}
    )

    assert (status, answer["__type"]) == (400, "InvalidJobStateException")
    assert found(cpjob) == ("second-result",)


def test_a_worker_is_known_by_its_connection_so_going_on_after_a_lost_race_is_found(
    cpjob: CodePipelineStub, connect: Callable[[], Worker], job: Job
) -> None:
    first, second = connect(), connect()
    (offer,) = first.poll()
    acknowledgement = {"jobId": offer["id"], "nonce": offer["nonce"]}
    first.call("AcknowledgeJob", **acknowledgement)
    status, answer = second.call("AcknowledgeJob", **acknowledgement)
    assert (status, answer["__type"]) == (400, "InvalidNonceException")

    first.call("GetJobDetails", jobId=job.id)
    second.call("PutJobSuccessResult", jobId=job.id)

    assert found(cpjob) == ("not-owner",)


def test_a_refused_request_is_found_for_no_test_saw_it(
    cpjob: CodePipelineStub, connect: Callable[[], Worker]
) -> None:
    status, answer = connect().call("GetJobDetails", jobId="job-1")

    assert (status, answer["__type"]) == (400, "ValidationException")
    assert found(cpjob) == ("refused-request",)


def test_the_handlers_own_role_in_the_artifact_bucket_is_found(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"In": b"content"})
    artifact = job.input_artifacts["In"]
    code = "import boto3, sys; boto3.client('s3').get_object(Bucket=sys.argv[1], Key=sys.argv[2])"

    done = cpjob_endpoint.run([sys.executable, "-c", code, artifact.bucket, artifact.key])

    assert "AccessDenied" in done.stderr
    assert found(cpjob) == ("own-role",)


def test_a_service_that_moto_does_not_have_is_an_unfaked_call(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    code = (
        "import boto3; boto3.client('appconfigdata').get_latest_configuration("
        "ConfigurationToken='token')"
    )

    done = cpjob_endpoint.run([sys.executable, "-c", code], env={"AWS_MAX_ATTEMPTS": "1"})

    assert "UnfakedCallError" in done.stderr
    with pytest.raises(ContractError, match="went to moto, which does not implement it") as caught:
        cpjob.check()
    assert caught.value.names == ("unfaked-call",)


def test_a_job_reported_without_its_output_is_found(
    cpjob: CodePipelineStub, connect: Callable[[], Worker]
) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Out"])

    connect().call("PutJobSuccessResult", jobId=job.id)

    assert job.status == "Succeeded"
    assert found(cpjob) == ("missing-output",)


# -- faults ----------------------------------------------------------------------------------------


def test_a_fault_is_met_once_by_a_call_and_its_own_retries(
    cpjob: CodePipelineStub, connect: Callable[[], Worker], job: Job
) -> None:
    cpjob.fail("PollForJobs", "ThrottlingException")
    worker = connect()

    for _ in range(3):
        status, answer = worker.call("PollForJobs", "call 1", actionTypeId=DOCS)
        assert (status, answer["__type"]) == (400, "ThrottlingException")
    status, answer = worker.call("PollForJobs", "call 2", actionTypeId=DOCS)

    assert [offer["id"] for offer in answer["jobs"]] == [job.id]
    assert [call.error for call in cpjob.calls] == ["ThrottlingException", None]


def test_a_broken_connection_is_what_an_exception_looks_like_from_there(
    cpjob: CodePipelineStub, connect: Callable[[], Worker], job: Job
) -> None:
    cpjob.fail("PollForJobs", ReadTimeoutError(endpoint_url="https://codepipeline"))

    with pytest.raises(http.client.RemoteDisconnected):
        connect().poll()

    assert job.status == "Queued"
    assert [call.error for call in cpjob.calls] == ["ReadTimeoutError"]


def test_a_lost_answer_has_taken_effect_and_its_retries_are_lost_with_it(
    cpjob: CodePipelineStub, connect: Callable[[], Worker]
) -> None:
    job = cpjob.add_lambda_job()
    lost = ReadTimeoutError(endpoint_url="https://codepipeline")
    cpjob.fail("PutJobSuccessResult", lost, after=True)

    for _ in range(2):
        with pytest.raises(http.client.RemoteDisconnected):
            connect().call("PutJobSuccessResult", "call 1", jobId=job.id)

    assert job.result == JobSuccess()
    assert [call.error for call in job.calls] == ["ReadTimeoutError"]
    cpjob.check()


FAULTS = {
    "S3": ("s3", "GetObject", "SlowDown", 503),
    "S3, HEAD": ("s3", "HeadObject", "SlowDown", 503),
    "query": ("sts", "GetCallerIdentity", "ThrottlingException", 400),
    "JSON": ("ssm", "GetParameter", "ThrottlingException", 400),
}
CALLS = {
    "GetObject": "boto3.client('s3').get_object(Bucket='bucket', Key='key')",
    "HeadObject": "boto3.client('s3').head_object(Bucket='bucket', Key='key')",
    "GetCallerIdentity": "boto3.client('sts').get_caller_identity()",
    "GetParameter": "boto3.client('ssm').get_parameter(Name='Theme')",
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("service", "operation", "code", "status"), FAULTS.values(), ids=FAULTS.keys()
)
def test_other_services_meet_faults_in_their_own_protocol(
    cpjob: CodePipelineStub,
    cpjob_endpoint: Endpoint,
    service: str,
    operation: str,
    code: str,
    status: int,
    after: bool,
) -> None:
    cpjob.fail(operation, code, service=service, after=after)

    done = cpjob_endpoint.run(
        [sys.executable, "-c", f"import boto3; {CALLS[operation]}"], env={"AWS_MAX_ATTEMPTS": "1"}
    )

    shown = str(status) if operation == "HeadObject" else code
    assert f"({shown}) when calling the {operation} operation" in done.stderr
    assert [(call.operation, call.error) for call in cpjob.calls] == [(operation, shown)]


def test_a_fault_at_s3_is_met_by_the_jobs_credentials_too(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Out"])
    out, keys = job.output_artifacts["Out"], credentials_of(job)
    cpjob.fail("PutObject", "InternalError", service="s3", after=True)
    code = (
        "import boto3, sys; boto3.client('s3', aws_access_key_id=sys.argv[3],"
        " aws_secret_access_key=sys.argv[4], aws_session_token=sys.argv[5])"
        ".put_object(Bucket=sys.argv[1], Key=sys.argv[2], Body=b'content')"
    )

    done = cpjob_endpoint.run(
        [sys.executable, "-c", code, out.bucket, out.key, *keys.values()],
        env={"AWS_MAX_ATTEMPTS": "1"},
    )

    assert "(InternalError)" in done.stderr
    assert out.content == b"content"
