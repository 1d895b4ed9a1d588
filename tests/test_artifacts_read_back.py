"""What a test reads of a job's artifacts, and that nothing of them stays behind."""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import boto3
import pytest
from artifact_clients import credentials_of, place, s3_of
from user_projects import LEAVES_NOTHING, run

from pytest_cpjob import ArtifactError, CodePipelineStub, ContractError, Job, JobArtifact

# moto is imported in functions only: tests/test_beside_moto.py needs clients older than it.

CODEPIPELINE = boto3.client("codepipeline", region_name="us-east-1")


@pytest.fixture
def job(cpjob: CodePipelineStub) -> Job:
    return cpjob.add_lambda_job(
        input_artifacts={"Source": {"index.md": "# Grüße", "logo.png": b"\x89PNG\xff"}},
        output_artifacts=["Site"],
    )


@pytest.fixture
def site(job: Job) -> JobArtifact:
    return job.output_artifacts["Site"]


def error_of(artifact: JobArtifact, *arguments: Any) -> str:
    """What `files`, or with arguments `text`, says."""
    with pytest.raises(ArtifactError) as error:
        artifact.text(*arguments) if arguments else artifact.files
    return str(error.value)


# -- where and what --------------------------------------------------------------------------------


def test_an_artifact_is_where_the_documents_say(job: Job) -> None:
    data = job.details["jobDetails"]["data"]

    for documented, artifact in (
        (data["inputArtifacts"][0], job.input_artifacts["Source"]),
        (data["outputArtifacts"][0], job.output_artifacts["Site"]),
    ):
        at = documented["location"]["s3Location"]
        assert artifact.name == documented["name"]
        assert (artifact.bucket, artifact.key) == (at["bucketName"], at["objectKey"])
        assert artifact.uri == f"s3://{at['bucketName']}/{at['objectKey']}"
        assert artifact.revision == documented.get("revision")
    assert len(job.input_artifacts["Source"].revision or "") == 40
    assert job.output_artifacts["Site"].revision is None


def test_the_jobs_bucket_is_the_one_that_the_test_names(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"], artifact_bucket="team-artifacts")

    assert job.input_artifacts["Source"].uri.startswith("s3://team-artifacts/")
    assert job.input_artifacts["Source"].files["README.md"]


def test_an_output_exists_once_it_was_uploaded(job: Job, site: JobArtifact) -> None:
    assert not site.exists

    s3_of(job).put_object(**place(job, "Site"), Body=b"")

    assert site.exists
    assert site.content == b""


def test_every_read_looks_at_the_bucket_as_it_is_now(job: Job, site: JobArtifact) -> None:
    for body in (b"first", b"second"):
        s3_of(job).put_object(**place(job, "Site"), Body=body)
        assert site.content == body


def test_files_are_read_anew_so_that_a_test_may_change_them(job: Job) -> None:
    source = job.input_artifacts["Source"]

    source.files.clear()

    assert source.files == {"index.md": "# Grüße".encode(), "logo.png": b"\x89PNG\xff"}


def test_an_output_in_any_common_archive_is_files(job: Job, site: JobArtifact) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("index.html")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"<h1>"))

    s3_of(job).put_object(**place(job, "Site"), Body=stream.getvalue())

    assert site.files == {"index.html": b"<h1>"}


def test_reading_in_the_test_is_no_call_of_the_code_under_test(
    cpjob: CodePipelineStub, job: Job, site: JobArtifact
) -> None:
    source = job.input_artifacts["Source"]
    site.put(b"built")
    assert (source.exists, source.content, source.files, source.text("index.md")) is not None
    assert site.kms_key_id is None

    assert cpjob.calls == []
    cpjob.check()


def test_a_continued_job_has_the_same_artifacts_and_what_is_in_them(
    job: Job, site: JobArtifact
) -> None:
    site.put({"index.html": "<h1>"})
    CODEPIPELINE.put_job_success_result(jobId=job.id, continuationToken="more")
    following = job.continuation

    assert following is not None
    assert following.output_artifacts["Site"].uri == site.uri
    assert following.output_artifacts["Site"].files == {"index.html": b"<h1>"}
    assert following.input_artifacts["Source"].content == job.input_artifacts["Source"].content


# -- text ------------------------------------------------------------------------------------------


def test_text_is_that_of_one_file_or_of_the_object_itself(job: Job, site: JobArtifact) -> None:
    assert job.input_artifacts["Source"].text("index.md") == "# Grüße"

    site.put(b'{"pages": 1}')
    assert site.text() == '{"pages": 1}'
    site.put("Grüße".encode("latin-1"))
    assert site.text(encoding="latin-1") == "Grüße"


