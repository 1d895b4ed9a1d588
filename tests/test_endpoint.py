"""The endpoint serves the test's service to other processes, by the same rules as in process."""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import boto3
import pytest
from artifact_clients import credentials_of, session_of

from pytest_cpjob import CodePipelineStub, Endpoint, Job, JobFailure, JobSuccess

pytest.importorskip("flask", reason="the endpoint needs the extra server")
pytest.importorskip("cbor2", reason="the endpoint needs the extra server")

EXAMPLES = Path(__file__).parent.parent / "examples"
WORK = "from docs_worker import DocsWorker; DocsWorker('handbook', region='us-east-1').poll_once()"
BUILT = JobSuccess(output_variables={"pages": "1"}, summary="pages built: 1", percent_complete=100)


def add_docs_job(cpjob: CodePipelineStub, **arguments: Any) -> Job:
    return cpjob.add_job(
        action_type="Build:Custom:Docs:1",
        configuration={"Project": "handbook"},
        input_artifacts={"Source": {"index.md": "# Hi"}},
        output_artifacts=["Site"],
        **arguments,
    )


def run(endpoint: Endpoint, code: str, *arguments: str, **options: Any) -> CompletedProcess[str]:
    done = endpoint.run([sys.executable, "-c", code, *arguments], **options)
    assert done.returncode == 0, done.stderr
    return done


S3 = """
import json, sys
import boto3
from botocore.exceptions import ClientError

operation, parameters, keys = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
session = boto3.Session(
    keys.get("accessKeyId"), keys.get("secretAccessKey"), keys.get("sessionToken")
)
try:
    answer = getattr(session.client("s3"), operation)(**parameters)
except ClientError as error:
    print(error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
else:
    print(answer["Body"].read().decode("latin-1") if "Body" in answer else "done")
"""


def s3(endpoint: Endpoint, operation: str, keys: object = None, /, **parameters: str) -> str:
    """What one S3 call of another process comes to: its content, or its refusal."""
    return run(endpoint, S3, operation, json.dumps(parameters), json.dumps(keys or {})).stdout[:-1]


# -- a whole worker --------------------------------------------------------------------------------


@pytest.mark.parametrize("encryption_key", [None, True], ids=["default key", "KMS key"])
def test_a_worker_in_another_process_ends_as_it_does_in_this_one(
    cpjob: CodePipelineStub,
    cpjob_endpoint: Endpoint,
    encryption_key: bool | None,
) -> None:
    there = add_docs_job(cpjob, encryption_key=encryption_key)
    run(cpjob_endpoint, WORK, cwd=EXAMPLES)
    here = add_docs_job(cpjob, encryption_key=encryption_key)
    # Run, not imported: other tests look for what they have not imported.
    worker = runpy.run_path(str(EXAMPLES / "docs_worker.py"))["DocsWorker"]
    worker("handbook", region="us-east-1").poll_once()

    assert there.result == here.result == BUILT
    assert there.output_artifacts["Site"].files == here.output_artifacts["Site"].files
    assert there.output_artifacts["Site"].kms_key_id == there.encryption_key
    for mine, theirs in zip(here.calls, there.calls, strict=True):
        assert (mine.service, mine.operation, mine.error) == (
            theirs.service,
            theirs.operation,
            theirs.error,
        )


