"""The tests of `merge_inputs`: several inputs and outputs, uploads in threads, KMS."""

from __future__ import annotations

import hashlib
import json
import random

import merge_inputs
import pytest
from boto3.s3.transfer import TransferConfig

from pytest_cpjob import CodePipelineStub, Content, ContractError, Job, JobFailure, JobSuccess

APP: Content = {"app.py": "print('hello')\n"}
DOCS: Content = {"docs/index.md": "# Hello\n"}


def add_job(cpjob: CodePipelineStub, app: Content = APP, docs: Content = DOCS) -> Job:
    return cpjob.add_lambda_job(
        input_artifacts={"App": app, "Docs": docs},
        output_artifacts=["Bundle", "Manifest"],
        encryption_key=True,
    )


def test_the_bundle_has_the_files_of_both_inputs(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    job.invoke(merge_inputs.lambda_handler)

    assert job.success == JobSuccess(summary="2 files", percent_complete=100)
    assert job.output_artifacts["Bundle"].files == {
        "app.py": b"print('hello')\n",
        "docs/index.md": b"# Hello\n",
    }


def test_the_manifest_says_where_each_file_came_from(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    job.invoke(merge_inputs.lambda_handler)

    assert json.loads(job.output_artifacts["Manifest"].text("manifest.json")) == {
        "app.py": {"from": "App", "sha256": hashlib.sha256(b"print('hello')\n").hexdigest()},
        "docs/index.md": {"from": "Docs", "sha256": hashlib.sha256(b"# Hello\n").hexdigest()},
    }


def test_both_outputs_are_encrypted_with_the_pipelines_key(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    job.invoke(merge_inputs.lambda_handler)

    assert {output.kms_key_id for output in job.output_artifacts.values()} == {job.encryption_key}


def test_a_large_bundle_is_uploaded_in_parts(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    five_mb = 5 * 1024 * 1024  # the smallest part that S3 takes
    config = TransferConfig(multipart_threshold=five_mb, multipart_chunksize=five_mb)
    monkeypatch.setattr(merge_inputs, "TRANSFER", config)
    video = random.Random(7).randbytes(five_mb + 1)
    job = add_job(cpjob, docs={"docs/tour.mp4": video})

    job.invoke(merge_inputs.lambda_handler)

    bundle = job.output_artifacts["Bundle"]
    assert bundle.files["docs/tour.mp4"] == video
    assert bundle.kms_key_id == job.encryption_key
    assert [call.operation for call in job.calls].count("UploadPart") == 2


def test_a_path_that_both_inputs_have_fails_the_action(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob, docs={"app.py": "# another\n"})

    job.invoke(merge_inputs.lambda_handler)

    assert job.failure == JobFailure("JobFailed", "'app.py' is in App and Docs")
    assert not any(output.exists for output in job.output_artifacts.values())


def test_an_upload_that_fails_in_its_thread_fails_the_action(cpjob: CodePipelineStub) -> None:
    cpjob.fail("PutObject", "SlowDown", service="s3")
    job = add_job(cpjob)

    job.invoke(merge_inputs.lambda_handler)

    assert "SlowDown" in job.failure.message


def test_success_with_an_upload_that_nobody_looked_at_is_caught(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge_inputs, "wait_for", lambda uploads: None)
    cpjob.fail("PutObject", "SlowDown", service="s3")
    job = add_job(cpjob)

    job.invoke(merge_inputs.lambda_handler)

    assert job.status == "Succeeded"
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("missing-output",)
