"""Processes that run beside the test at the endpoint, and waiting for what they do to a job."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from docs_worker import DOCS, acknowledge, poll, poll_once, succeed

from pytest_cpjob import CodePipelineStub, ContractError, CpjobError, Endpoint, JobSuccess

without_windows = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")

WORKER = """
import time
import boto3

client = boto3.client("codepipeline")
docs = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
print("ready")
while True:
    for job in client.poll_for_jobs(actionTypeId=docs)["jobs"]:
        client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        token = job["data"].get("continuationToken")
        more = {"outputVariables": {"pages": "1"}} if token else {"continuationToken": "half way"}
        client.put_job_success_result(jobId=job["id"], **more)
    time.sleep(0.05)
"""
TELL_THE_KEY = """
import boto3, sys, time
docs = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
client = boto3.client("codepipeline")
(job,) = client.poll_for_jobs(actionTypeId=docs)["jobs"]
client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
details = client.get_job_details(jobId=job["id"])["jobDetails"]["data"]
print("key", details["artifactCredentials"]["secretAccessKey"], file=sys.stderr)
client.put_job_success_result(jobId=job["id"])
"""
RUN_FOR_EVER = TELL_THE_KEY + "\ntime.sleep(600)\n"
TELL_IN_THE_END = """
import boto3, signal, sys, time
docs = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
client = boto3.client("codepipeline")
(job,) = client.poll_for_jobs(actionTypeId=docs)["jobs"]
key = job["data"]["artifactCredentials"]["secretAccessKey"]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"key {key}"))
client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
client.put_job_success_result(jobId=job["id"])
time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready")
time.sleep(600)
"""


@pytest.fixture
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    pytest.importorskip("flask", reason="the endpoint needs the extra server")
    pytest.importorskip("cbor2", reason="the endpoint needs the extra server")
    found: Endpoint = request.getfixturevalue("cpjob_endpoint")
    return found


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def eventually(is_so: Callable[[], bool]) -> bool:
    for _ in range(2000):
        if is_so():
            return True
        time.sleep(0.01)
    return False


# -- start -----------------------------------------------------------------------------------------


def test_a_worker_runs_beside_the_test_which_waits_for_its_results(
    cpjob: CodePipelineStub, endpoint: Endpoint
) -> None:
    job = cpjob.add_job(action_type=DOCS)

    with endpoint.start(python(WORKER)) as worker:
        last = job.wait()
        other = cpjob.add_job(action_type=DOCS).wait(seconds=30)
        assert worker.poll() is worker.returncode is None

    assert (job.continuation, last.result) == (last, JobSuccess(output_variables={"pages": "1"}))
    assert other.status == "Succeeded"
    assert worker.poll() is not None
    assert worker.output == worker.stdout == "ready\n"
    assert cpjob.now == 0


@without_windows
def test_a_process_is_ended_by_sigterm_and_killed_if_it_does_not_listen(endpoint: Endpoint) -> None:
    idle = endpoint.start(python("print('ready'); import time; time.sleep(600)"))
    deaf = endpoint.start(python(DEAF))
    assert eventually(lambda: idle.stdout == deaf.stdout == "ready\n")

    assert (idle.stop(), deaf.stop(timeout=0.2)) == (-15, -9)
    assert (idle.stop(), idle.wait(), idle.returncode) == (-15, -15, -15)


def test_its_output_is_text_both_streams_apart_and_together(endpoint: Endpoint) -> None:
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.stdout.write('3\\udce9')"
    process = endpoint.start(python(code), env={"PYTHONIOENCODING": "ascii:surrogateescape"})

    assert process.wait(30) == 0
    assert (process.stdout, process.stderr) == ("one\n3\ufffd", "two\n")
    assert sorted(process.output.splitlines()) == ["3\ufffd", "one", "two"]
    assert process.args == python(code)
    assert repr(process).endswith(f"{process.pid} ended with 0>")


def test_options_are_those_of_popen(endpoint: Endpoint) -> None:
    together = endpoint.start(
        python("import os, sys; print(os.environ['THEME'], file=sys.stderr)"),
        stderr=subprocess.STDOUT,
        env={"THEME": "dark"},
    )
    binary = endpoint.start(python("print('bytes')"), text=False)

    assert (together.wait(30), together.stdout, together.stderr) == (0, "dark\n", "")
    assert (binary.wait(30), binary.stdout.split()) == (0, ["bytes"])


def test_no_other_aws_variables_reach_it(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    show = "import os; print(sorted(name for name in os.environ if name.startswith('AWS_')))"
    process = endpoint.start(python(show))

    assert process.wait(30) == 0
    assert process.stdout == f"{sorted(name for name in endpoint.env if 'AWS_' in name)}\n"


def test_a_wait_for_it_has_an_end(endpoint: Endpoint) -> None:
    process = endpoint.start(python("import time; time.sleep(600)"))

    with pytest.raises(subprocess.TimeoutExpired, match=r"0\.05 seconds"):
        process.wait(0.05)
    assert "running" in repr(process)


def test_the_threads_that_read_its_output_are_no_finding(
    cpjob: CodePipelineStub, endpoint: Endpoint
) -> None:
    with endpoint.start(python("import time; time.sleep(600)")):
        cpjob._harness.settle()
        cpjob.check()


# -- the test's end --------------------------------------------------------------------------------


def run_inside(pytester: pytest.Pytester, test: str) -> pytest.RunResult:
    pytester.makepyfile(f"import sys, time\nCODE = {TELL_IN_THE_END!r}\n{test}")
    return pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")


@without_windows
@pytest.mark.usefixtures("endpoint")
def test_a_process_that_still_runs_is_ended_before_the_findings_are_judged(
    pytester: pytest.Pytester,
) -> None:
    result = run_inside(
        pytester,
        """
