"""The tests of `subprocess_worker`: the program as the container runs it, in a process of its own.

They need the extra `server`; without it they are skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_cpjob import CodePipelineStub, Endpoint, Job, JobFailure, JobSuccess

pytest.importorskip("flask", reason="the endpoint needs the extra server")
pytest.importorskip("cbor2", reason="the endpoint needs the extra server")

PROGRAM = [sys.executable, str(Path(__file__).with_name("subprocess_worker.py")), "handbook"]
BUILT = JobSuccess(output_variables={"pages": "1"}, summary="pages built: 1", percent_complete=100)


def add_job(cpjob: CodePipelineStub, source: Any) -> Job:
    return cpjob.add_job(
        action_type="Build:Custom:Docs:1",
        configuration={"Project": "handbook"},
        input_artifacts={"Source": source},
        output_artifacts=["Site"],
        encryption_key=True,
    )


def test_it_works_through_the_queue(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    jobs = [add_job(cpjob, {"index.md": f"# Page {number}"}) for number in range(3)]

    done = cpjob_endpoint.run([*PROGRAM, "--once"])

    assert done.returncode == 0, done.stderr
    assert [job.success for job in jobs] == [BUILT] * 3
    assert jobs[2].output_artifacts["Site"].text("index.html").endswith("# Page 2</pre>\n")
    assert jobs[2].output_artifacts["Site"].kms_key_id == jobs[2].encryption_key


def test_a_broken_source_does_not_end_it(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    broken, good = add_job(cpjob, b"no zip"), add_job(cpjob, {"index.md": "# Hi"})

    done = cpjob_endpoint.run([*PROGRAM, "--once"])

    assert done.returncode == 0
    assert broken.failure == JobFailure("JobFailed", "File is not a zip file")
    assert good.success == BUILT


def test_without_a_region_it_does_not_start(cpjob_endpoint: Endpoint) -> None:
    done = cpjob_endpoint.run([*PROGRAM, "--once"], env={"AWS_REGION": ""})

    assert done.returncode != 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_sigterm_lets_it_come_to_an_end(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    job = add_job(cpjob, {"index.md": "# Hi"})

    with subprocess.Popen(
        PROGRAM, env={**os.environ, **cpjob_endpoint.env}, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "jobs done: 1\n"
        assert program.stdout.readline() == "jobs done: 0\n"
        program.terminate()
        assert program.wait(60) == 0

    assert job.success == BUILT
