"""Clients of other languages work at the endpoint as they do at AWS.

The AWS CLI and the JavaScript SDK are installed from their registries into pytest's cache, once;
where that cannot be, what needs them is skipped.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from fcntl import LOCK_EX, flock
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from artifact_clients import credentials_of

from pytest_cpjob import CodePipelineStub, CurrentRevision, Endpoint, Job, JobFailure, JobSuccess

pytest.importorskip("flask", reason="the endpoint needs the extra server")
pytest.importorskip("cbor2", reason="the endpoint needs the extra server")

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
WORK = JobSuccess(
    output_variables={"bytes": "7"},
    summary="copied",
    external_execution_id="run 1",
    percent_complete=100,
    current_revision=CurrentRevision(
        revision="v2",
        change_identifier="c2",
        created=datetime(2026, 3, 1, 12, 30, 15, tzinfo=timezone.utc),
        revision_summary="the second",
    ),
)
"""What the worker, in whichever language, reports."""


@pytest.fixture
def job(cpjob: CodePipelineStub) -> Job:
    return cpjob.add_job(
        action_type="Build:Custom:Docs:1",
        configuration={"Theme": "dark"},
        input_artifacts={"Source": b"content"},
        output_artifacts=["Site"],
        encryption_key=True,
    )


def installed(config: pytest.Config, name: str, command: Sequence[str]) -> Path:
    """Give the folder that a tool is installed in; `{}` in the command is where it is made."""
    cache = getattr(config, "cache", None)
    if cache is None:
        pytest.skip("pytest's cache is off")
    home = Path(cache.mkdir("pytest-cpjob-clients"))
    made = home / name
    with (home / f"{name}.lock").open("w") as lock:
        flock(lock, LOCK_EX)  # another worker of xdist may be at it already
        if not made.is_dir():
            aside = mkdtemp(prefix=f"{name}-", dir=home)
            try:
                subprocess.run(
                    [part.format(aside) for part in command],
                    check=True,
                    capture_output=True,
                    timeout=300,
                )
                os.rename(aside, made)
            except (OSError, subprocess.SubprocessError) as error:
                shutil.rmtree(aside, ignore_errors=True)
                pytest.skip(f"{name} cannot be installed here: {type(error).__name__}")
    return made


# -- the AWS CLI -----------------------------------------------------------------------------------


COMMANDS = """
import json, os, sys
from awscli.clidriver import create_clidriver
own = dict(os.environ)
for words, variables in json.loads(sys.argv[1]):
    os.environ.clear()
    os.environ.update(own | variables)
    assert create_clidriver().main(words) != 0
"""


def as_variables(keys: Mapping[str, str] | None) -> dict[str, str]:
    """Credentials as the CLI takes them; none means those that the endpoint gives."""
    names = {
        "AWS_ACCESS_KEY_ID": "accessKeyId",
        "AWS_SECRET_ACCESS_KEY": "secretAccessKey",
        "AWS_SESSION_TOKEN": "sessionToken",
    }
    return {} if keys is None else {name: keys[key] for name, key in names.items()}


class AwsCli:
    """The AWS CLI, each command a process of its own."""

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        self._endpoint = endpoint
        self._folder = folder

    def run(
        self, *words: str, keys: Mapping[str, str] | None = None, **parameters: object
    ) -> subprocess.CompletedProcess[str]:
        for name, value in parameters.items():
            words += (f"--{name.replace('_', '-')}",)
            words += (value if isinstance(value, str) else json.dumps(value),)
        env = {"PYTHONPATH": str(self._folder), **as_variables(keys)}
        return self._endpoint.run([sys.executable, "-m", "awscli", *words], env=env)

    def refusals(self, *commands: tuple[tuple[str, ...], Mapping[str, str] | None]) -> list[str]:
        """Run commands that fail, each with its keys, in one process; give each one's code."""
        written = json.dumps([(words, as_variables(keys)) for words, keys in commands])
        env = {"PYTHONPATH": str(self._folder)}
        done = self._endpoint.run([sys.executable, "-c", COMMANDS, written], env=env)
        assert done.returncode == 0, done.stderr
        return re.findall(r"\((\w+)\) when calling", done.stderr)

    def __call__(self, operation: str, **parameters: object) -> Any:
        done = self.run("codepipeline", operation, **parameters)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None


