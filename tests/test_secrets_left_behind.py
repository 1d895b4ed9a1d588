"""Secrets in what outlives the code that has them: objects of other buckets, files it leaves."""

from __future__ import annotations

import base64
import io
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from artifact_clients import place, s3_of
from botocore.exceptions import ClientError
from moto import mock_aws
from user_projects import run

from pytest_cpjob import CodePipelineStub, ContractError, Endpoint, Job
from pytest_cpjob.contract import left_files

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}

Leak = Callable[[str], object]


def token_of(event: Any) -> str:
    token: str = event["CodePipeline.job"]["data"]["artifactCredentials"]["sessionToken"]
    return token


def invoked(cpjob: CodePipelineStub, leak: Leak, **arguments: Any) -> Job:
    """A job whose handler does something with its session token, and reports success."""

    def handler(event: Any, context: Any) -> None:
        leak(token_of(event))
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

    return cpjob.add_lambda_job(**arguments).invoke(handler)


def report(cpjob: CodePipelineStub) -> str:
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert set(caught.value.names) == {"leaked-secret"}
    return str(caught.value)


def told(job: Job, where: str) -> str:
    return f"sessionToken of job {job.id} (Invoke:AWS:Lambda:1) is in {where}.\n"


# -- objects of other buckets ----------------------------------------------------------------------


@pytest.fixture
def s3() -> Iterator[Any]:
    """S3 with a bucket of the function's own."""
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="mine")
        yield client


def zipped(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("key.txt", text)
    return content.getvalue()


BODIES: dict[str, tuple[Callable[[str], Any], str]] = {
    "bytes": (lambda token: f"it is {token}.".encode(), "the object s3://mine/a/b"),
    "text": (lambda token: token, "the object s3://mine/a/b"),
    "a stream": (lambda token: io.BytesIO(token.encode()), "the object s3://mine/a/b"),
    "base64": (
        lambda token: base64.b64encode(f"it is {token}".encode()),
        "the object s3://mine/a/b (base64)",
    ),
    "a zip": (zipped, "'key.txt' of the object s3://mine/a/b"),
}


@pytest.mark.parametrize(("body", "where"), BODIES.values(), ids=BODIES.keys())
def test_what_is_put_into_another_bucket_is_looked_through(
    cpjob: CodePipelineStub, s3: Any, body: Callable[[str], Any], where: str
) -> None:
    job = invoked(cpjob, lambda token: s3.put_object(Bucket="mine", Key="a/b", Body=body(token)))

    text = report(cpjob)
    assert text.startswith("leaked-secret (tests/test_secrets_left_behind.py:")
    assert told(job, where) in text
    assert str(job.details["jobDetails"]["data"]["artifactCredentials"]["sessionToken"]) not in text


def test_a_transfer_is_looked_through_and_stays_as_it_is(
    cpjob: CodePipelineStub, s3: Any, tmp_path: Path
) -> None:
    data = b""

    def leak(token: str) -> None:
        nonlocal data
        data = b"\xff" * 3000 + token.encode()
        (tmp_path / "state").write_bytes(data)
        s3.upload_fileobj(io.BytesIO(data), "mine", "stream")
        s3.upload_file(str(tmp_path / "state"), "mine", "file")

    job = invoked(cpjob, leak)

    assert told(job, "the object s3://mine/stream") in (text := report(cpjob))
    assert told(job, "the object s3://mine/file") in text
    for key in ("stream", "file"):
        assert s3.get_object(Bucket="mine", Key=key)["Body"].read() == data


def test_a_secret_between_two_parts_of_an_upload_is_found(cpjob: CodePipelineStub, s3: Any) -> None:
    def leak(token: str) -> None:
        target = {"Bucket": "mine", "Key": "large"}
        upload = {**target, "UploadId": s3.create_multipart_upload(**target)["UploadId"]}
        cut = len(token) // 2
        bodies = (b"x" * 5 * 1024 * 1024 + token[:cut].encode(), token[cut:].encode())
        parts = [
            {
                "PartNumber": number,
                "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"],
            }
            for number, body in enumerate(bodies, 1)
        ]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    job = invoked(cpjob, leak)
    assert told(job, "the object s3://mine/large") in report(cpjob)


