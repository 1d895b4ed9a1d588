"""A Lambda action that lets only some branches pass; UserParameters: `branch` and `allowed`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3

codepipeline = boto3.client("codepipeline", region_name="eu-west-1")


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Report success for an allowed branch, and a failure that says why for any other."""
    job = event["CodePipeline.job"]
    try:
        gate = json.loads(job["data"]["actionConfiguration"]["configuration"]["UserParameters"])
        if gate["branch"] not in gate["allowed"]:
            raise PermissionError(f"{gate['branch']} is not one of {gate['allowed']}")
    except Exception as error:
        codepipeline.put_job_failure_result(
            jobId=job["id"],
            failureDetails={"type": "JobFailed", "message": str(error)[:5000]},
        )
    else:
        codepipeline.put_job_success_result(jobId=job["id"])
