"""Results reported again, and results of jobs that are not there: AWS's captured answers."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, Job, JobSuccess

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
FAILURE = {"type": "JobFailed", "message": "no paper"}
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
NOBODYS = "00000000-0000-0000-0000-000000000000"
DIFFERENT = (
    "The status of job with id {} is already set to the desired value. It cannot be updated with"
    " the same status, but different result or output variables."
)
TERMINATED = "Job with id {} has already terminated"


@pytest.fixture(params=["lambda", "custom", "third-party"])
def kind(request: pytest.FixtureRequest) -> str:
    """Captured for Lambda's jobs; for workers' jobs inferred."""
    return str(request.param)


class Reporter:
    """Reports on one job, in whichever operations are for its kind."""

    def __init__(self, cpjob: CodePipelineStub, kind: str) -> None:
        client = cpjob.client()
        self.who: dict[str, Any] = {}
        self.party = ""
        if kind == "lambda":
            self.job: Job = cpjob.add_lambda_job()
        elif kind == "custom":
            self.job = cpjob.add_job(action_type=DOCS)
            (offer,) = client.poll_for_jobs(actionTypeId=DOCS)["jobs"]
            client.acknowledge_job(jobId=offer["id"], nonce=offer["nonce"])
        else:
            self.job = cpjob.add_third_party_job()
            self.party = "third_party_"
            self.who = {"clientToken": self.job.client_token}
            details = client.get_third_party_job_details(jobId=self.job.id, **self.who)
            client.acknowledge_third_party_job(
                jobId=self.job.id, nonce=details["jobDetails"]["nonce"], **self.who
            )

    def succeed(self, **members: Any) -> None:
        put = getattr(CLIENT, f"put_{self.party}job_success_result")
        put(jobId=self.job.id, **self.who, **members)

    def fail(self, **members: Any) -> None:
        put = getattr(CLIENT, f"put_{self.party}job_failure_result")
        put(jobId=self.job.id, failureDetails={**FAILURE, **members}, **self.who)


@pytest.fixture
def reporter(cpjob: CodePipelineStub, kind: str) -> Reporter:
    return Reporter(cpjob, kind)


def refusal(call: Any, **members: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def test_an_identical_success_again_is_answered_and_no_finding(
    cpjob: CodePipelineStub, reporter: Reporter
) -> None:
    details = {"summary": "done", "percentComplete": 100}
    reporter.succeed(executionDetails=details)

    reporter.succeed(executionDetails=details)

    assert cpjob.results == [JobSuccess(summary="done", percent_complete=100)]
    assert reporter.job.status == "Succeeded"
    cpjob.check()


def test_an_identical_failure_again_is_answered_and_no_finding(
    cpjob: CodePipelineStub, reporter: Reporter
) -> None:
    reporter.fail()

    reporter.fail()

    assert len(cpjob.results) == 1
    cpjob.check()


def test_an_identical_continuation_again_makes_no_second_job(
    cpjob: CodePipelineStub, reporter: Reporter
) -> None:
    reporter.succeed(continuationToken="step 2")

    reporter.succeed(continuationToken="step 2")

    assert cpjob.jobs == [reporter.job, reporter.job.continuation]


@pytest.mark.cpjob(allow=["second-result"])
@pytest.mark.parametrize(
    "other",
    [{"continuationToken": "step 2"}, {"executionDetails": {"summary": "another"}}],
)
def test_the_same_status_with_another_content_is_refused(
    reporter: Reporter, other: dict[str, Any]
) -> None:
    reporter.succeed()

    said = refusal(reporter.succeed, **other)

    assert said == f"InvalidJobStateException: {DIFFERENT.format(reporter.job.id)}"
    assert reporter.job.result == JobSuccess()


@pytest.mark.cpjob(allow=["second-result"])
def test_another_failure_is_refused(reporter: Reporter) -> None:
    reporter.fail()

    said = refusal(reporter.fail, message="no ink")

    assert said == f"InvalidJobStateException: {DIFFERENT.format(reporter.job.id)}"


@pytest.mark.cpjob(allow=["second-result"])
def test_the_opposite_status_is_refused(reporter: Reporter) -> None:
    reporter.succeed(continuationToken="step 2")

    said = refusal(reporter.fail)

    assert said == f"InvalidJobStateException: {TERMINATED.format(reporter.job.id)}"


def test_no_output_variables_are_as_empty_ones(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    CLIENT.put_job_success_result(jobId=job.id)

    CLIENT.put_job_success_result(jobId=job.id, outputVariables={}, executionDetails={})

    assert cpjob.results == [JobSuccess()]


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("get_job_details", {}),
        ("acknowledge_job", {"nonce": "3"}),
        ("put_job_success_result", {}),
        ("put_job_failure_result", {"failureDetails": FAILURE}),
    ],
)
def test_an_unknown_job_is_named(
    cpjob: CodePipelineStub, operation: str, members: dict[str, Any]
) -> None:
    said = refusal(getattr(CLIENT, operation), jobId=NOBODYS, **members)

    assert said == f"JobNotFoundException: Job with id '{NOBODYS}' does not exist"


@pytest.mark.cpjob(allow=["refused-request"])
def test_a_token_together_with_output_variables_leaves_the_job_usable(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job()

    said = refusal(
        CLIENT.put_job_success_result,
        jobId=job.id,
        continuationToken="t",
        outputVariables={"pages": "1"},
    )

    text = "A job can not contain both a continuation token and output variables."
    assert said == f"ValidationException: {text}"
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")
    assert job.status == "Succeeded"


def test_a_result_of_an_abandoned_job_is_answered_and_revives_nothing(
    cpjob: CodePipelineStub, reporter: Reporter
) -> None:
    registry = cpjob._harness.service.registry
    registry.abandon(registry.jobs[reporter.job.id])

    reporter.succeed(continuationToken="t")
    reporter.fail()

    assert cpjob.jobs == [reporter.job]
    assert (reporter.job.status, cpjob.results) == ("Failed", [])
