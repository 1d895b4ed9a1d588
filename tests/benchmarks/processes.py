"""What a whole process costs: pytest's start, and suites."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measuring import Row, compared, process

WITH_FAKER = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
OPTIONS = [*WITH_FAKER, "-p", "no:faker"]
QUIET = ["-m", "pytest", *OPTIONS]
IMPORTING = """
import time, pytest
start = time.perf_counter()
import pytest_cpjob.plugin
print(time.perf_counter() - start)
"""
HANDLER = """
import boto3
codepipeline = boto3.client("codepipeline", region_name="us-east-1")
def handler(event, context):
    codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"])
"""
ARTIFACTS = """
import boto3
codepipeline = boto3.client("codepipeline", region_name="us-east-1")
def handler(event, context):
    job = event["CodePipeline.job"]
    keys = job["data"]["artifactCredentials"]
    s3 = boto3.session.Session(
        keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
    ).client("s3", region_name="us-east-1")
    at = job["data"]["inputArtifacts"][0]["location"]["s3Location"]
    s3.get_object(Bucket=at["bucketName"], Key=at["objectKey"])["Body"].read()
    codepipeline.put_job_success_result(jobId=job["id"])
"""


def import_time() -> float:
    """Seconds that the plugin's own import takes at pytest's start."""
    times = [
        float(
            subprocess.run(
                [sys.executable, "-c", IMPORTING], check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(9)
    ]
    return statistics.median(times)


def rows() -> Iterator[Row]:
    """Every comparison of processes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_empty.py").write_text("")
        collect = ["--collect-only", "test_empty.py"]
        with_it = process(_pytest([*OPTIONS, *collect]), name)
        without = process(_pytest([*OPTIONS, "-p", "no:cpjob", *collect]), name)
        with_faker = process(_pytest([*WITH_FAKER, *collect]), name)
        yield compared("collect an empty suite / without the plugin", with_it, without, budget=None)
        yield compared("the same with Faker's plugin / without", with_faker, with_it, budget=None)
        (folder / "my_action.py").write_text(HANDLER)
        (folder / "my_artifacts.py").write_text(ARTIFACTS)
        (folder / "test_ours.py").write_text(
            "from my_action import handler\n"
            "def test_one(cpjob):\n"
            "    assert cpjob.add_lambda_job().invoke(handler).status == 'Succeeded'\n"
        )
        (folder / "test_imports.py").write_text(
            "from my_action import handler\ndef test_one():\n    assert handler\n"
        )
        ours, imports = (process([*QUIET, f"test_{kind}.py"], name) for kind in ("ours", "imports"))
        yield compared("a cold one-test process / the handler's imports", ours, imports, budget=1.1)
        (folder / "test_ours_artifacts.py").write_text(
            "from my_artifacts import handler\n"
            "def test_one(cpjob):\n"
            "    job = cpjob.add_lambda_job(input_artifacts={'Source': {'a': 'b'}})\n"
            "    assert job.invoke(handler).status == 'Succeeded'\n"
        )
        (folder / "test_imports_moto.py").write_text(
            "from my_artifacts import handler\n"
            "import boto3, moto\n"
            "def test_one():\n"
            "    with moto.mock_aws():\n"
            "        boto3.client('s3', region_name='us-east-1').create_bucket(Bucket='b')\n"
        )
        ours, imports = (
            process([*QUIET, f"test_{kind}.py"], name)
            for kind in ("ours_artifacts", "imports_moto")
        )
        yield compared("the same with artifacts / one bucket on moto", ours, imports, budget=None)
        yield from _suites(folder)


def _suites(folder: Path) -> Iterator[Row]:
    """A suite of 1,000 handler tests against the same tests wired by hand."""
    (folder / "test_suite_ours.py").write_text(
        "import pytest\n"
        "from tests.benchmarks.in_process import handler, SOURCE\n"
        "@pytest.mark.parametrize('number', range(1000))\n"
        "def test_one(cpjob, number):\n"
        "    job = cpjob.add_lambda_job(input_artifacts={'Source': SOURCE},"
        " output_artifacts=['Site'])\n"
        "    assert job.invoke(handler).status == 'Succeeded'\n"
        "    assert job.output_artifacts['Site'].files['index.html'] == b'# Hi'\n"
    )
    (folder / "test_suite_by_hand.py").write_text(
        "import pytest\n"
        "from tests.benchmarks.in_process import by_hand\n"
        "@pytest.mark.parametrize('number', range(1000))\n"
        "def test_one(number):\n"
        "    by_hand()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    for extra, name in (([], "one process"), (["-n", "2"], "-n 2")):
        ours, theirs = (
            process([*QUIET, *extra, f"test_suite_{kind}.py"], str(folder), env)
            for kind in ("ours", "by_hand")
        )
        yield compared(f"1,000 tests, {name} / wired by hand", ours, theirs, budget=None, rounds=1)


def _pytest(arguments: list[str]) -> list[str]:
    """Give a program that runs pytest, and takes 'no tests' for success."""
    program = f"import sys, pytest; sys.exit(pytest.main({arguments!r}) not in (0, 5))"
    return ["-c", program]
