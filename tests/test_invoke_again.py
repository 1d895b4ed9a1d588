"""Invoking a handler more than once: retries, continuation, and the bounds of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub, CpjobError, HandlerError, JobFailure

CLIENT = boto3.client("codepipeline", region_name="us-east-1")

Event = dict[str, Any]


class Broken(Exception):
    pass


def job_id_of(event: Event) -> str:
    job_id: str = event["CodePipeline.job"]["id"]
    return job_id


def succeed(event: Event, context: object) -> None:
    CLIENT.put_job_success_result(jobId=job_id_of(event))


# -- retries ---------------------------------------------------------------------------------------


def failing_first(times: int, seen: list[Any], cpjob: CodePipelineStub) -> Callable[..., None]:
    """A handler that raises the first so-many times."""

    def handler(event: Event, context: Any) -> None:
        seen.append((event, context.aws_request_id, cpjob.now))
        if len(seen) <= times:
            raise Broken(f"attempt {len(seen)}")
        succeed(event, context)

    return handler


def test_a_retry_is_the_same_event_and_request_id_a_minute_and_two_minutes_later(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job()
    seen: list[Any] = []
    cpjob.advance(10)

    job.invoke(failing_first(2, seen, cpjob), retries=2)

    events, request_ids, times = zip(*seen, strict=True)
    assert events[0] == events[1] == events[2]
    assert len(set(request_ids)) == 1
    assert times == (10, 70, 190)
    assert job.status == "Succeeded"


@pytest.mark.cpjob(allow=["raised"])
def test_the_last_retrys_exception_is_the_one_that_comes_out(cpjob: CodePipelineStub) -> None:
    seen: list[Any] = []

    with pytest.raises(Broken, match=r"^attempt 3$"):
        cpjob.add_lambda_job().invoke(failing_first(9, seen, cpjob), retries=2)

    assert len(seen) == 3


def test_a_handler_that_is_well_is_run_once_whatever_the_retries(cpjob: CodePipelineStub) -> None:
    seen: list[Any] = []

    cpjob.add_lambda_job().invoke(failing_first(0, seen, cpjob), retries=2)

    assert [at for _, _, at in seen] == [0]


@pytest.mark.cpjob(allow=["raised-after-result"])
def test_an_idempotent_handler_shows_itself_under_retries(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    deployed: set[str] = set()

    def deploys_once(event: Event, context: object) -> None:
        if job_id_of(event) in deployed:
            return
        deployed.add(job_id_of(event))
        succeed(event, context)
        raise Broken("the notification failed")

    job.invoke(deploys_once, retries=2)

    assert (job.status, len(job.calls)) == ("Succeeded", 1)


@pytest.mark.parametrize(
    ("argument", "number", "least"),
    [("max_invocations", number, 1) for number in (0, -1, "3", 1.5, None, True)]
    + [("retries", number, 0) for number in (-1, "2", 0.5, None, True)],
)
def test_numbers_that_cannot_be_are_refused(
    cpjob: CodePipelineStub, argument: str, number: Any, least: int
) -> None:
    job = cpjob.add_lambda_job()

    expected = f"^{argument}: expected a whole number from {least}, got {number!r}$"
    with pytest.raises(ValueError, match=expected):
        job.invoke(succeed, **{argument: number})

    assert job.calls == []


def test_lambda_retries_no_more_than_twice(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()

    with pytest.raises(
        ValueError, match=r"^retries: Lambda retries an event at most 2 times, got 3$"
    ):
        job.invoke(succeed, retries=3)

    assert job.calls == []


# -- continuation ----------------------------------------------------------------------------------


def in_steps(last: int, seen: list[Any]) -> Callable[[Event, Any], None]:
    """A handler that needs so many jobs."""

    def handler(event: Event, context: Any) -> None:
        job = event["CodePipeline.job"]
        step = int(job["data"].get("continuationToken", "step 0").removeprefix("step ")) + 1
        seen.append((job["id"], context.aws_request_id))
        more = {"continuationToken": f"step {step}"} if step < last else {}
        CLIENT.put_job_success_result(jobId=job["id"], **more)

    return handler


def test_continuation_is_followed_with_new_ids_until_an_end(cpjob: CodePipelineStub) -> None:
    first = cpjob.add_lambda_job()
    seen: list[Any] = []

    last = first.invoke(in_steps(4, seen))

    job_ids, request_ids = zip(*seen, strict=True)
    assert len(set(job_ids)) == len(set(request_ids)) == 4
    assert [job.id for job in cpjob.jobs] == list(job_ids)
    assert last.id == job_ids[-1]
    assert [job.status for job in cpjob.jobs] == ["Succeeded"] * 4


def test_a_failure_ends_the_continuation(cpjob: CodePipelineStub) -> None:
    def handler(event: Event, context: Any) -> None:
        if "continuationToken" not in event["CodePipeline.job"]["data"]:
            CLIENT.put_job_success_result(jobId=job_id_of(event), continuationToken="t")
            return
        CLIENT.put_job_failure_result(
            jobId=job_id_of(event), failureDetails={"type": "JobFailed", "message": "broken"}
        )

    last = cpjob.add_lambda_job().invoke(handler)

    assert last.result == JobFailure("JobFailed", "broken")


def test_exactly_max_invocations_is_enough(cpjob: CodePipelineStub) -> None:
    seen: list[Any] = []

    assert cpjob.add_lambda_job().invoke(in_steps(3, seen), max_invocations=3).status == "Succeeded"


def test_one_more_than_max_invocations_is_an_error_that_shows_the_tokens(
    cpjob: CodePipelineStub,
) -> None:
    job, seen = cpjob.add_lambda_job(), []  # type: tuple[Job, list[Any]]

    with pytest.raises(HandlerError) as caught:
        job.invoke(in_steps(4, seen), max_invocations=3)

    assert str(caught.value) == (
        f"job {job.id} was still continuing after max_invocations=3 invocations. If"
        " the handler needs more, raise max_invocations; if not, it never reports its end. Its"
        " continuation tokens were:\n- 'step 1'\n- 'step 2'\n- 'step 3'"
    )
    assert len(seen) == 3


def test_a_retried_step_continues_from_where_it_was(cpjob: CodePipelineStub) -> None:
    seen: list[Any] = []
    steps = in_steps(2, [])

    def raises_once_a_step(event: Event, context: Any) -> None:
        seen.append(job_id_of(event))
        if seen.count(job_id_of(event)) == 1:
            raise Broken
        steps(event, context)

    last = cpjob.add_lambda_job().invoke(raises_once_a_step, retries=1)

    first_id, last_id = (job.id for job in cpjob.jobs)
    assert seen == [first_id, first_id, last_id, last_id]
    assert last.status == "Succeeded"


# -- what cannot be invoked ------------------------------------------------------------------------


async def asynchronous(event: Event, context: object) -> None:
    succeed(event, context)


class Asynchronous:
    async def __call__(self, event: Event, context: object) -> None:
        succeed(event, context)


def gives_a_coroutine(event: Event, context: object) -> Any:
    return asynchronous(event, context)


@pytest.mark.cpjob(allow=["no-result", "raised"])
@pytest.mark.parametrize(
    "handler",
    [asynchronous, Asynchronous(), gives_a_coroutine],
    ids=["function", "object", "coroutine"],
)
def test_an_asynchronous_handler_is_an_error_that_shows_the_way_around(
    cpjob: CodePipelineStub, handler: Any
) -> None:
    job = cpjob.add_lambda_job()

    with pytest.raises(
        HandlerError, match="is asynchronous, and Lambda's Python runtime"
    ) as caught:
        job.invoke(handler)
    with pytest.raises(HandlerError, match="is asynchronous"):
        cpjob.invoke(handler, {})

    assert "    return asyncio.run(" in str(caught.value)
    assert job.calls == []


@pytest.mark.parametrize("handler", [None, 7, {"handler": succeed}])
def test_what_is_no_handler_is_an_error(cpjob: CodePipelineStub, handler: Any) -> None:
    with pytest.raises(HandlerError, match=r"^expected a handler\(event, context\) or its name"):
        cpjob.add_lambda_job().invoke(handler)


def test_a_workers_job_cannot_be_invoked(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job()

    with pytest.raises(CpjobError, match=f"^job {job.id} has no invocation: "):
        job.invoke(succeed)
