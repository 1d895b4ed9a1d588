"""Findings about artifacts, close up: outputs as they were at the report, and whose keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from artifact_clients import place, refusal, s3_of, session_of
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, ContractError, Job

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:us-east-1:123456789012:key/{KEY_ID}"
OTHER_ID = "99999999-12ab-34cd-56ef-1234567890ab"
ALIAS_ARN = "arn:aws:kms:us-east-1:123456789012:alias/pipelines"


def own_s3() -> Any:
    return boto3.client("s3", region_name="us-east-1")


def succeed(job: Job, **more: Any) -> None:
    CLIENT.put_job_success_result(jobId=job.id, **more)


def named(job: Job) -> str:
    return f"job {job.id} ({job.facts.action_type})"


def found(cpjob: CodePipelineStub) -> ContractError:
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    return caught.value


# -- missing output --------------------------------------------------------------------------------


def test_each_output_that_is_missing_is_named(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site", "Report", "Map"])
    s3_of(job).put_object(**place(job, "Report"), Body=b"report")
    succeed(job)

    error = found(cpjob)

    assert error.names == ("missing-output", "missing-output")
    assert "output artifact 'Site' not uploaded" in str(error)
    assert "output artifact 'Map' not uploaded" in str(error)


def test_an_output_that_comes_after_the_report_is_too_late(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"])
    succeed(job)
    s3_of(job).put_object(**place(job, "Site"), Body=b"site")
    assert found(cpjob).names == ("missing-output",)


def test_an_upload_that_was_refused_is_missing(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"], allow=["own-role"])
    with pytest.raises(ClientError, match="AccessDenied"):
        own_s3().put_object(**place(job, "Site"), Body=b"site")
    succeed(job)
    assert found(cpjob).names == ("missing-output",)


def by_the_handler(job: Job) -> None:
    s3_of(job).put_object(**place(job, "Site"), Body=b"site")
    succeed(job)


def by_somebody_else(job: Job) -> None:
    job.output_artifacts["Site"].put({"index.html": "<h1>"})
    succeed(job)


def and_taken_away_again(job: Job) -> None:
    by_the_handler(job)
    job._harness.client("s3", job.facts.region).delete_object(**place(job, "Site"))


def empty(job: Job) -> None:
    s3_of(job).put_object(**place(job, "Site"), Body=b"")
    succeed(job)


def not_after_a_failure(job: Job) -> None:
    details = {"type": "JobFailed", "message": "no site"}
    CLIENT.put_job_failure_result(jobId=job.id, failureDetails=details)


def not_before_the_last_step(job: Job) -> None:
    succeed(job, continuationToken="2")


def by_an_earlier_step(job: Job) -> None:
    s3_of(job).put_object(**place(job, "Site"), Body=b"site")
    succeed(job, continuationToken="2")
    assert job.continuation is not None
    succeed(job.continuation)


def not_for_a_success_of_the_tests_own(job: Job) -> None:
    job._harness.client("codepipeline", job.facts.region).put_job_success_result(jobId=job.id)


@pytest.mark.parametrize(
    "do",
    [
        by_the_handler,
        by_somebody_else,
        and_taken_away_again,
        empty,
        not_after_a_failure,
        not_before_the_last_step,
        by_an_earlier_step,
        not_for_a_success_of_the_tests_own,
    ],
)
def test_no_output_is_missing(cpjob: CodePipelineStub, do: Callable[[Job], None]) -> None:
    do(cpjob.add_lambda_job(output_artifacts=["Site"]))
    cpjob.check()


# -- output encryption -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pipelines", "used"),
    [
        (KEY_ARN, KEY_ARN),
        (KEY_ARN, KEY_ID),
        (KEY_ID, KEY_ARN),
        (KEY_ID, KEY_ID),
        (ALIAS_ARN, ALIAS_ARN),
        (ALIAS_ARN, "alias/pipelines"),
        (None, None),
        (None, KEY_ARN),
    ],
)
def test_the_pipelines_key_is_good_under_all_its_names(
    cpjob: CodePipelineStub, pipelines: str | None, used: str | None
) -> None:
    upload(cpjob, pipelines, used)
    cpjob.check()


@pytest.mark.parametrize(
    ("pipelines", "used"),
    [
        (KEY_ARN, OTHER_ID),
        (KEY_ARN, KEY_ARN.replace("us-east-1", "eu-west-1")),
        (KEY_ARN, KEY_ARN.replace("123456789012", "210987654321")),
        (ALIAS_ARN, KEY_ARN),
    ],
)
def test_another_key_is_named_beside_the_pipelines(
    cpjob: CodePipelineStub, pipelines: str, used: str
) -> None:
    job = upload(cpjob, pipelines, used)

    error = found(cpjob)

    assert error.names == ("output-encryption",)
    assert (
        str(error)
        .partition("): ")[2]
        .startswith(
            f"output artifact 'Site' of {named(job)} was uploaded with {used}, not with the"
            f" pipeline's key {pipelines}.\n"
        )
    )


def test_sse_kms_without_a_key_is_not_the_pipelines(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"], encryption_key=KEY_ARN)
    s3_of(job).put_object(**place(job, "Site"), Body=b"site", ServerSideEncryption="aws:kms")
    succeed(job)
    assert found(cpjob).names == ("output-encryption",)


def test_an_output_that_is_missing_is_not_unencrypted_as_well(cpjob: CodePipelineStub) -> None:
    succeed(cpjob.add_lambda_job(output_artifacts=["Site"], encryption_key=KEY_ARN))
    assert found(cpjob).names == ("missing-output",)


def upload(cpjob: CodePipelineStub, pipelines: str | None, used: str | None) -> Job:
    job = cpjob.add_lambda_job(output_artifacts=["Site"], encryption_key=pipelines)
    encryption = {} if used is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": used}
    s3_of(job).put_object(**place(job, "Site"), **encryption, Body=b"site")
    succeed(job)
    return job


# -- own role --------------------------------------------------------------------------------------


def test_another_jobs_credentials_are_not_opened_by_own_role() -> None:
    with CodePipelineStub(own_role=True) as cpjob:
        job, other = (cpjob.add_lambda_job(input_artifacts=["Source"]) for _ in range(2))
        refusal(lambda: s3_of(other).get_object(**place(job, "Source")))

        assert str(found(cpjob)).partition("): ")[2] == (
            f"the code read input artifact 'Source' of {named(job)} with another job's"
            " artifactCredentials (s3.GetObject).\n"
            f"  The object: {job.input_artifacts['Source'].uri}\n"
            "  S3 refuses them: a job's artifactCredentials are for the artifacts of that job and"
            " no others.\n"
            "  To fix it: Make the S3 client from the job's artifactCredentials:"
            " boto3.Session(accessKeyId, secretAccessKey, sessionToken).client('s3'). See"
            " pytest-cpjob explain own-role\n"
            "  own_role=True is for the function's own role only, and does not allow this.\n"
            '  To allow it: CodePipelineStub(allow=["own-role"]) or'
            ' @pytest.mark.cpjob(allow=["own-role"])'
        )


def test_credentials_that_are_nobodys_are_found(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    invented = session_of(
        {"accessKeyId": "ASIAIOSFODNN7EXAMPLE", "secretAccessKey": "x" * 40, "sessionToken": "y"}
    )
    refusal(lambda: invented.client("s3").get_object(**place(job, "Source")))
    assert " with unknown credentials (s3.GetObject).\n" in str(found(cpjob))


def test_a_look_into_the_whole_bucket_names_the_bucket(cpjob: CodePipelineStub) -> None:
    bucket = cpjob.add_lambda_job(input_artifacts=["Source"]).input_artifacts["Source"].bucket
    refusal(lambda: own_s3().list_objects_v2(Bucket=bucket))
    assert (
        f": the code read s3://{bucket}, which is not an artifact of any job, with the function's"
        " own role (s3.ListObjectsV2).\n"
        "  The job's artifactCredentials would be refused here as well: they open the objects of"
        " this job's artifacts and nothing else.\n"
        "  To fix it: Take bucket and key from the artifact's s3Location, and call the object"
        " itself. See pytest-cpjob explain own-role\n"
    ) in str(found(cpjob))


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "dict"])
def test_a_copy_out_of_the_bucket_names_the_artifact(
    cpjob: CodePipelineStub, as_text: bool
) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    own_s3().create_bucket(Bucket="the-users-own")
    source = place(job, "Source")
    given: Any = f"{source['Bucket']}/{source['Key']}" if as_text else source
    refusal(lambda: own_s3().copy_object(Bucket="the-users-own", Key="copy", CopySource=given))
    assert (
        f": the code read input artifact 'Source' of {named(job)} with the function's own role"
        " (s3.CopyObject).\n"
    ) in str(found(cpjob))


def test_the_same_again_is_one_finding_and_another_operation_another(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    for _ in range(3):
        refusal(lambda: own_s3().get_object(**place(job, "Source")))
    refusal(lambda: own_s3().head_object(**place(job, "Source")))
    assert found(cpjob).names == ("own-role", "own-role")


def test_a_bucket_of_the_users_own_is_the_own_roles(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    own_s3().create_bucket(Bucket="the-users-own")
    own_s3().put_object(Bucket="the-users-own", Key=place(job, "Source")["Key"], Body=b"")
    cpjob.check()


def test_the_tests_own_client_may_open_everything(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    assert cpjob.client("s3").get_object(**place(job, "Source"))["Body"].read()
    cpjob.check()


def test_what_the_jobs_own_credentials_may_not_do_is_no_finding(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    refusal(lambda: s3_of(job).put_object(**place(job, "Source"), Body=b""))
    cpjob.advance(15 * 60 + 1)
    cpjob.check()
