"""The works that run in this process, each with what it needs around it."""

from __future__ import annotations

import copy
import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from botocore.stub import Stubber
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, JobDetailsFactory
from pytest_cpjob.documents.streams import Stream
from tests.benchmarks.action import SOURCE, bucket_by_hand, codepipeline, handler
from tests.benchmarks.measuring import Side, Work, always

EXAMPLES = Path(__file__).parents[2] / "examples"

make_document = JobDetailsFactory(
    Stream("benchmark"), itertools.count(), region="us-east-1", account_id="123456789012"
)
_document = make_document()


def copied() -> Any:
    """Copy a GetJobDetails document."""
    return copy.deepcopy(_document)


def by_polyfactory() -> Callable[[], object]:
    """Give polyfactory's maker of the same response, from types-boto3's shape of it."""
    from polyfactory.factories import TypedDictFactory
    from types_boto3_codepipeline.type_defs import GetJobDetailsOutputTypeDef

    class Factory(TypedDictFactory[GetJobDetailsOutputTypeDef]):
        """Makes what the shape allows."""

    return Factory.build


# -- calls -----------------------------------------------------------------------------------------


@contextmanager
def answered_call() -> Iterator[Work]:
    """GetJobDetails, answered by us with fresh credentials, judged and recorded."""
    with CodePipelineStub() as cpjob:
        job_id = cpjob.add_job(action_type="Build:Custom:Docs:1").id
        yield lambda: codepipeline.get_job_details(jobId=job_id)


@contextmanager
def unrecorded_call() -> Iterator[Work]:
    """The same without the record."""
    with (
        answered_call() as work,
        patch("pytest_cpjob.service.call_log.CallLog.add_call", lambda *_: None),
    ):
        yield work


@contextmanager
def empty_poll() -> Iterator[Work]:
    """PollForJobs, answered by us: what a worker calls most."""
    with CodePipelineStub() as cpjob:
        cpjob.add_action_type("Build:Custom:Docs:1")
        docs = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
        yield lambda: codepipeline.poll_for_jobs(actionTypeId=docs)


def stubbed(operation: str, answer: dict[str, Any], **request: Any) -> Side:
    """A call answered by botocore's Stubber; no stub of ours is active meanwhile."""

    @contextmanager
    def side() -> Iterator[Work]:
        with Stubber(codepipeline) as stubber:
            for _ in range(1_001):
                stubber.add_response(operation, answer, request)
            yield lambda: getattr(codepipeline, operation)(**request)

    return side


@contextmanager
def call_to_moto() -> Iterator[Work]:
    """One of moto's own CodePipeline operations."""
    with mock_aws():
        yield boto3.client("codepipeline", region_name="us-east-1").list_pipelines


# -- stubs -----------------------------------------------------------------------------------------


def enter_and_leave() -> None:
    """A stub without artifacts."""
    with CodePipelineStub():
        pass


def enter_and_leave_moto() -> None:
    """All of moto."""
    with mock_aws():
        pass


def with_artifacts() -> None:
    """A stub with an artifact in its bucket."""
    with CodePipelineStub() as cpjob:
        cpjob.add_job(input_artifacts={"Source": SOURCE})


def with_artifacts_by_hand() -> None:
    """moto with the same artifact in a bucket."""
    with mock_aws():
        bucket_by_hand()


def whole_test() -> None:
    """Zip in, fresh session on the artifact credentials, zip out, result."""
    with CodePipelineStub() as cpjob:
        job = cpjob.add_lambda_job(input_artifacts={"Source": SOURCE}, output_artifacts=["Site"])
        job.invoke(handler)
        assert job.status == "Succeeded"
        assert job.output_artifacts["Site"].files["index.html"] == b"# Hi"


def short_test() -> None:
    """A Lambda test without artifacts."""
    with CodePipelineStub() as cpjob:
        job = cpjob.add_lambda_job(user_parameters={"theme": "dark"})
        job.invoke(lambda event, _: codepipeline.put_job_success_result(jobId=job.id))


@contextmanager
def pipeline_run() -> Iterator[Work]:
    """The pipeline of `examples/site_release`, from its template to its last stage."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        module = importlib.import_module("test_site_release")

        def run() -> None:
            with CodePipelineStub() as cpjob:
                execution = module.add_pipeline(cpjob).run(module.performers())
                assert execution.status == "Succeeded", execution.timeline

        run()
        yield run
    finally:
        sys.path.remove(str(EXAMPLES))


def unchecked(work: Work) -> Side:
    """A work without the contract's checks at its end."""

    @contextmanager
    def side() -> Iterator[Work]:
        with patch("pytest_cpjob.contract.inspection.is_suspicious", lambda evidence: False):
            yield work

    return side


WORKS: dict[str, Callable[[], Side]] = {
    "document": lambda: always(make_document),
    "document, deepcopy": lambda: always(copied),
    "document, polyfactory": lambda: always(by_polyfactory()),
    "call": lambda: answered_call,
    "call, moto": lambda: call_to_moto,
    "enter and leave": lambda: always(enter_and_leave),
    "enter and leave, mock_aws": lambda: always(enter_and_leave_moto),
    "artifacts": lambda: always(with_artifacts),
    "artifacts, by hand": lambda: always(with_artifacts_by_hand),
    "whole test": lambda: always(whole_test),
}
"""By name, for pytest-benchmark."""
