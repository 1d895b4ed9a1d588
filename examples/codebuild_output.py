"""A Lambda action that leaves the work to CodeBuild, and waits for it with continuation tokens.

The shape of handlers that start something longer than a function may run. The first invocation
starts the build, with the job's artifacts as CodeBuild's source and target, and continues with the
build's id; each one after it looks, and reports at the end. CodeBuild itself writes the output
artifact: its service role, not the job's credentials, opens the bucket.

UserParameters: `{"project": "docs"}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3

codebuild = boto3.client("codebuild")
codepipeline = boto3.client("codepipeline")


class BuildFailed(Exception):
    """The build came to a bad end."""


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Start the build or look after it, and report where it stands."""
    job = event["CodePipeline.job"]
    try:
        token = job["data"].get("continuationToken")
        build = json.loads(token)["build"] if token else start(job)
        done = token is not None and is_done(build)
    except Exception as error:
        message = str(error)[:5000] or type(error).__name__
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": message}
        )
        return
    execution = {"externalExecutionId": build, "percentComplete": 100 if done else 0}
    if done:
        codepipeline.put_job_success_result(jobId=job["id"], executionDetails=execution)
    else:
        codepipeline.put_job_success_result(
            jobId=job["id"],
            executionDetails=execution,
            continuationToken=json.dumps({"build": build}),
        )


def start(job: Mapping[str, Any]) -> str:
    """Start a build from the input artifact into the output artifact, and give its id."""
    data = job["data"]
    parameters = json.loads(data["actionConfiguration"]["configuration"]["UserParameters"])
    (source,), (target,) = data["inputArtifacts"], data["outputArtifacts"]
    source_bucket, source_key = location_of(source)
    target_bucket, target_key = location_of(target)
    path, _, name = target_key.rpartition("/")
    encryption = (
        {"encryptionKeyOverride": data["encryptionKey"]["id"]} if "encryptionKey" in data else {}
    )
    answer = codebuild.start_build(
        projectName=parameters["project"],
        # Lambda may run the same event again: that must not start another build.
        idempotencyToken=job["id"],
        sourceTypeOverride="S3",
        sourceLocationOverride=f"{source_bucket}/{source_key}",
        artifactsOverride={
            "type": "S3",
            "location": target_bucket,
            "path": path,
            "name": name,
            "namespaceType": "NONE",
            "packaging": "ZIP",
        },
        **encryption,
    )
    return str(answer["build"]["id"])


def is_done(build: str) -> bool:
    """Whether a build has come to a good end.

    Raises:
        BuildFailed: it has come to another one.
    """
    status = status_of(build)
    if status not in ("SUCCEEDED", "IN_PROGRESS"):
        raise BuildFailed(f"build {build} is {status}")
    return status == "SUCCEEDED"


def status_of(build: str) -> str:
    """Give a build's status, such as IN_PROGRESS."""
    (found,) = codebuild.batch_get_builds(ids=[build])["builds"]
    return str(found["buildStatus"])


def location_of(artifact: Mapping[str, Any]) -> tuple[str, str]:
    """Give an artifact's bucket and key."""
    location = artifact["location"]["s3Location"]
    return location["bucketName"], location["objectKey"]
