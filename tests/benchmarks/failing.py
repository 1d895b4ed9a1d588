"""The rows of a test that fails after 16,000 calls: what its report takes, in time and memory."""

from __future__ import annotations

import json
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
import json, resource, sys, time
from pathlib import Path
import pytest

UNIT = 1 if sys.platform == "darwin" else 1024


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    start, most = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    if call.when == "call":
        taken = time.process_time() - start
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most) * UNIT
        Path("taken.json").write_text(json.dumps([taken, more]))
"""


def rows() -> Iterator[Row]:
    """(i) Its report: each call has renewed the credentials, none of which may be shown."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_it.py").write_text(TEST, encoding="utf-8")
        Path(folder, "conftest.py").write_text(CONFTEST, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        subprocess.run(command, cwd=folder, capture_output=True, check=False)
        seconds, memory = json.loads(Path(folder, "taken.json").read_text(encoding="utf-8"))
    what = "the report of a test that fails after 16,000 calls"
    yield Row("i", what, "", seconds, None, 2.0)
    yield Row("i", f"memory for {what}", "", memory / 1024**2, None, 100.0, "MB")
