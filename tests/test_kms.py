"""The pipeline's KMS key: in the documents, in moto's KMS, and on what the handler uploads."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import boto3
import pytest
from artifact_clients import credentials_of, place, refusal, s3_of, session_of
from boto3.s3.transfer import TransferConfig

from pytest_cpjob import CodePipelineStub, ContractError, Job

CODEPIPELINE = boto3.client("codepipeline", region_name="us-east-1")
KMS = boto3.client("kms", region_name="us-east-1")

KEY_ID: Final = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN: Final = f"arn:aws:kms:us-east-1:111122223333:key/{KEY_ID}"
ALIAS_ARN: Final = "arn:aws:kms:us-east-1:123456789012:alias/pipeline"
NAMES: Final = {"an id": KEY_ID, "an ARN": KEY_ARN, "an alias": ALIAS_ARN}
IN_PARTS: Final = TransferConfig(multipart_threshold=5 * 1024**2, multipart_chunksize=5 * 1024**2)


def add(cpjob: CodePipelineStub, encryption_key: Any, **arguments: Any) -> Job:
    return cpjob.add_lambda_job(
        input_artifacts=["Source"],
        output_artifacts=["Site"],
        encryption_key=encryption_key,
        **arguments,
    )


def with_key(key: str | None, kind: str = "aws:kms") -> dict[str, str]:
    """What a handler adds to its upload."""
    return {"ServerSideEncryption": kind} | ({"SSEKMSKeyId": key} if key else {})


# -- in the documents ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", NAMES.values(), ids=NAMES.keys())
def test_a_key_is_named_in_every_document_as_the_test_named_it(
    cpjob: CodePipelineStub, key: str
) -> None:
    job = add(cpjob, key, allow=["no-result"])
    details = CODEPIPELINE.get_job_details(jobId=job.id)["jobDetails"]

    expected = {"id": key, "type": "KMS"}
    assert job.encryption_key == key
    assert details["data"]["encryptionKey"] == expected
    assert job.event["CodePipeline.job"]["data"]["encryptionKey"] == expected


@pytest.mark.parametrize("key", [None, True, *NAMES.values()], ids=["none", "true", *NAMES])
def test_inputs_were_written_with_the_pipelines_key(cpjob: CodePipelineStub, key: Any) -> None:
    job = add(cpjob, key)
    source = job.input_artifacts["Source"]

    assert source.kms_key_id == job.encryption_key
    found = s3_of(job).head_object(**place(job, "Source"))
    assert found.get("SSEKMSKeyId") == job.encryption_key


# -- in KMS ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "account_id", "partition"),
    [
        ("us-east-1", "123456789012", "aws"),
        ("eu-west-1", "210987654321", "aws"),
        ("cn-north-1", "123456789012", "aws-cn"),
    ],
)
def test_true_makes_a_real_key_under_the_arn_of_the_documents(
    cpjob: CodePipelineStub, region: str, account_id: str, partition: str
) -> None:
    job = add(cpjob, True, region=region, account_id=account_id)
    kms = boto3.client("kms", region_name=region)
    key = job.encryption_key or ""
    key_id = key.rpartition("/")[2]

    assert key == f"arn:{partition}:kms:{region}:{account_id}:key/{key_id}"
    for name in (key, key_id):
        found = kms.describe_key(KeyId=name)["KeyMetadata"]
        assert (found["Arn"], found["KeyId"], found["AWSAccountId"]) == (key, key_id, account_id)
        assert found["Enabled"]
    assert kms.list_keys()["Keys"] == [{"KeyId": key_id, "KeyArn": key}]


def test_a_region_that_moto_does_not_know_has_a_key_in_its_documents(
    cpjob: CodePipelineStub,
) -> None:
    job = add(cpjob, True, region="us-east-9")

    assert str(job.encryption_key).startswith("arn:aws:kms:us-east-9:123456789012:key/")
    assert job.input_artifacts["Source"].kms_key_id == job.encryption_key


def test_the_real_key_works_by_every_name_and_with_the_jobs_credentials(
    cpjob: CodePipelineStub,
) -> None:
    job = add(cpjob, True)
    key = str(job.encryption_key)
    kms = session_of(credentials_of(job)).client("kms")
    KMS.create_alias(AliasName="alias/pipeline", TargetKeyId=key)

    for name in (key, key.rpartition("/")[2], "alias/pipeline"):
        sealed = kms.encrypt(KeyId=name, Plaintext=b"secret")
        opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])
        assert (sealed["KeyId"], opened["KeyId"], opened["Plaintext"]) == (key, key, b"secret")
    assert kms.generate_data_key(KeyId=key, KeySpec="AES_256")["KeyId"] == key
    assert KMS.get_key_policy(KeyId=key, PolicyName="default")["Policy"]


def test_jobs_have_keys_of_their_own_and_a_continued_job_keeps_its(cpjob: CodePipelineStub) -> None:
    first, second = add(cpjob, True), add(cpjob, True)
    CODEPIPELINE.put_job_success_result(jobId=first.id, continuationToken="more")

    assert first.continuation is not None
    assert first.continuation.encryption_key == first.encryption_key != second.encryption_key
    assert {key["KeyArn"] for key in KMS.list_keys()["Keys"]} == {
        first.encryption_key,
        second.encryption_key,
    }


@pytest.mark.parametrize("key", NAMES.values(), ids=NAMES.keys())
def test_a_key_that_the_test_names_is_made_by_nobody(cpjob: CodePipelineStub, key: str) -> None:
    """It may be another account's, and is the test's own to make."""
    add(cpjob, key)

    assert KMS.list_keys()["Keys"] == []
    assert refusal(lambda: KMS.describe_key(KeyId=key))[0] == "NotFoundException"


def test_a_key_of_the_tests_own_keeps_its_arn(cpjob: CodePipelineStub) -> None:
    add(cpjob, True)
    own = KMS.create_key(Description="the test's own")["KeyMetadata"]

    job = add(cpjob, own["Arn"])

    assert job.encryption_key == own["Arn"]
    assert KMS.describe_key(KeyId=own["KeyId"])["KeyMetadata"]["Arn"] == own["Arn"]
    assert len(KMS.list_keys()["Keys"]) == 2


# -- on what the handler uploads -------------------------------------------------------------------


def put(job: Job, **extra: str) -> None:
    s3_of(job).put_object(**place(job, "Site"), Body=b"built", **extra)


def upload(job: Job, **extra: str) -> None:
    s3_of(job).upload_fileobj(io.BytesIO(b"built"), **place(job, "Site"), ExtraArgs=extra)


def upload_in_parts(job: Job, **extra: str) -> None:
    body = io.BytesIO(bytes(6 * 1024**2))
    s3_of(job).upload_fileobj(body, **place(job, "Site"), ExtraArgs=extra, Config=IN_PARTS)


def upload_in_parts_by_hand(job: Job, **extra: str) -> None:
    s3, at = s3_of(job), place(job, "Site")
    number = s3.create_multipart_upload(**at, **extra)["UploadId"]
    part = s3.upload_part(**at, UploadId=number, PartNumber=1, Body=b"built")
    s3.complete_multipart_upload(
        **at,
        UploadId=number,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )


def copy(job: Job, **extra: str) -> None:
    """A copy does not take its source's key along."""
    s3_of(job).copy_object(**place(job, "Site"), CopySource=place(job, "Source"), **extra)


