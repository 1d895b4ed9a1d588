"""`cpjob.client()`: the test's own client, which sees everything and is held to nothing."""

from __future__ import annotations

import boto3
import pytest

from pytest_cpjob import CodePipelineStub, UnfakedCallError


def test_it_is_answered_and_not_in_the_record(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()

    details = cpjob.client().get_job_details(jobId=job.id)

    assert details["jobDetails"]["id"] == job.id
    assert (cpjob.calls, job.calls) == ([], [])


def test_it_meets_no_fault(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("GetJobDetails", "ThrottlingException")
    handlers = boto3.client("codepipeline", region_name="us-east-1")

    assert cpjob.client().get_job_details(jobId=job.id)["jobDetails"]["id"] == job.id
    with pytest.raises(handlers.exceptions.ClientError, match="ThrottlingException"):
        handlers.get_job_details(jobId=job.id)


def test_it_reads_and_writes_every_artifact_without_any_jobs_credentials(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"], output_artifacts=["Site"])
    source, site = job.input_artifacts["Source"], job.output_artifacts["Site"]
    s3 = cpjob.client("s3")

    body = s3.get_object(Bucket=source.bucket, Key=source.key)["Body"].read()
    s3.put_object(Bucket=site.bucket, Key=site.key, Body=body)
    listed = s3.list_objects_v2(Bucket=source.bucket)["Contents"]

    assert body == source.content == site.content
    assert {found["Key"] for found in listed} == {source.key, site.key}
    assert cpjob.calls == []


def test_its_refused_and_repeated_requests_are_no_findings(cpjob: CodePipelineStub) -> None:
    codepipeline = cpjob.client()
    job = cpjob.add_lambda_job()

    for variables in ({"not allowed!": "1"}, {}, {}):
        try:
            codepipeline.put_job_success_result(jobId=job.id, outputVariables=variables)
        except codepipeline.exceptions.ClientError:
            continue

    assert job.status == "Succeeded"
    cpjob.check()


def test_what_it_acknowledged_owes_no_result(cpjob: CodePipelineStub) -> None:
    cpjob.add_job(action_type="Build:Custom:Docs:1")
    codepipeline = cpjob.client()
    (polled,) = codepipeline.poll_for_jobs(
        actionTypeId={"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
    )["jobs"]

    status = codepipeline.acknowledge_job(jobId=polled["id"], nonce=polled["nonce"])["status"]

    assert status == "InProgress"
    cpjob.check()


def test_its_own_unfaked_call_is_stopped_and_no_finding(cpjob: CodePipelineStub) -> None:
    with pytest.raises(UnfakedCallError, match=r"sts\.GetCallerIdentity"):
        cpjob.client("sts").get_caller_identity()
    cpjob.check()


@pytest.mark.cpjob(region="eu-west-3")
def test_it_is_in_the_pipelines_region_whatever_the_machine_says(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.invalid")
    monkeypatch.setenv("AWS_PROFILE", "not-there")

    client = cpjob.client()

    assert client.meta.region_name == "eu-west-3"
    assert client.meta.endpoint_url == "https://codepipeline.eu-west-3.amazonaws.com"
    assert client.list_action_types()["actionTypes"] is not None
