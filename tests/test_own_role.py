"""The handler's own role before the artifact bucket: denied, unless the test opens it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import botocore
import botocore.session
import pytest
from artifact_clients import place, refusal, s3_of
from botocore.config import Config
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, ContractError, Job

OWN_S3 = boto3.client("s3", region_name="us-east-1")
"""A handler's own client, made at import."""


@pytest.fixture
def job(cpjob: CodePipelineStub) -> Job:
    return cpjob.add_lambda_job(
        input_artifacts={"Source": {"index.md": "# Hi"}, "Gone": None}, output_artifacts=["Site"]
    )


OWN_ROLE: dict[str, Callable[[], Any]] = {
    "made at import": lambda: OWN_S3,
    "made in the handler": lambda: boto3.client("s3", region_name="us-east-1"),
    "a fresh session": lambda: boto3.Session(region_name="us-east-1").client("s3"),
    "botocore's": lambda: botocore.session.get_session().create_client(
        "s3", region_name="us-east-1"
    ),
}


@pytest.mark.parametrize("make", OWN_ROLE.values(), ids=OWN_ROLE.keys())
def test_the_handlers_own_role_is_denied_and_the_finding_says_how_to_open(
    cpjob: CodePipelineStub, job: Job, make: Callable[[], Any]
) -> None:
    s3, source, site = make(), place(job, "Source"), place(job, "Site")

    assert refusal(lambda: s3.get_object(**source)) == ("AccessDenied", 403)
    assert refusal(lambda: s3.put_object(**site, Body=b"")) == ("AccessDenied", 403)
    assert refusal(lambda: s3.head_object(**source)) == ("403", 403)
    assert not job.output_artifacts["Site"].exists
    with pytest.raises(ContractError) as found:
        cpjob.check()
    assert found.value.names == ("own-role",) * 3
    assert "@pytest.mark.cpjob(own_role=True)" in str(found.value)
    assert job.id in str(found.value)


def test_an_unsigned_client_is_denied_as_well(cpjob: CodePipelineStub, job: Job) -> None:
    s3 = boto3.client(
        "s3", region_name="us-east-1", config=Config(signature_version=botocore.UNSIGNED)
    )

    assert refusal(lambda: s3.get_object(**place(job, "Source"))) == ("AccessDenied", 403)
    with pytest.raises(ContractError, match="own-role"):
        cpjob.check()


@pytest.mark.cpjob(own_role=True)
def test_the_marker_opens_the_bucket_to_the_own_role(cpjob: CodePipelineStub, job: Job) -> None:
    body = OWN_S3.get_object(**place(job, "Source"))["Body"].read()
    OWN_S3.put_object(**place(job, "Site"), Body=body)
    listed = OWN_S3.list_objects_v2(Bucket=place(job, "Site")["Bucket"])["Contents"]

    assert job.output_artifacts["Site"].content == body
    assert {found["Key"] for found in listed} == {
        place(job, "Source")["Key"],
        place(job, "Site")["Key"],
    }
    # Who may list is told that there is none.
    assert refusal(lambda: OWN_S3.get_object(**place(job, "Gone"))) == ("NoSuchKey", 404)
    cpjob.check()


@pytest.mark.cpjob(own_role=True)
def test_an_open_bucket_gives_a_jobs_credentials_no_more_than_they_had(
    cpjob: CodePipelineStub, job: Job
) -> None:
    s3 = s3_of(job)

    assert refusal(lambda: s3.list_objects_v2(Bucket=place(job, "Site")["Bucket"])) == (
        "AccessDenied",
        403,
    )
    assert refusal(lambda: s3.put_object(**place(job, "Source"), Body=b""))[0] == "AccessDenied"


def test_the_stub_opens_the_bucket_to_the_own_role() -> None:
    with CodePipelineStub(own_role=True) as cpjob:
        job = cpjob.add_lambda_job(input_artifacts=["Source"])
        assert OWN_S3.get_object(**place(job, "Source"))["Body"].read()


READS_WITH_THE_OWN_ROLE = """
    import boto3
    import pytest

    def test_own_role(cpjob):
        job = cpjob.add_lambda_job(input_artifacts=["Source"])
        source = job.input_artifacts["Source"]
        s3 = boto3.client("s3", region_name="us-east-1")
        try:
            s3.get_object(Bucket=source.bucket, Key=source.key)
        except s3.exceptions.ClientError as error:
            pytest.fail(error.response["Error"]["Code"])
"""


@pytest.mark.parametrize(
    ("ini", "outcome"),
    [
        ("", {"failed": 1}),
        ("cpjob_own_role = false", {"failed": 1}),
        ("cpjob_own_role = true", {"passed": 1}),
        ("cpjob_allow = own-role", {"failed": 1}),
    ],
)
def test_the_ini_file_opens_the_bucket_and_allow_does_not(
    pytester: pytest.Pytester, ini: str, outcome: dict[str, int]
) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile(READS_WITH_THE_OWN_ROLE)

    result = pytester.runpytest("-p", "no:faker")

    outcomes = result.parseoutcomes()
    assert {name: outcomes.get(name, 0) for name in outcome} == outcome
    if "failed" in outcome:
        result.stdout.fnmatch_lines(["*Failed: AccessDenied"])


@pytest.mark.cpjob(allow=["own-role"])
def test_allow_on_the_marker_silences_the_finding_and_opens_nothing(
    cpjob: CodePipelineStub, job: Job
) -> None:
    assert refusal(lambda: OWN_S3.get_object(**place(job, "Source"))) == ("AccessDenied", 403)
    cpjob.check()


def test_a_role_that_the_handler_assumed_is_its_own_role_too(
    cpjob: CodePipelineStub, job: Job
) -> None:
    assumed = boto3.client("sts", region_name="us-east-1").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/deploy", RoleSessionName="deploy"
    )["Credentials"]
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )

    assert refusal(lambda: s3.get_object(**place(job, "Source"))) == ("AccessDenied", 403)
    with pytest.raises(ContractError, match="with the function's own role"):
        cpjob.check()


@mock_aws
def test_an_artifact_cannot_be_copied_out_of_the_bucket_by_the_own_role(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"], allow=["own-role"])
    OWN_S3.create_bucket(Bucket="the-users-own")

    refused = refusal(
        lambda: OWN_S3.copy_object(
            Bucket="the-users-own", Key="stolen", CopySource=place(job, "Source")
        )
    )

    assert refused == ("AccessDenied", 403)
    assert "Contents" not in OWN_S3.list_objects_v2(Bucket="the-users-own")