def test_a_worker_that_fails_reports_it(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    job = cpjob.add_job(
        action_type="Build:Custom:Docs:1",
        configuration={"Project": "handbook"},
        input_artifacts={"Source": b"no zip"},
        output_artifacts=["Site"],
    )

    run(cpjob_endpoint, WORK, cwd=EXAMPLES)

    assert job.result == JobFailure("JobFailed", "File is not a zip file")


def test_a_continued_job_comes_to_the_next_poll(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_job(action_type="Deploy:Custom:Slow:1")
    work = """
import boto3

client = boto3.client("codepipeline")
kind = dict(category="Deploy", owner="Custom", provider="Slow", version="1")
for expected in (None, "half way"):
    (job,) = client.poll_for_jobs(actionTypeId=kind)["jobs"]
    assert job["data"].get("continuationToken") == expected
    client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
    token = {} if expected else {"continuationToken": "half way"}
    client.put_job_success_result(jobId=job["id"], **token)
"""

    run(cpjob_endpoint, work)

    assert job.continuation is not None
    assert job.continuation.result == JobSuccess()


def test_a_partners_worker_and_a_functions_report_are_answered_too(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    partner = cpjob.add_third_party_job(action_type="Test:ThirdParty:Scan:1")
    function = cpjob.add_lambda_job()
    work = """
import sys
import boto3

client = boto3.client("codepipeline")
kind = dict(category="Test", owner="ThirdParty", provider="Scan", version="1")
(found,) = client.poll_for_third_party_jobs(actionTypeId=kind)["jobs"]
me = dict(jobId=found["jobId"], clientToken=sys.argv[1])
nonce = client.get_third_party_job_details(**me)["jobDetails"]["nonce"]
client.acknowledge_third_party_job(nonce=nonce, **me)
client.put_third_party_job_success_result(**me)
client.put_job_failure_result(
    jobId=sys.argv[2], failureDetails={"type": "ConfigurationError", "message": "no theme"}
)
"""
    assert partner.client_token is not None

    run(cpjob_endpoint, work, partner.client_token, function.id)

    assert partner.status == "Succeeded"
    assert function.result == JobFailure("ConfigurationError", "no theme")


# -- credentials -----------------------------------------------------------------------------------


def test_the_jobs_credentials_open_its_objects_and_nothing_else(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job(
        input_artifacts={"In": b"content", "Gone": None}, output_artifacts=["Out"]
    )
    keys = credentials_of(job)
    place = {name: {"Bucket": a.bucket, "Key": a.key} for name, a in job.input_artifacts.items()}
    out = job.output_artifacts["Out"]

    assert s3(cpjob_endpoint, "get_object", keys, **place["In"]) == "content"
    assert s3(cpjob_endpoint, "get_object", keys, **place["Gone"]) == "AccessDenied 403"
    assert s3(cpjob_endpoint, "head_object", keys, **place["Gone"]) == "403 403"
    assert s3(cpjob_endpoint, "put_object", keys, Body="no", **place["In"]) == "AccessDenied 403"
    assert s3(cpjob_endpoint, "list_objects_v2", keys, Bucket=out.bucket) == "AccessDenied 403"
    assert (
        s3(cpjob_endpoint, "copy_object", keys, Bucket=out.bucket, Key=out.key, CopySource="b/k")
        == "NoSuchBucket 404"
    )
    assert not out.exists
    assert job.input_artifacts["In"].content == b"content"


@pytest.mark.cpjob(allow=["own-role"])
def test_a_copy_is_judged_by_both_its_ends(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"In": b"content"}, output_artifacts=["Out"])
    other = cpjob.add_lambda_job(input_artifacts={"In": b"other"})
    out = job.output_artifacts["Out"]

    def copy(source: Job) -> str:
        artifact = source.input_artifacts["In"]
        place = {"Bucket": out.bucket, "Key": out.key}
        source_name = f"{artifact.bucket}/{artifact.key}"
        return s3(
            cpjob_endpoint, "copy_object", credentials_of(job), CopySource=source_name, **place
        )

    assert copy(other) == "AccessDenied 403"
    assert not out.exists
    assert copy(job) == "done"
    assert out.content == b"content"


@pytest.mark.cpjob(allow=["own-role"])
def test_other_credentials_open_nothing(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"In": b"content"})
    keys = credentials_of(job)
    artifact = job.input_artifacts["In"]
    place = {"Bucket": artifact.bucket, "Key": artifact.key}
    invented = {**keys, "accessKeyId": "ASIAINVENTED00000000"}

    assert s3(cpjob_endpoint, "get_object", None, **place) == "AccessDenied 403"
    assert s3(cpjob_endpoint, "get_object", invented, **place) == "InvalidAccessKeyId 403"
    assert (
        s3(cpjob_endpoint, "get_object", {**keys, "sessionToken": "mine"}, **place)
        == "InvalidToken 400"
    )
    assert (
        s3(cpjob_endpoint, "get_object", {**keys, "secretAccessKey": "mine"}, **place)
        == "SignatureDoesNotMatch 403"
    )
    assert {call.error for call in job.calls} == {
        "AccessDenied",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
    }


@pytest.mark.cpjob(allow=["leaked-secret"])
def test_credentials_expire_by_the_job_clock_and_details_renew_them(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"In": b"content"})
    artifact = job.input_artifacts["In"]
    place = {"Bucket": artifact.bucket, "Key": artifact.key}
    old = credentials_of(job)

    cpjob.advance(15 * 60)

    assert s3(cpjob_endpoint, "get_object", old, **place) == "ExpiredToken 400"
    renew = (
        "import boto3, json, sys; details = boto3.client('codepipeline').get_job_details("
        "jobId=sys.argv[1])['jobDetails'];"
        " print(json.dumps(details['data']['artifactCredentials']))"
    )
    new = json.loads(run(cpjob_endpoint, renew, job.id).stdout)
    assert s3(cpjob_endpoint, "get_object", new, **place) == "content"


@pytest.mark.cpjob(own_role=True)
def test_the_handlers_own_role_is_let_in_where_the_test_says_so(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"In": b"content"})
    artifact = job.input_artifacts["In"]

    got = s3(cpjob_endpoint, "get_object", None, Bucket=artifact.bucket, Key=artifact.key)

    assert got == "content"


