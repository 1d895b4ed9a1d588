"""The tests of `codebuild_output`: somebody else writes the output, and the pipeline waits.

moto knows CodeBuild's projects and builds, and runs none: a test writes the output artifact in
CodeBuild's place.
"""

from __future__ import annotations

from typing import Any

import codebuild_output
import pytest

from pytest_cpjob import CodePipelineStub, ContractError, Job, JobFailure

SITE = {"index.html": "<h1>Hi</h1>"}


def add_job(cpjob: CodePipelineStub, **arguments: Any) -> Job:
    """A job for the project `docs`, which is there once the job's artifacts have started moto."""
    job = cpjob.add_lambda_job(
        user_parameters={"project": "docs"},
        input_artifacts={"Source": {"index.md": "# Hi"}},
        output_artifacts=["Site"],
        **arguments,
    )
    codebuild_output.codebuild.create_project(
        name="docs",
        source={"type": "NO_SOURCE", "location": "none"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole="arn:aws:iam::123456789012:role/docs",
    )
    return job


def test_the_action_succeeds_once_codebuild_has_written_the_output(
    cpjob: CodePipelineStub,
) -> None:
    job = add_job(cpjob)

    codebuild_output.lambda_handler(job.event, job.context)

    # Between the invocations CodeBuild does its part; the next job has the same artifacts.
    assert job.continuation is not None
    assert not job.output_artifacts["Site"].exists
    job.output_artifacts["Site"].put(SITE)

    last = job.continuation.invoke(codebuild_output.lambda_handler)

    assert last.status == "Succeeded"
    assert last.output_artifacts["Site"].files == {"index.html": b"<h1>Hi</h1>"}


def test_codebuild_is_told_of_the_jobs_artifacts_and_key(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob, encryption_key=True)
    job.output_artifacts["Site"].put(SITE)

    job.invoke(codebuild_output.lambda_handler)

    (started,) = [call.request for call in cpjob.calls if call.operation == "StartBuild"]
    source, site = job.input_artifacts["Source"], job.output_artifacts["Site"]
    target = started["artifactsOverride"]
    assert started["sourceLocationOverride"] == f"{source.bucket}/{source.key}"
    assert f"s3://{target['location']}/{target['path']}/{target['name']}" == site.uri
    assert started["encryptionKeyOverride"] == job.encryption_key
    assert started["idempotencyToken"] == job.id


def test_the_pipeline_waits_as_long_as_the_build_takes(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add_job(cpjob)
    looks: list[str] = []

    def done_at_the_third_look(build: str) -> str:
        looks.append(build)
        if len(looks) < 3:
            return "IN_PROGRESS"
        job.output_artifacts["Site"].put(SITE)
        return "SUCCEEDED"

    monkeypatch.setattr(codebuild_output, "status_of", done_at_the_third_look)

    last = job.invoke(codebuild_output.lambda_handler)

    assert last.status == "Succeeded"
    assert len(set(looks)) == 1  # the token names the same build throughout
    assert [call.operation for call in cpjob.calls].count("StartBuild") == 1


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "STOPPED", "TIMED_OUT"])
def test_a_build_that_fails_fails_the_action(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(codebuild_output, "status_of", lambda build: status)
    job = cpjob.add_lambda_job(continuation_token='{"build": "docs:1"}')

    job.invoke(codebuild_output.lambda_handler)

    assert job.failure == JobFailure("JobFailed", f"build docs:1 is {status}")


def test_a_project_that_is_not_there_fails_the_action(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(
        user_parameters={"project": "docs"},
        input_artifacts=["Source"],
        output_artifacts=["Site"],
    )

    job.invoke(codebuild_output.lambda_handler)

    assert "ResourceNotFoundException" in job.failure.message


def test_a_build_that_succeeds_and_writes_nothing_is_caught(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    last = job.invoke(codebuild_output.lambda_handler)

    assert last.status == "Succeeded"  # as CodeBuild says
    with pytest.raises(ContractError, match="output artifact 'Site' not uploaded") as caught:
        cpjob.check()
    assert caught.value.names == ("missing-output",)
