"""Findings about results, close up: who had to report, who did so twice, whose job it was."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from pytest_cpjob import CodePipelineStub, ContractError, Job

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
BROKEN = {"type": "JobFailed", "message": "broken"}
LOST = ReadTimeoutError(endpoint_url="https://codepipeline")


def succeed(event: Any, context: Any = None, **members: Any) -> None:
    CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"], **members)


def names(cpjob: CodePipelineStub) -> tuple[str, ...]:
    try:
        cpjob.check()
    except ContractError as error:
        return error.names
    return ()


def polled(cpjob: CodePipelineStub) -> tuple[Job, dict[str, str]]:
    """A job in a worker's hand, and what to acknowledge it with."""
    job = cpjob.add_job(action_type=DOCS)
    [handed_out] = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    return job, {"jobId": job.id, "nonce": handed_out["nonce"]}


def refused(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(ClientError, match=code):
        call()


# -- no result, and raised -------------------------------------------------------------------------


def test_a_worker_that_acknowledges_and_reports_nothing(cpjob: CodePipelineStub) -> None:
    job, claim = polled(cpjob)
    CLIENT.acknowledge_job(**claim)

    with pytest.raises(ContractError) as caught:
        cpjob.check()

    assert str(caught.value) == (
        f"no-result: job {job.id} (Build:Custom:Docs:1) was acknowledged, and got no result.\n"
        "  CodePipeline waits until the action times out, then fails it.\n"
        "  To fix it: Call put_job_success_result or put_job_failure_result on every way out of the"
        " code. See pytest-cpjob explain no-result\n"
        '  To allow it: @pytest.mark.cpjob(allow=["no-result"])'
    )


def test_a_result_that_comes_after_the_time_out_is_none(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    event = job.event
    cpjob.advance(20 * 60)
    refused("InvalidJobStateException", lambda: succeed(event))

    with pytest.raises(ContractError, match=r"got no result before it timed out\.\n") as caught:
        cpjob.check()
    assert caught.value.names == ("no-result",)


def test_a_partners_job_owes_a_result_as_well(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_third_party_job()
    CLIENT.poll_for_third_party_jobs(actionTypeId=job.facts.action_type.as_dict())
    about = {"jobId": job.id, "clientToken": job.client_token}
    details = CLIENT.get_third_party_job_details(**about)["jobDetails"]
    assert names(cpjob) == ()
    CLIENT.acknowledge_third_party_job(**about, nonce=details["nonce"])
    with pytest.raises(ContractError, match="put_third_party_job_success_result or") as caught:
        cpjob.check()
    assert caught.value.names == ("no-result",)


def test_to_read_the_event_is_delivery_and_to_read_the_details_is_not(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job()
    assert job.details
    assert names(cpjob) == ()
    assert job.event
    assert names(cpjob) == ("no-result",)


def test_a_continuation_that_nobody_was_given_owes_nothing(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    event = job.event
    CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"], continuationToken="2")

    assert job.continuation is not None
    assert names(cpjob) == ()


def test_the_job_that_continues_another_owes_a_result_of_its_own(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        job = event["CodePipeline.job"]
        if "continuationToken" not in job["data"]:
            CLIENT.put_job_success_result(jobId=job["id"], continuationToken="2")

    first = cpjob.add_lambda_job()
    last = first.invoke(handler)

    with pytest.raises(ContractError, match=f"no-result: job {last.id} ") as caught:
        cpjob.check()
    assert first.id not in str(caught.value)


def test_to_allow_it_for_a_job_allows_it_for_what_continues_the_job(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(allow=["no-result"])
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="2")
    assert job.continuation is not None
    assert job.continuation.event
    assert names(cpjob) == ()


def test_what_raised_and_reported_when_lambda_ran_it_again_is_none(
    cpjob: CodePipelineStub,
) -> None:
    attempts = iter([RuntimeError("out of memory")])

    def handler(event: Any, context: Any) -> None:
        for error in attempts:
            raise error
        succeed(event)

    job = cpjob.add_lambda_job().invoke(handler, retries=1)
    assert job.status == "Succeeded"
    assert names(cpjob) == ()


def test_raised_stands_for_the_missing_result_and_names_the_last_error(
    cpjob: CodePipelineStub,
) -> None:
    errors = iter([ValueError("first"), SystemExit("last\nof all")])

    def handler(event: Any, context: Any) -> None:
        raise next(errors)

    with pytest.raises(SystemExit):
        cpjob.add_lambda_job().invoke(handler, retries=1)

    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("raised",)
    assert re.match(
        r"raised \(\S+\.py:\d+\): the handler raised SystemExit \(last\) before any result of",
        str(caught.value),
    )


def test_an_error_without_words_is_named_and_a_long_one_cut_short(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        raise RuntimeError(*words)

    words: list[str] = []
    with pytest.raises(RuntimeError):
        cpjob.add_lambda_job().invoke(handler)
    with pytest.raises(ContractError, match="the handler raised RuntimeError before any result"):
        cpjob.check()
    words.append("x" * 121)
    with pytest.raises(RuntimeError):
        cpjob.add_lambda_job().invoke(handler)
    with pytest.raises(ContractError, match=r"RuntimeError \(x{120}\.\.\.\) before any result"):
        cpjob.check()


# -- second result ---------------------------------------------------------------------------------


@pytest.mark.parametrize("swallows", [True, False], ids=["swallowed", "met by the test"])
def test_a_failure_after_a_success_is_a_second_result(
    cpjob: CodePipelineStub, swallows: bool
) -> None:
    def handler(event: Any, context: Any) -> None:
        succeed(event)
        try:
            CLIENT.put_job_failure_result(
                jobId=event["CodePipeline.job"]["id"], failureDetails=BROKEN
            )
        except CLIENT.exceptions.InvalidJobStateException:
            if not swallows:
                raise

    job = cpjob.add_lambda_job(allow=["raised-after-result"])
    if swallows:
        job.invoke(handler)
    else:
        with pytest.raises(ClientError):
            job.invoke(handler)

    with pytest.raises(
        ContractError, match=r"second-result \(.*\): PutJobFailureResult for job"
    ) as caught:
        cpjob.check()
    assert "  First: success. Then: JobFailed: broken.\n" in str(caught.value)


def test_what_lambda_runs_again_after_it_reported_is_both(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        try:
            succeed(event, executionDetails={"externalExecutionId": next(executions)})
        finally:
            raise ValueError("too late")

    executions = iter(("first", "second", "third"))

    with pytest.raises(ValueError, match="too late"):
        cpjob.add_lambda_job().invoke(handler, retries=2)
    assert names(cpjob) == ("second-result", "raised-after-result")


def test_a_job_that_somebody_else_has_ended_had_no_result_of_the_handlers(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job()
    cpjob.client().put_job_failure_result(jobId=job.id, failureDetails=BROKEN)

    def handler(event: Any, context: Any) -> None:
        with pytest.raises(CLIENT.exceptions.InvalidJobStateException):
            succeed(event)

    job.invoke(handler)
    assert names(cpjob) == ()


def test_a_fault_that_says_the_job_has_ended_is_no_second_result(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    CLIENT.put_job_success_result(jobId=job.id)
    cpjob.fail("PutJobSuccessResult", "InvalidJobStateException")
    refused("InvalidJobStateException", lambda: CLIENT.put_job_success_result(jobId=job.id))
    assert names(cpjob) == ()


# -- not acknowledged, and not the owner -----------------------------------------------------------


def test_a_result_for_a_job_that_was_not_even_handed_out(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(action_type=DOCS)
    refused(
        "InvalidJobStateException",
        lambda: CLIENT.put_job_failure_result(jobId=job.id, failureDetails=BROKEN),
    )
    with pytest.raises(
        ContractError, match=r"not-acknowledged \(.*\): PutJobFailureResult for job"
    ):
        cpjob.check()


@pytest.mark.parametrize(
    ("go_on", "operation"),
    [
        (lambda job: CLIENT.get_job_details(jobId=job.id), "GetJobDetails"),
        (lambda job: CLIENT.put_job_success_result(jobId=job.id), "PutJobSuccessResult"),
        (
            lambda job: CLIENT.put_job_failure_result(jobId=job.id, failureDetails=BROKEN),
            "PutJobFailureResult",
        ),
    ],
    ids=["details", "success", "failure"],
)
def test_who_lost_a_job_and_goes_on_is_not_its_owner(
    cpjob: CodePipelineStub, go_on: Callable[[Job], object], operation: str
) -> None:
    job, claim = polled(cpjob)
    cpjob.client().acknowledge_job(**claim)
    refused("InvalidNonceException", lambda: CLIENT.acknowledge_job(**claim))
    go_on(job)

    with pytest.raises(ContractError, match=rf"not-owner \(.*\): {operation} for job {job.id}"):
        cpjob.check()


def test_who_lost_a_job_and_leaves_it_alone_is_none(cpjob: CodePipelineStub) -> None:
    _, claim = polled(cpjob)
    cpjob.client().acknowledge_job(**claim)
    refused("InvalidNonceException", lambda: CLIENT.acknowledge_job(**claim))
    assert names(cpjob) == ()


def test_who_lost_a_job_and_was_handed_it_again_owns_it(cpjob: CodePipelineStub) -> None:
    job, claim = polled(cpjob)
    refused("InvalidNonceException", lambda: CLIENT.acknowledge_job(jobId=job.id, nonce="0"))
    cpjob.advance(301)
    [again] = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    assert again["nonce"] != claim["nonce"]
    CLIENT.acknowledge_job(jobId=job.id, nonce=again["nonce"])
    CLIENT.put_job_success_result(jobId=job.id)
    assert names(cpjob) == ()


def test_who_lost_the_answer_to_its_acknowledgement_owns_the_job_all_the_same(
    cpjob: CodePipelineStub,
) -> None:
    job, claim = polled(cpjob)
    cpjob.fail("AcknowledgeJob", LOST, after=True)
    with pytest.raises(ReadTimeoutError):
        CLIENT.acknowledge_job(**claim)
    refused("InvalidNonceException", lambda: CLIENT.acknowledge_job(**claim))
    CLIENT.put_job_success_result(jobId=job.id)
    assert names(cpjob) == ()


@pytest.mark.parametrize("apart_by", ["client", "thread"])
def test_the_owner_may_be_another_client_or_thread_of_the_same_code(
    cpjob: CodePipelineStub, apart_by: str
) -> None:
    job, claim = polled(cpjob)
    CLIENT.acknowledge_job(**claim)

    if apart_by == "client":
        other = boto3.client("codepipeline", region_name="us-east-1")
        refused("InvalidNonceException", lambda: other.acknowledge_job(**claim))
    else:
        loser = threading.Thread(
            target=lambda: refused("InvalidNonce", lambda: CLIENT.acknowledge_job(**claim))
        )
        loser.start()
        loser.join()
    CLIENT.put_job_success_result(jobId=job.id)

    assert names(cpjob) == ()


def test_a_thread_is_not_taken_for_one_that_lost_the_job_and_has_ended(
    cpjob: CodePipelineStub,
) -> None:
    job, claim = polled(cpjob)
    CLIENT.acknowledge_job(**claim)

    def lose() -> None:
        refused("InvalidNonce", lambda: CLIENT.acknowledge_job(**claim))

    for work in (lose, lambda: CLIENT.put_job_success_result(jobId=job.id)):
        thread = threading.Thread(target=work)  # the second mostly has the first one's identifier
        thread.start()
        thread.join()

    assert names(cpjob) == ()


def test_a_client_is_not_taken_for_one_that_lost_the_job_and_is_forgotten(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, claim = polled(cpjob)
    CLIENT.acknowledge_job(**claim)
    # The next client may be made where a forgotten one was, and then has its id.
    monkeypatch.setattr("pytest_cpjob.clients.interceptor.id", lambda thing: 1, raising=False)
    refused("InvalidNonce", lambda: CLIENT.acknowledge_job(**claim))

    boto3.client("codepipeline", region_name="us-east-1").put_job_success_result(jobId=job.id)

    assert names(cpjob) == ()
