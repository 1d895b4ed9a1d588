"""A poller in Lambda: a worker for a custom action that runs only when there may be work.

The shape of job workers without a server. EventBridge invokes the function when an action of any
kind changes its state, for work without delay, and on a schedule, for what was missed. So it looks
first whether the event is for it at all, then polls until the queue is empty or its time is short;
what it has not taken is there for the next run.

The action type is `Deploy:Custom:FeatureFlags:1`: its input artifact has a file `flags.json`, and
each flag becomes a parameter `/flags/NAME` of Parameter Store.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import boto3
from botocore.config import Config

codepipeline = boto3.client("codepipeline")
ssm = boto3.client("ssm")

ACTION_TYPE: Final = {
    "category": "Deploy",
    "owner": "Custom",
    "provider": "FeatureFlags",
    "version": "1",
}
LONGEST_JOB: Final = 60
"""Seconds without which no other job is taken."""


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Work through the queue, and say how many jobs there were."""
    done = 0
    if is_for_us(event):
        while context.get_remaining_time_in_millis() > LONGEST_JOB * 1000:
            jobs = codepipeline.poll_for_jobs(actionTypeId=ACTION_TYPE, maxBatchSize=1)["jobs"]
            if not jobs:
                break
            done += work_on(jobs[0])
    return {"done": done}


def is_for_us(event: Mapping[str, Any]) -> bool:
    """Whether there may be work: by the schedule, or as an action of our type has started."""
    if event["source"] == "aws.events":
        return True
    detail = event["detail"]
    return bool(detail["state"] == "STARTED" and detail["type"] == ACTION_TYPE)


def work_on(job: Mapping[str, Any]) -> bool:
    """Do one job from acknowledgement to report; False if it is another run's."""
    try:
        answer = codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
    except codepipeline.exceptions.InvalidNonceException:
        return False
    if answer["status"] != "InProgress":
        return False
    try:
        flags = flags_of(job["data"])
        for name, value in flags.items():
            ssm.put_parameter(
                Name=f"/flags/{name}", Value=json.dumps(value), Type="String", Overwrite=True
            )
    except Exception as error:
        message = str(error)[:5000] or type(error).__name__
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": message}
        )
    else:
        codepipeline.put_job_success_result(
            jobId=job["id"], executionDetails={"summary": f"flags set: {len(flags)}"}
        )
    return True


def flags_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Read the flags out of the input artifact, with the job's own credentials."""
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
        flags: dict[str, Any] = json.loads(archive.read("flags.json"))
    return flags