def test_a_presigned_url_is_as_good_as_its_signer(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Out"])
    out = job.output_artifacts["Out"]
    work = """
import json, sys, urllib.request
import boto3
from botocore.config import Config

keys = json.loads(sys.argv[3])
for version in ("s3", "s3v4"):
    client = boto3.client(
        "s3",
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        aws_session_token=keys["sessionToken"],
        config=Config(signature_version=version),
    )
    place = {"Bucket": sys.argv[1], "Key": sys.argv[2]}
    url = client.generate_presigned_url("put_object", Params=place)
    kind = {"Content-Type": ""}
    put = urllib.request.Request(url, version.encode(), kind, method="PUT")
    assert urllib.request.urlopen(put).status == 200
    url = client.generate_presigned_url("get_object", Params=place)
    assert urllib.request.urlopen(url).read() == version.encode()
"""

    run(cpjob_endpoint, work, out.bucket, out.key, json.dumps(credentials_of(job)))

    assert out.content == b"s3v4"


def test_artifact_credentials_are_refused_by_codepipeline_itself(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job()
    keys = credentials_of(job)
    report = """
import boto3, sys
from botocore.exceptions import ClientError
try:
    boto3.client("codepipeline").put_job_success_result(jobId=sys.argv[1])
except ClientError as error:
    print(error.response["Error"]["Code"])
"""

    done = run(
        cpjob_endpoint,
        report,
        job.id,
        env={
            "AWS_ACCESS_KEY_ID": keys["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["secretAccessKey"],
            "AWS_SESSION_TOKEN": keys["sessionToken"],
        },
    )

    assert done.stdout == "AccessDeniedException\n"
    assert job.status == "InProgress"


def test_big_objects_come_in_parts(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    content = os.urandom(1024) * (10 * 1024)
    job = cpjob.add_lambda_job(
        input_artifacts={"In": content}, output_artifacts=["Out"], encryption_key=True
    )
    transfer = """
import io, json, sys
import boto3

keys, source, target, kms = (json.loads(text) for text in sys.argv[1:])
session = boto3.Session(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"])
s3, body = session.client("s3"), io.BytesIO()
s3.download_fileobj(*source, body)
body.seek(0)
extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms}
s3.upload_fileobj(body, *target, ExtraArgs=extra)
"""
    places = [
        json.dumps([artifact.bucket, artifact.key])
        for artifact in (job.input_artifacts["In"], job.output_artifacts["Out"])
    ]
    keys = json.dumps(credentials_of(job))

    run(cpjob_endpoint, transfer, keys, *places, json.dumps(job.encryption_key))

    assert job.output_artifacts["Out"].content == content
    assert job.output_artifacts["Out"].kms_key_id == job.encryption_key
    assert "CompleteMultipartUpload" in {call.operation for call in job.calls}


# -- other services --------------------------------------------------------------------------------


def test_other_services_are_motos(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    work = """
import boto3
assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
queue = boto3.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
boto3.client("sqs").send_message(QueueUrl=queue, MessageBody="job 1")
print(boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"])
boto3.client("ssm").put_parameter(Name="Theme", Value="dark", Type="String")
"""

    assert run(cpjob_endpoint, work).stdout == "job 1\n"

    # It is the moto of this process, so the test can prepare and look.
    theme = cpjob.client("ssm").get_parameter(Name="Theme")["Parameter"]["Value"]
    assert theme == "dark"
    assert [(call.service, call.operation) for call in cpjob.calls] == [
        ("sts", "GetCallerIdentity"),
        ("sqs", "CreateQueue"),
        ("sqs", "SendMessage"),
        ("sqs", "ReceiveMessage"),
        ("ssm", "PutParameter"),
    ]


@pytest.mark.cpjob(allow=["own-role"])
def test_another_role_that_was_assumed_is_the_handlers_own(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"In": b"content"})
    artifact = job.input_artifacts["In"]
    work = """
import boto3, sys
role = boto3.client("sts").assume_role(
    RoleArn="arn:aws:iam::123456789012:role/Other", RoleSessionName="me"
)["Credentials"]
s3 = boto3.Session(
    role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"]
).client("s3")
try:
    s3.get_object(Bucket=sys.argv[1], Key=sys.argv[2])
except s3.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
"""

    done = run(cpjob_endpoint, work, artifact.bucket, artifact.key)

    assert done.stdout == "AccessDenied\n"


def test_a_client_of_this_process_may_use_it_too_and_is_recorded_once(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"In": b"content"})
    artifact = job.input_artifacts["In"]
    local = {"endpoint_url": cpjob_endpoint.url}

    got = (
        session_of(credentials_of(job))
        .client("s3", **local)
        .get_object(Bucket=artifact.bucket, Key=artifact.key)
    )
    boto3.client("codepipeline", **local).put_job_success_result(jobId=job.id)

    assert got["Body"].read() == b"content"
    assert [call.operation for call in cpjob.calls] == ["GetObject", "PutJobSuccessResult"]
    assert {call.job_ids for call in cpjob.calls} == {(job.id,)}


@pytest.mark.parametrize(
    ("upper", "lower", "expected"),
    [
        (None, None, "127.0.0.1"),
        ("", "internal.example", "internal.example,127.0.0.1"),
        ("a.example, b.example", "b.example,c.example", "a.example,b.example,c.example,127.0.0.1"),
        ("*", None, "*"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_no_proxy_stands_before_the_endpoint(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    upper: str | None,
    lower: str | None,
    expected: str,
) -> None:
    for name, value in {"NO_PROXY": upper, "no_proxy": lower}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    cpjob_endpoint: Endpoint = request.getfixturevalue("cpjob_endpoint")
    job = request.getfixturevalue("cpjob").add_lambda_job()

    boto3.client("codepipeline", endpoint_url=cpjob_endpoint.url).get_job_details(jobId=job.id)

    env = cpjob_endpoint.env
    assert env["NO_PROXY"] == env["no_proxy"] == os.environ["no_proxy"] == expected


# -- the environment -------------------------------------------------------------------------------


def test_a_process_gets_the_endpoint_and_nothing_of_the_real_configuration(
    cpjob_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a real one")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.invalid")
    monkeypatch.setenv("MINE", "kept")
    show = "import json, os; print(json.dumps(dict(os.environ)))"

    seen = json.loads(run(cpjob_endpoint, show, env={"AWS_MAX_ATTEMPTS": "1"}).stdout)

    assert {name: seen[name] for name in cpjob_endpoint.env} == cpjob_endpoint.env
    of_aws = {name for name in seen if name.startswith("AWS_")}
    assert of_aws - set(cpjob_endpoint.env) == {"AWS_MAX_ATTEMPTS"}
    assert seen["MINE"] == "kept"


def test_the_environment_is_strings_that_point_at_the_endpoint(cpjob_endpoint: Endpoint) -> None:
    env = cpjob_endpoint.env

    assert all(isinstance(value, str) for value in env.values())
    assert env["AWS_ENDPOINT_URL"] == cpjob_endpoint.url
    assert cpjob_endpoint.url.startswith("http://127.0.0.1:")
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "us-east-1"
    assert env["AWS_EC2_METADATA_DISABLED"] == "true"
    assert env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] == "false"
    assert not any(Path(env[name]).is_file() for name in ("AWS_CONFIG_FILE",))


@pytest.mark.cpjob(region="eu-central-1")
def test_the_region_is_the_tests(cpjob_endpoint: Endpoint) -> None:
    assert cpjob_endpoint.env["AWS_REGION"] == "eu-central-1"


def test_run_is_subprocess_run_with_its_output_as_text(cpjob_endpoint: Endpoint) -> None:
    done = cpjob_endpoint.run(
        [sys.executable, "-c", "import sys; print('out'); sys.exit(input())"], input="why"
    )

    assert (done.returncode, done.stdout, done.stderr) == (1, "out\n", "why\n")
    assert not isinstance(cpjob_endpoint.run([sys.executable, "-V"], text=False).stdout, str)


def test_the_servers_threads_are_no_finding(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    run(cpjob_endpoint, "import boto3; boto3.client('sts').get_caller_identity()")

    cpjob._harness.settle()
    cpjob.check()

    assert [t.name for t in threading.enumerate() if t.name.startswith("pytest-cpjob")]
