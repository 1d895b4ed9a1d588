"""A thousand correct runs of correct code, none of which is a finding."""

from __future__ import annotations

import random
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub

RUNS, CHUNKS = 1_000, 10
codepipeline = boto3.client("codepipeline", region_name="us-east-1")
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def place(artifact: Any) -> dict[str, str]:
    at = artifact["location"]["s3Location"]
    return {"Bucket": at["bucketName"], "Key": at["objectKey"]}


def work(job: Any, draw: random.Random) -> None:
    """Read every input and write every output with the job's own credentials and key."""
    data = job["data"]
    if not data["inputArtifacts"] and not data["outputArtifacts"]:
        return
    keys = data["artifactCredentials"]
    s3 = boto3.Session(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]).client(
        "s3", region_name="us-east-1"
    )
    for artifact in data["inputArtifacts"]:
        s3.get_object(**place(artifact))["Body"].read()
    encryption = {}
    if "encryptionKey" in data:
        encryption = {
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": data["encryptionKey"]["id"],
        }
    for artifact in data["outputArtifacts"]:
        s3.put_object(**place(artifact), Body=draw.randbytes(20), **encryption)


def report(job: Any, draw: random.Random) -> None:
    if draw.random() < 0.3:
        details = {"type": "JobFailed", "message": f"it broke {draw.random()}"}
        codepipeline.put_job_failure_result(jobId=job["id"], failureDetails=details)
    else:
        variables = {"number": str(draw.random())} if draw.random() < 0.5 else {}
        codepipeline.put_job_success_result(jobId=job["id"], outputVariables=variables)


def added(draw: random.Random) -> dict[str, Any]:
    """What a job is added with; most have no artifacts, so that a thousand are quick."""
    artifacts = draw.random() < 0.1
    return {
        "input_artifacts": {f"In{n}": {"a": "b"} for n in range(draw.randrange(3))}
        if artifacts
        else None,
        "output_artifacts": [f"Out{n}" for n in range(draw.randrange(3))] if artifacts else None,
        "encryption_key": draw.choice([None, True, KEY]),
    }


def as_lambda(cpjob: CodePipelineStub, draw: random.Random) -> None:
    continuations = draw.choice([0, 0, 1, 3])

    def handler(event: Any, context: Any) -> None:
        job = event["CodePipeline.job"]
        print("working on", job["id"])
        so_far = int(job["data"].get("continuationToken", "0"))
        if so_far < continuations:
            codepipeline.put_job_success_result(jobId=job["id"], continuationToken=str(so_far + 1))
            return
        work(job, draw)
        report(job, draw)

    cpjob.add_lambda_job(**added(draw)).invoke(handler)


def as_worker(cpjob: CodePipelineStub, draw: random.Random) -> None:
    kind = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
    for _ in range(draw.randrange(1, 3)):
        cpjob.add_job(action_type=kind, **added(draw))
    if draw.random() < 0.2:
        codepipeline.poll_for_jobs(actionTypeId=kind)  # a worker that died before it acknowledged
        cpjob.advance(301)
    while jobs := codepipeline.poll_for_jobs(actionTypeId=kind, maxBatchSize=2)["jobs"]:
        for job in jobs:
            codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        for job in jobs:
            if draw.random() < 0.2:
                cpjob.advance(1200)
            details = codepipeline.get_job_details(jobId=job["id"])["jobDetails"]
            work(details, draw)
            report(details, draw)


def as_partner(cpjob: CodePipelineStub, draw: random.Random) -> None:
    kind = {"category": "Test", "owner": "ThirdParty", "provider": "Scan", "version": "1"}
    added_job = cpjob.add_third_party_job(action_type=kind)
    [polled] = codepipeline.poll_for_third_party_jobs(actionTypeId=kind)["jobs"]
    named = {"jobId": polled["jobId"], "clientToken": str(added_job.client_token)}
    details = codepipeline.get_third_party_job_details(**named)["jobDetails"]
    codepipeline.acknowledge_third_party_job(**named, nonce=details["nonce"])
    codepipeline.put_third_party_job_success_result(**named)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_correct_runs_are_no_findings(chunk: int) -> None:
    for number in range(chunk, RUNS, CHUNKS):
        draw = random.Random(number)
        run = draw.choice([as_lambda, as_lambda, as_worker, as_partner])
        with CodePipelineStub(seed=number) as cpjob:
            run(cpjob, draw)
        assert all(job.status in ("Succeeded", "Failed") for job in cpjob.jobs)