started = []

def test_leak(cpjob, cpjob_endpoint):
    job = cpjob.add_job(action_type="Build:Custom:Docs:1")
    started.append(cpjob_endpoint.start([sys.executable, "-c", CODE]))
    job.wait()

def test_ended():
    (process,) = started
    assert process._popen.returncode is not None
""",
    )

    result.assert_outcomes(passed=1, failed=1)
    told = " ".join(result.stdout.str().split())
    assert "(Build:Custom:Docs:1) is in the output of python" in told
    assert "The line: key <masked>" in told


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize("place", ["fixture", "failed set-up", "failed test", "teardown"])
def test_no_process_outlives_its_test(pytester: pytest.Pytester, place: str) -> None:
    in_fixture = place in ("fixture", "failed set-up")
    run_inside(
        pytester,
        f"""
import pathlib, pytest
PLACE = {place!r}

def start(cpjob_endpoint):
    process = cpjob_endpoint.start([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path("pid").write_text(str(process.pid))
    return process

@pytest.fixture
def worker(cpjob_endpoint):
    process = start(cpjob_endpoint) if {in_fixture} else None
    assert PLACE != "failed set-up"
    yield process
    if PLACE == "teardown":
        start(cpjob_endpoint)

def test_it(worker, cpjob_endpoint):
    if PLACE == "failed test":
        start(cpjob_endpoint)
        raise AssertionError("no")

def test_afterwards():
    import os
    try:
        os.kill(int(pathlib.Path("pid").read_text()), 0)
    except OSError:
        pathlib.Path("ended").touch()
""",
    )

    assert (pytester.path / "pid").exists()
    assert (pytester.path / "ended").exists()


# -- secrets ---------------------------------------------------------------------------------------


def leaks_of(cpjob: CodePipelineStub) -> str:
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("leaked-secret",)
    return str(caught.value)


def test_a_secret_in_what_run_has_captured_is_found(
    cpjob: CodePipelineStub, endpoint: Endpoint
) -> None:
    job = cpjob.add_job(action_type=DOCS)

    assert endpoint.run(python(TELL_THE_KEY)).returncode == 0

    text = leaks_of(cpjob)
    assert "leaked-secret (tests/test_endpoint_processes.py:" in text
    assert f"secretAccessKey of job {job.id} (Build:Custom:Docs:1) is in the output of" in text
    assert "The line: key <masked>\n" in text


@pytest.mark.parametrize(
    ("code", "options", "error"),
    [
        (RUN_FOR_EVER, {"timeout": 5}, subprocess.TimeoutExpired),
        (TELL_THE_KEY + "sys.exit(1)", {"check": True}, subprocess.CalledProcessError),
        (TELL_THE_KEY + "sys.exit(1)", {"check": True, "text": False}, subprocess.SubprocessError),
    ],
    ids=["time-out", "exit code", "bytes"],
)
def test_a_secret_is_found_where_run_has_raised_too(
    cpjob: CodePipelineStub,
    endpoint: Endpoint,
    code: str,
    options: dict[str, Any],
    error: type[Exception],
) -> None:
    cpjob.add_job(action_type=DOCS)

    with pytest.raises(error):
        endpoint.run(python(code), **options)

    assert "is in the output of" in leaks_of(cpjob)


def test_a_secret_is_found_while_the_process_runs(
    cpjob: CodePipelineStub, endpoint: Endpoint
) -> None:
    job = cpjob.add_job(action_type=DOCS)

    with endpoint.start(python(RUN_FOR_EVER)) as worker:
        job.wait()
        assert worker.poll() is None
        assert eventually(lambda: "key" in worker.stderr)
        assert "is in the output of" in leaks_of(cpjob)


# -- job.wait --------------------------------------------------------------------------------------


def test_a_wait_for_a_job_ends_with_it_in_real_time(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(action_type=DOCS)
    worker = threading.Timer(0.1, poll_once)
    worker.start()

    assert job.wait(30) == job
    assert (job.status, cpjob.now) == ("Succeeded", 0)
    worker.join()


def test_a_wait_for_an_ended_job_takes_no_time(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(action_type=DOCS)
    poll_once()
    assert job.wait(seconds=0) == job


def test_a_job_that_timed_out_has_ended(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(action_type=DOCS)
    cpjob.advance(8 * 24 * 3600)
    assert job.wait(seconds=0).status == "TimedOut"


def test_a_job_that_does_not_end_is_an_error_with_its_status_and_timeline(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_job(action_type=DOCS)
    with pytest.raises(CpjobError, match=rf"^job {job.id} is still Queued after 0\.05 seconds"):
        job.wait(0.05)
    (polled,) = poll()
    acknowledge(polled)

    with pytest.raises(CpjobError, match="is still InProgress") as caught:
        job.wait(0.05)

    assert str(caught.value).endswith(job.timeline)
    assert "AcknowledgeJob" in job.timeline
    succeed(polled)


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan"), "30", True, None])
def test_a_wait_is_a_finite_number_of_seconds(cpjob: CodePipelineStub, seconds: Any) -> None:
    job = cpjob.add_job(action_type=DOCS)
    with pytest.raises(ValueError, match=r"^seconds: expected a finite number"):
        job.wait(seconds)
