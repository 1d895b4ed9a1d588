"""A Lambda action that looks for words that are known to be misspelt."""

from __future__ import annotations

from typing import Any

import boto3
from links import pages_of

WRONG = (b"teh ", b"recieve", b"seperate")

codepipeline = boto3.client("codepipeline")


def handler(event: dict[str, Any], context: object) -> None:
    """Report the misspelt words of all pages."""
    job = event["CodePipeline.job"]
    pages = pages_of(job["data"])
    found = sorted(
        f"{name}: {word.decode().strip()}"
        for name, content in pages.items()
        for word in WRONG
        if word in content
    )
    if found:
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": "; ".join(found)}
        )
    else:
        codepipeline.put_job_success_result(jobId=job["id"])
