"""The tests of `publish_site`: an asynchronous action, and that it does several things at once."""

from __future__ import annotations

import threading

import publish_site
import pytest

from pytest_cpjob import CodePipelineStub, HandlerError, Job, JobSuccess

BUCKET = "www.example.com"
SITE = {"index.html": "<h1>Hi</h1>", "style.css": "h1 {}", "a.svg": "<svg/>", "LICENSE": "MIT"}
PUBLISHED = JobSuccess(summary="4 files", percent_complete=100)


def add_job(cpjob: CodePipelineStub, bucket: str = BUCKET) -> Job:
    """A job, and the bucket for the web, once the job's artifact has started moto."""
    job = cpjob.add_lambda_job(user_parameters={"bucket": bucket}, input_artifacts={"Site": SITE})
    publish_site.web.create_bucket(Bucket=BUCKET)
    return job


def test_every_file_is_in_the_bucket_as_what_it_is(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    job.invoke(publish_site.lambda_handler)

    assert job.success == PUBLISHED
    kinds = {
        path: publish_site.web.head_object(Bucket=BUCKET, Key=path)["ContentType"] for path in SITE
    }
    assert kinds == {
        "index.html": "text/html",
        "style.css": "text/css",
        "a.svg": "image/svg+xml",
        "LICENSE": "application/octet-stream",
    }


def test_the_uploads_are_under_way_at_the_same_time(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = threading.Barrier(len(SITE), timeout=60)
    upload = publish_site.upload

    def meets_the_others(bucket: str, path: str, content: bytes) -> None:
        everybody.wait()  # one after the other, the first would never go on
        upload(bucket, path, content)

    monkeypatch.setattr(publish_site, "upload", meets_the_others)
    job = add_job(cpjob)

    job.invoke(publish_site.lambda_handler)

    assert job.success == PUBLISHED


def test_one_upload_that_fails_fails_the_action_when_the_others_have_ended(
    cpjob: CodePipelineStub,
) -> None:
    cpjob.fail("PutObject", "SlowDown", service="s3")
    job = add_job(cpjob)

    job.invoke(publish_site.lambda_handler)

    assert "SlowDown" in job.failure.message
    assert [call.operation for call in cpjob.calls].count("PutObject") == len(SITE)
    assert cpjob.calls[-1].operation == "PutJobFailureResult"


def test_a_bucket_that_is_not_there_fails_the_action(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob, bucket="ww.example.com")

    job.invoke(publish_site.lambda_handler)

    assert "NoSuchBucket" in job.failure.message


def test_what_lambda_would_not_await_is_no_handler(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    with pytest.raises(HandlerError, match="handle is asynchronous"):
        job.invoke(publish_site.handle)
