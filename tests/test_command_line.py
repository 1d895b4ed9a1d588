"""`python -m pytest_cpjob`: sample documents, safe copies of real ones, and the served endpoint."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from pytest_cpjob.cli.parser import main

Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]

KEY = "arn:aws:kms:eu-west-1:222233334444:alias/mine"
COMMANDS = ("details", "poll", "third-party", "event")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process; gives its exit code, output and errors."""

    def run(*arguments: str) -> Outcome:
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return (code, *capsys.readouterr())

    return run


def document(outcome: Outcome) -> Any:
    code, out, err = outcome
    assert (code, err) == (0, "")
    return json.loads(out)


# -- documents -------------------------------------------------------------------------------------


def job_of(command: str, printed: Any) -> Any:
    """The job in a document of any of the four shapes."""
    if command == "poll":
        return printed["jobs"][0]
    return printed["CodePipeline.job" if command == "event" else "jobDetails"]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_prints_its_document(cli: Run, command: str) -> None:
    job = job_of(command, document(cli(command)))

    assert len(job["data"]["inputArtifacts"]) == len(job["data"]["outputArtifacts"]) == 1
    assert ("nonce" in job) == (command in ("poll", "third-party"))
    assert ("accountId" in job) == (command != "third-party")
    assert ("pipelineContext" in job["data"]) == (command != "event")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_seed_gives_the_same_document(cli: Run, command: str) -> None:
    first = cli(command, "--seed", "7")

    assert cli(command, "--seed", "7") == first
    assert cli(command, "--seed", "8") != first
    assert cli(command) != first


def test_the_documents_of_one_seed_are_of_one_job(cli: Run) -> None:
    details = document(cli("details"))["jobDetails"]
    polled = document(cli("poll"))["jobs"][0]

    assert polled == {**details, "nonce": polled["nonce"]}


def test_the_factories_arguments_are_options(cli: Run) -> None:
    printed = document(
        cli(
            "details",
            *("--job-id", "11111111-2222-4333-8444-555555555555"),
            *("--account-id", "222233334444", "--region", "eu-west-1"),
            *("--pipeline-name", "web", "--stage-name", "Ship", "--action-name", "Docs"),
            *("--action-type", "Build:Custom:Docs:1"),
            *("--configuration", "Theme=dark", "--configuration", "Query=a=b"),
            *("--input-artifact", "One", "--input-artifact", "Two", "--output-artifact", "Site"),
            *("--artifact-bucket", "my-bucket", "--continuation-token", "again"),
            *("--encryption-key", KEY),
        )
    )

    job = printed["jobDetails"]
    data = job["data"]
    assert (job["id"], job["accountId"]) == (
        "11111111-2222-4333-8444-555555555555",
        "222233334444",
    )
    context = data["pipelineContext"]
    assert context["pipelineArn"] == "arn:aws:codepipeline:eu-west-1:222233334444:web"
    assert (context["stage"]["name"], context["action"]["name"]) == ("Ship", "Docs")
    assert data["actionTypeId"]["provider"] == "Docs"
    assert data["actionConfiguration"]["configuration"] == {"Theme": "dark", "Query": "a=b"}
    assert [artifact["name"] for artifact in data["inputArtifacts"]] == ["One", "Two"]
    (site,) = data["outputArtifacts"]
    assert (site["name"], site["location"]["s3Location"]["bucketName"]) == ("Site", "my-bucket")
    assert data["continuationToken"] == "again"
    assert data["encryptionKey"]["id"] == KEY


def test_a_functions_options(cli: Run) -> None:
    options = ("--user-parameters", '{"theme": "dark"}', "--function-name", "docs")

    data = document(cli("event", *options, "--encryption-key"))["CodePipeline.job"]["data"]

    assert data["actionConfiguration"]["configuration"] == {
        "FunctionName": "docs",
        "UserParameters": '{"theme": "dark"}',
    }
    assert data["encryptionKey"]["id"].startswith("arn:aws:kms:us-east-1:123456789012:key/")


def test_a_partners_options_are_checked_though_no_part_of_the_document(cli: Run) -> None:
    token = "a token of the client"

    printed = cli("third-party", "--client-token", token, "--job-id", "any text")

    assert document(printed)["jobDetails"]["id"] == "any text"
    assert token not in printed[1]
    assert cli("third-party", "--client-id", "nobody")[0] == 2


