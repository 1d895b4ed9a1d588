"""A forked child has a copy of the stub: its calls are refused, and the handler is not blamed."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub, ContractError, CpjobError

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
FORK = multiprocessing.get_context("fork")


def test_a_childs_call_is_an_error_that_names_the_process(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"])
    said = FORK.Queue()

    def reports() -> None:
        try:
            CLIENT.put_job_success_result(jobId=job.id)
        except CpjobError as error:
            said.put(str(error))

    def handler(event: Any, context: object) -> None:
        process = FORK.Process(target=reports, name="uploader")
        process.start()
        process.join()

    job.invoke(handler)

    text = said.get(timeout=10)
    assert text.startswith("process 'uploader' (")
    assert (
        " called codepipeline.PutJobSuccessResult, and was forked from the process of the" in text
    )
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("unfaked-call",)
    assert "codepipeline.PutJobSuccessResult was called in a process that was forked" in str(
        caught.value
    )


def test_a_child_by_os_fork_is_refused_too(cpjob: CodePipelineStub) -> None:
    child = os.fork()
    if child == 0:
        try:
            CLIENT.list_action_types()
        except CpjobError:
            os._exit(7)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with pytest.raises(ContractError, match=r"codepipeline\.ListActionTypes was called in a pro"):
        cpjob.check()


def test_the_next_test_is_not_told_of_the_children_of_this_one() -> None:
    with CodePipelineStub(allow=["unfaked-call"]):
        test_child = FORK.Process(target=CLIENT.list_action_types)
        test_child.start()
        test_child.join()

    with CodePipelineStub() as cpjob:
        cpjob.check()


def test_a_child_really_sleeps(cpjob: CodePipelineStub) -> None:
    def handler(event: object, context: object) -> object:
        process = FORK.Process(target=sleeps)
        process.start()
        process.join()
        return process.exitcode

    assert (cpjob.invoke(handler), cpjob.now) == (0, 0)


def sleeps() -> None:
    import time

    begin = time.perf_counter()
    time.sleep(0.2)
    assert time.perf_counter() - begin >= 0.2
