"""Handlers and workers that pipelines of `pipeline_definitions` are run with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import boto3
from pipeline_definitions import kind

from pytest_cpjob import StandIn

ACTION_TYPE = kind("Build", "Docs", "Custom")
Handler = Callable[[dict[str, Any], object], None]


def s3_of(data: dict[str, Any]) -> Any:
    keys = data["artifactCredentials"]
    return boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        aws_session_token=keys["sessionToken"],
    )


def write_outputs(data: dict[str, Any], content: bytes = b"made") -> None:
    for artifact in data["outputArtifacts"]:
        place = artifact["location"]["s3Location"]
        s3_of(data).put_object(Bucket=place["bucketName"], Key=place["objectKey"], Body=content)


def docs_worker() -> None:
    """Works on Build/Docs for ever."""
    codepipeline = boto3.client("codepipeline", region_name="us-east-1")
    while True:
        poll(codepipeline)
        time.sleep(5)


def poll(codepipeline: Any) -> None:
    for job in codepipeline.poll_for_jobs(actionTypeId=ACTION_TYPE)["jobs"]:
        codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        write_outputs(job["data"])
        codepipeline.put_job_success_result(
            jobId=job["id"],
            executionDetails={
                "summary": "2 pages",
                "externalExecutionId": "docs-1",
                "percentComplete": 100,
            },
        )


def docs_poller(event: dict[str, Any], context: object) -> None:
    """Works on Build/Docs once, when an event tells that it has started."""
    assert event["detail"]["type"] == ACTION_TYPE
    poll(boto3.client("codepipeline", region_name="us-east-1"))


def announce(event: dict[str, Any], context: object) -> None:
    job = event["CodePipeline.job"]
    write_outputs(job["data"])
    codepipeline = boto3.client("codepipeline", region_name="us-east-1")
    codepipeline.put_job_success_result(jobId=job["id"], outputVariables={"post": "42"})


def succeed(event: dict[str, Any], context: object) -> None:
    codepipeline = boto3.client("codepipeline", region_name="us-east-1")
    codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"])


def fail(event: dict[str, Any], context: object) -> None:
    codepipeline = boto3.client("codepipeline", region_name="us-east-1")
    codepipeline.put_job_failure_result(
        jobId=event["CodePipeline.job"]["id"],
        failureDetails={
            "type": "ConfigurationError",
            "message": "no channel",
            "externalExecutionId": "mine",
        },
    )


def silent(event: dict[str, Any], context: object) -> None:
    """Return without a result, as handlers do that have forgotten a branch."""


def performers(**given: Any) -> dict[str, Any]:
    """Return who performs the pipeline `web`, but for what is given by action name."""
    return {
        "Build/Compile": StandIn(output_variables={"Tag": "v7"}),
        "Docs": docs_worker,
        "Announce": announce,
        "Tell": succeed,
        **given,
    }