@pytest.fixture
def aws(cpjob_endpoint: Endpoint, pytestconfig: pytest.Config) -> AwsCli:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--retries", "1"]
    return AwsCli(
        cpjob_endpoint, installed(pytestconfig, "awscli", [*pip, "--target", "{}", "awscli"])
    )


@pytest.mark.cpjob(allow=["leaked-secret"])  # how the CLI answers
def test_a_worker_of_the_aws_cli(aws: AwsCli, job: Job, tmp_path: Path) -> None:
    [offer] = aws("poll-for-jobs", action_type_id=DOCS, max_batch_size=5)["jobs"]
    assert offer["id"] == job.id
    acknowledgement = {"job_id": offer["id"], "nonce": offer["nonce"]}
    assert aws("acknowledge-job", **acknowledgement) == {"status": "InProgress"}
    details = aws("get-job-details", job_id=job.id)
    assert details == job.details
    data = details["jobDetails"]["data"]

    local, source, target = str(tmp_path / "artifact"), *places(data)
    keys = data["artifactCredentials"]
    assert aws.run("s3", "cp", source, local, keys=keys).returncode == 0
    assert Path(local).read_bytes() == b"content"
    key_id = data["encryptionKey"]["id"]
    done = aws.run(
        "s3", "cp", local, target, keys=keys, **{"sse": "aws:kms", "sse-kms-key-id": key_id}
    )
    assert done.returncode == 0, done.stderr
    reported = aws(
        "put-job-success-result",
        job_id=job.id,
        output_variables={"bytes": "7"},
        execution_details={
            "summary": "copied",
            "externalExecutionId": "run 1",
            "percentComplete": 100,
        },
        current_revision={
            "revision": "v2",
            "changeIdentifier": "c2",
            "created": "2026-03-01T12:30:15Z",
            "revisionSummary": "the second",
        },
    )

    assert reported is None
    assert job.result == WORK
    assert job.output_artifacts["Site"].content == b"content"
    assert job.output_artifacts["Site"].kms_key_id == job.encryption_key


def places(data: dict[str, Any]) -> list[str]:
    """The input's and the output's S3 URIs."""
    found = [(data[kind][0]["location"]["s3Location"]) for kind in KINDS]
    return [f"s3://{place['bucketName']}/{place['objectKey']}" for place in found]


KINDS = ("inputArtifacts", "outputArtifacts")


