"""What depends on the system, on a simulation of the others: no such clocks, signals, files, forks.

The real ones are tried by the release workflow (.github/workflows/release.yml).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_cpjob.endpoint.processes import program_of
from pytest_cpjob.virtual_time import activity, processes

ANOTHER_SYSTEM = """
import asyncio, builtins, io, os, selectors, signal, subprocess, sys, threading, time
import concurrent.futures.thread, multiprocessing, pathlib, shutil, sysconfig, tempfile
import boto3, moto, moto.s3.responses, urllib.request, uuid, zoneinfo  # ask for the real system

sysconfig.get_config_vars()
SYSTEM = os.environ["SIMULATED"]
GONE = {
    "windows": {
        time: ("clock_gettime", "clock_gettime_ns", "pthread_getcpuclockid", "CLOCK_MONOTONIC"),
        os: ("fork", "forkpty", "waitid", "register_at_fork", "WNOHANG", "P_ALL"),
        signal: ("SIGALRM", "SIGKILL", "SIGHUP", "SIGUSR1", "setitimer", "pthread_kill"),
        selectors: ("EpollSelector", "PollSelector"),
    },
    "macos": {
        time: ("pthread_getcpuclockid",),
        selectors: ("EpollSelector",),
    },
}
for owner, names in GONE[SYSTEM].items():
    for name in names:
        if hasattr(owner, name):
            delattr(owner, name)
sys.platform = "another"  # not its own name: the standard library here has no such modules

def without_proc(opener):
    def opened(path, *arguments, **options):
        if str(path).startswith("/proc"):
            raise FileNotFoundError(path)
        return opener(path, *arguments, **options)
    return opened

builtins.open = without_proc(builtins.open)
io.open = without_proc(io.open)
"""

TESTS = """
import signal, time

import boto3

codepipeline = boto3.client("codepipeline", region_name="us-east-1")
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}


def work():
    while True:
        for job in codepipeline.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
            codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            time.sleep(60)
            codepipeline.put_job_success_result(jobId=job["id"])
        time.sleep(30)


def test_a_worker_sleeps_on_the_job_clock(cpjob):
    job = cpjob.add_job(action_type="Build:Custom:Docs:1")
    cpjob.run_worker(work)
    assert job.status == "Succeeded"
    assert cpjob.now >= 60


def test_a_worker_that_sets_signal_handlers(cpjob):
    before = signal.getsignal(signal.SIGTERM)

    def main():
        signal.signal(signal.SIGTERM, lambda *_: None)
        job = codepipeline.poll_for_jobs(actionTypeId=DOCS)["jobs"][0]
        codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        codepipeline.put_job_success_result(jobId=job["id"])

    cpjob.add_job(action_type="Build:Custom:Docs:1")
    cpjob.run_worker(main)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_finding_is_told(cpjob):
    job = cpjob.add_lambda_job(user_parameters="\\N{SNOWMAN} \\N{HIRAGANA LETTER A} \\u0394")
    print("printed \\N{SNOWMAN}")
    assert job.id == "\\N{SNOWMAN}"
"""


@pytest.mark.parametrize(("system", "encoding"), [("windows", "cp437"), ("macos", "cp1252")])
def test_the_plugin_works_without_what_other_systems_lack(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, system: str, encoding: str
) -> None:
    """On a console that cannot show every character, besides."""
    pytester.makepyfile(another_system=ANOTHER_SYSTEM, test_all=TESTS)
    monkeypatch.setenv("SIMULATED", system)
    monkeypatch.setenv("PYTHONIOENCODING", f"{encoding}:strict")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "another_system", "--cpjob-report=report.html"],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        encoding=encoding,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(pytester.path)},
    )

    assert "1 failed, 2 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "cpjob timeline" in ran.stdout
    assert "INTERNALERROR" not in ran.stdout + ran.stderr
    assert "<html" in (pytester.path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
@pytest.mark.parametrize("command", ["event", "details"])
def test_the_command_line_prints_to_any_console(encoding: str, command: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest_cpjob", command, "--pipeline-name", "web"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"},
    )

    assert ran.returncode == 0, ran.stderr
    assert b"web" in ran.stdout


# -- clocks, threads and processes as the kernel has them ------------------------------------------


def test_real_time_goes_on_without_clock_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("time.clock_gettime", raising=False)
    before = activity.real_time()

    monkeypatch.setattr("time.perf_counter", lambda: 0.0)

    assert activity.real_time() >= before > 0


def test_a_threads_time_is_the_process_s_where_it_has_no_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    monkeypatch.setattr(activity.sys, "platform", "win32")
    monkeypatch.delattr("time.clock_gettime_ns", raising=False)

    first = activity._cpu_of(threading.main_thread())
    assert first is not None
    assert first >= 0


def test_without_proc_every_thread_may_be_blocked_and_no_child_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    def refuse(path: Any, *_: object) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr("builtins.open", refuse)
    assert activity._is_blocked(threading.main_thread())

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert processes._has_ended(os.getpid())
    monkeypatch.delattr("os.waitid", raising=False)
    assert processes._living_children() == []


def test_a_program_is_named_by_its_last_part() -> None:
    assert program_of(["/usr/bin/node", "worker.js"]) == "node"
    assert program_of(r"node worker.js") == "node"
