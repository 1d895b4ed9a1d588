"""A job worker for a custom action that translates a site's pages."""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any, Final

import boto3

ACTION_TYPE: Final = {
    "category": "Build",
    "owner": "Custom",
    "provider": "Translate",
    "version": "1",
}
WORDS: Final = {"de": {b"Hello": b"Hallo"}, "fr": {b"Hello": b"Bonjour"}}


def main() -> None:
    """Work until the process is ended."""
    codepipeline = boto3.client("codepipeline")
    while True:
        for job in codepipeline.poll_for_jobs(actionTypeId=ACTION_TYPE, maxBatchSize=5)["jobs"]:
            acknowledged = codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            if acknowledged["status"] == "InProgress":
                translate(codepipeline, job["id"], job["data"])
        time.sleep(30)


def translate(codepipeline: Any, job_id: str, data: dict[str, Any]) -> None:
    """Translate the input artifact's pages into the output artifact, and report."""
    language = data["actionConfiguration"]["configuration"]["Language"]
    if language not in WORDS:
        codepipeline.put_job_failure_result(
            jobId=job_id,
            failureDetails={
                "type": "ConfigurationError",
                "message": f"Language {language!r} is not one of {sorted(WORDS)}",
            },
        )
        return
    keys = data["artifactCredentials"]
    s3 = boto3.client(
        "s3",
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        aws_session_token=keys["sessionToken"],
    )
    source, target = (
        data[which][0]["location"]["s3Location"] for which in ("inputArtifacts", "outputArtifacts")
    )
    content = s3.get_object(Bucket=source["bucketName"], Key=source["objectKey"])["Body"].read()
    translated = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as pages,
        zipfile.ZipFile(translated, "w") as archive,
    ):
        for name in pages.namelist():
            text = pages.read(name)
            for word, other in WORDS[language].items():
                text = text.replace(word, other)
            archive.writestr(name, text)
    s3.put_object(Bucket=target["bucketName"], Key=target["objectKey"], Body=translated.getvalue())
    codepipeline.put_job_success_result(
        jobId=job_id,
        executionDetails={"summary": f"translated into {language}", "percentComplete": 100},
    )
