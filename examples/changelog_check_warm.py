"""How not to write `changelog_check`: this one keeps its S3 client for the next invocation.

Lambda's guide advises to keep clients, and for clients on the function's own role that is right. A
job's credentials open that job's artifacts only, and for fifteen minutes: the first job after each
cold start is done, and every later one is refused. A test that runs one job never sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import changelog_check
from changelog_check import check, codepipeline

s3: Any = None


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Check the source of one job, with the credentials of the first."""
    global s3
    job = event["CodePipeline.job"]
    try:
        if s3 is None:
            s3 = changelog_check.artifact_client(job["data"]["artifactCredentials"])
        check(job["data"], s3)
    except Exception as error:
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": str(error)}
        )
    else:
        codepipeline.put_job_success_result(jobId=job["id"])