WRITES: Final = {
    "put_object": put,
    "upload_fileobj": upload,
    "upload_fileobj in parts": upload_in_parts,
    "a multipart upload by hand": upload_in_parts_by_hand,
    "copy_object": copy,
}


@pytest.mark.parametrize("key", [True, *NAMES.values()], ids=["true", *NAMES])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_the_key_of_an_upload_is_read_back_and_is_no_finding(
    cpjob: CodePipelineStub, write: Callable[..., None], key: Any
) -> None:
    job = add(cpjob, key)

    write(job, **with_key(job.encryption_key))
    CODEPIPELINE.put_job_success_result(jobId=job.id)

    assert job.output_artifacts["Site"].kms_key_id == job.encryption_key
    cpjob.check()


def test_the_key_is_that_of_the_latest_upload(cpjob: CodePipelineStub) -> None:
    job = add(cpjob, True)
    artifact = job.output_artifacts["Site"]

    assert artifact.kms_key_id is None
    put(job, **with_key(KEY_ARN))
    assert artifact.kms_key_id == KEY_ARN
    put(job)
    assert artifact.kms_key_id is None


@pytest.mark.parametrize(
    ("pipelines", "uploaded"),
    [
        (KEY_ARN, KEY_ID),
        (KEY_ID, KEY_ARN),
        (ALIAS_ARN, "alias/pipeline"),
    ],
)
def test_two_names_of_one_key_are_no_finding(
    cpjob: CodePipelineStub, pipelines: str, uploaded: str
) -> None:
    job = add(cpjob, pipelines)

    put(job, **with_key(uploaded))
    CODEPIPELINE.put_job_success_result(jobId=job.id)

    cpjob.check()


