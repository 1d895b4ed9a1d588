"""A Lambda action that writes a notice of a commit; UserParameters: `commit`, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3

codepipeline = boto3.client("codepipeline")


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Write the notice into the output artifact, with the pipeline's key, and report."""
    job = event["CodePipeline.job"]
    data = job["data"]
    try:
        commit = json.loads(data["actionConfiguration"]["configuration"]["UserParameters"])[
            "commit"
        ]
        keys = data["artifactCredentials"]
        s3 = boto3.Session(
            keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
        ).client("s3")
        place = data["outputArtifacts"][0]["location"]["s3Location"]
        s3.put_object(
            Bucket=place["bucketName"],
            Key=place["objectKey"],
            Body=f"Released: {commit}".encode(),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=data["encryptionKey"]["id"],
        )
    except Exception as error:
        codepipeline.put_job_failure_result(
            jobId=job["id"],
            failureDetails={"type": "JobFailed", "message": repr(error)[:5000]},
        )
    else:
        codepipeline.put_job_success_result(jobId=job["id"])
