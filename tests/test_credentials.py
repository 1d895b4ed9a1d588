"""The artifact bucket as a handler's clients meet it: which credentials open what, until when."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
import pytest
from artifact_clients import credentials_of, place, refusal, s3_of, session_of
from botocore.credentials import DeferredRefreshableCredentials, RefreshableCredentials
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, ContractError, Job

CODEPIPELINE = boto3.client("codepipeline", region_name="us-east-1")

allow_own_role = pytest.mark.cpjob(allow=["own-role"])


@pytest.fixture
def job(cpjob: CodePipelineStub) -> Job:
    return cpjob.add_lambda_job(
        input_artifacts={"Source": {"index.md": "# Hi"}, "Gone": None}, output_artifacts=["Site"]
    )


# -- until when ------------------------------------------------------------------------------------


def test_they_expire_after_fifteen_minutes_and_getjobdetails_renews_them(
    cpjob: CodePipelineStub, job: Job
) -> None:
    s3 = s3_of(job)
    cpjob.advance(899)
    assert s3.get_object(**place(job, "Source"))["Body"].read()

    cpjob.advance(1)
    expired = refusal(lambda: s3.get_object(**place(job, "Source")))
    details = CODEPIPELINE.get_job_details(jobId=job.id)["jobDetails"]
    renewed = session_of(details["data"]["artifactCredentials"]).client("s3")

    assert expired == ("ExpiredToken", 400)
    assert renewed.get_object(**place(job, "Source"))["Body"].read()
    assert refusal(lambda: s3.get_object(**place(job, "Source"))) == expired


def test_the_error_of_expired_credentials_is_s3s_own(cpjob: CodePipelineStub, job: Job) -> None:
    s3 = s3_of(job)
    cpjob.advance(900)

    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.put_object(**place(job, "Site"), Body=b"late")

    assert str(caught.value) == (
        "An error occurred (ExpiredToken) when calling the PutObject operation:"
        " The provided token has expired."
    )
    assert caught.value.operation_name == "PutObject"
    assert not job.output_artifacts["Site"].exists


def test_renewing_leaves_earlier_credentials_good_until_their_own_end(
    cpjob: CodePipelineStub, job: Job
) -> None:
    first = s3_of(job)
    cpjob.advance(600)
    details = CODEPIPELINE.get_job_details(jobId=job.id)["jobDetails"]["data"]
    second = session_of(details["artifactCredentials"]).client("s3")

    assert first.head_object(**place(job, "Source"))
    cpjob.advance(300)
    assert refusal(lambda: first.get_object(**place(job, "Source")))[0] == "ExpiredToken"
    assert second.head_object(**place(job, "Source"))


def test_reading_the_jobs_details_in_the_test_renews_nothing(
    cpjob: CodePipelineStub, job: Job
) -> None:
    before = credentials_of(job)
    cpjob.advance(900)

    assert credentials_of(job) == before
    assert refusal(lambda: s3_of(job).get_object(**place(job, "Source")))[0] == "ExpiredToken"


def test_a_continued_job_has_credentials_of_its_own_for_the_same_objects(
    cpjob: CodePipelineStub, job: Job
) -> None:
    CODEPIPELINE.put_job_success_result(jobId=job.id, continuationToken="more")
    following = job.continuation
    assert following is not None

    assert credentials_of(following)["accessKeyId"] != credentials_of(job)["accessKeyId"]
    assert s3_of(following).get_object(**place(job, "Source"))["Body"].read()


def test_a_worker_gets_credentials_with_the_poll_and_with_the_details(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_job(action_type="Build:Custom:Docs:1", input_artifacts=["Source"])
    action_type = job.facts.action_type._asdict()

    (polled,) = CODEPIPELINE.poll_for_jobs(actionTypeId=action_type)["jobs"]
    details = CODEPIPELINE.get_job_details(jobId=job.id)["jobDetails"]

    for data in (polled["data"], details["data"]):
        s3 = session_of(data["artifactCredentials"]).client("s3")
        assert s3.get_object(**place(job, "Source"))["Body"].read()


def test_a_partners_worker_gets_them_with_its_details(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_third_party_job(input_artifacts=["Source"], output_artifacts=["Report"])

    details = CODEPIPELINE.get_third_party_job_details(jobId=job.id, clientToken=job.client_token)
    s3 = session_of(details["jobDetails"]["data"]["artifactCredentials"]).client("s3")
    s3.put_object(**place(job, "Report"), Body=s3.get_object(**place(job, "Source"))["Body"].read())

    assert job.output_artifacts["Report"].content == job.input_artifacts["Source"].content


# -- wrong ones ------------------------------------------------------------------------------------

WRONG = {
    "key": ({"aws_access_key_id": "ASIAIOSFODNN7EXAMPLE"}, "InvalidAccessKeyId", 403),
    "secret": ({"aws_secret_access_key": "x" * 40}, "SignatureDoesNotMatch", 403),
    "token": ({"aws_session_token": "IQoJb3JpZ2luX2VjEXAMPLE"}, "InvalidToken", 400),
    "no token": ({"aws_session_token": None}, "InvalidAccessKeyId", 403),
}


@allow_own_role
@pytest.mark.parametrize(("changes", "code", "status"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_part_of_the_credentials_is_refused_as_s3_does(
    job: Job, changes: dict[str, Any], code: str, status: int
) -> None:
    s3 = s3_of(job, **changes)

    assert refusal(lambda: s3.get_object(**place(job, "Source"))) == (code, status)
    assert refusal(lambda: s3.put_object(**place(job, "Site"), Body=b"")) == (code, status)
    assert refusal(lambda: s3.head_object(**place(job, "Source"))) == (str(status), status)
    assert not job.output_artifacts["Site"].exists


def test_credentials_of_a_factory_open_nothing(
    job: Job, cpjob: CodePipelineStub, cpjob_credentials_factory: Callable[[], Any]
) -> None:
    s3 = session_of(cpjob_credentials_factory()).client("s3")

    assert refusal(lambda: s3.get_object(**place(job, "Source"))) == ("InvalidAccessKeyId", 403)
    with pytest.raises(ContractError, match="unknown credentials"):
        cpjob.check()


def test_yesterdays_stub_gave_credentials_that_open_nothing_today() -> None:
    with CodePipelineStub(seed=1) as cpjob:
        s3 = s3_of(cpjob.add_lambda_job(input_artifacts=["Source"]))
    with CodePipelineStub(seed=2, allow=["own-role"]) as cpjob:
        job = cpjob.add_lambda_job(input_artifacts=["Source"])
        assert refusal(lambda: s3.get_object(**place(job, "Source")))[0] == "InvalidAccessKeyId"


# -- what they open --------------------------------------------------------------------------------


def test_inputs_are_read_and_outputs_written_and_read(job: Job) -> None:
    s3 = s3_of(job)
    source, site = place(job, "Source"), place(job, "Site")

    body = s3.get_object(**source)["Body"].read()
    s3.put_object(**site, Body=body)

    assert s3.get_object(**site)["Body"].read() == body == job.output_artifacts["Site"].content
    assert s3.head_object(**source)["ContentLength"] == len(body)


def test_an_input_cannot_be_overwritten(job: Job) -> None:
    before = job.input_artifacts["Source"].content

    refused = refusal(lambda: s3_of(job).put_object(**place(job, "Source"), Body=b"mine now"))

    assert refused == ("AccessDenied", 403)
    assert job.input_artifacts["Source"].content == before


@allow_own_role
def test_another_jobs_objects_are_denied_in_both_directions(
    cpjob: CodePipelineStub, job: Job
) -> None:
    other = cpjob.add_lambda_job(input_artifacts=["Theirs"], output_artifacts=["TheirSite"])
    s3 = s3_of(job)

    assert place(other, "Theirs")["Bucket"] == place(job, "Source")["Bucket"]
    assert refusal(lambda: s3.get_object(**place(other, "Theirs"))) == ("AccessDenied", 403)
    assert refusal(lambda: s3.put_object(**place(other, "TheirSite"), Body=b"")) == (
        "AccessDenied",
        403,
    )
    assert not other.output_artifacts["TheirSite"].exists


def test_a_missing_object_is_denied_since_the_job_may_not_list(job: Job) -> None:
    s3 = s3_of(job)

    for name in ("Gone", "Site"):
        assert refusal(lambda name=name: s3.get_object(**place(job, name))) == ("AccessDenied", 403)
        assert refusal(lambda name=name: s3.head_object(**place(job, name))) == ("403", 403)


def test_a_head_that_is_refused_has_the_bare_status_for_a_code(job: Job) -> None:
    source = place(job, "Source")

    with pytest.raises(ClientError) as caught:
        s3_of(job).head_object(Bucket=source["Bucket"], Key="elsewhere")

    assert str(caught.value) == (
        "An error occurred (403) when calling the HeadObject operation: Forbidden"
    )


def test_deleting_and_everything_about_the_bucket_is_denied(job: Job) -> None:
    s3, site = s3_of(job), place(job, "Site")
    bucket = site["Bucket"]
    s3.put_object(**site, Body=b"built")

    for call in (
        lambda: s3.delete_object(**site),
        lambda: s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": site["Key"]}]}),
        lambda: s3.list_objects_v2(Bucket=bucket),
        lambda: s3.list_object_versions(Bucket=bucket),
        lambda: s3.get_bucket_location(Bucket=bucket),
        lambda: s3.get_bucket_versioning(Bucket=bucket),
        lambda: s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
        lambda: s3.delete_bucket(Bucket=bucket),
    ):
        assert refusal(call) == ("AccessDenied", 403)
    assert refusal(lambda: s3.head_bucket(Bucket=bucket)) == ("403", 403)
    assert job.output_artifacts["Site"].content == b"built"


@allow_own_role
@pytest.mark.parametrize("as_text", [False, True])
def test_the_source_of_a_copy_is_judged_as_well(
    cpjob: CodePipelineStub, job: Job, *, as_text: bool
) -> None:
    other = cpjob.add_lambda_job(input_artifacts=["Theirs"])
    s3, site = s3_of(job), place(job, "Site")

    def source(job: Job, name: str) -> Any:
        found = place(job, name)
        return f"/{found['Bucket']}/{found['Key']}" if as_text else found

    assert refusal(lambda: s3.copy_object(**site, CopySource=source(other, "Theirs"))) == (
        "AccessDenied",
        403,
    )
    assert not job.output_artifacts["Site"].exists
    s3.copy_object(**site, CopySource=source(job, "Source"))
    assert job.output_artifacts["Site"].content == job.input_artifacts["Source"].content


def test_a_refused_part_of_a_multipart_upload_leaves_nothing(
    cpjob: CodePipelineStub, job: Job
) -> None:
    s3, site = s3_of(job), place(job, "Site")
    upload = s3.create_multipart_upload(**site)["UploadId"]
    cpjob.advance(900)

    part = refusal(
        lambda: s3.upload_part(**site, UploadId=upload, PartNumber=1, Body=b"x" * 5_242_880)
    )
    end = refusal(
        lambda: s3.complete_multipart_upload(
            **site, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "e"}]}
        )
    )

    assert (part, end) == (("ExpiredToken", 400), ("ExpiredToken", 400))
    assert not job.output_artifacts["Site"].exists


def test_other_buckets_and_other_services_are_left_to_moto(job: Job) -> None:
    """What the action role may do there besides is IAM's business, not an artifact's."""
    session = session_of(credentials_of(job))
    s3 = session.client("s3")

    s3.create_bucket(Bucket="the-users-own")
    s3.put_object(Bucket="the-users-own", Key="a/b", Body=b"1")
    kms = session.client("kms").create_key()["KeyMetadata"]

    assert s3.get_object(Bucket="the-users-own", Key="a/b")["Body"].read() == b"1"
    assert refusal(lambda: s3.get_object(Bucket="the-users-own", Key="c")) == ("NoSuchKey", 404)
    assert kms["Enabled"]


# -- where handlers keep the job's credentials -----------------------------------------------------


def test_the_jobs_credentials_in_the_environment_are_the_jobs(
    cpjob: CodePipelineStub, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = credentials_of(job)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials["accessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials["secretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", credentials["sessionToken"])

    s3 = boto3.Session(region_name="us-east-1").client("s3")

    assert s3.get_object(**place(job, "Source"))["Body"].read()
    cpjob.check()


def test_a_default_session_on_the_jobs_credentials_is_the_jobs(
    cpjob: CodePipelineStub, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session_of(credentials_of(job)))

    assert boto3.client("s3").get_object(**place(job, "Source"))["Body"].read()


def refreshable(job: Job, renewals: list[str]) -> dict[str, Any]:
    """What AWS's own Jenkins worker does, in Python: new credentials whenever old ones are due."""

    def renew() -> dict[str, str]:
        data = CODEPIPELINE.get_job_details(jobId=job.id)["jobDetails"]["data"]
        credentials = data["artifactCredentials"]
        renewals.append(credentials["accessKeyId"])
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
        return {
            "access_key": credentials["accessKeyId"],
            "secret_key": credentials["secretAccessKey"],
            "token": credentials["sessionToken"],
            "expiry_time": soon.isoformat(),
        }

    return {"refresh_using": renew, "method": "codepipeline-job"}