def test_an_object_that_is_gone_again_was_a_leak(cpjob: CodePipelineStub, s3: Any) -> None:
    def leak(token: str) -> None:
        s3.put_object(Bucket="mine", Key="a", Body=token.encode())
        s3.delete_object(Bucket="mine", Key="a")

    job = invoked(cpjob, leak)
    assert told(job, "the object s3://mine/a") in report(cpjob)


def test_a_key_that_is_a_secret_itself_is_masked(cpjob: CodePipelineStub, s3: Any) -> None:
    token = ""

    def leak(given: str) -> None:
        nonlocal token
        token = given
        s3.put_object(Bucket="mine", Key=given, Body=given.encode())

    invoked(cpjob, leak)
    assert "the object s3://mine/<masked>" in (text := report(cpjob))
    assert token[:20] not in text


@pytest.mark.cpjob(own_role=True)
def test_another_object_of_the_artifact_bucket_is_looked_through(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"])
    output = place(job, "Site")

    def handler(event: Any, context: Any) -> None:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.put_object(Bucket=output["Bucket"], Key="state", Body=token_of(event).encode())
        s3.put_object(**output, Body=b"site")
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

    job.invoke(handler)
    assert told(job, f"the object s3://{output['Bucket']}/state") in report(cpjob)


def test_an_output_artifact_is_told_as_such_once(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"])

    def handler(event: Any, context: Any) -> None:
        s3_of(job).put_object(**place(job, "Site"), Body=zipped(token_of(event)))
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

    job.invoke(handler)
    assert told(job, "'key.txt' of output artifact 'Site'") in (text := report(cpjob))
    assert "s3://" not in text


def test_a_program_that_uploads_by_the_endpoint_is_looked_through(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    def leak(token: str) -> None:
        s3 = boto3.client("s3", region_name="us-east-1", endpoint_url=cpjob_endpoint.url)
        s3.create_bucket(Bucket="mine")
        s3.put_object(Bucket="mine", Key="a", Body=token.encode())

    job = invoked(cpjob, leak)
    assert report(cpjob).count("the object s3://mine/a") == 1
    assert job.status == "Succeeded"


def test_what_was_never_stored_is_no_leak(cpjob: CodePipelineStub, s3: Any) -> None:
    cpjob.fail("PutObject", "SlowDown", service="s3")

    def leak(token: str) -> None:
        with pytest.raises(ClientError, match="SlowDown"):
            s3.put_object(Bucket="mine", Key="a", Body=token.encode())

    invoked(cpjob, leak)
    cpjob.check()


def test_objects_without_a_secret_and_the_tests_own_are_no_leak(
    cpjob: CodePipelineStub, s3: Any
) -> None:
    def leak(token: str) -> None:
        s3.put_object(Bucket="mine", Key="hash", Body=str(hash(token)).encode())
        s3.put_object(Bucket="mine", Key="beginning", Body=token[:20].encode())
        s3.put_object(Bucket="mine", Key="empty")
        cpjob.client("s3").put_object(Bucket="mine", Key="expected", Body=token.encode())

    job = invoked(cpjob, leak)
    credentials = job.details["jobDetails"]["data"]["artifactCredentials"]
    s3.put_object(Bucket="mine", Key="id", Body=credentials["accessKeyId"].encode())
    cpjob.check()


# -- files -----------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder, with a file and a folder in it that were there before."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "old.json").write_text("something", "utf-8")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "kept.json").write_text("something else", "utf-8")
    return tmp_path


def in_a_new_folder(folder: Path, token: str) -> None:
    made = Path(tempfile.mkdtemp(prefix="new", dir=folder))
    (made / "a" / "b").mkdir(parents=True)
    made.rename(folder / "new")
    (folder / "new" / "a" / "b" / "event.json").write_text(token, "utf-8")


def appended(folder: Path, token: str) -> None:
    with (folder / "old.json").open("a", encoding="utf-8") as file:
        file.write(token)


LEFT: dict[str, tuple[Callable[[Path, str], object], str]] = {
    "a new file": (lambda folder, token: (folder / "event.json").write_text(token), "event.json"),
    "in a new folder": (in_a_new_folder, "new/a/b/event.json"),
    "in an old folder": (lambda folder, token: (folder / "cache/a").write_text(token), "cache/a"),
    "over an old file": (lambda folder, token: (folder / "old.json").write_text(token), "old.json"),
    "after what was in an old file": (appended, "old.json"),
    "over an old file of an old folder": (
        lambda folder, token: (folder / "cache/kept.json").write_text(token),
        "cache/kept.json",
    ),
}


@pytest.mark.parametrize(("leave", "path"), LEFT.values(), ids=LEFT.keys())
def test_what_a_handler_leaves_in_the_temporary_folder_is_looked_through(
    cpjob: CodePipelineStub, temporary: Path, leave: Callable[[Path, str], object], path: str
) -> None:
    job = invoked(cpjob, lambda token: leave(temporary, token))
    text = report(cpjob)
    assert told(job, f"the file {temporary / path}, left behind") in text
    assert "A warm Lambda function keeps the file" in text


def test_an_archive_that_is_left_is_unpacked(cpjob: CodePipelineStub, temporary: Path) -> None:
    job = invoked(cpjob, lambda token: (temporary / "a.zip").write_bytes(zipped(token)))
    assert told(job, f"'key.txt' of the file {temporary / 'a.zip'}, left behind") in report(cpjob)


def test_the_real_temporary_folder_is_looked_at(cpjob: CodePipelineStub) -> None:
    left = ""

    def leak(token: str) -> None:
        nonlocal left
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(token)
            left = file.name

    try:
        job = invoked(cpjob, leak)
    finally:
        os.unlink(left)
    assert told(job, f"the file {left}, left behind") in report(cpjob)


def test_a_file_that_was_left_before_is_found_where_it_is_written_anew(
    cpjob: CodePipelineStub, temporary: Path
) -> None:
    def handler(event: Any, context: Any) -> None:
        (temporary / "event.json").write_text(token_of(event), "utf-8")
        CLIENT.put_job_failure_result(
            jobId=event["CodePipeline.job"]["id"],
            failureDetails={"type": "JobFailed", "message": "no"},
        )

    for _ in range(3):
        job = cpjob.add_lambda_job().invoke(handler)
        assert told(job, f"the file {temporary / 'event.json'}, left behind") in report(cpjob)


def test_a_function_that_is_no_action_and_a_worker_are_looked_after(
    cpjob: CodePipelineStub, temporary: Path
) -> None:
    job = cpjob.add_lambda_job()
    cpjob.add_job(action_type=DOCS)

    def function(event: Any, context: Any) -> None:
        (temporary / "function.json").write_text(token_of(job.event), "utf-8")

    def worker() -> None:
        while True:
            for polled in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
                CLIENT.acknowledge_job(jobId=polled["id"], nonce=polled["nonce"])
                (temporary / "worker.json").write_text(str(polled), "utf-8")
                CLIENT.put_job_success_result(jobId=polled["id"])

    cpjob.invoke(function, {})
    CLIENT.put_job_success_result(jobId=job.id)
    cpjob.run_worker(worker)
    assert "function.json, left behind" in (text := report(cpjob))
    assert "secretAccessKey and sessionToken of job" in text
    assert "worker.json, left behind" in text


def test_what_is_taken_away_again_is_no_leak(cpjob: CodePipelineStub, temporary: Path) -> None:
    def leak(token: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "event.json").write_text(token, "utf-8")
        (temporary / "event.json").write_text(token, "utf-8")
        (temporary / "event.json").unlink()

    invoked(cpjob, leak)
    cpjob.check()


def test_what_the_test_writes_itself_is_no_leak(cpjob: CodePipelineStub, temporary: Path) -> None:
    job = cpjob.add_lambda_job()
    token = token_of(job.event)
    before = ("expected.json", "old.json", "cache/expected.json", "cache/kept.json")
    for name in before:
        (temporary / name).write_text(token, "utf-8")

    def handler(event: Any, context: Any) -> None:
        (temporary / "done").touch()
        (temporary / "cache" / "done").touch()
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

    job.invoke(handler)
    (temporary / "seen.json").write_text(token, "utf-8")
    (temporary / "done").write_text(token, "utf-8")
    cpjob.check()


def test_pytests_own_folders_are_left_out(
    cpjob: CodePipelineStub, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = temporary / "pytest-of-somebody" / "pytest-1"
    theirs.mkdir(parents=True)
    invoked(cpjob, lambda token: (theirs / "event.json").write_text(token, "utf-8"))
    cpjob.check()


def test_a_handler_that_leaves_other_files_is_not_accused(
    cpjob: CodePipelineStub, temporary: Path
) -> None:
    def leave(token: str) -> None:
        (temporary / "state").write_text(str(len(token)), "utf-8")
        (temporary / "link").symlink_to(temporary / "nowhere")
        if hasattr(os, "mkfifo"):
            os.mkfifo(temporary / "pipe")

    invoked(cpjob, leave)
    cpjob.check()


def test_a_test_may_replace_what_opens_files(
    cpjob: CodePipelineStub, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leak(token: str) -> None:
        (temporary / "event.json").write_text(token, "utf-8")
        for name in ("open", "stat", "lstat", "scandir", "fstat"):
            monkeypatch.setattr(os, name, None)
        monkeypatch.setattr("builtins.open", None)

    try:
        job = invoked(cpjob, leak)
    finally:
        monkeypatch.undo()
    assert told(job, f"the file {temporary / 'event.json'}, left behind") in report(cpjob)


def test_more_and_larger_files_than_the_bounds_are_left_out(
    cpjob: CodePipelineStub, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_files, "MOST_FILES", 3)
    monkeypatch.setattr(left_files, "MOST_BYTES", 5000)

    def leave(token: str) -> None:
        (temporary / "a").write_text(token + "x" * 5000, "utf-8")
        (temporary / "b").write_text(token, "utf-8")
        (temporary / "c").write_text("c", "utf-8")
        (temporary / "d").write_text(token, "utf-8")

    invoked(cpjob, leave)
    assert f"{temporary / 'b'}, left behind" in (text := report(cpjob))
    assert f"{temporary / 'a'}, left behind" not in text
    assert f"{temporary / 'd'}, left behind" not in text


def test_a_folder_that_does_not_change_is_not_listed_again(
    cpjob: CodePipelineStub, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, listed, now = left_files.scandir, [], 1000.0

    def scandir(folder: str) -> Any:
        listed.append(folder)
        return real(folder)

    monkeypatch.setattr(left_files, "_LAMBDAS", str(temporary))
    monkeypatch.setattr(left_files, "times", lambda: os.times_result((0, 0, 0, 0, now)))
    monkeypatch.setattr(left_files, "scandir", scandir)
    left_files.look()
    now += 3
    left_files.look()
    listed.clear()

    invoked(cpjob, lambda token: None)
    assert listed == []

    (temporary / "more").touch()
    left_files.look()
    assert listed == [str(temporary)]


SUITE = """
import boto3

def handler(event, context):
    data = event["CodePipeline.job"]["data"]
    keys = data["artifactCredentials"]
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        aws_session_token=keys["sessionToken"],
    )
    where = data["inputArtifacts"][0]["location"]["s3Location"]
    s3.get_object(Bucket=where["bucketName"], Key=where["objectKey"])
    codepipeline = boto3.client("codepipeline", region_name="us-east-1")
    codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

def test_it(cpjob):
    cpjob.add_lambda_job(input_artifacts={"Source": {"a": "b"}}).invoke(handler)
"""


def test_a_log_file_of_pytests_is_heard_as_the_log(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore logs the token of each request that it signs, which is none of the handler's doing.

    So the log is searched without it, and a file with the whole log would be accused of it.
    """
    monkeypatch.setenv("TMPDIR", str(temporary / "cache"))
    (tmp_path / "test_suite.py").write_text(SUITE, "utf-8")
    log = temporary / "cache" / "log.txt"

    result = run(tmp_path, f"--log-file={log}", "--log-level=DEBUG")

    result.assert_outcomes(passed=1)
    assert "x-amz-security-token:" in log.read_text("utf-8").lower()
    assert logging.getLogger("botocore").level == logging.NOTSET