OTHER_ARN: Final = KEY_ARN.replace("111122223333", "444455556666")
WRONG: Final[dict[str, tuple[dict[str, str], str]]] = {
    "no encryption": ({}, "without a KMS key"),
    "S3's own": (with_key(None, "AES256"), "without a KMS key"),
    "a key, and S3's own": (with_key(KEY_ARN, "AES256"), "without a KMS key"),
    "KMS without a key": (with_key(None), "without a KMS key"),
    "another key": (with_key(OTHER_ARN), f"with {OTHER_ARN}"),
    "a key that ends alike": (with_key("alias/1234567890ab"), "with alias/1234567890ab"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize(("extra", "how"), WRONG.values(), ids=WRONG.keys())
def test_an_upload_without_the_pipelines_key_is_a_finding(
    cpjob: CodePipelineStub, write: Callable[..., None], extra: dict[str, str], how: str
) -> None:
    job = add(cpjob, KEY_ARN)

    write(job, **extra)
    CODEPIPELINE.put_job_success_result(jobId=job.id)

    with pytest.raises(ContractError) as found:
        cpjob.check()
    assert found.value.names == ("output-encryption",)
    assert f"was uploaded {how}, not with the pipeline's key {KEY_ARN}." in str(found.value)
    assert f"output artifact 'Site' of job {job.id}" in str(found.value)
    assert '@pytest.mark.cpjob(allow=["output-encryption"])' in str(found.value)


def test_without_a_pipelines_key_any_upload_will_do(cpjob: CodePipelineStub) -> None:
    for extra in ({}, with_key(None), with_key(KEY_ARN)):
        job = add(cpjob, None)
        put(job, **extra)
        CODEPIPELINE.put_job_success_result(jobId=job.id)
    cpjob.check()


@pytest.mark.cpjob(allow=["output-encryption"])
def test_the_finding_is_allowed(cpjob: CodePipelineStub) -> None:
    job = add(cpjob, True)
    put(job)
    CODEPIPELINE.put_job_success_result(jobId=job.id)
    cpjob.check()


def test_what_somebody_else_uploads_has_the_pipelines_key(cpjob: CodePipelineStub) -> None:
    job = add(cpjob, True)

    job.output_artifacts["Site"].put({"index.html": "<h1>Hi</h1>"})
    CODEPIPELINE.put_job_success_result(jobId=job.id)

    assert job.output_artifacts["Site"].kms_key_id == job.encryption_key
    cpjob.check()