@pytest.mark.parametrize("deferred", [False, True])
def test_botocores_refreshable_credentials_around_getjobdetails_outlive_the_first_ones(
    cpjob: CodePipelineStub, job: Job, *, deferred: bool
) -> None:
    renewals: list[str] = []
    arguments = refreshable(job, renewals)
    session = botocore.session.Session()
    session._credentials = (
        DeferredRefreshableCredentials(**arguments)
        if deferred
        else RefreshableCredentials.create_from_metadata(arguments["refresh_using"](), **arguments)
    )
    s3 = boto3.Session(botocore_session=session, region_name="us-east-1").client("s3")

    assert s3.get_object(**place(job, "Source"))["Body"].read()
    cpjob.advance(900)
    s3.put_object(**place(job, "Site"), Body=b"late")

    assert job.output_artifacts["Site"].content == b"late"
    assert len(set(renewals)) == len(renewals) >= 2
    cpjob.check()


# -- on CodePipeline itself ------------------------------------------------------------------------

ON_CODEPIPELINE: dict[str, Callable[[Any, Job], object]] = {
    "GetJobDetails": lambda client, job: client.get_job_details(jobId=job.id),
    "PutJobSuccessResult": lambda client, job: client.put_job_success_result(jobId=job.id),
    "PutJobFailureResult": lambda client, job: client.put_job_failure_result(
        jobId=job.id, failureDetails={"type": "JobFailed", "message": "no"}
    ),
}