def test_the_aws_cli_reports_a_failure(aws: AwsCli, cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()

    failure = {"type": "ConfigurationError", "message": "no theme: café"}
    assert aws("put-job-failure-result", job_id=job.id, failure_details=failure) is None

    assert job.result == JobFailure("ConfigurationError", "no theme: café")


@pytest.mark.cpjob(allow=["own-role", "refused-request"])
def test_the_aws_cli_shows_what_it_is_refused(aws: AwsCli, job: Job, tmp_path: Path) -> None:
    data = job.details["jobDetails"]["data"]
    source = places(dict(data))[0]
    keys = credentials_of(job)
    local = str(tmp_path / "artifact")

    copy = ("s3", "cp", source, local)
    details = ("codepipeline", "get-job-details", "--job-id")

    refusals = aws.refusals(
        (copy, None),
        (copy, {**keys, "sessionToken": "another"}),
        (copy, {**keys, "secretAccessKey": "another"}),
        (("s3", "cp", f"{source}x", local), keys),
        ((*details, "11111111-2222-4333-8444-555555555555"), None),
        ((*details, "job-1"), None),
    )

    assert refusals == [
        "403",
        "400",
        "403",
        "403",
        "JobNotFoundException",
        "ValidationException",
    ]
    assert not Path(local).exists()


# -- the AWS SDK for JavaScript --------------------------------------------------------------------

SHARED = """
const { CodePipelineClient, ...cp } = require("@aws-sdk/client-codepipeline");
const { S3Client, ...s3 } = require("@aws-sdk/client-s3");
const spoken = process.env.SPOKEN === "CBOR"
  ? { protocol: require("@smithy/core/cbor").SmithyRpcV2CborProtocol } : {};
const codepipeline = new CodePipelineClient({ maxAttempts: 1, ...spoken });

const artifactClient = (data, changes = {}) =>
  new S3Client({ credentials: { ...data.artifactCredentials, ...changes }, maxAttempts: 1 });
const place = ({ location: { s3Location } }) =>
  ({ Bucket: s3Location.bucketName, Key: s3Location.objectKey });
const refusal = (call) => call.then(
  () => "answered", (error) => `${error.name} ${error.$metadata.httpStatusCode}`);
const main = async (work) => {
  try {
    console.log(JSON.stringify(await work()) ?? "done");
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
};
"""
WORKER = """
const { Readable } = require("node:stream");
main(async () => {
  const actionTypeId = { category: "Build", owner: "Custom", provider: "Docs", version: "1" };
  const { jobs: [{ id: jobId, nonce }] } =
    await codepipeline.send(new cp.PollForJobsCommand({ actionTypeId }));
  const { status } = await codepipeline.send(new cp.AcknowledgeJobCommand({ jobId, nonce }));
  if (status !== "InProgress") throw new Error(status);
  const { jobDetails: { data } } =
    await codepipeline.send(new cp.GetJobDetailsCommand({ jobId }));
  const client = artifactClient(data);
  const { Body, ContentLength } =
    await client.send(new s3.GetObjectCommand(place(data.inputArtifacts[0])));
  await client.send(new s3.PutObjectCommand({
    ...place(data.outputArtifacts[0]),
    Body: STREAMED ? Readable.from(Body) : await Body.transformToByteArray(),
    ContentLength,
    ServerSideEncryption: "aws:kms",
    SSEKMSKeyId: data.encryptionKey.id,
  }));
  const result = await codepipeline.send(new cp.PutJobSuccessResultCommand({
    jobId,
    outputVariables: { bytes: String(ContentLength) },
    executionDetails:
      { summary: "copied", externalExecutionId: "run 1", percentComplete: 100 },
    currentRevision: {
      revision: "v2", changeIdentifier: "c2", revisionSummary: "the second",
      created: new Date("2026-03-01T12:30:15Z"),
    },
  }));
  if (result.$metadata.httpStatusCode !== 200) throw new Error(JSON.stringify(result));
});
"""
REFUSED = """
main(async () => {
  const [jobId] = process.argv.slice(1);
  const { jobDetails: { data } } =
    await codepipeline.send(new cp.GetJobDetailsCommand({ jobId }));
  const get = (client, Key) => refusal(client.send(
    new s3.GetObjectCommand({ ...place(data.inputArtifacts[0]), ...(Key && { Key }) })));
  const unknown = "11111111-2222-4333-8444-555555555555";
  return [
    await get(new S3Client({ maxAttempts: 1 })),
    await get(artifactClient(data, { accessKeyId: "ASIAINVENTED00000000" })),
    await get(artifactClient(data, { sessionToken: "another" })),
    await get(artifactClient(data, { secretAccessKey: "another" })),
    await get(artifactClient(data), "café/☕ & more"),
    await refusal(codepipeline.send(new cp.GetJobDetailsCommand({ jobId: unknown }))),
    await refusal(codepipeline.send(new cp.GetJobDetailsCommand({ jobId: "job-1" }))),
    await codepipeline.send(new cp.AcknowledgeJobCommand({ jobId, nonce: "0" })).catch(
      (error) => error instanceof cp.InvalidNonceException),
  ];
});
"""


class JavaScript:
    """Programs on the SDK, each run in a process of its own."""

    def __init__(self, endpoint: Endpoint, node: str, folder: Path) -> None:
        self._endpoint = endpoint
        self._node = node
        self._env = {"NODE_PATH": str(folder / "node_modules")}

    def run(self, code: str, *arguments: str, shared: str = SHARED, spoken: str = "JSON") -> str:
        env = {**self._env, "SPOKEN": spoken}
        command = [self._node, "-e", shared + code, *arguments]
        # What a program has not read of an answer keeps it from ending.
        done = self._endpoint.run(command, env=env, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def javascript(cpjob_endpoint: Endpoint, pytestconfig: pytest.Config) -> JavaScript:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("the JavaScript SDK needs node and npm")
    packages = ["@aws-sdk/client-codepipeline", "@aws-sdk/client-s3"]
    quietly = ["--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=1"]
    command = [npm, "install", "--prefix", "{}", *quietly, *packages]
    return JavaScript(cpjob_endpoint, node, installed(pytestconfig, "javascript", command))


@pytest.mark.parametrize(
    ("spoken", "streamed"), [("JSON", False), ("CBOR", True)], ids=["JSON, bytes", "CBOR, stream"]
)
def test_a_worker_in_javascript(
    javascript: JavaScript, job: Job, spoken: str, streamed: bool
) -> None:
    javascript.run(f"const STREAMED = {json.dumps(streamed)};{WORKER}", spoken=spoken)

    assert job.result == WORK
    assert job.output_artifacts["Site"].content == b"content"
    assert job.output_artifacts["Site"].kms_key_id == job.encryption_key


@pytest.mark.cpjob(allow=["output-encryption"])  # the page's worker is a short one
def test_the_worker_of_the_documentation(javascript: JavaScript, job: Job) -> None:
    page = Path(__file__).parent.parent.joinpath("docs", "endpoint.md").read_text("utf-8")
    [worker] = re.findall(r"^```javascript\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)

    javascript.run(worker, shared="")

    assert job.result == JobSuccess(output_variables={"bytes": "7"})
    assert job.output_artifacts["Site"].content == b"content"


@pytest.mark.cpjob(allow=["own-role", "refused-request"])
@pytest.mark.parametrize("spoken", ["JSON", "CBOR"])
def test_javascript_knows_the_errors_it_is_refused_with(
    javascript: JavaScript, job: Job, spoken: str
) -> None:
    told = json.loads(javascript.run(REFUSED, job.id, spoken=spoken))

    assert told == [
        "AccessDenied 403",
        "InvalidAccessKeyId 403",
        "InvalidToken 400",
        "SignatureDoesNotMatch 403",
        "AccessDenied 403",
        "JobNotFoundException 400",
        "ValidationException 400",
        True,
    ]
    assert "café/☕ & more" in [call.request.get("Key") for call in job.calls]


# -- aiobotocore -----------------------------------------------------------------------------------


def test_an_asynchronous_client_finds_s3_at_the_endpoint(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint, job: Job
) -> None:
    session = pytest.importorskip(
        "aiobotocore.session", reason="aiobotocore pins an older botocore: it is tested by itself"
    ).get_session()
    local = {"region_name": "us-east-1", "endpoint_url": cpjob_endpoint.url}

    async def work() -> None:
        async with session.create_client("codepipeline", **local) as codepipeline:
            [offer] = (await codepipeline.poll_for_jobs(actionTypeId=DOCS))["jobs"]
            await codepipeline.acknowledge_job(jobId=offer["id"], nonce=offer["nonce"])
            source, target = (offer["data"][kind][0]["location"]["s3Location"] for kind in KINDS)
            keys = offer["data"]["artifactCredentials"]
            async with session.create_client(
                "s3",
                aws_access_key_id=keys["accessKeyId"],
                aws_secret_access_key=keys["secretAccessKey"],
                aws_session_token=keys["sessionToken"],
                **local,
            ) as s3:
                got = await s3.get_object(Bucket=source["bucketName"], Key=source["objectKey"])
                await s3.put_object(
                    Bucket=target["bucketName"],
                    Key=target["objectKey"],
                    Body=await got["Body"].read(),
                    ServerSideEncryption="aws:kms",
                    SSEKMSKeyId=offer["data"]["encryptionKey"]["id"],
                )
            await codepipeline.put_job_success_result(
                jobId=offer["id"], outputVariables={"bytes": "7"}
            )

    asyncio.run(work())

    assert job.result == JobSuccess(output_variables={"bytes": "7"})
    assert job.output_artifacts["Site"].content == b"content"
    assert [call.operation for call in cpjob.calls] == [
        "PollForJobs",
        "AcknowledgeJob",
        "GetObject",
        "PutObject",
        "PutJobSuccessResult",
    ]
