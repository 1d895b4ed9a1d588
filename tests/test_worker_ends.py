"""A worker that does not let itself be ended: bounds, and an insistent end."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from docs_worker import CLIENT, acknowledge, add, operations, poll, poll_for_ever, poll_once

from pytest_cpjob import CodePipelineStub, WorkerError
from pytest_cpjob.runners import worker

# -- bounds ----------------------------------------------------------------------------------------


def test_a_worker_that_continues_an_action_for_ever_is_ended(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_CONTINUATIONS", 20)
    add(cpjob)

    def continue_for_ever() -> None:
        while True:
            for job in poll():
                acknowledge(job)
                CLIENT.put_job_success_result(jobId=job["id"], continuationToken="x")
            time.sleep(1)

    with pytest.raises(
        WorkerError, match=r"^the worker continued one action 20 times; .* token 'x'$"
    ):
        cpjob.run_worker(continue_for_ever)

    assert len(cpjob.jobs) == 22


def test_many_actions_may_be_continued_a_few_times_each(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_CONTINUATIONS", 2)
    add(cpjob, 10)

    def twice() -> None:
        while True:
            for job in poll():
                acknowledge(job)
                seen = int(job["data"].get("continuationToken", 0))
                more = {"continuationToken": str(seen + 1)} if seen < 2 else {}
                CLIENT.put_job_success_result(jobId=job["id"], **more)
            time.sleep(1)

    cpjob.run_worker(twice)

    assert {job.status for job in cpjob.jobs} == {"Succeeded"}


@pytest.mark.cpjob(allow=["no-result"])
def test_a_worker_that_brings_no_job_further_is_ended_and_its_last_calls_are_shown(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_CALLS", 20)
    add(cpjob)

    def never_reports() -> None:
        while True:
            for job in poll():
                acknowledge(job)
            try:
                CLIENT.get_job_details(jobId="11111111-2222-4333-8444-555555555555")
            except ClientError:
                time.sleep(2.5)

    with pytest.raises(WorkerError) as caught:
        cpjob.run_worker(never_reports)

    [job] = cpjob.jobs
    assert str(caught.value) == (
        f"the worker made 20 calls without any job changing state (1 open; job {job.id}"
        " (Build:Custom:Docs:1) was acknowledged, and has no result); its last calls were:\n"
        "- +20s codepipeline.GetJobDetails -> JobNotFoundException\n"
        "- +22.5s codepipeline.PollForJobs\n"
        "- +22.5s codepipeline.GetJobDetails -> JobNotFoundException\n"
        "- +25s codepipeline.PollForJobs\n"
        "- +25s codepipeline.GetJobDetails -> JobNotFoundException"
    )


@pytest.mark.cpjob(allow=["no-result"])
def test_of_its_last_calls_equal_ones_are_shown_once(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_CALLS", 20)
    add(cpjob)

    def only_polls() -> None:
        while True:
            poll()

    with pytest.raises(WorkerError, match=r"last calls were:\n.*PollForJobs \(5 times\)$"):
        cpjob.run_worker(only_polls)


def test_calls_that_bring_a_job_further_are_not_counted(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_CALLS", 4)
    jobs = add(cpjob, 20)

    cpjob.run_worker(poll_for_ever)

    assert {job.status for job in jobs} == {"Succeeded"}


def test_a_worker_that_only_sleeps_is_ended(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_SLEEPS", 50)

    def only_sleeps() -> None:
        while True:
            time.sleep(1)

    with pytest.raises(WorkerError, match=r"^the worker slept 50 times without a call"):
        cpjob.run_worker(only_sleeps)

    assert cpjob.now == 51


def test_sleeps_between_calls_are_not_counted_together(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_SLEEPS", 50)
    add(cpjob, 5)

    def sleeps_much() -> None:
        while True:
            poll_once()
            for _ in range(40):
                time.sleep(1)

    cpjob.run_worker(sleeps_much)

    assert cpjob.calls[-1].at == 200


# -- a worker that catches everything --------------------------------------------------------------


def catches_everything() -> None:
    while True:
        try:
            poll_for_ever()
        except:  # noqa: E722  # such code is what is tested
            time.sleep(30)


def catches_everything_and_goes_on() -> None:
    while True:
        try:
            poll_once()
            time.sleep(30)
        except:  # noqa: E722  # such code is what is tested
            continue


def catches_everything_without_a_rest() -> None:
    while True:
        try:
            poll_once()
        except BaseException as error:
            last = error
            assert last


def catches_everything_twice() -> None:
    while True:
        try:
            try:
                poll_once()
                time.sleep(30)
            except BaseException:
                time.sleep(30)
        except BaseException:
            continue


@pytest.mark.parametrize(
    "target",
    [
        catches_everything,
        catches_everything_and_goes_on,
        catches_everything_without_a_rest,
        catches_everything_twice,
    ],
)
@pytest.mark.parametrize("where", ["here", "thread", "pool"])
def test_a_worker_that_catches_everything_is_ended_all_the_same(
    cpjob: CodePipelineStub, target: Callable[[], None], where: str
) -> None:
    jobs = add(cpjob, 2)

    def in_a_thread() -> None:
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()

    def in_a_pool() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(target).result()

    cpjob.run_worker({"here": target, "thread": in_a_thread, "pool": in_a_pool}[where])

    assert [job.status for job in jobs] == ["Succeeded"] * 2
    assert operations(cpjob).count("PollForJobs") == 3


def test_a_debuggers_or_coverages_tracer_is_there_again_after_an_insistent_end(
    cpjob: CodePipelineStub,
) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")
    before = sys.gettrace()

    def tracer(*_: object) -> None: ...

    sys.settrace(tracer)
    try:
        cpjob.run_worker(catches_everything_and_goes_on)
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)
