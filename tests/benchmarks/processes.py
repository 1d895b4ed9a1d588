"""The rows of whole processes, from an installed wheel: pytest's start, and suites."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.benchmarks import measuring
from tests.benchmarks.measuring import Row, Side, process, quartiles

OPTIONS: Final = ("-q", "-p", "no:cacheprovider")
NO_FAKER: Final = ("-p", "no:faker")
# Without a cache pytest would rewrite, and Python compile, every module at every start.
_ENVIRONMENT: Final = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
IMPORTING: Final = """
import json, sys, time
import pytest
before = set(sys.modules)
start = time.process_time()
import pytest_cpjob.plugin
taken = time.process_time() - start
print(json.dumps([taken, sorted(set(sys.modules) - before)]))
"""
FILES: Final = {
    "pytest.ini": "[pytest]\n",
    "test_empty.py": "",
    "test_nothing.py": "def test_nothing():\n    pass\n",
    "my_action.py": """
import boto3
codepipeline = boto3.client("codepipeline", region_name="us-east-1")
def handler(event, context):
    codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"])
""",
    "test_ours.py": """
from my_action import handler
def test_one(cpjob):
    assert cpjob.add_lambda_job().invoke(handler).status == "Succeeded"
""",
    "test_imports.py": """
from my_action import handler
def test_one():
    assert handler
""",
    "test_ours_artifacts.py": """
from my_action import handler
def test_one(cpjob):
    job = cpjob.add_lambda_job(input_artifacts={"Source": {"a": "b"}})
    assert job.input_artifacts["Source"].files == {"a": b"b"}
    assert job.invoke(handler).status == "Succeeded"
""",
    "test_moto.py": """
from my_action import handler
import boto3, moto
def test_one():
    with moto.mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="key", Body=b"zip")
        assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"zip"
""",
    "test_fixture.py": """
import os
import time
import boto3, pytest
TESTS = int(os.environ["TESTS"])
WARM = 20
begun = []
@pytest.fixture
def plain():
    pass
@pytest.mark.parametrize("number", range(TESTS))
@pytest.mark.usefixtures(os.environ["FIXTURE"])
def test_one(number):
    begun.append(time.process_time())
    if len(begun) == TESTS:
        print("each:", (begun[-1] - begun[WARM]) / (TESTS - WARM - 1))
""",
    "test_suite_ours.py": """
import os
import pytest
from action import SOURCE, handler
@pytest.mark.parametrize("number", range(int(os.environ["TESTS"])))
def test_one(cpjob, number):
    job = cpjob.add_lambda_job(input_artifacts={"Source": SOURCE}, output_artifacts=["Site"])
    assert job.invoke(handler).status == "Succeeded"
    assert job.output_artifacts["Site"].files["index.html"] == b"# Hi"
""",
    "test_suite_by_hand.py": """
import os
import pytest
from action import by_hand
@pytest.mark.parametrize("number", range(int(os.environ["TESTS"])))
def test_one(number):
    by_hand()
