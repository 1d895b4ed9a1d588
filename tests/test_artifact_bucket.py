"""The artifact bucket itself: where it is, what it keeps, who may list it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from artifact_clients import credentials_of, place, refusal, s3_of, session_of

from pytest_cpjob import CodePipelineStub, Job

OWN_S3 = boto3.client("s3", region_name="us-east-1")
OWN_RESOURCE = boto3.resource("s3", region_name="us-east-1")


@pytest.fixture
def job(cpjob: CodePipelineStub) -> Job:
    return cpjob.add_lambda_job(input_artifacts=["Source"], output_artifacts=["Site"])


def test_listing_is_denied_page_by_page(job: Job) -> None:
    s3, bucket = s3_of(job), place(job, "Source")["Bucket"]

    for name in ("list_objects", "list_objects_v2", "list_object_versions"):
        pages = s3.get_paginator(name).paginate(Bucket=bucket)
        assert refusal(lambda pages=pages: list(pages)) == ("AccessDenied", 403)
    assert (
        refusal(
            lambda: list(
                session_of(credentials_of(job)).resource("s3").Bucket(bucket).objects.all()
            )
        )[0]
        == "AccessDenied"
    )


@pytest.mark.cpjob(own_role=True)
def test_the_own_role_lists_where_it_may(cpjob: CodePipelineStub, job: Job) -> None:
    bucket = place(job, "Source")["Bucket"]
    OWN_S3.put_object(**place(job, "Site"), Body=b"")
    both = {place(job, "Source")["Key"], place(job, "Site")["Key"]}

    pages = OWN_S3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    )

    assert {found["Key"] for page in pages for found in page["Contents"]} == both
    assert {one.key for one in OWN_RESOURCE.Bucket(bucket).objects.all()} == both
    assert bucket in [one["Name"] for one in OWN_S3.list_buckets()["Buckets"]]


@pytest.mark.parametrize(
    ("region", "constraint"),
    [("us-east-1", None), ("eu-west-1", "eu-west-1"), ("cn-north-1", "cn-north-1")],
)
@pytest.mark.cpjob(own_role=True)
def test_the_bucket_is_in_the_jobs_region_and_keeps_versions(
    cpjob: CodePipelineStub, region: str, constraint: str | None
) -> None:
    job = cpjob.add_lambda_job(region=region, input_artifacts=["Source"], output_artifacts=["Site"])
    own = boto3.client("s3", region_name=region)
    site = place(job, "Site")

    found = own.get_bucket_location(Bucket=site["Bucket"])
    s3 = session_of(credentials_of(job), region_name=region).client("s3")
    versions = [s3.put_object(**site, Body=body)["VersionId"] for body in (b"1", b"2")]

    assert found["LocationConstraint"] == constraint
    assert own.get_bucket_versioning(Bucket=site["Bucket"])["Status"] == "Enabled"
    assert f"-{region}-" in site["Bucket"]
    assert len(set(versions)) == 2
    assert s3.get_object(**site, VersionId=versions[0])["Body"].read() == b"1"
    assert job.output_artifacts["Site"].content == b"2"


def test_a_refused_answer_can_be_read_as_any_other(job: Job) -> None:
    """Tracers and boto's own handlers read status, headers and body of what came back."""
    s3, seen = s3_of(job), []

    def look(http_response: Any, **_: object) -> None:
        seen.append((http_response.status_code, http_response.headers, http_response.content))

    s3.meta.events.register("after-call.s3", look)
    bucket = place(job, "Source")["Bucket"]

    assert refusal(lambda: s3.get_bucket_location(Bucket=bucket)) == ("AccessDenied", 403)
    assert refusal(lambda: s3.head_bucket(Bucket=bucket)) == ("403", 403)
    ((status, headers, body), (head_status, _, head_body)) = seen
    assert (status, head_status, head_body) == (403, 403, b"")
    assert headers["content-type"] == "application/xml"
    assert b"<Code>AccessDenied</Code>" in body


# -- presigned URLs --------------------------------------------------------------------------------


def test_a_presigned_url_is_the_jobs_and_not_the_own_roles(job: Job) -> None:
    credentials, source = credentials_of(job), place(job, "Source")

    url = s3_of(job).generate_presigned_url("get_object", Params=source)
    own = OWN_S3.generate_presigned_url("get_object", Params=source, ExpiresIn=60)

    assert credentials["accessKeyId"] in url
    assert source["Bucket"] in url
    assert credentials["accessKeyId"] not in own
    assert "AKIACPJOBOWNROLE0000" in own
