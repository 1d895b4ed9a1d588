"""Processes run in real time, so the job clock does not run ahead of them."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
TAKES_A_WHILE = [sys.executable, "-S", "-c", "import time; time.sleep(0.3)"]


def report(event: Any) -> None:
    CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])


def test_time_stands_while_a_process_is_waited_for_with_a_time_out(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: object) -> None:
        subprocess.run(TAKES_A_WHILE, timeout=600, check=True)
        subprocess.Popen(TAKES_A_WHILE).wait(600)
        report(event)

    assert cpjob.add_lambda_job().invoke(handler).status == "Succeeded"
    assert cpjob.now == 0


def test_a_process_that_is_looked_after_gets_real_time_between_the_looks(
    cpjob: CodePipelineStub,
) -> None:
    looks = []

    def handler(event: Any, context: object) -> None:
        process = subprocess.Popen(TAKES_A_WHILE)
        while process.poll() is None:
            looks.append(process)
            time.sleep(60)
        report(event)

    assert cpjob.add_lambda_job().invoke(handler).status == "Succeeded"
    assert cpjob.now == len(looks) * 60


def test_a_process_that_does_not_end_holds_up_the_time_for_a_while_only(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_cpjob.virtual_time.processes.MOST_REAL", 0.01)
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)

    def handler(event: Any, context: object) -> None:
        for _ in range(3):
            assert process.poll() is None
            time.sleep(60)
        report(event)

    cpjob.add_lambda_job().invoke(handler)

    process.communicate(b"\n")
    assert cpjob.now == 180


def test_processes_are_as_before_afterwards(cpjob: CodePipelineStub) -> None:
    poll = subprocess.Popen.poll

    cpjob.add_lambda_job().invoke(lambda event, context: report(event))

    assert subprocess.Popen.poll is poll
