"""A function whose time is up is ended as Lambda ends it, whatever it catches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub, ContractError, HandlerError

CLIENT = boto3.client("codepipeline", region_name="us-east-1")

Event = dict[str, Any]
Handler = Callable[[Event, Any], Any]


def succeed(event: Event) -> None:
    CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])


def test_the_remaining_time_goes_down_with_every_sleep(cpjob: CodePipelineStub) -> None:
    seen: list[int] = []

    def handler(event: Event, context: Any) -> None:
        for seconds in (0.5, 100, 799):
            time.sleep(seconds)
            seen.append(context.get_remaining_time_in_millis())
        succeed(event)

    cpjob.add_lambda_job().invoke(handler)

    assert seen == [899_500, 799_500, 500]


def test_a_handler_that_minds_its_remaining_time_reports_in_time(cpjob: CodePipelineStub) -> None:
    def handler(event: Event, context: Any) -> None:
        while context.get_remaining_time_in_millis() > 60_000:
            time.sleep(10)
        CLIENT.put_job_success_result(
            jobId=event["CodePipeline.job"]["id"], continuationToken="not yet"
        )

    with pytest.raises(HandlerError, match="max_invocations=3"):
        cpjob.add_lambda_job().invoke(handler, max_invocations=3)

    assert cpjob.now == 3 * 840 + 2 * 30


def swallows_exceptions(context: Any) -> None:
    while True:
        try:
            time.sleep(10)
        except Exception:
            continue


def swallows_everything(context: Any) -> None:
    while True:
        try:
            time.sleep(10)
        except:  # noqa: E722  # such code is what is tested
            continue


def swallows_everything_twice(context: Any) -> None:
    while True:
        try:
            try:
                time.sleep(10)
            except BaseException:
                time.sleep(1)
        except:  # noqa: E722  # such code is what is tested
            continue


def returns_at_last(context: Any) -> str:
    try:
        time.sleep(10_000)
    except BaseException:
        return "it ended well"
    return "it slept well"


def raises_something_else(context: Any) -> None:
    try:
        time.sleep(10_000)
    except BaseException as error:
        raise SystemExit("cleaning up") from error


WAITS_TOO_LONG = [
    lambda context: time.sleep(900),
    lambda context: time.sleep(1e9),
    lambda context: threading.Event().wait(1000),
    swallows_exceptions,
    swallows_everything,
    swallows_everything_twice,
    returns_at_last,
]


@pytest.mark.cpjob(allow=["raised"])
@pytest.mark.parametrize("wait", WAITS_TOO_LONG, ids=range(len(WAITS_TOO_LONG)))
def test_a_handler_that_waits_too_long_is_ended_in_lambdas_words(
    cpjob: CodePipelineStub, wait: Callable[[Any], Any]
) -> None:
    request_ids: list[str] = []

    def handler(event: Event, context: Any) -> Any:
        request_ids.append(context.aws_request_id)
        return wait(context)

    job = cpjob.add_lambda_job(function_name="build-docs")
    with pytest.raises(HandlerError) as caught:
        job.invoke(handler)

    assert str(caught.value).startswith(
        f"{request_ids[0]} Task timed out after 900.00 seconds: Lambda would have ended"
        " 'build-docs' here"
    )
    assert (job.status, cpjob.now) == ("InProgress", 900)


@pytest.mark.parametrize(("timeout", "said"), [(1, "1.00"), (2.5, "2.50"), (30, "30.00")])
def test_the_time_out_is_the_tests_to_choose(
    cpjob: CodePipelineStub, timeout: float, said: str
) -> None:
    with pytest.raises(HandlerError, match=rf" Task timed out after {said} seconds: "):
        cpjob.invoke(lambda event, context: time.sleep(60), timeout=timeout)

    assert cpjob.now == timeout


def test_the_last_moment_is_in_time(cpjob: CodePipelineStub) -> None:
    assert cpjob.invoke(lambda event, context: time.sleep(29.5) or "done", timeout=30) == "done"


@pytest.mark.cpjob(allow=["raised"])
def test_a_call_after_the_time_out_is_not_made(cpjob: CodePipelineStub) -> None:
    def reports_a_failure(event: Event, context: Any) -> None:
        try:
            time.sleep(1000)
        except BaseException:
            CLIENT.put_job_failure_result(
                jobId=event["CodePipeline.job"]["id"],
                failureDetails={"type": "JobFailed", "message": "timed out"},
            )

    job = cpjob.add_lambda_job()
    with pytest.raises(HandlerError, match="Task timed out"):
        job.invoke(reports_a_failure)

    assert (job.result, job.calls) == (None, [])


def test_each_invocation_has_its_own_time(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    attempts: list[float] = []

    def slow_the_first_time(event: Event, context: Any) -> None:
        attempts.append(context.get_remaining_time_in_millis())
        time.sleep(50 if len(attempts) == 1 else 29)
        succeed(event)

    job.invoke(slow_the_first_time, timeout=30, retries=1)

    assert attempts == [30_000, 30_000]
    assert job.status == "Succeeded"
    assert cpjob.now == 30 + 60 + 29


def test_after_a_time_out_the_test_may_call_and_sleep_as_ever(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    with pytest.raises(HandlerError, match="Task timed out"):
        job.invoke(lambda event, context: time.sleep(1000))

    time.sleep(0.001)
    CLIENT.put_job_success_result(jobId=job.id)

    assert cpjob.now == 900


def test_a_time_out_is_found_as_what_the_handler_raised(cpjob: CodePipelineStub) -> None:
    with pytest.raises(HandlerError):
        cpjob.add_lambda_job().invoke(lambda event, context: time.sleep(1000))

    with pytest.raises(ContractError, match=r"Task timed out after 900\.00 seconds") as caught:
        cpjob.check()
    assert caught.value.names == ("raised",)


def test_a_thread_of_the_handler_that_oversleeps_ends_quietly(cpjob: CodePipelineStub) -> None:
    """An exception out of a thread would be a warning of pytest's, and so an error here."""

    def handler(event: Event, context: Any) -> None:
        thread = threading.Thread(target=time.sleep, args=(1000,))
        thread.start()
        thread.join()

    with pytest.raises(HandlerError, match="Task timed out"):
        cpjob.invoke(handler)


def test_what_is_raised_instead_of_the_time_out_comes_out(cpjob: CodePipelineStub) -> None:
    with pytest.raises(SystemExit, match="cleaning up"):
        cpjob.invoke(lambda event, context: raises_something_else(context))


def test_the_timeline_shows_the_time_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import time

        def test_waits(cpjob):
            cpjob.add_lambda_job(function_name="build-docs").invoke(
                lambda event, context: time.sleep(1000)
            )
        """
    )

    result = pytester.runpytest("-p", "no:randomly", "-p", "no:faker")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * Task timed out after 900.00 seconds: Lambda would have ended 'build-docs' here*",
            "*cpjob timeline of job*",
            "*+0s*event delivered to the function",
            "*+900s*the handler raised HandlerError*",
        ]
    )
