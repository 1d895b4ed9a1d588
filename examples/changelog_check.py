"""A Lambda action that lets no release pass whose change log has no entry for it.

The shape of small checks of a source. It runs for one job after another in the same process, as
Lambda keeps a function warm: so nothing of a job is kept in the module, its S3 client least of all.
`changelog_check_warm` is the same action with that mistake in it.

UserParameters: the version, such as `1.2.0`. The input artifact has a file `CHANGELOG.md`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

codepipeline = boto3.client("codepipeline")


class NoEntry(Exception):
    """The change log does not tell of the version."""


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Check the source of one job, and report how that went, whatever happens."""
    job = event["CodePipeline.job"]
    try:
        check(job["data"], artifact_client(job["data"]["artifactCredentials"]))
    except Exception as error:
        message = str(error)[:5000] or type(error).__name__
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": message}
        )
    else:
        codepipeline.put_job_success_result(jobId=job["id"])


def check(data: Mapping[str, Any], s3: Any) -> None:
    """Look for a heading of the version.

    Raises:
        NoEntry: there is none.
    """
    version = data["actionConfiguration"]["configuration"]["UserParameters"]
    (source,) = data["inputArtifacts"]
    location = source["location"]["s3Location"]
    body = s3.get_object(Bucket=location["bucketName"], Key=location["objectKey"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        changelog = archive.read("CHANGELOG.md").decode("utf-8")
    if f"## {version}" not in changelog.splitlines():
        raise NoEntry(f"CHANGELOG.md has no entry for {version}")


def artifact_client(credentials: Mapping[str, str]) -> Any:
    """Make the one client that may open the job's artifacts: a new one for each job."""
    session = boto3.session.Session(
        aws_access_key_id=credentials["accessKeyId"],
        aws_secret_access_key=credentials["secretAccessKey"],
        aws_session_token=credentials["sessionToken"],
    )
    return session.client("s3", config=Config(signature_version="s3v4"))
