"""A Lambda action that says how far a pipeline has come.

The smallest shape that people really write: JSON in UserParameters, and GetJobDetails for the name
of the pipeline, which the Lambda event does not carry.

UserParameters: `{"channel": "#releases"}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3

codepipeline = boto3.client("codepipeline")


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Write the notice to the function's log, and report it as the action's summary."""
    job = event["CodePipeline.job"]
    try:
        channel = channel_of(job["data"]["actionConfiguration"]["configuration"])
        details = codepipeline.get_job_details(jobId=job["id"])["jobDetails"]
        notice = f"{channel}: {notice_of(details)}"
        print(notice)
    except ValueError as error:
        fail(job["id"], "ConfigurationError", error)
    except Exception as error:
        fail(job["id"], "JobFailed", error)
    else:
        # Outside of the try: when this call fails, there is no failure of the job to report.
        codepipeline.put_job_success_result(jobId=job["id"], executionDetails={"summary": notice})


def channel_of(configuration: Mapping[str, str]) -> str:
    """Read the channel from an action's configuration.

    Raises:
        ValueError: there are no UserParameters, or not the ones that this function takes.
    """
    try:
        channel = json.loads(configuration["UserParameters"])["channel"]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError('UserParameters must be JSON such as {"channel": "#releases"}') from error
    if not isinstance(channel, str):
        raise ValueError(f"the channel must be a string, got {channel!r}")
    return channel


def notice_of(details: Mapping[str, Any]) -> str:
    """Say where a job stands, from its `jobDetails`."""
    where = details["data"]["pipelineContext"]
    return f"{where['pipelineName']} has reached {where['stage']['name']}"


def fail(job_id: str, kind: str, error: Exception) -> None:
    """Report a failure: a message of 1 to 5,000 characters, whatever the error has to say."""
    message = str(error)[:5000] or type(error).__name__
    codepipeline.put_job_failure_result(
        jobId=job_id, failureDetails={"type": kind, "message": message}
    )
