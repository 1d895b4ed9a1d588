"""Workers that were written to run for ever come to an end when nothing is left to do."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from docs_worker import (
    CLIENT,
    Polled,
    acknowledge,
    add,
    operations,
    poll,
    poll_for_ever,
    poll_once,
    succeed,
)

from pytest_cpjob import CodePipelineStub, WorkerError
from pytest_cpjob.runners import worker

# -- an endless worker -----------------------------------------------------------------------------


def test_an_endless_worker_ends_after_its_first_poll_in_vain(cpjob: CodePipelineStub) -> None:
    jobs = add(cpjob, 3)

    cpjob.run_worker(poll_for_ever)

    assert [job.status for job in jobs] == ["Succeeded"] * 3
    assert operations(cpjob) == [
        *["PollForJobs", "AcknowledgeJob", "PutJobSuccessResult"] * 3,
        "PollForJobs",
    ]
    assert [call.at for call in cpjob.calls if call.operation == "PollForJobs"] == [0, 30, 60, 90]


def test_a_worker_without_any_job_polls_once(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")

    cpjob.run_worker(poll_for_ever)

    assert operations(cpjob) == ["PollForJobs"]


@pytest.mark.parametrize("idle_polls", [1, 2, 5])
def test_it_polls_in_vain_as_often_as_the_test_wants(
    cpjob: CodePipelineStub, idle_polls: int
) -> None:
    add(cpjob)

    cpjob.run_worker(poll_for_ever, idle_polls=idle_polls)

    assert operations(cpjob).count("PollForJobs") == 1 + idle_polls


def test_only_polls_in_vain_in_a_row_count(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")
    polls = 0

    def adds_a_job_after_its_first_poll() -> None:
        nonlocal polls
        while True:
            poll_once()
            polls += 1
            if polls == 1:
                add(cpjob)
            time.sleep(30)

    cpjob.run_worker(adds_a_job_after_its_first_poll, idle_polls=2)

    assert polls == 1 + 1 + 2
    assert [job.status for job in cpjob.jobs] == ["Succeeded"]


@pytest.mark.parametrize("idle_polls", [0, -1, 1.5, True, None, "2"])
def test_a_number_of_polls_that_cannot_be_is_refused(
    cpjob: CodePipelineStub, idle_polls: Any
) -> None:
    with pytest.raises(ValueError, match=r"^idle_polls: expected a number from 1, got "):
        cpjob.run_worker(poll_for_ever, idle_polls=idle_polls)

    assert cpjob.calls == []


def test_a_worker_that_comes_to_its_end_by_itself_is_let_go(cpjob: CodePipelineStub) -> None:
    (job,) = add(cpjob)

    cpjob.run_worker(poll_once)
    cpjob.run_worker(lambda: None)

    assert job.status == "Succeeded"
    assert operations(cpjob) == ["PollForJobs", "AcknowledgeJob", "PutJobSuccessResult"]


def test_a_worker_can_be_run_again_for_new_jobs(cpjob: CodePipelineStub) -> None:
    add(cpjob)
    cpjob.run_worker(poll_for_ever)
    (late,) = add(cpjob)

    cpjob.run_worker(poll_for_ever)

    assert late.status == "Succeeded"


def test_a_worker_that_never_sleeps_ends_too(cpjob: CodePipelineStub) -> None:
    (job,) = add(cpjob)

    def polls_without_a_rest() -> None:
        while True:
            poll_once()

    cpjob.run_worker(polls_without_a_rest)

    assert job.status == "Succeeded"
    assert operations(cpjob).count("PollForJobs") == 2


def test_a_worker_that_rests_in_an_event_with_a_time_out_ends_too(cpjob: CodePipelineStub) -> None:
    add(cpjob, 2)
    stop = threading.Event()

    def polls_until_it_is_stopped() -> None:
        while not stop.wait(30):
            poll_once()

    cpjob.run_worker(polls_until_it_is_stopped)

    assert [call.at for call in cpjob.calls if call.operation == "PollForJobs"] == [30, 60, 90]


def test_an_asynchronous_worker_is_run_in_its_loop(cpjob: CodePipelineStub) -> None:
    jobs = add(cpjob, 2)

    async def polls_for_ever() -> None:
        while True:
            await asyncio.to_thread(poll_once)
            await asyncio.sleep(30)

    with pytest.raises(WorkerError) as caught:
        cpjob.run_worker(polls_for_ever)
    assert str(caught.value) == (
        "polls_for_ever is asynchronous: pass lambda: asyncio.run(polls_for_ever())"
    )

    cpjob.run_worker(lambda: asyncio.run(polls_for_ever()))

    assert [job.status for job in jobs] == ["Succeeded"] * 2


@pytest.mark.parametrize("target", [None, 7, "worker.main"])
def test_what_is_no_function_is_an_error(cpjob: CodePipelineStub, target: Any) -> None:
    with pytest.raises(WorkerError, match=r"^expected a function without arguments, got "):
        cpjob.run_worker(target)


# -- time passes -----------------------------------------------------------------------------------


def test_a_job_that_a_worker_dropped_comes_again_after_five_minutes_of_its_sleeps(
    cpjob: CodePipelineStub,
) -> None:
    (job,) = add(cpjob)
    dropped: list[Polled] = []

    def drops_the_first() -> None:
        while True:
            for polled in poll():
                if not dropped:
                    dropped.append(polled)
                    continue
                acknowledge(polled)
                succeed(polled)
            time.sleep(60)

    cpjob.run_worker(drops_the_first)

    assert job.status == "Succeeded"
    assert job.nonce != dropped[0]["nonce"]
    assert [call.at for call in job.calls] == [0, 300, 300, 300]


@pytest.mark.cpjob(allow=["no-result"])
def test_a_job_that_a_worker_never_reports_times_out_while_it_polls(
    cpjob: CodePipelineStub,
) -> None:
    (job,) = add(cpjob)

    def forgets() -> None:
        while True:
            for polled in poll():
                acknowledge(polled)
            time.sleep(3600)

    cpjob.run_worker(forgets)

    assert job.status == "TimedOut"
    assert cpjob.calls[-1].at == 24 * 3600


# -- what it raises --------------------------------------------------------------------------------


class Broken(Exception):
    pass


@pytest.mark.parametrize("error", [Broken("no disk"), SystemExit(2), KeyboardInterrupt()])
def test_what_a_worker_raises_reaches_the_test(
    cpjob: CodePipelineStub, error: BaseException
) -> None:
    def breaks() -> None:
        poll()
        raise error

    cpjob.add_action_type("Build:Custom:Docs:1")
    with pytest.raises(type(error)) as caught:
        cpjob.run_worker(breaks)

    assert caught.value is error


def test_a_refused_call_that_leaves_the_worker_is_the_tests_to_judge(
    cpjob: CodePipelineStub,
) -> None:
    with pytest.raises(CLIENT.exceptions.ActionTypeNotFoundException):
        cpjob.run_worker(poll_for_ever)


def what_may_be_replaced() -> list[object]:
    return [
        time.sleep,
        time.monotonic,
        threading.excepthook,
        threading.Event.wait,
        sys.stdout,
        sys.stderr,
        sys.gettrace(),
    ]


def breaks() -> None:
    raise Broken


def never_idles() -> None:
    while True:
        time.sleep(1)


@pytest.mark.parametrize(
    ("target", "error"),
    [(poll_for_ever, None), (breaks, Broken), (never_idles, WorkerError)],
)
def test_nothing_stays_patched(
    cpjob: CodePipelineStub,
    monkeypatch: pytest.MonkeyPatch,
    target: Callable[[], None],
    error: type[Exception] | None,
) -> None:
    monkeypatch.setattr(worker, "MOST_SLEEPS", 50)
    add(cpjob)
    before = what_may_be_replaced()

    if error is None:
        cpjob.run_worker(target)
    else:
        with pytest.raises(error):
            cpjob.run_worker(target)

    assert what_may_be_replaced() == before