@pytest.mark.parametrize("operation", ON_CODEPIPELINE)
def test_the_jobs_credentials_on_codepipeline_are_not_authorized_in_aws_words(
    job: Job, operation: str
) -> None:
    client = session_of(credentials_of(job)).client("codepipeline")

    with pytest.raises(ClientError) as caught:
        ON_CODEPIPELINE[operation](client, job)

    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert error["Message"] == (
        "User: arn:aws:sts::123456789012:assumed-role/PipelineActionRole/1624294113598"
        f" is not authorized to perform: codepipeline:{operation}"
    )
    assert job.status == "InProgress"
    assert job.result is None


@pytest.mark.cpjob(region="cn-north-1", account_id="210987654321")
def test_the_user_who_is_not_authorized_is_of_the_jobs_account_and_partition(
    cpjob: CodePipelineStub, job: Job
) -> None:
    client = session_of(credentials_of(job), region_name="cn-north-1").client("codepipeline")

    with pytest.raises(ClientError, match=r"arn:aws-cn:sts::210987654321:assumed-role/"):
        client.get_job_details(jobId=job.id)


def test_even_expired_the_jobs_credentials_report_nothing(
    cpjob: CodePipelineStub, job: Job
) -> None:
    client = session_of(credentials_of(job)).client("codepipeline")
    cpjob.advance(901)

    code, _ = refusal(lambda: client.put_job_success_result(jobId=job.id))

    assert code == "ExpiredTokenException"
    assert job.result is None


@pytest.mark.parametrize("token", [None, "another"])
def test_without_their_own_session_token_they_are_not_recognized(job: Job, token: str) -> None:
    client = session_of(credentials_of(job), aws_session_token=token).client("codepipeline")

    code, _ = refusal(lambda: client.put_job_success_result(jobId=job.id))

    assert code == "UnrecognizedClientException"
    assert job.result is None


def test_of_several_jobs_the_refusal_names_the_one_that_the_credentials_are_of(
    cpjob: CodePipelineStub,
) -> None:
    cpjob.add_lambda_job()
    job = cpjob.add_lambda_job(account_id="210987654321", region="cn-north-1")
    client = session_of(credentials_of(job)).client("codepipeline")

    with pytest.raises(ClientError, match=r"arn:aws-cn:sts::210987654321:assumed-role/"):
        client.get_job_details(jobId=job.id)
