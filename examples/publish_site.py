"""An asynchronous Lambda action: uploads a site, all of its files at once, to a bucket for the web.

Lambda awaits nothing: the function that it calls is a plain one, which runs the asynchronous part
to its end. boto3 has no asynchronous calls, so each goes into a thread of its own, which is where
the time is saved; clients, unlike sessions, are safe to be shared by threads.

The site comes out of the input artifact, with the job's credentials, and goes into the bucket with
the function's own role. UserParameters: `{"bucket": "www.example.com"}`.
"""

from __future__ import annotations

import asyncio
import io
import json
import mimetypes
import zipfile
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

codepipeline = boto3.client("codepipeline")
web = boto3.client("s3")


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Be called by Lambda, which would not await a coroutine."""
    asyncio.run(handle(event, context))


async def handle(event: Mapping[str, Any], context: Any) -> None:
    """Publish the site of one job, and report how that went, whatever happens."""
    job = event["CodePipeline.job"]
    try:
        files = await publish(job["data"])
    except Exception as error:
        message = str(error)[:5000] or type(error).__name__
        await asyncio.to_thread(
            codepipeline.put_job_failure_result,
            jobId=job["id"],
            failureDetails={"type": "JobFailed", "message": message},
        )
    else:
        await asyncio.to_thread(
            codepipeline.put_job_success_result,
            jobId=job["id"],
            executionDetails={"summary": f"{files} files", "percentComplete": 100},
        )


async def publish(data: Mapping[str, Any]) -> int:
    """Upload every file, and give how many there are."""
    parameters = json.loads(data["actionConfiguration"]["configuration"]["UserParameters"])
    site = await asyncio.to_thread(read, data)
    uploads = [
        asyncio.to_thread(upload, parameters["bucket"], path, content)
        for path, content in site.items()
    ]
    # All come to their end before the first error is raised: no thread outlives the report.
    for outcome in await asyncio.gather(*uploads, return_exceptions=True):
        if outcome is not None:
            raise outcome
    return len(site)


def read(data: Mapping[str, Any]) -> dict[str, bytes]:
    """Read the files of the input artifact, with the one client that may open it."""
    (source,) = data["inputArtifacts"]
    location, credentials = source["location"]["s3Location"], data["artifactCredentials"]
    session = boto3.session.Session(
        aws_access_key_id=credentials["accessKeyId"],
        aws_secret_access_key=credentials["secretAccessKey"],
        aws_session_token=credentials["sessionToken"],
    )
    s3 = session.client("s3", config=Config(signature_version="s3v4"))
    body = s3.get_object(Bucket=location["bucketName"], Key=location["objectKey"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {
            member.filename: archive.read(member)
            for member in archive.infolist()
            if not member.is_dir()
        }


def upload(bucket: str, path: str, content: bytes) -> None:
    """Upload one file, said to be what its name ends in."""
    kind, _ = mimetypes.guess_type(path)
    web.put_object(
        Bucket=bucket, Key=path, Body=content, ContentType=kind or "application/octet-stream"
    )