def test_a_file_that_is_not_there_is_an_error_that_lists_those_that_are(
    job: Job, site: JobArtifact
) -> None:
    assert error_of(job.input_artifacts["Source"], "index.html") == (
        f"input artifact 'Source' of job {job.id} has no file 'index.html', only:\n"
        "- index.md\n"
        "- logo.png"
    )
    site.put({})
    assert error_of(site, "index.html") == (
        f"output artifact 'Site' of job {job.id} has no file 'index.html', only:\n- (no files)"
    )


def test_what_is_no_text_is_named_with_its_encoding(job: Job, site: JobArtifact) -> None:
    assert error_of(job.input_artifacts["Source"], "logo.png").startswith(
        f"'logo.png' of input artifact 'Source' of job {job.id} is not utf-8 text: "
    )
    site.put(b"\xff")
    assert error_of(site, None, "ascii").startswith(
        f"output artifact 'Site' of job {job.id} is not ascii text: "
    )


# -- errors ----------------------------------------------------------------------------------------


def test_an_object_that_is_not_there_is_an_error_that_says_where_it_was_to_be(
    cpjob: CodePipelineStub, job: Job, site: JobArtifact
) -> None:
    missing = cpjob.add_lambda_job(input_artifacts={"Source": None}).input_artifacts["Source"]

    for artifact in (site, missing):
        with pytest.raises(ArtifactError, match="has no object: nothing was uploaded to s3://"):
            artifact.content  # noqa: B018  # reading it raises
    expected = (
        f"output artifact 'Site' of job {job.id} has no object: nothing was uploaded to {site.uri}"
    )
    assert error_of(site) == error_of(site, None) == error_of(site, "index.html") == expected
    assert site.kms_key_id is None


def test_an_object_that_is_no_archive_is_an_error_that_says_what_it_found(
    job: Job, site: JobArtifact
) -> None:
    site.put(b"<html>")
    assert error_of(site) == (
        f"output artifact 'Site' of job {job.id} is not an archive: 6 bytes that begin with"
        " b'<html>'; read it by .content or .text()"
    )
    site.put(b"")
    assert error_of(site) == (
        f"output artifact 'Site' of job {job.id} is an empty object (0 bytes), not an archive"
    )


def test_a_name_that_the_job_does_not_have_is_an_error_that_lists_its_own(job: Job) -> None:
    with pytest.raises(KeyError) as error:
        job.output_artifacts["Site2"]
    assert error.value.args == (f"job {job.id} has no output artifact 'Site2', only ['Site']",)

    with pytest.raises(KeyError) as error:
        job.input_artifacts["Site"]
    assert error.value.args == (f"job {job.id} has no input artifact 'Site', only ['Source']",)
    assert "Site2" not in job.output_artifacts
    assert job.output_artifacts.get("Site2") is None


# -- put: somebody else's upload -------------------------------------------------------------------


def test_put_takes_what_inputs_take(site: JobArtifact, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>")

    for content in ({"index.html": "<h1>"}, tmp_path, tmp_path / "index.html"):
        site.put(content)
        assert site.files == {"index.html": b"<h1>"}


def test_what_was_put_counts_as_uploaded(cpjob: CodePipelineStub, job: Job) -> None:
    job.output_artifacts["Site"].put({"index.html": "<h1>"})
    CODEPIPELINE.put_job_success_result(jobId=job.id)
    cpjob.check()


def test_what_was_not_uploaded_is_found(cpjob: CodePipelineStub, job: Job) -> None:
    CODEPIPELINE.put_job_success_result(jobId=job.id)
    with pytest.raises(ContractError) as found:
        cpjob.check()
    assert found.value.names == ("missing-output",)


def test_an_input_is_put_too_and_read_by_the_handler(job: Job) -> None:
    job.input_artifacts["Source"].put(b"changed since")
    assert s3_of(job).get_object(**place(job, "Source"))["Body"].read() == b"changed since"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "content: expected content, got None; to have none, leave put() out"),
        ({"../x": "1"}, "content['../x']: expected a relative path of plain names joined by '/'"),
        ("index.html", "content: expected a dict of path to str or bytes, a Path, bytes, or None"),
    ],
)
def test_what_cannot_be_put_is_refused(site: JobArtifact, content: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"^content") as error:
        site.put(content)
    assert str(error.value).startswith(text)
    assert not site.exists


