"""Types are API: what users annotate with is exported, and checkers accept a user's test file."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, is_typeddict

import pytest
from forked_pytest import run_forked

import pytest_cpjob
from pytest_cpjob import CodePipelineStub
from pytest_cpjob.documents import type_defs as shapes
from pytest_cpjob.plugin import fixtures

TYPING = Path(__file__).parent / "typing"
USERS = TYPING / "user_tests.py"
MISTAKES = """\
from pytest_cpjob import CodePipelineStub, FakerGenerator, JobDetailsFactory, LambdaEvent
from pytest_cpjob.strategies import lambda_events

def test_mistakes(
    cpjob: CodePipelineStub, cpjob_details_factory: JobDetailsFactory, cpjob_faker: FakerGenerator
) -> None:
    cpjob.add_job(pipelinename="web")
    cpjob.add_lambda_job().status.foo
    cpjob_details_factory(account_id=123456789012)
    cpjob_details_factory()["jobDetails"]["nonce"]
    cpjob_faker.job_id() + 1
    lambda_events(user_parameter={})

def token_of(event: LambdaEvent) -> str:
    return event["CodePipeline.job"]["data"].get("continuationToken")
"""


def functions_of(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            yield node


def name_of(annotation: ast.expr | None) -> str:
    assert annotation is not None
    return ast.unparse(annotation)


FIXTURES = {
    function.name: name_of(function.returns)
    for function in functions_of(Path(fixtures.__file__))
    if function.name.startswith("cpjob")
    and any("pytest.fixture" in ast.unparse(decorator) for decorator in function.decorator_list)
}


@pytest.mark.parametrize("fixture", FIXTURES)
def test_a_fixtures_type_is_exported(fixture: str) -> None:
    name = FIXTURES[fixture]
    assert name in pytest_cpjob.__all__
    assert isinstance(getattr(pytest_cpjob, name), type)


def test_all_that_is_exported_is_there() -> None:
    assert [name for name in pytest_cpjob.__all__ if not hasattr(pytest_cpjob, name)] == []
    assert set(pytest_cpjob.__all__) <= set(dir(pytest_cpjob))


def test_what_a_job_says_of_itself_is_of_types_that_are_exported(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    assert type(job.facts) is pytest_cpjob.JobFacts
    assert {type(job.facts).__name__, type(job).__name__} <= set(pytest_cpjob.__all__)


def test_every_shape_of_the_documents_is_exported() -> None:
    defined = {name for name, each in vars(shapes).items() if is_typeddict(each)}
    assert {name for name in defined if not name.startswith("_")} <= set(pytest_cpjob.__all__)


@pytest.mark.parametrize(
    ("shape", "optional"),
    [
        (shapes.Artifact, {"revision"}),
        (shapes.JobData, {"continuationToken", "encryptionKey"}),
        (shapes.ThirdPartyJobData, {"continuationToken", "encryptionKey"}),
        (shapes.LambdaJobData, {"continuationToken", "encryptionKey"}),
    ],
)
def test_what_aws_may_leave_out_is_optional(shape: Any, optional: set[str]) -> None:
    assert shape.__optional_keys__ == optional


def test_all_else_is_always_sent() -> None:
    with_optional = {
        name for name, each in vars(shapes).items() if is_typeddict(each) and each.__optional_keys__
    }
    assert with_optional == {"Artifact", "JobData", "ThirdPartyJobData", "LambdaJobData"}


def test_the_users_file_annotates_every_fixture_with_its_type() -> None:
    annotated = {
        argument.arg: name_of(argument.annotation)
        for function in functions_of(USERS)
        for argument in function.args.args
        if argument.arg in FIXTURES
    }
    assert annotated == FIXTURES != {}


def test_the_users_file_passes(pytester: pytest.Pytester) -> None:
    shutil.copy(USERS, pytester.path / "test_user.py")
    # On a busy machine the first text that Hypothesis draws is too slow for its health check.
    pytester.makeconftest(
        """
        from hypothesis import HealthCheck, settings

        settings.register_profile("busy", suppress_health_check=list(HealthCheck), deadline=None)
        settings.load_profile("busy")
        """
    )
    without = [] if find_spec("flask") else ["--deselect=test_user.py::test_another_process"]

    result = run_forked(pytester.path, *without)

    outcomes = result.parseoutcomes()
    assert outcomes.pop("passed") > 8
    assert outcomes.keys() <= {"deselected"}


# -- type checkers ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mypys_errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """The lines and codes of mypy's errors in the users' files, at its strictest, by file.

    One run for all: what takes time are our own modules, boto3's and moto's.
    """
    pytest.importorskip("mypy", reason="the extra test has it")
    pytest.importorskip("types_boto3_codepipeline", reason="the extra test has it")
    folder = tmp_path_factory.mktemp("mypy")
    (folder / "mistakes.py").write_text(MISTAKES, "utf-8")
    # Neither this project's configuration nor a cache, which one run only writes.
    options = ["--strict", "--config-file=", "--cache-dir=/dev/null", "--show-error-codes"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "mistakes.py", *map(str, TYPING.glob("*.py"))],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "FORCE_COLOR"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    print(done.stdout)
    errors: dict[str, list[tuple[int, str]]] = {}
    for file, line, code in re.findall(r"^(.*):(\d+): error: .*\[(.*)\]$", done.stdout, re.M):
        errors.setdefault(Path(file).name, []).append((int(line), code))
    assert f"Found {sum(map(len, errors.values()))} errors" in done.stdout
    assert "(checked 3 source files)" in done.stdout
    return errors


@pytest.mark.parametrize("name", ["user_tests.py", "assignable.py"])
def test_mypy_accepts(mypys_errors: dict[str, list[tuple[int, str]]], name: str) -> None:
    assert name not in mypys_errors


def test_mypy_finds_a_users_mistakes(mypys_errors: dict[str, list[tuple[int, str]]]) -> None:
    assert mypys_errors["mistakes.py"] == [
        (7, "call-arg"),
        (8, "union-attr"),
        (9, "arg-type"),
        (10, "typeddict-item"),
        (11, "operator"),
        (12, "call-arg"),
        (15, "return-value"),
    ]


def test_pyright_accepts(tmp_path: Path) -> None:
    pytest.importorskip("pyright", reason="no extra has it: it brings node; CI installs it")
    pytest.importorskip("types_boto3_codepipeline", reason="the extra test has it")
    pyright = [sys.executable, "-m", "pyright"]
    if subprocess.run([*pyright, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("the pyright package could not fetch pyright itself")
    for file in TYPING.glob("*.py"):
        shutil.copy(file, tmp_path)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')

    done = subprocess.run(
        [*pyright, "--outputjson", "--pythonpath", sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    report = json.loads(done.stdout)
    assert report["generalDiagnostics"] == []
    assert report["summary"]["filesAnalyzed"] == 2