def test_what_is_not_ascii_is_printed_for_any_terminal(cli: Run) -> None:
    printed = cli("details", "--configuration", "Title=café ☕")

    assert printed[1].isascii()
    configuration = document(printed)["jobDetails"]["data"]["actionConfiguration"]["configuration"]
    assert configuration == {"Title": "café ☕"}


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("detials",), "invalid choice: 'detials'"),
        (("details", "--theme", "dark"), "unrecognized arguments: --theme dark"),
        (("poll", "--user-parameters", "x"), "unrecognized arguments: --user-parameters x"),
        (("details", "--job-id", "job-1"), "--job-id: Member must satisfy regular expression"),
        (("details", "--account-id", "1"), "--account-id: "),
        (("details", "--region", "moon"), "--region: "),
        (("poll", "--action-type", "Invoke:AWS:Lambda:1"), "owner Custom, not AWS"),
        (("event", "--action-type", "Build:Custom:Docs:1"), "--action-type: "),
        (
            ("details", "--encryption-key", "x"),
            "; write --encryption-key for a realistic key ARN, or",
        ),
        (("details", "--input-artifact", "a/b"), "error: --input-artifact: Member must satisfy"),
        (("details", "--configuration", "T="), "error: --configuration['T']: Member must have"),
        (
            ("details", "--input-artifact", "S=site/"),
            "--input-artifact: expected NAME, got 'S=site/'; only serve takes contents",
        ),
        (
            ("serve", "--configuration", "Theme=dark", "--output-artifact", "Q"),
            "--output-artifact, --configuration: options of a job require --job TYPE",
        ),
        (
            ("event", "--redact", "f", "--pipeline-name", "web", "--region", "eu-west-1"),
            "--pipeline-name, --region: not allowed with --redact, which copies a document",
        ),
        (("details", "--configuration", "Theme"), "--configuration: expected NAME=VALUE"),
        (("details", "--redact", "missing.json"), "missing.json"),
        (("serve", "--jobs", "missing.json"), "missing.json"),
        (("serve", "--port", "http"), "argument --port: expected 0 to 65535, got 'http'"),
        (("serve", "--port", "65536"), "argument --port: expected 0 to 65535, got '65536'"),
        (("serve", "--port", "-1"), "argument --port: expected 0 to 65535, got '-1'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    cli: Run, arguments: tuple[str, ...], says: str
) -> None:
    code, out, err = cli(*arguments)

    assert (code, out) == (2, "")
    assert err.startswith("pytest-cpjob")
    assert says in err
    assert err.count("\n") == 1


def test_a_file_that_is_no_json_is_named(cli: Run, tmp_path: Path) -> None:
    for content in (b"{", b"\xff\xfe\x00", b"[" * 200_000):
        path = tmp_path / "captured.json"
        path.write_bytes(content)

        code, out, err = cli("event", "--redact", str(path))

        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"{path} is not valid JSON" in err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_document_of_another_kind_is_told(
    cli: Run, tmp_path: Path, command: str, kind: str
) -> None:
    path = tmp_path / "captured.json"
    path.write_text(cli(kind)[1], "utf-8")

    code, out, err = cli(command, "--redact", str(path))

    assert code == (0 if command == kind else 2)
    if code:
        assert (out, err.count("\n")) == ("", 1)
        assert err.endswith(f"; write pytest-cpjob {kind} --redact {path}\n")


@pytest.mark.parametrize("content", ['{"a": 1}', "[]", "null", '{"jobDetails": 5}'])
def test_what_is_none_of_the_documents_is_told(cli: Run, tmp_path: Path, content: str) -> None:
    path = tmp_path / "captured.json"
    path.write_text(content, "utf-8")

    code, out, err = cli("event", "--redact", str(path))

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{path} is none of the documents: details (what GetJobDetails answers), poll" in err


def test_it_tells_its_version(cli: Run) -> None:
    assert cli("--version") == (0, f"pytest-cpjob {version('pytest-cpjob')}\n", "")


