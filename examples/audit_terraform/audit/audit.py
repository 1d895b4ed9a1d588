"""A Lambda action that keeps which version was released; UserParameters: `version`, as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3

codepipeline = boto3.client("codepipeline")
ssm = boto3.client("ssm")


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Keep the released version in a parameter, and report."""
    job = event["CodePipeline.job"]
    try:
        version = json.loads(job["data"]["actionConfiguration"]["configuration"]["UserParameters"])
        ssm.put_parameter(
            Name=os.environ["PARAMETER"], Value=version["version"], Type="String", Overwrite=True
        )
    except Exception as error:
        codepipeline.put_job_failure_result(
            jobId=job["id"],
            failureDetails={"type": "JobFailed", "message": repr(error)[:5000]},
        )
    else:
        codepipeline.put_job_success_result(jobId=job["id"])
