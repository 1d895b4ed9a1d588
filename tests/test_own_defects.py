"""An error of ours fails the test that asked, and only that one: none is hidden, none ends the run.

Each test plants one in what looks through a test's output, and sees a test fail that would pass.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from user_projects import run

SUITE = """
import logging
import sys
import threading
import warnings

import boto3
import pytest
from moto import mock_aws

CLIENT = boto3.client("codepipeline", region_name="us-east-1")

def invoked(cpjob, work):
    def handler(event, context):
        try:
            work(event)
        except Exception:
            pass  # a careless handler
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])
    cpjob.add_lambda_job().invoke(handler)

def test_print(cpjob):
    invoked(cpjob, lambda event: print("working"))

def test_log(cpjob):
    invoked(cpjob, lambda event: logging.getLogger("build").error("working"))

@pytest.mark.filterwarnings("ignore")
def test_warn(cpjob):
    def work(event):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings._showwarnmsg_impl(warnings.WarningMessage("working", UserWarning, "a.py", 1))
    invoked(cpjob, work)

@pytest.mark.filterwarnings("ignore")
def test_thread(cpjob):
    def work(event):
        def fail():
            raise ValueError("working")
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    invoked(cpjob, work)

def test_upload(cpjob):
    def work(event):
        with mock_aws():
            s3 = boto3.client("s3", region_name="us-east-1")
            s3.create_bucket(Bucket="mine")
            s3.put_object(Bucket="mine", Key="a", Body=b"working")
    invoked(cpjob, work)

def test_file(cpjob, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    invoked(cpjob, lambda event: (tmp_path / "a").write_text("working"))

def test_report(cpjob):
    print("working")
    job = cpjob.add_lambda_job()
    CLIENT.put_job_success_result(jobId=job.event["CodePipeline.job"]["id"])

def test_other():
    pass
"""

PLANTED = {
    "print": ("print", "contract.observer", "Observer.wrote"),
    "log": ("log", "contract.observer", "Observer.wrote"),
    "warning": ("warn", "contract.observer", "Observer.wrote"),
    "thread": ("thread", "contract.observer", "Observer.wrote"),
    "the place of a log": ("log", "contract.output_capture", "is_users"),
    "the place of an error": ("thread", "contract.output_capture", "site_of_traceback"),
    "an upload's content": ("upload", "contract.secret_search", "SecretIndex.find"),
    "an upload": ("upload", "artifacts.store", "ArtifactStore.stored"),
    "a file's content": ("file", "contract.secret_search", "SecretIndex.find"),
    "a look at files": ("file", "contract.left_files", "_temporary_folders"),
    "the search": ("report", "contract.secret_search", "SecretIndex.find"),
    "a check": ("report", "contract.checks", "foreign_credentials"),
    "the secrets": ("report", "contract.masking", "secret_members"),
    "the masking": ("report", "contract.masking", "Secrets.hide"),
}
"""What a defect is planted in, and the test that comes by."""

CONFTEST = """
import importlib
import pytest

@pytest.fixture(autouse=True)
def planted(request):
    module_name, _, path = "{target}".partition(":")
    owner = importlib.import_module("pytest_cpjob." + module_name)
    *owners, name = path.split(".")
    for each in owners:
        owner = getattr(owner, each)

    def broken(*args, **kwargs):
        raise RuntimeError("planted")

    before = getattr(owner, name)
    setattr(owner, name, broken)
    yield
    setattr(owner, name, before)
"""


def outcome_of(folder: Path, target: str, *arguments: str) -> pytest.RunResult:
    (folder / "test_suite.py").write_text(SUITE, "utf-8")
    (folder / "conftest.py").write_text(CONFTEST.replace("{target}", target), "utf-8")
    return run(folder, *arguments)


@pytest.mark.parametrize(("name", "module", "path"), PLANTED.values(), ids=PLANTED.keys())
def test_an_error_of_ours_fails_the_test_that_asked(
    tmp_path: Path, name: str, module: str, path: str
) -> None:
    result = outcome_of(tmp_path, f"{module}:{path}", "-k", f"{name} or other")

    outcomes = result.parseoutcomes()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) >= 1
    assert outcomes["passed"] >= 1
    shown = result.stdout.str()
    assert f"test_{name}" in shown
    assert "INTERNALERROR" not in shown
    assert "planted" in shown or "RuntimeError" in shown


def test_without_one_all_pass(tmp_path: Path) -> None:
    outcome_of(tmp_path, "contract.hints:hints").assert_outcomes(passed=8)


PLANTED_IN_MASKING = """
import warnings

def test_warns(cpjob):
    cpjob.add_job()
    warnings.warn("something")

def test_writes(cpjob, record_testsuite_property):
    cpjob.add_job()
    record_testsuite_property("shown", "something")

def test_has_a_part(cpjob, subtests):
    cpjob.add_job()
    with subtests.test("something"):
        assert False

def test_other():
    pass
"""


@pytest.mark.parametrize("name", ["warns", "writes", "has_a_part"])
def test_what_cannot_be_masked_is_not_shown(tmp_path: Path, name: str) -> None:
    (tmp_path / "test_suite.py").write_text(PLANTED_IN_MASKING, "utf-8")
    conftest = CONFTEST.replace("{target}", "contract.masking:Secrets.hide")
    # Not undone: pytest tells of warnings, and writes its file, after the fixtures.
    conftest = conftest.replace("    setattr(owner, name, before)\n", "")
    (tmp_path / "conftest.py").write_text(conftest, "utf-8")

    result = run(tmp_path, "-k", f"{name} or other", "--junitxml=report.xml", "-W", "default")

    shown = result.stdout.str() + (tmp_path / "report.xml").read_text("utf-8")
    if "fixture 'subtests' not found" in shown:
        pytest.skip("pytest-subtests is not installed, or pytest before 9")
    assert "INTERNALERROR" not in shown
    assert "pytest-cpjob itself has failed while it masked this" in shown
    assert 'value="something"' not in shown
    assert "UserWarning: something" not in shown
    # A warning is told when the last report of its test is made.
    assert result.ret == (0 if name == "warns" else pytest.ExitCode.TESTS_FAILED)
