"""What an editor and `help()` show: public names only, each with an example that runs."""

from __future__ import annotations

import ast
import doctest
import inspect
import itertools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from test_public_surface import FINDINGS, FIXTURES, STUB, WARNINGS

import pytest_cpjob
from pytest_cpjob import CodePipelineStub, Job, Pipeline, PipelineExecution
from pytest_cpjob.defaults import CHECKS
from pytest_cpjob.plugin import fixtures
from pytest_cpjob.plugin.options import BUILT_IN

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
NEVER_RUN = {
    "CodePipelineStub",  # one is active already
    "Endpoint",  # these three start a process
    "EndpointProcess",
    "cpjob_endpoint",
    "ActionExecution",  # these need a file of the user's
    "IneffectivePolicyWarning",
    "Pipeline",
    "PipelineExecution",
    "UnknownVariableWarning",
    "CodePipelineStub.add_job_from",
    "Job.wait",  # it is for a process
}
ALLOWED = pytest.mark.cpjob(allow=list(CHECKS))
WITH_METHODS = (CodePipelineStub, Job, Pipeline, PipelineExecution)
"""The classes whose every public method has an example of its own."""


def attribute_docstring(module: Any, name: str) -> str:
    """The text below an assignment, which is the documentation of a name that is not a class."""
    tree = ast.parse(inspect.getsource(module))
    for parent in ast.walk(tree):
        for body in (getattr(parent, "body", []), getattr(parent, "orelse", [])):
            if not isinstance(body, list):
                continue
            for node, following in itertools.pairwise(body):
                if isinstance(node, (ast.Assign, ast.AnnAssign)):
                    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                    if getattr(target, "id", None) == name and isinstance(following, ast.Expr):
                        return str(ast.literal_eval(following.value))
    return ""


def docstring(name: str) -> str:
    found = getattr(pytest_cpjob, name)
    home = sys.modules[f"pytest_cpjob.{pytest_cpjob._HOME_OF[name]}"]
    if inspect.isclass(found) and found.__module__ == home.__name__ and name != "LambdaEvent":
        return inspect.getdoc(found) or ""
    return inspect.cleandoc(attribute_docstring(home, name))


def examples() -> Iterator[Any]:
    for name in pytest_cpjob.__all__:
        # The example of this one is a finding; what others leave undone is not their point.
        marks = () if name == "ContractError" else ALLOWED
        yield pytest.param(name, docstring(name), id=name, marks=marks)
    for name in FIXTURES.split():
        definition = getattr(fixtures, name)
        text = inspect.getdoc(getattr(definition, "__wrapped__", definition)) or ""
        yield pytest.param(name, text, id=name, marks=ALLOWED)
    for owner in WITH_METHODS:
        for name, method in vars(owner).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                shown = f"{owner.__name__}.{name}"
                text = inspect.getdoc(method) or ""
                yield pytest.param(shown, text, id=shown, marks=ALLOWED)


def action(name: str, category: str, provider: str, **configuration: str) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "configuration": configuration}


def stage(name: str, only: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "actions": [only]}


@pytest.fixture
def names(request: pytest.FixtureRequest, cpjob: CodePipelineStub) -> dict[str, Any]:
    """What an example may use without making it: fixtures, public names, a handler, a worker."""
    codepipeline = boto3.client("codepipeline", region_name="us-east-1")

    def lambda_handler(event: Any, context: object) -> None:
        codepipeline.put_job_success_result(
            jobId=event["CodePipeline.job"]["id"], outputVariables={"pages": "1"}
        )

    def main() -> None:
        while True:
            for job in codepipeline.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
                codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                codepipeline.put_job_success_result(jobId=job["id"])
            time.sleep(30)

    given = [name for name in FIXTURES.split() if name != "cpjob_endpoint"]
    definition: dict[str, Any] = {
        "name": "web",
        "roleArn": "arn:aws:iam::123456789012:role/web",
        "artifactStore": {"type": "S3", "location": "web-artifacts"},
        "stages": [
            stage("Source", action("Fetch", "Source", "S3", S3Bucket="web", S3ObjectKey="a.zip")),
            stage("Publish", action("Publish", "Invoke", "Lambda", FunctionName="publish")),
            stage("Release", action("Sign", "Approval", "Manual")),
        ],
    }
    definition["stages"][0]["actions"][0]["outputArtifacts"] = [{"name": "Code"}]
    return {
        **{name: request.getfixturevalue(name) for name in given},
        **{name: getattr(pytest_cpjob, name) for name in pytest_cpjob.__all__},
        "DOCS": DOCS,
        "boto3": boto3,
        "codepipeline": codepipeline,
        "definition": definition,
        "lambda_handler": lambda_handler,
        "main": main,
        "pytest": pytest,
        "time": time,
    }


@pytest.mark.parametrize(("name", "text"), list(examples()))
def test_a_public_name_has_an_example_that_runs(
    name: str, text: str, names: dict[str, Any]
) -> None:
    found = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    skipped = [example for example in found.examples if doctest.SKIP in example.options]
    told: list[str] = []

    assert found.examples
    doctest.DocTestRunner().run(found, out=told.append)

    assert not told, "".join(told)
    assert bool(skipped) == (name in NEVER_RUN)


def test_completion_on_the_package_shows_public_names_only() -> None:
    assert dir(pytest_cpjob) == sorted(pytest_cpjob.__all__)


def test_completion_on_the_package_is_the_same_once_everything_is_imported() -> None:
    program = (
        "import pytest_cpjob, pytest_cpjob.cli.parser, pytest_cpjob.strategies;"
        " [getattr(pytest_cpjob, name) for name in dir(pytest_cpjob)];"
        " print(dir(pytest_cpjob) == sorted(pytest_cpjob.__all__))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("True\n", "")


def test_completion_on_the_stub_shows_public_names_only(cpjob: CodePipelineStub) -> None:
    assert [name for name in dir(cpjob) if not name.startswith("_")] == sorted(STUB.split())


# -- what pytest prints ----------------------------------------------------------------------------


def test_each_fixture_is_listed_with_an_example(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--fixtures", "-p", "no:faker").stdout.str()

    for name in FIXTURES.split():
        [shown] = re.findall(rf"^{name} --.*\n((?:    .*\n)+)", printed, re.MULTILINE)
        assert ">>>" in shown, name


def test_the_marker_lists_the_names_of_findings(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--markers", "-p", "no:faker").stdout.str()

    [line] = re.findall(r"^@pytest\.mark\.cpjob\(.*", printed, re.MULTILINE)
    findings, warnings = re.findall(r", of ([^;.]*)", line)
    assert findings.split(", ") == list(CHECKS)
    assert sorted(findings.split(", ")) == sorted(FINDINGS.split())
    assert sorted(warnings.split(", ")) == sorted(WARNINGS.split())


def test_the_help_says_the_default_of_each_option(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--help", "-p", "no:faker").stdout.str()

    entries = re.findall(r"^  (-*cpjob[\w-]*)(.*\n(?: {10}.*\n)*)", printed, re.MULTILINE)
    told = {
        name: re.findall(r"\(default: (.*?)\)", " ".join(text.split())) for name, text in entries
    }
    assert told.pop("--cpjob-seed") == ["the ini file's cpjob_seed"]
    assert told.pop("--cpjob-report") == ["none"]
    assert told == {
        name: ["none" if value in (None, []) else str(value).lower()]
        for name, value in BUILT_IN.items()
    }
