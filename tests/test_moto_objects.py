"""Objects in moto's backend: what every request then sees is as if a client had put them there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import botocore
import pytest

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.artifacts import moto_objects
from pytest_cpjob.artifacts.moto_objects import BackendObjects, ClientObjects

KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000001"
OF_THE_MOMENT = {"LastModified", "VersionId", "Date", "date", "last-modified", "x-amz-version-id"}
OF_THE_REQUEST = {"x-amz-content-sha256", "content-md5"}
"""Headers of a request to put an object that moto returns with the object, and S3 does not."""
SDK_SENDS_CHECKSUMS = tuple(map(int, botocore.__version__.split(".")[:2])) >= (1, 36)
OF_CHECKSUMS = set() if SDK_SENDS_CHECKSUMS else {"Checksum", "ChecksumAlgorithm", "ChecksumCRC32"}


def plain(answer: Any) -> Any:
    """Return an answer without what differs between two equal requests."""
    if isinstance(answer, dict):
        return {
            key: plain(value)
            for key, value in answer.items()
            if key not in OF_THE_MOMENT | OF_THE_REQUEST | OF_CHECKSUMS
            and not (OF_CHECKSUMS and "checksum" in key)
            and key not in ("RequestId", "HostId", "CreationDate", "x-amzn-requestid")
        }
    if isinstance(answer, list):
        return [plain(each) for each in answer]
    return answer.read() if hasattr(answer, "read") else answer


READS = {
    "get_object": {"Key": "web/a.zip"},
    "head_object": {"Key": "web/a.zip", "ChecksumMode": "ENABLED"},
    "get_object_acl": {"Key": "web/a.zip"},
    "get_object_tagging": {"Key": "web/a.zip"},
    "get_object_attributes": {
        "Key": "web/a.zip",
        "ObjectAttributes": ["ETag", "Checksum", "ObjectSize", "StorageClass"],
    },
    "list_objects_v2": {},
    "list_object_versions": {},
    "get_bucket_versioning": {},
    "get_bucket_location": {},
    "get_bucket_acl": {},
    "head_bucket": {},
}


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"])
@pytest.mark.parametrize("account_id", [None, "210987654321"])
@pytest.mark.parametrize("kms_key_id", [None, KEY_ARN], ids=["plain", "kms"])
def test_every_request_sees_what_a_client_would_have_put(
    cpjob: CodePipelineStub,
    monkeypatch: pytest.MonkeyPatch,
    region: str,
    account_id: str | None,
    kms_key_id: str | None,
) -> None:
    if account_id is not None:
        monkeypatch.setenv("MOTO_ACCOUNT_ID", account_id)
    cpjob._harness.store.start()
    s3 = cpjob.client("s3", region=region)
    seen = []
    for ours in (BackendObjects(), ClientObjects(lambda region: cpjob.client("s3", region=region))):
        assert ours.make_bucket("artifacts", region, may_exist=True)
        assert not ours.make_bucket("artifacts", region, may_exist=True)
        for content in (b"old", b"new"):
            ours.put("artifacts", "web/a.zip", content, kms_key_id)
        stored = ours.head("artifacts", "web/a.zip")
        assert stored is not None
        versions = s3.list_object_versions(Bucket="artifacts")["Versions"]
        assert {each["VersionId"]: each["Size"] for each in versions}[stored.version_id] == 3
        first = versions[-1]["VersionId"]
        seen.append(
            {
                name: plain(getattr(s3, name)(Bucket="artifacts", **arguments))
                for name, arguments in READS.items()
            }
            | {
                "buckets": [each["Name"] for each in s3.list_buckets()["Buckets"]],
                "ours": (stored.size, stored.kms_key_id),
                "content": [
                    ours.get("artifacts", "web/a.zip", version)
                    for version in (None, first, stored.version_id, "none-such")
                ],
                "missing": [
                    ours.head("artifacts", "b"),
                    ours.get("artifacts", "b"),
                    ours.head("artifacts", "web/a.zip/"),
                ],
            }
        )
        s3.delete_object(Bucket="artifacts", Key="web/a.zip")
        seen[-1]["deleted"] = (
            ours.head("artifacts", "web/a.zip"),
            ours.get("artifacts", "web/a.zip"),
        )
        for each in s3.list_object_versions(Bucket="artifacts").get("Versions", []):
            s3.delete_object(Bucket="artifacts", Key=each["Key"], VersionId=each["VersionId"])
        for each in s3.list_object_versions(Bucket="artifacts").get("DeleteMarkers", []):
            s3.delete_object(Bucket="artifacts", Key=each["Key"], VersionId=each["VersionId"])
        s3.delete_bucket(Bucket="artifacts")
        seen[-1]["no bucket"] = (ours.head("artifacts", "a"), ours.get("artifacts", "a"))

    assert seen[0] == seen[1]
    assert seen[0]["content"] == [b"new", b"old", b"new", None]
    assert seen[0]["ours"] == (3, kms_key_id)


def test_the_locks_and_the_encryption_of_a_tests_own_bucket_hold(cpjob: CodePipelineStub) -> None:
    cpjob._harness.store.start()
    s3 = cpjob.client("s3")
    seen = []
    for number, ours in enumerate((BackendObjects(), ClientObjects(lambda _: s3))):
        bucket = f"bucket-{number}"
        s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True, ACL="public-read")
        s3.put_object_lock_configuration(
            Bucket=bucket,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}},
            },
        )
        s3.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        )
        assert not ours.make_bucket(bucket, "us-east-1", may_exist=True)
        ours.put(bucket, "a", b"content", None)
        head = s3.head_object(Bucket=bucket, Key="a")
        seen.append(
            (
                head["ObjectLockMode"],
                head["ObjectLockRetainUntilDate"].date(),
                head["ServerSideEncryption"],
                s3.get_object_acl(Bucket=bucket, Key="a")["Grants"],
                ours.head(bucket, "a")._replace(version_id=None),
            )
        )

    assert seen[0] == seen[1]


@pytest.fixture
def another_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A moto whose backend has no such argument."""
    monkeypatch.setitem(moto_objects._EXPECTED, "get_object", {"version"})
    moto_objects.backend_is_as_expected.cache_clear()
    yield
    monkeypatch.undo()
    moto_objects.backend_is_as_expected.cache_clear()
    assert moto_objects.backend_is_as_expected()


def test_with_another_backend_a_client_is_used(another_moto: None, cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(
        input_artifacts={"Source": {"a": "b"}, "Gone": None},
        output_artifacts=["Site"],
        encryption_key=True,
    )
    assert isinstance(cpjob._harness.store._objects, ClientObjects)
    assert job.input_artifacts["Source"].files == {"a": b"b"}
    assert not job.input_artifacts["Gone"].exists
    job.output_artifacts["Site"].put({"c": json.dumps(1)})
    assert job.output_artifacts["Site"].text("c") == "1"
    assert job.output_artifacts["Site"].kms_key_id == job.input_artifacts["Source"].kms_key_id
    assert cpjob.calls == []
