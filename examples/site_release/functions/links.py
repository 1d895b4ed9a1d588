"""A Lambda action that checks a site's links, one page for each invocation.

A page that is left is kept in the continuation token, so that no invocation takes long.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import boto3

codepipeline = boto3.client("codepipeline")


def handler(event: dict[str, Any], context: object) -> None:
    """Check the next page; report when there is none left, or at the first broken link."""
    job = event["CodePipeline.job"]
    try:
        data = job["data"]
        pages = pages_of(data)
        number = json.loads(data.get("continuationToken", '{"page": 0}'))["page"]
        name = sorted(pages)[number]
        for target in re.findall(rb'href="([^"]+)"', pages[name]):
            if target.decode() not in pages:
                raise LookupError(f"{name} links to {target.decode()}, which does not exist")
    except Exception as error:
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": str(error)}
        )
        return
    if number + 1 < len(pages):
        codepipeline.put_job_success_result(
            jobId=job["id"], continuationToken=json.dumps({"page": number + 1})
        )
    else:
        codepipeline.put_job_success_result(
            jobId=job["id"], outputVariables={"pages": str(len(pages))}
        )


def pages_of(data: dict[str, Any]) -> dict[str, bytes]:
    """Return the site's pages, path -> content."""
    keys = data["artifactCredentials"]
    s3 = boto3.client(
        "s3",
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        aws_session_token=keys["sessionToken"],
    )
    artifacts = {each["name"]: each for each in data["inputArtifacts"]}
    if "Site" not in artifacts:
        raise LookupError(f"there is no artifact Site, only {', '.join(artifacts)}")
    place = artifacts["Site"]["location"]["s3Location"]
    content = s3.get_object(Bucket=place["bucketName"], Key=place["objectKey"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
