"""What one document, one call, one stub and one whole test cost."""

from __future__ import annotations

import copy
import io
import itertools
import tracemalloc
import zipfile
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import botocore.client
from botocore.stub import Stubber
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, JobDetailsFactory
from pytest_cpjob.documents.streams import Stream
from tests.benchmarks.measuring import Row, compared

REGION = {"region": "us-east-1", "account_id": "123456789012"}
BUCKET = "codepipeline-us-east-1-123456789012"
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
SOURCE = {"index.md": "# Hi", "style.css": "body {}"}


def document() -> Row:
    """One GetJobDetails document against a deep copy of it."""
    make = JobDetailsFactory(Stream("benchmark"), itertools.count(), **REGION)
    made = make()
    return compared(
        "a GetJobDetails document / copy.deepcopy of it",
        make,
        lambda: copy.deepcopy(made),
        budget=2.0,
        inner=500,
    )


def call() -> Iterator[Row]:
    """One answered call against Stubber's, and against one that moto answers."""
    stubbed = boto3.client("codepipeline", region_name="us-east-1")
    stubber = Stubber(stubbed)
    client = boto3.client("codepipeline", region_name="us-east-1")
    with CodePipelineStub() as cpjob:
        job = cpjob.add_job(action_type="Build:Custom:Docs:1")
        answer = job.details
        times = 200

        def by_us() -> None:
            client.get_job_details(jobId=job.id)
            cpjob.service.record.entries.clear()

        for _ in range(17 * times):
            stubber.add_response("get_job_details", answer, {"jobId": job.id})

        def by_stubber() -> None:
            # The reach would answer this client too: Stubber is timed without it.
            cpjob._reach._active = False
            for _ in range(times):
                stubbed.get_job_details(jobId=job.id)
            cpjob._reach._active = True

        with stubber:
            yield compared(
                "an answered call / a Stubber call",
                lambda: [by_us() for _ in range(times)],
                by_stubber,
                budget=1.25,
            )
    with mock_aws(), CodePipelineStub() as cpjob:
        job = cpjob.add_job(action_type="Build:Custom:Docs:1")
        sts = boto3.client("sts", region_name="us-east-1")
        yield compared(
            "an answered call / a call to moto",
            by_us,
            sts.get_caller_identity,
            budget=None,
            inner=50,
        )


def entering() -> Iterator[Row]:
    """Entering and leaving a stub against `mock_aws`, without and with artifacts."""

    def ours() -> None:
        with CodePipelineStub():
            pass

    def theirs() -> None:
        with mock_aws():
            pass

    yield compared("enter and leave, no artifacts / mock_aws", ours, theirs, budget=0.01, inner=10)

    def ours_with_artifacts() -> None:
        with CodePipelineStub() as cpjob:
            cpjob.add_job(input_artifacts={"Source": SOURCE})

    def theirs_with_artifacts() -> None:
        with mock_aws():
            s3 = boto3.client("s3", region_name="us-east-1")
            s3.create_bucket(Bucket=BUCKET)
            s3.put_object(Bucket=BUCKET, Key="web/Source/abc", Body=_zipped(SOURCE))

    yield compared(
        "enter, add artifacts, leave / mock_aws, bucket, put",
        ours_with_artifacts,
        theirs_with_artifacts,
        budget=None,
    )


def whole_test() -> Row:
    """A whole Lambda test against the same wired by hand."""
    return compared(
        "a whole Lambda test / wired by hand on mock_aws", ours_whole, by_hand, budget=1 / 7
    )


def ours_whole() -> None:
    """Zip in, fresh session on the artifact credentials, zip out, result."""
    with CodePipelineStub() as cpjob:
        job = cpjob.add_lambda_job(input_artifacts={"Source": SOURCE}, output_artifacts=["Site"])
        job.invoke(handler)
        assert job.status == "Succeeded"
        assert job.output_artifacts["Site"].files["index.html"] == b"# Hi"