def test_help_tells_every_command_and_the_exit_codes(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = cli("--help")

    assert (code, err) == (0, "")
    for command in (*COMMANDS, "serve"):
        assert f"\n    {command}" in out
    assert "Exit codes: 0; 1, serve has findings; 2, bad input" in out


@pytest.mark.parametrize("command", [*COMMANDS, "serve"])
def test_every_option_has_a_help(cli: Run, command: str) -> None:
    code, out, _ = cli(command, "--help")

    assert code == 0
    for option in ("--seed", "--region", "--pipeline-name", "--encryption-key"):
        assert f"\n  {option} " in out


def test_it_runs_as_a_module_and_as_a_script() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_cpjob", "poll", "--seed", "7"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert len(json.loads(done.stdout)["jobs"]) == 1
    [script] = entry_points(group="console_scripts", name="pytest-cpjob")
    assert script.load() is main


def test_a_reader_that_has_read_enough_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pytest_cpjob", "details"],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr) == (0, b"")


# -- serve -----------------------------------------------------------------------------------------


class Served:
    """`pytest-cpjob serve` while it runs."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest_cpjob", "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        self.told = self._until(self.process.stderr, "serving until Ctrl-C")
        self.env = {}
        self.unset = []
        while "AWS_ENDPOINT_URL" not in self.env or "no_proxy" not in self.env:
            name, _, value = self.process.stdout.readline().rstrip("\n").partition("=")
            if name.startswith("unset "):
                self.unset.append(name.removeprefix("unset "))
                continue
            assert name.startswith("export "), self.told
            self.env[name.removeprefix("export ")] = value.strip("'")

    def _until(self, stream: Any, last: str) -> list[str]:
        lines = []
        for line in stream:
            lines.append(line.rstrip("\n"))
            if lines[-1] == last:
                break
        return lines

    def next_line(self) -> str:
        assert self.process.stderr is not None
        return str(self.process.stderr.readline()).rstrip("\n")

    def interrupt(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err

    def client(self, service: str = "codepipeline") -> Any:
        return boto3.client(
            service,
            endpoint_url=self.env["AWS_ENDPOINT_URL"],
            region_name=self.env["AWS_REGION"],
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )


@contextmanager
def served(*arguments: str) -> Iterator[Served]:
    pytest.importorskip("flask", reason="serve needs the extra server")
    pytest.importorskip("cbor2", reason="serve needs the extra server")
    serving = Served(*arguments)
    try:
        yield serving
    finally:
        serving.process.kill()
        serving.process.communicate()


DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}


def test_serve_exports_an_environment_and_lists_its_calls() -> None:
    with served("--job", "Build:Custom:Docs:1", "--region", "eu-west-1") as serving:
        assert serving.env["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
        assert serving.env["AWS_REGION"] == "eu-west-1"
        assert serving.env["AWS_CONFIG_FILE"] == os.devnull
        client = serving.client()

        [offer] = client.poll_for_jobs(actionTypeId=DOCS)["jobs"]
        assert f"job {offer['id']} Build:Custom:Docs:1 Queued" in serving.told
        assert serving.next_line() == "codepipeline.PollForJobs -> answered"
        client.acknowledge_job(jobId=offer["id"], nonce=offer["nonce"])
        assert serving.next_line() == "codepipeline.AcknowledgeJob -> answered"
        late = serving.client()
        with pytest.raises(late.exceptions.InvalidNonceException):
            late.acknowledge_job(jobId=offer["id"], nonce=offer["nonce"])
        assert "(InvalidNonceException)" in serving.next_line()
        client.put_job_success_result(jobId=offer["id"])

        code, err = serving.interrupt()

    assert code == 0
    assert err.splitlines()[-2:] == [
        f"job {offer['id']}: Succeeded",
        "no findings",
    ]


def test_serve_unsets_what_would_lead_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile work]\nregion = eu-west-1\n", encoding="utf-8")
    ours = ("AWS_CREDENTIAL_EXPIRATION", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN")
    values = ("2020-01-01T00:00:00Z", "https://aws.invalid", "work", "a token")
    for name, value in zip(ours, values, strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.invalid")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with served() as serving:
        assert serving.unset == list(ours)
    for name in ours:
        monkeypatch.delenv(name)
    with served() as serving:
        assert serving.unset == []


def test_ctrl_c_ends_with_the_findings_and_exit_code_1() -> None:
    with served("--job", "Build:Custom:Docs:1") as serving:
        client = serving.client()
        [offer] = client.poll_for_jobs(actionTypeId=DOCS)["jobs"]
        client.acknowledge_job(jobId=offer["id"], nonce=offer["nonce"])

        code, err = serving.interrupt()

    assert code == 1
    assert "no-result: job " in err
    assert "CodePipelineStub(allow=" in err
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_a_container_that_is_stopped_ends_the_same_way() -> None:
    with served() as serving:
        code, err = serving.interrupt(signal.SIGTERM)

    assert (code, err) == (0, "no findings\n")


def test_a_call_that_nothing_answers_is_a_finding_and_exit_code_1() -> None:
    with served() as serving:
        client = serving.client()
        with pytest.raises(client.exceptions.ClientError):
            client.list_webhooks()

        code, err = serving.interrupt()

    assert code == 1
    assert "unfaked-call: codepipeline.ListWebhooks" in err


def write_jobs(folder: Path, name: str) -> str:
    source = folder / "index.md"
    source.write_text("# Hi", "utf-8")
    jobs = [
        {"action_type": "Build:Custom:Docs:1", "input_artifacts": {"Source": str(source)}},
        {"kind": "lambda", "user_parameters": {"theme": "dark"}, "function_name": "docs"},
        {"action_type": "Test:ThirdParty:Scan:1", "client_token": "the token"},
    ]
    path = folder / name
    # What is JSON is YAML too, but these lines are not JSON.
    text = json.dumps(jobs) if name.endswith(".json") else "".join(f"- {job}\n" for job in jobs)
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("name", ["jobs.json", "jobs.yaml"])
def test_jobs_come_from_a_file_and_from_options(tmp_path: Path, name: str) -> None:
    options = ("--job", "Deploy:Custom:Push:1", "--configuration", "Where=here")
    artifacts = ("--input-artifact", f"Site={tmp_path}", "--output-artifact", "Log")
    with served("--jobs", write_jobs(tmp_path, name), *options, *artifacts) as serving:
        client = serving.client()
        push = {"category": "Deploy", "owner": "Custom", "provider": "Push", "version": "1"}
        [offer] = client.poll_for_jobs(actionTypeId=push)["jobs"]
        scan = {"category": "Test", "owner": "ThirdParty", "provider": "Scan", "version": "1"}
        [found] = client.poll_for_third_party_jobs(actionTypeId=scan)["jobs"]
        client.get_third_party_job_details(jobId=found["jobId"], clientToken="the token")
        keys = offer["data"]["artifactCredentials"]
        place = offer["data"]["inputArtifacts"][0]["location"]["s3Location"]
        s3 = boto3.client(
            "s3",
            endpoint_url=serving.env["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            aws_session_token=keys["sessionToken"],
        )
        got = s3.get_object(Bucket=place["bucketName"], Key=place["objectKey"])["Body"].read()

    assert offer["data"]["actionConfiguration"]["configuration"] == {"Where": "here"}
    assert got.startswith(b"PK")
    told = "\n".join(serving.told)
    assert "client token the token" in told
    [event] = [line for line in serving.told if line.startswith("  event ")]
    data = json.loads(event.removeprefix("  event "))["CodePipeline.job"]["data"]
    assert data["actionConfiguration"]["configuration"]["UserParameters"] == '{"theme": "dark"}'


def test_the_jobs_of_the_documentation_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(__file__).parent.parent.joinpath("docs", "endpoint.md").read_text("utf-8")
    jobs, _ = re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)  # and compose
    [options] = re.findall(r"^\$ pytest-cpjob serve (.*)$", page, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("site").mkdir()
    tmp_path.joinpath("site", "index.md").write_text("# Hi")
    tmp_path.joinpath("jobs.yaml").write_text(jobs)

    with served("--jobs", "jobs.yaml", *options.split()) as serving:
        told = "\n".join(serving.told)

    assert told.count("Build:Custom:Docs:1 Queued") == 2
    assert told.count("Invoke:AWS:Lambda:1 InProgress") == 1
    assert told.count("  Source: s3://") == told.count("  Site: s3://") == 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("jobs.json", "{", "is not valid JSON"),
        ("jobs.yaml", "- {", "is not valid YAML"),
        ("jobs.json", "{}", "expected a list of jobs"),
        ("jobs.json", '["Build:Custom:Docs:1"]', "expected a list of jobs"),
        ("jobs.json", '[{"kind": "partner"}]', "kind: expected one of job, lambda, third-party"),
        ("jobs.json", '[{"kind": ["job"]}]', "kind: expected one of"),
        ("jobs.json", '[{"theme": "dark"}]', "got an unknown argument 'theme'"),
        ("jobs.json", '[{"action_type": "Docs"}]', "action_type: "),
        ("jobs.json", '[{"job_id": 5}]', "job_id: "),
        ("jobs.json", '[{"input_artifacts": {"In": "/no/such/file"}}]', "/no/such/file"),
    ],
)
def test_a_job_that_cannot_be_is_told_in_one_line(
    cli: Run, tmp_path: Path, name: str, content: str, says: str
) -> None:
    pytest.importorskip("flask", reason="serve needs the extra server")
    pytest.importorskip("cbor2", reason="serve needs the extra server")
    path = tmp_path / name
    path.write_text(content, "utf-8")

    code, out, err = cli("serve", "--jobs", str(path))

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_port_that_is_taken_is_told_in_one_line(cli: Run) -> None:
    with served() as serving:
        code, out, err = cli("serve", "--port", serving.env["AWS_ENDPOINT_URL"].rpartition(":")[2])

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "in use" in err


def test_without_the_extra_serve_says_what_to_install(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_cpjob.endpoint.server.find_spec", lambda name: None)

    code, _, err = cli("serve")

    assert code == 2
    assert err == (
        "pytest-cpjob: error: the endpoint needs 'cbor2': pip install 'pytest-cpjob[server]'\n"
    )
