"""What the tests of the artifact store share: a job's clients, places and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pytest_cpjob import AWSSessionCredentials, Job


def credentials_of(job: Job) -> AWSSessionCredentials:
    return job.details["jobDetails"]["data"]["artifactCredentials"]


def session_of(credentials: AWSSessionCredentials, **changes: Any) -> boto3.Session:
    keys = {
        "aws_access_key_id": credentials["accessKeyId"],
        "aws_secret_access_key": credentials["secretAccessKey"],
        "aws_session_token": credentials["sessionToken"],
        "region_name": "us-east-1",
    }
    return boto3.Session(**(keys | changes))


def s3_of(job: Job, **changes: Any) -> Any:
    return session_of(credentials_of(job), **changes).client("s3")


def place(job: Job, name: str) -> dict[str, str]:
    artifact = {**job.input_artifacts, **job.output_artifacts}[name]
    return {"Bucket": artifact.bucket, "Key": artifact.key}


def refusal(call: Callable[[], object]) -> tuple[str, int]:
    """The code and the HTTP status that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