""",
}


compared = partial(measuring.compared, rounds=15, clock=time.perf_counter)
"""As its users see it: the time on the wall."""


class Processes:
    """Runs pytest in a folder of small projects, with the Python of an environment."""

    def __init__(self, python: str, folder: Path) -> None:
        self._python = python
        self._folder = folder
        action = Path(__file__).with_name("action.py").read_text(encoding="utf-8")
        for name, content in {**FILES, "action.py": action}.items():
            (folder / name).write_text(content, encoding="utf-8")

    def pytest(self, file: str, *options: str, tests: int = 0) -> Side:
        """Run pytest on one of the files; no tests at all are fine."""
        arguments = [*OPTIONS, *options, file]
        program = f"import sys, pytest; sys.exit(pytest.main({arguments!r}) not in (0, 5))"
        env = {**_ENVIRONMENT, "TESTS": str(tests)}
        return process([self._python, "-c", program], str(self._folder), env)

    def each_test(self, fixture: str, tests: int = 1_000) -> float:
        """Seconds of CPU that a test takes in pytest which does nothing but to have a fixture."""
        env = {**_ENVIRONMENT, "TESTS": str(tests), "FIXTURE": fixture}
        command = [self._python, "-m", "pytest", *OPTIONS, *NO_FAKER, "-s", "test_fixture.py"]
        text = subprocess.check_output(command, cwd=self._folder, env=env, text=True)
        return float(text.partition("each:")[2].split()[0])

    def import_of_the_plugin(self) -> tuple[list[float], list[str]]:
        """Seconds of CPU that the plugin's import takes after pytest's, and what it imports."""
        answers = [
            json.loads(
                subprocess.check_output(
                    [self._python, "-c", IMPORTING], env=_ENVIRONMENT, text=True
                )
            )
            for _ in range(15)
        ]
        return [answer[0] for answer in answers], answers[0][1]


def rows(python: str, parts: str, tests: int) -> Iterator[Row]:
    """Measure (a), the start of pytest, and (g), whole suites."""
    with TemporaryDirectory() as name:
        processes = Processes(python, Path(name))
        if "a" in parts:
            yield from starts(processes)
        if "g" in parts:
            yield from suites(processes, tests)


def imported_modules(python: str) -> list[str]:
    """The modules that the plugin's import adds to pytest's."""
    with TemporaryDirectory() as name:
        return Processes(python, Path(name)).import_of_the_plugin()[1]


def starts(processes: Processes) -> Iterator[Row]:
    """(a) pytest's start, and cold processes of one test."""
    taken, _ = processes.import_of_the_plugin()
    what = "the plugin's import at pytest's start"
    yield _figure("a", what, taken, 0.005)
    yield fixture(processes)
    collect = ("test_empty.py", "--collect-only")
    empty = processes.pytest(*collect, *NO_FAKER)
    without = processes.pytest(*collect, *NO_FAKER, "-p", "no:cpjob")
    yield compared("a", "collecting an empty file", "with `-p no:cpjob`", empty, without)
    with_faker, without_faker = (
        processes.pytest("test_nothing.py", *options) for options in ((), NO_FAKER)
    )
    what = "one empty test, Faker's plugin on"
    yield compared("a", what, "with `-p no:faker`", with_faker, without_faker)
    ours, imports = (processes.pytest(f"test_{kind}.py", *NO_FAKER) for kind in ("ours", "imports"))
    what = "a cold process of one test"
    yield compared("a", what, "of its handler's imports", ours, imports, budget=1.08, is_first=True)
    ours = processes.pytest("test_ours_artifacts.py", *NO_FAKER)
    what = f"{what} with an artifact"
    yield compared("a", what, "of its handler's imports", ours, imports)
    moto = processes.pytest("test_moto.py", *NO_FAKER)
    against = "of a bucket on `mock_aws`"
    yield compared("a", what, against, ours, moto, budget=0.9, is_first=True)


def fixture(processes: Processes) -> Row:
    """(a) The fixture over a plain test, where users have it: in pytest."""
    pairs = [(processes.each_test("cpjob"), processes.each_test("plain")) for _ in range(5)]
    what = "the `cpjob` fixture over a plain test, in pytest"
    return _figure("a", what, [ours - plain for ours, plain in pairs], 0.0002)


def _figure(part: str, what: str, figures: list[float], budget: float) -> Row:
    median = statistics.median(figures)
    return Row(part, what, "", median, None, budget, spread=quartiles(figures), is_first=True)


def suites(processes: Processes, tests: int) -> Iterator[Row]:
    """(g) A suite of whole Lambda tests; once only, for each run is many tests already."""
    for options, how, budget in (((), "one process", 1 / 15), (("-n", "2"), "`-n 2`", None)):
        ours, theirs = (
            processes.pytest(f"test_suite_{kind}.py", *NO_FAKER, *options, tests=tests)
            for kind in ("ours", "by_hand")
        )
        yield compared(
            "g",
            f"{tests:,} whole Lambda tests, {how}",
            "wired by hand on `mock_aws`",
            ours,
            theirs,
            budget=budget,
            rounds=1,
            is_first=budget is not None,
        )
