"""A user's project for `pytester`: a handler, its test, and how to run them beside a plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from forked_pytest import run_forked

import pytest_cpjob

# What the start of a user's pytest would otherwise spend most of its time on, by plugin names.
PLUGINS = (
    "asyncio",
    "faker",
    "html",
    "hypothesispytest",
    "pytest_mock",
    "randomly",
    "rerunfailures",
    "socket",
    "syrupy",
)
LEAN = " ".join(f"-p no:{name}" for name in PLUGINS)

ACTION = """
    import boto3

    codepipeline = boto3.client("codepipeline", region_name="us-east-1")

    def lambda_handler(event, context):
        job = event["CodePipeline.job"]
        keys = job["data"]["artifactCredentials"]
        s3 = boto3.session.Session(
            keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
        ).client("s3", region_name="us-east-1")
        for source in job["data"]["inputArtifacts"]:
            s3.get_object(**where(source))["Body"].read()
        for target in job["data"]["outputArtifacts"]:
            s3.put_object(**where(target), Body=b"site")
        codepipeline.put_job_success_result(jobId=job["id"])

    def where(artifact):
        at = artifact["location"]["s3Location"]
        return {"Bucket": at["bucketName"], "Key": at["objectKey"]}

    def forgets(event, context):
        pass

    def leaks(event, context):
        print(event)
        codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"])
"""
BUILDS = """
    import pytest
    import my_action
    from pytest_cpjob import ContractError, UnfakedCallError

    def test_builds(cpjob):
        job = cpjob.add_lambda_job(
            input_artifacts={"Source": {"index.md": "# Hi"}}, output_artifacts=["Site"]
        )
        job = job.invoke(my_action.lambda_handler)
        assert job.status == "Succeeded"
        assert job.output_artifacts["Site"].content == b"site"
"""

DOCUMENTS = """
    import json, random
    from pathlib import Path
    import pytest

    @pytest.mark.parametrize("number", range(10))
    def test_one(number, cpjob, cpjob_details_factory, cpjob_faker):
        random.random()
        job = cpjob.add_job(configuration={"Theme": "dark"})
        written = [job.details, cpjob_details_factory(), cpjob_faker.name()]
        Path(f"{number}.json").write_text(json.dumps(written))
"""
"""Ten tests, each of which leaves what it was given in a file of its name."""
LEAVES_NOTHING = """
    import os

    import boto3
    import pytest
    from moto import mock_aws
    from moto.backends import get_backend
    from moto.core.models import MockAWS

    @pytest.fixture(scope="module", params=[False, True], ids=["no mock", "a mock of the user's"])
    def before(request):
        mock = mock_aws()
        if request.param:
            mock.start()
        yield dict(os.environ), MockAWS._nested_count
        if request.param:
            mock.stop()

    def stored():
        s3 = [one for region in get_backend("s3").values() for one in region.values()]
        kms = [one for region in get_backend("kms").values() for one in region.values()]
        buckets = [name for backend in s3 for name in backend.buckets]
        return buckets + [key for backend in kms for key in backend.keys]

    @pytest.fixture
    def nothing_left(before):
        assert stored() == []
        yield
        assert stored() == []
        environment, count = before
        now = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        environment.pop("PYTEST_CURRENT_TEST", None)
        assert (now, MockAWS._nested_count) == (environment, count)

    @pytest.mark.parametrize("number", range(3))
    def test_artifacts(nothing_left, cpjob, number):
        job = cpjob.add_lambda_job(
            input_artifacts=["Source"], output_artifacts=["Site"], encryption_key=True
        )
        job.output_artifacts["Site"].put(b"built")
        assert len(stored()) == 2
"""
"""Six tests, each of which notices what the one before has left."""


def run_alike(patch: pytest.MonkeyPatch, *, beside: str = "") -> None:
    """Let runs of pytest load none of `PLUGINS`, but for one, and look the same on each machine.

    Where pytest finds a CI service's variables, its short summary repeats whole messages, and a
    test that counts them would count twice.
    """
    assert beside in ("", *PLUGINS)
    without = LEAN.replace(f"-p no:{beside}", "") if beside else LEAN
    patch.setenv("PYTEST_ADDOPTS", without)
    for name in ("CI", "BUILD_NUMBER", "COLUMNS"):
        patch.delenv(name, raising=False)


def run(folder: Path, *arguments: str, beside: str = "") -> pytest.RunResult:
    """Run the tests in a folder as their user would, beside one of `PLUGINS` or none."""
    with pytest.MonkeyPatch.context() as patch:
        run_alike(patch, beside=beside)
        return run_forked(folder, *arguments)


def run_program(text: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, with the package that is tested here."""
    home = Path(pytest_cpjob.__file__).parent.parent
    path = os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def documents_of(folder: Path, *arguments: str, beside: str = "") -> dict[str, str]:
    """What each of the ten tests of `DOCUMENTS` is given in a run."""
    (folder / "test_documents.py").write_text(dedent(DOCUMENTS), "utf-8")
    result = run(folder, "test_documents.py", *arguments, beside=beside)
    assert result.ret == 0
    return documents_in(folder)


def documents_in(folder: Path) -> dict[str, str]:
    """What a run of `DOCUMENTS` in a folder has left there."""
    return {path.name: path.read_text() for path in folder.glob("*.json")}