# -- how many --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(6))
def test_up_to_five_inputs_and_five_outputs(cpjob: CodePipelineStub, count: int) -> None:
    inputs = {f"In{number}": {"number.txt": str(number)} for number in range(count)}
    job = cpjob.add_lambda_job(
        input_artifacts=inputs, output_artifacts=[f"Out{number}" for number in range(count)]
    )
    s3 = s3_of(job) if count else None
    for number in range(count):
        body = s3.get_object(**place(job, f"In{number}"))["Body"].read()
        s3.put_object(**place(job, f"Out{number}"), Body=body)

    assert list(job.input_artifacts) == list(inputs)
    assert len(job.output_artifacts) == count
    assert [one.text("number.txt") for one in job.output_artifacts.values()] == [
        str(number) for number in range(count)
    ]
    everything = [*job.input_artifacts.values(), *job.output_artifacts.values()]
    assert len({one.key for one in everything}) == 2 * count


@pytest.mark.parametrize("argument", ["input_artifacts", "output_artifacts"])
def test_a_sixth_is_refused_and_nothing_is_stored(cpjob: CodePipelineStub, argument: str) -> None:
    arguments: dict[str, Any] = {argument: [f"Artifact{number}" for number in range(6)]}

    with pytest.raises(ValueError, match=f"^{argument}: .*less than or equal to 5"):
        cpjob.add_lambda_job(**arguments)

    assert cpjob.jobs == []
    assert cpjob._harness.store.buckets == {}


# -- how they show ---------------------------------------------------------------------------------


def test_their_repr_says_what_and_where_and_no_secret(job: Job, site: JobArtifact) -> None:
    assert repr(site) == f"<output artifact 'Site' at {site.uri}>"
    assert repr(job.output_artifacts) == f"{{'Site': <output artifact 'Site' at {site.uri}>}}"
    shown = f"{job!r} {site!r} {job.input_artifacts!r}"
    assert credentials_of(job)["secretAccessKey"] not in shown
    assert credentials_of(job)["sessionToken"] not in shown


# -- nothing stays behind --------------------------------------------------------------------------


def test_after_the_stub_artifacts_say_that_they_are_gone() -> None:
    with CodePipelineStub() as cpjob:
        site = cpjob.add_lambda_job(output_artifacts=["Site"]).output_artifacts["Site"]
        site.put(b"built")

    with pytest.raises(ArtifactError, match="read artifacts while the stub is active"):
        site.content  # noqa: B018  # reading it raises


def test_the_users_own_mock_is_as_it_was_before_the_stub() -> None:
    from moto import mock_aws

    with mock_aws():
        s3 = boto3.Session().client("s3", region_name="us-east-1")
        kms = boto3.Session().client("kms", region_name="us-east-1")
        for bucket in ("mine", "team-artifacts"):
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="mine", Body=b"1")
        own = kms.create_key()["KeyMetadata"]["KeyId"]

        with CodePipelineStub() as cpjob:
            for bucket in (None, "team-artifacts", "another"):
                job = cpjob.add_lambda_job(
                    input_artifacts=["Source"],
                    output_artifacts=["Site"],
                    encryption_key=True,
                    artifact_bucket=bucket,
                )
                s3_of(job).put_object(**place(job, "Site"), Body=b"1")
                s3_of(job).put_object(**place(job, "Site"), Body=b"2")
                s3_of(job).create_multipart_upload(**place(job, "Site"))

        names = [found["Name"] for found in s3.list_buckets()["Buckets"]]
        assert names == ["mine", "team-artifacts"]
        assert s3.get_object(Bucket="team-artifacts", Key="mine")["Body"].read() == b"1"
        assert [key["KeyId"] for key in kms.list_keys()["Keys"]] == [own]
        s3.create_bucket(Bucket="another")


def test_nothing_is_left_in_moto_or_in_the_environment_after_a_test(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(LEAVES_NOTHING)

    run(pytester.path, "-W", "error").assert_outcomes(passed=6)


def test_a_large_artifact_is_put_and_looked_through_without_a_copy_after_the_other(
    cpjob: CodePipelineStub,
) -> None:
    size = 30 * 1024 * 1024
    content = os.urandom(size)
    job = cpjob.add_lambda_job(output_artifacts=["Site"], input_artifacts=["Source"])
    tracemalloc.start()
    try:
        job.output_artifacts["Site"].put(content)
        _, put = tracemalloc.get_traced_memory()
        boto3.client("codepipeline", region_name="us-east-1").put_job_success_result(jobId=job.id)
        tracemalloc.reset_peak()
        cpjob.check()
        _, checked = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # What moto needs itself: the object, and once more while it writes it down.
    assert put < 3 * size
    assert checked < 3 * size
    assert job.output_artifacts["Site"].content == content
