"""A plain job worker, and its parts, for the tests of `run_worker`."""

from __future__ import annotations

import time
from typing import Any

import boto3

from pytest_cpjob import CodePipelineStub, Job

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
CLIENT = boto3.client("codepipeline", region_name="us-east-1")

Polled = dict[str, Any]


def add(cpjob: CodePipelineStub, count: int = 1) -> list[Job]:
    return [cpjob.add_job(action_type=DOCS) for _ in range(count)]


def poll() -> list[Polled]:
    jobs: list[Polled] = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    return jobs


def acknowledge(job: Polled) -> None:
    CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])


def succeed(job: Polled) -> None:
    CLIENT.put_job_success_result(jobId=job["id"])


def poll_once() -> None:
    for job in poll():
        acknowledge(job)
        succeed(job)


def poll_for_ever() -> None:
    while True:
        poll_once()
        time.sleep(30)


def operations(cpjob: CodePipelineStub) -> list[str]:
    return [call.operation for call in cpjob.calls]
