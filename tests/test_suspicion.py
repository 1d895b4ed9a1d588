"""What of a test makes its checks be run, and what is not even imported for one without fault."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, fields, replace
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub, CurrentRevision, JobFailure, JobSuccess
from pytest_cpjob.contract.suspicion import is_suspicious

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
NOT_NEEDED = (
    "contract.checks",
    "contract.encoded_texts",
    "contract.findings",
    "contract.leaks",
    "contract.part_index",
    "contract.secret_search",
    "plugin.masked_reports",
)
"""What only a test imports of which there is something to say, or to look through."""

RUN = """
import sys, pytest
status = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:faker", "test_one.py"])
told = [name for name in sys.modules if name.startswith("pytest_cpjob.")]
print("MODULES", int(status), *told)
"""

HANDLER = """
import boto3

CLIENT = boto3.client("codepipeline", region_name="us-east-1")

def handler(event, context):
    {more}
    CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

def test_one(cpjob):
    assert cpjob.add_lambda_job().invoke(handler).status == "Succeeded"
"""


def imported(pytester: pytest.Pytester, more: str) -> list[str]:
    """Return the modules of ours that a run of one test imports, without their package."""
    pytester.makepyfile(test_one=HANDLER.replace("{more}", more))
    run = subprocess.run(
        [sys.executable, "-c", RUN], cwd=pytester.path, capture_output=True, text=True, check=True
    )
    [line] = [line for line in run.stdout.splitlines() if line.startswith("MODULES")]
    _, status, *names = line.split()
    assert status == "0", run.stdout
    return [name.removeprefix("pytest_cpjob.") for name in names]


def test_a_test_without_fault_does_not_import_what_says_and_finds_faults(
    pytester: pytest.Pytester,
) -> None:
    names = imported(pytester, "pass")

    assert "contract.suspicion" in names  # the list is of what it says
    assert [name for name in NOT_NEEDED if name in names] == []


def test_a_test_that_prints_imports_the_search(pytester: pytest.Pytester) -> None:
    names = imported(pytester, "print('x' * 20)")

    assert [name for name in NOT_NEEDED if name not in names] == []


# -- what is suspicious ----------------------------------------------------------------------------


def job_id(cpjob: CodePipelineStub) -> str:
    return cpjob.add_lambda_job().id


def succeed(cpjob: CodePipelineStub) -> None:
    CLIENT.put_job_success_result(jobId=job_id(cpjob))


def swallow(cpjob: CodePipelineStub) -> None:
    succeed(cpjob)
    with pytest.raises(CLIENT.exceptions.ClientError):
        CLIENT.get_job_details(jobId="a-job-that-is-not-there")


def write(cpjob: CodePipelineStub) -> None:
    succeed(cpjob)
    cpjob._harness.observer.wrote("stdout", "text", None)


def capture(cpjob: CodePipelineStub) -> None:
    succeed(cpjob)
    cpjob._harness.observer.captured("stdout", "text")


def raise_after(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])
        raise KeyError

    with pytest.raises(KeyError):
        cpjob.add_lambda_job().invoke(handler)


SUSPICIOUS: dict[str, Callable[[CodePipelineStub], object]] = {
    "no result": job_id,
    "a summary": lambda cpjob: CLIENT.put_job_success_result(
        jobId=job_id(cpjob), executionDetails={"summary": "done"}
    ),
    "an output variable": lambda cpjob: CLIENT.put_job_success_result(
        jobId=job_id(cpjob), outputVariables={"a": "b"}
    ),
    "a revision": lambda cpjob: CLIENT.put_job_success_result(
        jobId=job_id(cpjob), currentRevision={"revision": "r", "changeIdentifier": "c"}
    ),
    "a failure": lambda cpjob: CLIENT.put_job_failure_result(
        jobId=job_id(cpjob), failureDetails={"type": "JobFailed", "message": "no"}
    ),
    "a failed call": swallow,
    "a text": write,
    "a text that pytest has captured": capture,
    "an error after the result": raise_after,
    "a fault": lambda cpjob: cpjob.fail("GetJobDetails", "ThrottlingException"),
}


def suspicion(cpjob: CodePipelineStub) -> bool:
    return is_suspicious(cpjob._harness.observer.evidence())


@pytest.mark.parametrize("happen", SUSPICIOUS.values(), ids=SUSPICIOUS.keys())
def test_what_a_check_looks_at_is_suspicious(happen: Callable[[CodePipelineStub], object]) -> None:
    cpjob = CodePipelineStub(allow=["no-result", "refused-request", "unused-fault", "raised"])
    cpjob._start()
    try:
        assert not suspicion(cpjob)
        happen(cpjob)
        assert suspicion(cpjob)
    finally:
        cpjob._harness.stop()


def test_a_result_alone_is_not_suspicious(cpjob: CodePipelineStub) -> None:
    succeed(cpjob)
    worker = cpjob.add_job(action_type="Build:Custom:Docs:1")
    [polled] = CLIENT.poll_for_jobs(
        actionTypeId={"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
    )["jobs"]
    CLIENT.acknowledge_job(jobId=worker.id, nonce=polled["nonce"])
    CLIENT.put_job_success_result(jobId=worker.id)

    assert not suspicion(cpjob)


# -- results are frozen dataclasses for whoever uses them ------------------------------------------

REVISION = CurrentRevision("r1", "c1", 7.0, "first")
RESULTS = [
    REVISION,
    JobSuccess(),
    JobSuccess({"pages": "1"}, "1 page", "build-8", 100, REVISION, "token"),
    JobFailure("JobFailed", "no paper", "build-7"),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_a_result_survives_copies_and_cannot_be_changed(result: Any) -> None:
    name = fields(result)[0].name

    assert pickle.loads(pickle.dumps(result)) == copy.deepcopy(result) == result
    assert replace(result) == result
    assert replace(result, **{name: {"x": "y"}}) != result
    assert list(asdict(result)) == list(type(result).__match_args__)
    with pytest.raises(FrozenInstanceError, match=name):
        setattr(result, name, None)
    with pytest.raises(FrozenInstanceError, match=name):
        delattr(result, name)
    with pytest.raises(AttributeError):
        result.other = None


def test_a_frozen_dataclass_can_derive_from_a_result_and_no_other() -> None:
    @dataclass(frozen=True)
    class Kept(JobFailure):
        where: str = "here"

    assert replace(Kept("JobFailed", "no paper"), where="there").where == "there"
    with pytest.raises(TypeError, match="frozen"):

        @dataclass
        class Changed(JobFailure):
            where: str = "here"


def test_equal_results_have_one_hash_and_match() -> None:
    failure = JobFailure("JobFailed", "no paper")

    assert {failure, JobFailure("JobFailed", "no paper")} == {failure}
    assert failure != JobFailure("JobFailed", "no ink")
    assert failure != ("JobFailed", "no paper", None)
    match failure:
        case JobFailure("JobFailed", message):
            assert message == "no paper"
        case _:
            pytest.fail("it does not match")


def test_two_successes_do_not_share_their_variables() -> None:
    one, other = JobSuccess(), JobSuccess()

    assert one.output_variables == other.output_variables == {}
    assert one.output_variables is not other.output_variables
