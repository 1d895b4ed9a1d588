"""What became of an action: `job.success`, `job.failure`, `job.last` and `job.timeline`."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub, CpjobError, JobFailure, JobSuccess, UnexpectedResult

CLIENT = boto3.client("codepipeline", region_name="us-east-1")


def reporting(**result: Any) -> Callable[[Any, Any], None]:
    """Make a handler that reports success."""

    def handler(event: Any, context: Any) -> None:
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"], **result)

    return handler


def failing(event: Any, context: Any) -> None:
    CLIENT.put_job_failure_result(
        jobId=event["CodePipeline.job"]["id"],
        failureDetails={"type": "ConfigurationError", "message": "no such theme: dark"},
    )


def in_two_steps(event: Any, context: Any) -> None:
    job = event["CodePipeline.job"]
    more = {} if "continuationToken" in job["data"] else {"continuationToken": "step 1"}
    CLIENT.put_job_success_result(jobId=job["id"], **more)


def test_a_success_is_the_last_jobs_of_the_action(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    job.invoke(in_two_steps)

    assert job.success == job.last.success == JobSuccess()
    assert job.last == job.continuation
    assert job.last.last == job.last


def test_a_success_has_what_was_reported(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    job.invoke(reporting(outputVariables={"pages": "1"}))

    assert job.success.output_variables == {"pages": "1"}


def test_a_failure_has_what_was_reported(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    job.invoke(failing)

    assert job.failure == JobFailure("ConfigurationError", "no such theme: dark")


def test_a_failure_asked_for_its_success_says_how_it_failed(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    job.invoke(failing)

    with pytest.raises(UnexpectedResult) as raised:
        _ = job.success

    said, *timeline = str(raised.value).splitlines()
    assert said == "the job reported the failure ConfigurationError: no such theme: dark"
    assert "\n".join(timeline) == job.timeline
    assert isinstance(raised.value, CpjobError)
    assert isinstance(raised.value, AssertionError)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_a_success_asked_for_its_failure_says_what_was_reported(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    job.invoke(reporting(outputVariables={"pages": "1"}))

    with pytest.raises(
        UnexpectedResult, match=r"^the job reported success, output variables {'pages': '1'}\n"
    ):
        _ = job.failure


@pytest.mark.parametrize("wanted", ["success", "failure"])
def test_a_job_without_a_result_says_its_status(cpjob: CodePipelineStub, wanted: str) -> None:
    job = cpjob.add_job()

    with pytest.raises(UnexpectedResult, match=r"^nothing was reported, and the job is Queued\n"):
        getattr(job, wanted)


def test_a_continuation_that_has_not_ended_is_neither(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job()
    client = cpjob.client()
    [handed] = client.poll_for_jobs(actionTypeId=job.details["jobDetails"]["data"]["actionTypeId"])[
        "jobs"
    ]
    client.acknowledge_job(jobId=job.id, nonce=handed["nonce"])
    client.put_job_success_result(jobId=job.id, continuationToken="step 1")

    with pytest.raises(UnexpectedResult, match=r"^nothing was reported, and the job is Queued\n"):
        _ = job.success


def test_a_secret_that_was_reported_is_masked(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"], allow=["leaked-secret"])
    keys = job.event["CodePipeline.job"]["data"]["artifactCredentials"]
    CLIENT.put_job_failure_result(
        jobId=job.id,
        failureDetails={"type": "JobFailed", "message": f"refused: {keys['secretAccessKey']}"},
    )

    with pytest.raises(UnexpectedResult) as raised:
        _ = job.success

    assert keys["secretAccessKey"] not in str(raised.value)
    assert "JobFailed: refused: <masked>" in str(raised.value)


def test_the_timeline_has_a_line_for_each_step(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    job.invoke(reporting())

    assert "event delivered to the function" in job.timeline
    assert "PutJobSuccessResult" in job.timeline
    assert "test_job_results.py:" in job.timeline


def test_a_failing_test_shows_the_timeline_and_no_frame_of_ours(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        def test_it(cpjob):
            job = cpjob.add_job()
            assert job.success.summary == "done"
        """
    )

    result = pytester.runpytest("-p", "no:faker")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *UnexpectedResult: nothing was reported, and the job is Queued"]
    )
    result.stdout.no_fnmatch_line("*pytest_cpjob/job.py*")
    result.stdout.no_fnmatch_line("*cpjob timeline of job*")


def test_a_timeline_that_went_on_after_the_exception_is_shown_too(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        def test_it(cpjob):
            job = cpjob.add_job()
            try:
                job.success
            finally:
                cpjob.client().get_job_details(jobId=job.id)
        """
    )

    result = pytester.runpytest("-p", "no:faker")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *UnexpectedResult: *", "*cpjob timeline of job*"])
