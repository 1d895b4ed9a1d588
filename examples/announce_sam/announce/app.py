"""A Lambda action that announces a release; UserParameters: `version` and `stage`, as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3

codepipeline = boto3.client("codepipeline")
sns = boto3.client("sns")


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Announce one release, and report how that went, whatever happens."""
    job = event["CodePipeline.job"]
    try:
        release = json.loads(job["data"]["actionConfiguration"]["configuration"]["UserParameters"])
        message = f"Version {release['version']} is in {release['stage']}"
        sent = sns.publish(TopicArn=os.environ["TOPIC_ARN"], Message=message)["MessageId"]
    except Exception as error:
        codepipeline.put_job_failure_result(
            jobId=job["id"],
            failureDetails={"type": "JobFailed", "message": repr(error)[:5000]},
        )
    else:
        codepipeline.put_job_success_result(jobId=job["id"], outputVariables={"message": sent})
