"""The rows of a test that fails after 16,000 calls: what its report takes, in time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks.measuring import Row

TEST: Final = """
import boto3

codepipeline = boto3.client("codepipeline", region_name="us-east-1")


def test_it(cpjob):
    job = cpjob.add_job(action_type="Build:Custom:Docs:1")
    for _ in range(16_000):
        codepipeline.get_job_details(jobId=job.id)
    raise RuntimeError(f"job {job.id} was not done")
"""

CONFTEST: Final = """
import os, time, tracemalloc
from pathlib import Path
import pytest


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    if os.environ["MEASURED"] == "memory":
        tracemalloc.start()
    start = time.process_time()
    yield
    taken = time.process_time() - start
    if tracemalloc.is_tracing():
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    if call.when == "call":
        Path("taken").write_text(str(taken))
"""


def rows() -> Iterator[Row]:
    """(i) Its report: each call has renewed the credentials, none of which may be shown."""
    what = "the report of a test that fails after 16,000 calls"
    yield Row("i", what, "", measured("time"), None, 2.0)
    memory = measured("memory") / 1024**2
    yield Row("i", f"memory for {what}", "", memory, None, 100.0, "MB")


def measured(what: str) -> float:
    """Run the test, and give the time or the most memory that its report takes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_it.py").write_text(TEST, encoding="utf-8")
        Path(folder, "conftest.py").write_text(CONFTEST, encoding="utf-8")
        env = {**os.environ, "MEASURED": what}
        subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)
        return float(Path(folder, "taken").read_text(encoding="utf-8"))
