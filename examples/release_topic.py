"""A Lambda action that announces a release on an SNS topic of the account that it runs in.

The shape of handlers that do their setting up once, when the module is imported: they read the
function's environment, ask STS which account this is, and keep clients and names for all later
invocations. A function whose environment is incomplete does not start at all.

Environment: `TOPIC`, the topic's name. UserParameters: the text to announce.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import boto3

codepipeline = boto3.client("codepipeline")
sns = boto3.client("sns")

identity = boto3.client("sts").get_caller_identity()
partition = identity["Arn"].split(":")[1]
region = os.environ["AWS_REGION"]
TOPIC_ARN = f"arn:{partition}:sns:{region}:{identity['Account']}:{os.environ['TOPIC']}"


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Announce the release of one job, and report how that went, whatever happens."""
    job = event["CodePipeline.job"]
    try:
        text = job["data"]["actionConfiguration"]["configuration"].get("UserParameters", "Released")
        message = sns.publish(TopicArn=TOPIC_ARN, Message=text)["MessageId"]
    except Exception as error:
        codepipeline.put_job_failure_result(
            jobId=job["id"],
            failureDetails={
                "type": "JobFailed",
                "message": str(error)[:5000] or type(error).__name__,
            },
        )
    else:
        codepipeline.put_job_success_result(
            jobId=job["id"], executionDetails={"externalExecutionId": message}
        )
