"""An action, and its test as people write it by hand; nothing of this project is imported."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import boto3
import botocore.client
from moto import mock_aws

BUCKET = "codepipeline-us-east-1-123456789012"
SOURCE = {"index.md": "# Hi", "style.css": "body {}"}

codepipeline = boto3.client("codepipeline", region_name="us-east-1")


def handler(event: Any, context: Any) -> None:
    """The action: a zip in, a zip out, with the job's own credentials in a session of their own."""
    job = event["CodePipeline.job"]
    keys = job["data"]["artifactCredentials"]
    session = boto3.session.Session(
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        aws_session_token=keys["sessionToken"],
    )
    s3 = session.client("s3", region_name="us-east-1")
    source = job["data"]["inputArtifacts"][0]["location"]["s3Location"]
    body = s3.get_object(Bucket=source["bucketName"], Key=source["objectKey"])["Body"].read()
    page = zipfile.ZipFile(io.BytesIO(body)).read("index.md")
    target = job["data"]["outputArtifacts"][0]["location"]["s3Location"]
    s3.put_object(
        Bucket=target["bucketName"], Key=target["objectKey"], Body=zipped({"index.html": page})
    )
    codepipeline.put_job_success_result(jobId=job["id"])


def by_hand() -> None:
    """The test of it, wired by hand on `mock_aws` with a patched `_make_api_call`."""
    reported: list[Any] = []
    with mock_aws(), patch.object(botocore.client.BaseClient, "_make_api_call", heard(reported)):
        bucket_by_hand()
        handler(event_by_hand(), None)
        s3 = boto3.client("s3", region_name="us-east-1")
        body = s3.get_object(Bucket=BUCKET, Key="web/Site/def")["Body"].read()
        assert zipfile.ZipFile(io.BytesIO(body)).read("index.html") == b"# Hi"
    assert len(reported) == 1


def heard(reported: list[Any]) -> Callable[..., Any]:
    """Answer the job's result, and pass everything else on."""
    original = botocore.client.BaseClient._make_api_call

    def make_api_call(client: Any, operation: str, params: Any) -> Any:
        if operation == "PutJobSuccessResult":
            reported.append(params)
            return {}
        return original(client, operation, params)

    return make_api_call


def bucket_by_hand() -> None:
    """Make the artifact bucket and put the input artifact into it."""
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="web/Source/abc", Body=zipped(SOURCE))


def event_by_hand() -> dict[str, Any]:
    """The event as AWS's documentation shows it."""
    return {
        "CodePipeline.job": {
            "id": "11111111-abcd-1111-abcd-111111abcdef",
            "data": {
                "artifactCredentials": {
                    "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
                    "secretAccessKey": "example",
                    "sessionToken": "example",
                },
                "inputArtifacts": [_at("Source", "web/Source/abc")],
                "outputArtifacts": [_at("Site", "web/Site/def")],
            },
        }
    }


def _at(name: str, key: str) -> dict[str, Any]:
    place = {"bucketName": BUCKET, "objectKey": key}
    return {"name": name, "location": {"type": "S3", "s3Location": place}}


def zipped(files: Any) -> bytes:
    """Give a zip of files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return stream.getvalue()
