"""The tests of `static_site`: a zip in, a zip out, and sources that nobody should trust."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import pytest
import static_site

from pytest_cpjob import (
    HOSTILE_ARTIFACTS,
    CodePipelineStub,
    ContractError,
    JobSuccess,
)

LANDMARK = "pytest-cpjob-was-here.txt"  # what the hostile archives would leave outside
REFUSALS = {
    "corrupt": "no whole zip",
    "truncated": "no whole zip",
    "empty": "no page",
    "parent-path": "outside of the source",
    "absolute-path": "outside of the source",
    "symlink": "is a link",
    "bomb": "unpacks to more than",
    "encrypted": "is encrypted",
    "non-utf8-name": "not said to be UTF-8",
    "tar-gz": "no whole zip",
}


def test_every_markdown_file_becomes_a_page(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(
        user_parameters={"theme": "dark"},
        input_artifacts={"Source": {"index.md": "# Hi\n\nYou & me", "guide/start.md": "# Start"}},
        output_artifacts=["Site"],
    )

    job.invoke(static_site.lambda_handler)

    assert job.success == JobSuccess(output_variables={"pages": "2", "theme": "dark"})
    site = job.output_artifacts["Site"]
    assert set(site.files) == {"index.html", "guide/start.html"}
    assert site.text("index.html") == (
        '<!doctype html>\n<body class="dark">\n<h1>Hi</h1>\n<p>You &amp; me</p>\n'
    )


def test_a_source_may_be_a_folder_of_this_project(cpjob: CodePipelineStub, tmp_path: Path) -> None:
    (tmp_path / "index.md").write_text("# From disk", "utf-8")
    job = cpjob.add_lambda_job(input_artifacts={"Source": tmp_path}, output_artifacts=["Site"])

    job.invoke(static_site.lambda_handler)

    assert "<h1>From disk</h1>" in job.output_artifacts["Site"].text("index.html")


@pytest.mark.parametrize(
    "key",
    [True, "1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:us-east-1:123456789012:alias/docs"],
)
def test_the_site_is_encrypted_with_the_pipelines_key(
    cpjob: CodePipelineStub, key: Literal[True] | str
) -> None:
    job = cpjob.add_lambda_job(
        input_artifacts={"Source": {"index.md": "# Hi"}},
        output_artifacts=["Site"],
        encryption_key=key,
    )

    job.invoke(static_site.lambda_handler)

    assert job.output_artifacts["Site"].kms_key_id == job.encryption_key


@pytest.mark.parametrize("name", HOSTILE_ARTIFACTS)
def test_a_hostile_source_is_refused_and_nothing_is_written_outside(
    cpjob: CodePipelineStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    work = tmp_path / "where" / "sources" / "are" / "unpacked"
    work.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(work))
    absolute = Path("/tmp", LANDMARK)  # where `absolute-path` leads to
    absolute.unlink(missing_ok=True)
    job = cpjob.add_lambda_job(
        input_artifacts={"Source": HOSTILE_ARTIFACTS[name]}, output_artifacts=["Site"]
    )

    job.invoke(static_site.lambda_handler)

    assert REFUSALS[name] in job.failure.message
    assert not job.output_artifacts["Site"].exists
    assert list(tmp_path.rglob(LANDMARK)) == []
    assert not absolute.exists()


def test_a_source_that_is_not_there_is_reported(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"Source": None}, output_artifacts=["Site"])

    job.invoke(static_site.lambda_handler)

    # The job's credentials may not list the bucket, so S3 does not say that nothing is there.
    assert "403" in job.failure.message
    assert job.failure.external_execution_id == job.context.aws_request_id


def test_an_output_without_the_pipelines_key_is_caught(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_site, "encryption_of", lambda data: {})
    job = cpjob.add_lambda_job(
        input_artifacts={"Source": {"index.md": "# Hi"}},
        output_artifacts=["Site"],
        encryption_key=True,
    )

    job.invoke(static_site.lambda_handler)

    assert job.status == "Succeeded"
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("output-encryption",)
