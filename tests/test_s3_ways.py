"""Every way in which handlers read and write artifacts with the job's credentials."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.session
import pytest
import requests
from artifact_clients import credentials_of, place, s3_of, session_of
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, Job

CODEPIPELINE = boto3.client("codepipeline", region_name="us-east-1")
OWN_S3 = boto3.client("s3", region_name="us-east-1")
OWN_RESOURCE = boto3.resource("s3", region_name="us-east-1")

MEGABYTE: Final = 1024 * 1024
IN_PARTS: Final = TransferConfig(
    multipart_threshold=5 * MEGABYTE, multipart_chunksize=5 * MEGABYTE, max_concurrency=4
)
SOURCE: Final = {"index.md": "# Hi"}


@pytest.fixture
def job(cpjob: CodePipelineStub) -> Job:
    return cpjob.add_lambda_job(input_artifacts={"Source": SOURCE}, output_artifacts=["Site"])


def resource_of(job: Job) -> Any:
    return session_of(credentials_of(job)).resource("s3")


def large() -> bytes:
    """Twelve megabytes: three parts, of which no two are alike."""
    return b"".join(bytes([number]) * MEGABYTE for number in range(12))


def downloaded(download: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    download(stream)
    return stream.getvalue()


def filed(download: Callable[[str], object], folder: Path) -> bytes:
    target = folder / "artifact.zip"
    download(str(target))
    return target.read_bytes()


def keys(location: dict[str, str]) -> tuple[str, str]:
    return location["Bucket"], location["Key"]


# -- reading ---------------------------------------------------------------------------------------

READS: dict[str, Callable[[Job, dict[str, str], Path], bytes]] = {
    "get_object": lambda job, at, _: s3_of(job).get_object(**at)["Body"].read(),
    "get_object in chunks": lambda job, at, _: b"".join(
        s3_of(job).get_object(**at)["Body"].iter_chunks(7)
    ),
    "download_file": lambda job, at, folder: filed(
        lambda name: s3_of(job).download_file(**at, Filename=name), folder
    ),
    "download_fileobj": lambda job, at, _: downloaded(
        lambda stream: s3_of(job).download_fileobj(**at, Fileobj=stream)
    ),
    "Object.get": lambda job, at, _: resource_of(job).Object(*keys(at)).get()["Body"].read(),
    "Object.download_file": lambda job, at, folder: filed(
        resource_of(job).Object(*keys(at)).download_file, folder
    ),
    "Bucket.download_fileobj": lambda job, at, _: downloaded(
        lambda stream: resource_of(job).Bucket(at["Bucket"]).download_fileobj(at["Key"], stream)
    ),
    "Bucket.Object": lambda job, at, _: (
        resource_of(job).Bucket(at["Bucket"]).Object(at["Key"]).get()["Body"].read()
    ),
    "resource.meta.client": lambda job, at, _: (
        resource_of(job).meta.client.get_object(**at)["Body"].read()
    ),
    "a signature and addressing of its own": lambda job, at, _: (
        session_of(credentials_of(job))
        .client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
        .get_object(**at)["Body"]
        .read()
    ),
    "the regional endpoint": lambda job, at, _: (
        session_of(credentials_of(job))
        .client("s3", endpoint_url="https://s3.us-east-1.amazonaws.com")
        .get_object(**at)["Body"]
        .read()
    ),
    "boto3.client": lambda job, at, _: (
        boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id=credentials_of(job)["accessKeyId"],
            aws_secret_access_key=credentials_of(job)["secretAccessKey"],
            aws_session_token=credentials_of(job)["sessionToken"],
        )
        .get_object(**at)["Body"]
        .read()
    ),
    "botocore": lambda job, at, _: (
        botocore.session.get_session()
        .create_client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id=credentials_of(job)["accessKeyId"],
            aws_secret_access_key=credentials_of(job)["secretAccessKey"],
            aws_session_token=credentials_of(job)["sessionToken"],
        )
        .get_object(**at)["Body"]
        .read()
    ),
    "a presigned URL": lambda job, at, _: (
        requests.get(s3_of(job).generate_presigned_url("get_object", Params=at), timeout=5).content
    ),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_the_input_is_read(
    cpjob: CodePipelineStub,
    job: Job,
    tmp_path: Path,
    read: Callable[[Job, dict[str, str], Path], bytes],
) -> None:
    content = read(job, place(job, "Source"), tmp_path)

    assert content == job.input_artifacts["Source"].content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("index.md") == b"# Hi"
    cpjob.check()


def test_a_large_input_is_downloaded_in_ranges_from_threads(cpjob: CodePipelineStub) -> None:
    content = large()
    job = cpjob.add_lambda_job(input_artifacts={"Source": content})

    read = downloaded(
        lambda stream: s3_of(job).download_fileobj(
            **place(job, "Source"), Fileobj=stream, Config=IN_PARTS
        )
    )

    assert read == content
    ranges = [call.request.get("Range") for call in job.calls if call.operation == "GetObject"]
    assert sorted(filter(None, ranges)) == [
        "bytes=0-5242879",
        "bytes=10485760-",
        "bytes=5242880-10485759",
    ]


def test_a_head_and_a_waiter_tell_of_the_input(job: Job) -> None:
    s3, source = s3_of(job), place(job, "Source")

    found = s3.head_object(**source)
    s3.get_waiter("object_exists").wait(**source)

    assert found["ContentLength"] == len(job.input_artifacts["Source"].content)
    assert resource_of(job).Object(*keys(source)).content_length == found["ContentLength"]
    with pytest.raises(WaiterError, match="403"):
        s3.get_waiter("object_exists").wait(**place(job, "Site"))


def test_a_download_of_what_is_not_there_is_denied_by_its_head(job: Job, tmp_path: Path) -> None:
    with pytest.raises(ClientError) as caught:
        s3_of(job).download_file(**place(job, "Site"), Filename=str(tmp_path / "site.zip"))

    assert caught.value.operation_name == "HeadObject"
    assert caught.value.response["Error"] == {"Code": "403", "Message": "Forbidden"}
    assert list(tmp_path.iterdir()) == []


# -- writing ---------------------------------------------------------------------------------------


def multipart(job: Job, at: dict[str, str], content: bytes) -> None:
    s3 = s3_of(job)
    upload = s3.create_multipart_upload(**at)["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(content), 6 * MEGABYTE), 1):
        body = content[start : start + 6 * MEGABYTE]
        part = s3.upload_part(**at, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    assert len(s3.list_parts(**at, UploadId=upload)["Parts"]) == len(parts)
    s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})


def uploaded_file(job: Job, at: dict[str, str], content: bytes, folder: Path) -> None:
    (folder / "site.zip").write_bytes(content)
    s3_of(job).upload_file(**at, Filename=str(folder / "site.zip"), Config=IN_PARTS)


def put_from_file(job: Job, at: dict[str, str], content: bytes, folder: Path) -> None:
    (folder / "site.zip").write_bytes(content)
    with (folder / "site.zip").open("rb") as body:
        s3_of(job).put_object(**at, Body=body)


def posted(job: Job, at: dict[str, str], content: bytes) -> None:
    post = s3_of(job).generate_presigned_post(**at)
    requests.post(post["url"], data=post["fields"], files={"file": content}, timeout=5)


WRITES: dict[str, Callable[[Job, dict[str, str], bytes, Path], object]] = {
    "put_object": lambda job, at, content, _: s3_of(job).put_object(**at, Body=content),
    "put_object of a file": put_from_file,
    "upload_file": uploaded_file,
    "upload_fileobj": lambda job, at, content, _: s3_of(job).upload_fileobj(
        io.BytesIO(content), **at, Config=IN_PARTS
    ),
    "a multipart upload by hand": lambda job, at, content, _: multipart(job, at, content),
    "Object.put": lambda job, at, content, _: resource_of(job).Object(*keys(at)).put(Body=content),
    "Object.upload_fileobj": lambda job, at, content, _: (
        resource_of(job).Object(*keys(at)).upload_fileobj(io.BytesIO(content), Config=IN_PARTS)
    ),
    "Bucket.put_object": lambda job, at, content, _: (
        resource_of(job).Bucket(at["Bucket"]).put_object(Key=at["Key"], Body=content)
    ),
    "Bucket.upload_fileobj": lambda job, at, content, _: (
        resource_of(job).Bucket(at["Bucket"]).upload_fileobj(io.BytesIO(content), at["Key"])
    ),
    "resource.meta.client": lambda job, at, content, _: resource_of(job).meta.client.put_object(
        **at, Body=content
    ),
    "a presigned URL": lambda job, at, content, _: requests.put(
        s3_of(job).generate_presigned_url("put_object", Params=at), data=content, timeout=5
    ),
    "a presigned post": lambda job, at, content, _: posted(job, at, content),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_the_output_is_written(
    cpjob: CodePipelineStub,
    job: Job,
    tmp_path: Path,
    write: Callable[[Job, dict[str, str], bytes, Path], object],
) -> None:
    content = large()

    write(job, place(job, "Site"), content, tmp_path)

    assert job.output_artifacts["Site"].content == content
    cpjob.check()


@pytest.mark.parametrize("managed", [False, True])
def test_an_input_is_copied_to_an_output(job: Job, *, managed: bool) -> None:
    s3, source, site = s3_of(job), place(job, "Source"), place(job, "Site")

    if managed:
        s3.copy(source, *keys(site))
    else:
        s3.copy_object(**site, CopySource=source)

    assert job.output_artifacts["Site"].content == job.input_artifacts["Source"].content


def test_a_large_input_is_copied_in_parts(cpjob: CodePipelineStub) -> None:
    content = large()
    job = cpjob.add_lambda_job(input_artifacts={"Source": content}, output_artifacts=["Site"])

    s3_of(job).copy(place(job, "Source"), *keys(place(job, "Site")), Config=IN_PARTS)

    assert job.output_artifacts["Site"].content == content
    assert [call.operation for call in job.calls].count("UploadPartCopy") == 3


def test_an_upload_in_parts_from_threads_is_in_the_record_part_by_part(job: Job) -> None:
    s3_of(job).upload_fileobj(io.BytesIO(large()), **place(job, "Site"), Config=IN_PARTS)

    operations = [call.operation for call in job.calls]

    assert operations[0] == "CreateMultipartUpload"
    assert operations[-1] == "CompleteMultipartUpload"
    assert operations[1:-1] == ["UploadPart"] * 3
    assert {call.error for call in job.calls} == {None}


def test_an_upload_that_was_given_up_leaves_no_object(job: Job) -> None:
    s3, site = s3_of(job), place(job, "Site")

    upload = s3.create_multipart_upload(**site)["UploadId"]
    s3.upload_part(**site, UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**site, UploadId=upload)

    assert not job.output_artifacts["Site"].exists


def test_threads_write_five_outputs_at_once_with_one_client(cpjob: CodePipelineStub) -> None:
    names = [f"Output{number}" for number in range(5)]
    job = cpjob.add_lambda_job(output_artifacts=names)
    s3 = s3_of(job)

    def write(name: str) -> None:
        body = io.BytesIO(name.encode() * MEGABYTE)
        s3.upload_fileobj(body, **place(job, name), Config=IN_PARTS)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(write, names))

    assert [job.output_artifacts[name].text()[:7] for name in names] == names
    assert {len(job.output_artifacts[name].content) for name in names} == {7 * MEGABYTE}


# -- clients of all ages, in a handler -------------------------------------------------------------


def build(event: dict[str, Any], _: object) -> None:
    """What handlers do: read the zip, write a zip, report."""
    job = event["CodePipeline.job"]
    data = job["data"]
    at = {
        artifact["name"]: {
            "Bucket": artifact["location"]["s3Location"]["bucketName"],
            "Key": artifact["location"]["s3Location"]["objectKey"],
        }
        for artifact in (*data["inputArtifacts"], *data["outputArtifacts"])
    }
    s3 = session_of(data["artifactCredentials"]).client("s3")
    with zipfile.ZipFile(io.BytesIO(s3.get_object(**at["Source"])["Body"].read())) as source:
        text = source.read("index.md").decode()
    site = io.BytesIO()
    with zipfile.ZipFile(site, "w") as archive:
        archive.writestr("index.html", f"<h1>{text.removeprefix('# ')}</h1>")
    site.seek(0)
    s3.upload_fileobj(site, **at["Site"])
    CODEPIPELINE.put_job_success_result(jobId=job["id"], outputVariables={"pages": "1"})


def build_beside_a_bucket_of_its_own(event: dict[str, Any], context: object) -> None:
    build(event, context)
    OWN_S3.put_object(Bucket="the-users-own", Key="log.json", Body=json.dumps({"built": True}))


def assert_built(job: Job) -> None:
    assert job.status == "Succeeded"
    assert job.output_artifacts["Site"].files == {"index.html": b"<h1>Hi</h1>"}


def test_a_handler_builds_with_a_client_at_import_and_a_fresh_session(job: Job) -> None:
    assert_built(job.invoke(build))


@pytest.fixture
def outside() -> Iterator[None]:
    with mock_aws():
        yield


def test_a_handler_builds_inside_the_users_own_mock(outside: None, cpjob: CodePipelineStub) -> None:
    OWN_S3.create_bucket(Bucket="the-users-own")
    job = cpjob.add_lambda_job(input_artifacts={"Source": SOURCE}, output_artifacts=["Site"])

    assert_built(job.invoke(build_beside_a_bucket_of_its_own))

    assert OWN_S3.get_object(Bucket="the-users-own", Key="log.json")["Body"].read()


def test_a_handler_builds_around_the_users_own_mock(job: Job) -> None:
    with mock_aws():
        OWN_S3.create_bucket(Bucket="the-users-own")
        assert_built(job.invoke(build_beside_a_bucket_of_its_own))
    assert_built(job)


# -- an endpoint of the client's own ---------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/", "/base", "/base/"])
@pytest.mark.parametrize("host", ["s3.emulator.invalid:4566", "artifacts.localhost"])
@pytest.mark.parametrize("style", ["path", "virtual", "auto"])
def test_a_client_that_was_told_another_endpoint_finds_the_artifacts(
    cpjob: CodePipelineStub, style: str, host: str, path: str
) -> None:
    job = cpjob.add_lambda_job(
        input_artifacts={"Source": SOURCE}, output_artifacts=["Site"], artifact_bucket="artifacts"
    )
    s3 = session_of(credentials_of(job)).client(
        "s3",
        endpoint_url=f"http://{host}{path}",
        config=Config(s3={"addressing_style": style}),
    )

    body = s3.get_object(**place(job, "Source"))["Body"].read()
    s3.upload_fileobj(io.BytesIO(large()), *place(job, "Site").values(), Config=IN_PARTS)

    assert body == job.input_artifacts["Source"].content
    assert job.output_artifacts["Site"].content == large()
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket="artifacts", Key="another")