def by_hand() -> None:
    """The same as people write it today."""
    reported = []
    original = botocore.client.BaseClient._make_api_call

    def make_api_call(client: Any, operation: str, params: Any) -> Any:
        if operation == "PutJobSuccessResult":
            reported.append(params)
            return {}
        return original(client, operation, params)

    with (
        mock_aws(),
        patch.object(botocore.client.BaseClient, "_make_api_call", make_api_call),
    ):
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="web/Source/abc", Body=_zipped(SOURCE))
        handler(_event_by_hand(), None)
        body = s3.get_object(Bucket=BUCKET, Key="web/Site/def")["Body"].read()
        assert zipfile.ZipFile(io.BytesIO(body)).read("index.html") == b"# Hi"
    assert len(reported) == 1


def handler(event: Any, context: Any) -> None:
    """The action: a zip in, a zip out."""
    job = event["CodePipeline.job"]
    keys = job["data"]["artifactCredentials"]
    session = boto3.session.Session(
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        aws_session_token=keys["sessionToken"],
    )
    s3 = session.client("s3", region_name="us-east-1")
    source = job["data"]["inputArtifacts"][0]["location"]["s3Location"]
    body = s3.get_object(Bucket=source["bucketName"], Key=source["objectKey"])["Body"].read()
    page = zipfile.ZipFile(io.BytesIO(body)).read("index.md")
    target = job["data"]["outputArtifacts"][0]["location"]["s3Location"]
    s3.put_object(
        Bucket=target["bucketName"], Key=target["objectKey"], Body=_zipped({"index.html": page})
    )
    _codepipeline.put_job_success_result(jobId=job["id"])


_codepipeline = boto3.client("codepipeline", region_name="us-east-1")


def _event_by_hand() -> dict[str, Any]:
    def at(name: str, key: str) -> dict[str, Any]:
        place = {"bucketName": BUCKET, "objectKey": key}
        return {"name": name, "location": {"type": "S3", "s3Location": place}}

    return {
        "CodePipeline.job": {
            "id": "11111111-abcd-1111-abcd-111111abcdef",
            "data": {
                "artifactCredentials": {
                    "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
                    "secretAccessKey": "example",
                    "sessionToken": "example",
                },
                "inputArtifacts": [at("Source", "web/Source/abc")],
                "outputArtifacts": [at("Site", "web/Site/def")],
            },
        }
    }


def _zipped(files: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return stream.getvalue()


def polling() -> Iterator[Row]:
    """One poll of a long queue against one of a short queue; and the memory of a queued job."""
    for long, budget in ((1_000, None), (100_000, 3.0)):
        short_queue, long_queue = _queue(10_000), _queue(long + 10_000)
        yield compared(
            f"a poll with {long:,} more queued / without",
            _poll(long_queue),
            _poll(short_queue),
            budget=budget,
            inner=100,
        )


def memory() -> float:
    """Bytes that one queued job takes."""
    count = 5_000
    stub = CodePipelineStub()
    with stub:
        stub.add_job(action_type="Build:Custom:Docs:1")
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(count):
            stub.add_job(action_type="Build:Custom:Docs:1")
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    return (after - before) / count


def _queue(jobs: int) -> CodePipelineStub:
    stub = CodePipelineStub()
    with stub:
        for _ in range(jobs):
            stub.add_job(action_type="Build:Custom:Docs:1")
    return stub


def _poll(stub: CodePipelineStub) -> Any:
    from pytest_cpjob.service.record import Caller

    return lambda: stub.service.call("PollForJobs", {"actionTypeId": DOCS}, Caller(1, 1))


def checks() -> Row:
    """A whole test with the contract's checks against one without."""

    def without() -> None:
        with patch("pytest_cpjob.witness.find_all", lambda evidence: []):
            ours_whole()

    return compared("a whole test / without its checks", ours_whole, without, budget=None)
