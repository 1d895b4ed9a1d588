"""A worker ends when its own work is done: others' jobs are none of its business."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from docs_worker import CLIENT, DOCS, Polled, acknowledge, add, poll, poll_for_ever, succeed

from pytest_cpjob import CodePipelineStub, WorkerError

OTHER = {**DOCS, "provider": "Other"}
OLD_POOL = ThreadPoolExecutor(2, thread_name_prefix="older than any run")


def take(action_type: Mapping[str, str], **query: str) -> None:
    arguments: dict[str, Any] = {"queryParam": query} if query else {}
    for job in CLIENT.poll_for_jobs(actionTypeId=action_type, **arguments)["jobs"]:
        acknowledge(job)
        succeed(job)


# -- whose business --------------------------------------------------------------------------------


def test_a_job_of_another_action_type_keeps_no_worker_alive(cpjob: CodePipelineStub) -> None:
    other = cpjob.add_job(action_type="Build:Custom:Other:1")
    (job,) = add(cpjob)

    cpjob.run_worker(poll_for_ever)

    assert (job.status, other.status) == ("Succeeded", "Queued")
    assert cpjob.now <= 60


def test_a_job_of_another_project_keeps_no_worker_alive(cpjob: CodePipelineStub) -> None:
    mine, other = (
        cpjob.add_job(action_type=DOCS, configuration={"Project": name}) for name in ("a", "b")
    )
    idle = ThreadPoolExecutor(1)
    idle.submit(int).result()

    def main() -> None:
        while True:
            take(DOCS, Project="a")
            time.sleep(30)

    cpjob.run_worker(main)
    idle.shutdown()

    assert (mine.status, other.status) == ("Succeeded", "Queued")
    assert cpjob.now <= 60


@pytest.mark.parametrize("pause", [0, 1])
def test_a_worker_that_polls_for_several_types_polls_for_each(
    cpjob: CodePipelineStub, pause: float
) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")
    others = [cpjob.add_job(action_type="Build:Custom:Other:1") for _ in range(2)]

    def main() -> None:
        while True:
            for action_type in (DOCS, OTHER):
                take(action_type)
                time.sleep(pause)
            time.sleep(30)

    cpjob.run_worker(main)

    assert [job.status for job in others] == ["Succeeded"] * 2


def test_a_job_that_the_worker_holds_keeps_it_alive(cpjob: CodePipelineStub) -> None:
    (job,) = add(cpjob)

    def works_on(polled: Polled) -> None:
        time.sleep(1000)
        succeed(polled)

    def main() -> None:
        while True:
            for polled in poll():
                acknowledge(polled)
                threading.Thread(target=works_on, args=(polled,)).start()
            time.sleep(30)

    cpjob.run_worker(main)

    assert (job.status, job.calls[-1].at) == ("Succeeded", 1000)


def test_a_job_that_another_worker_dropped_is_waited_for(cpjob: CodePipelineStub) -> None:
    (job,) = add(cpjob)
    cpjob.client().poll_for_jobs(actionTypeId=DOCS)

    cpjob.run_worker(poll_for_ever)

    assert (job.status, job.calls[-1].at) == ("Succeeded", 300)


def test_a_job_that_is_continued_is_done_to_its_end(cpjob: CodePipelineStub) -> None:
    add(cpjob)

    def main() -> None:
        while True:
            for polled in poll():
                acknowledge(polled)
                more = len(cpjob.jobs) < 4
                CLIENT.put_job_success_result(
                    jobId=polled["id"], **({"continuationToken": "more"} if more else {})
                )
            time.sleep(30)

    cpjob.run_worker(main)

    assert [job.status for job in cpjob.jobs] == ["Succeeded"] * 4


# -- a worker that never acknowledges --------------------------------------------------------------


def test_a_worker_that_never_acknowledges_is_ended(cpjob: CodePipelineStub) -> None:
    (job,) = add(cpjob)
    polled: list[Polled] = []

    def main() -> None:
        while True:
            polled.extend(poll())
            time.sleep(30)

    with pytest.raises(WorkerError) as caught:
        cpjob.run_worker(main)

    assert str(caught.value) == (
        f"the worker was handed job {job.id} 40 times and never acknowledged it: AcknowledgeJob,"
        " with the id and the nonce of the job, is what claims it"
    )
    assert len(polled) == 40


# -- what a pool's future keeps --------------------------------------------------------------------


def fails() -> None:
    raise LookupError("no theme")


@pytest.mark.parametrize("old", [False, True])
def test_what_a_future_swallowed_is_shown(cpjob: CodePipelineStub, old: bool) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")

    def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            (OLD_POOL if old else pool).submit(fails)
            poll_for_ever()

    with pytest.raises(LookupError, match="no theme"):
        cpjob.run_worker(main)


def takes_and_fails(job: Any) -> None:
    acknowledge(job)
    fails()


def only_fails(job: Any) -> None:
    fails()


@pytest.mark.cpjob(allow=["no-result"])
@pytest.mark.parametrize("work", [takes_and_fails, only_fails])
def test_what_a_future_swallowed_is_shown_though_its_job_stays_open(
    cpjob: CodePipelineStub, work: Callable[[Any], None]
) -> None:
    add(cpjob)

    def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            while True:
                for job in poll():
                    pool.submit(work, job)
                time.sleep(1)

    with pytest.raises(LookupError, match="no theme"):
        cpjob.run_worker(main)

    assert cpjob.now < 12_000  # and not at the end of the job's time


def asks(future: Future[None]) -> None:
    assert isinstance(future.exception(), LookupError)


def meets(future: Future[None]) -> None:
    with pytest.raises(LookupError):
        future.result()


@pytest.mark.parametrize("look", [asks, meets])
def test_what_the_code_looked_at_is_its_own_affair(cpjob: CodePipelineStub, look: Any) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")

    def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            look(pool.submit(fails))
            poll_for_ever()

    cpjob.run_worker(main)


# -- what it leaves --------------------------------------------------------------------------------


def test_the_handlers_of_signals_are_put_back(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    stop = threading.Event()

    def main() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.wait(30):
            poll()

    cpjob.run_worker(main)

    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_worker_that_is_sent_a_signal_hears_of_it(cpjob: CodePipelineStub) -> None:
    """As a test of an orderly end does it, at a time of the job clock."""
    cpjob.add_action_type("Build:Custom:Docs:1")
    stop, stopped_at = threading.Event(), []
    cpjob.at(100, lambda: signal.raise_signal(signal.SIGTERM))

    def main() -> None:
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        stop.wait(1000)
        stopped_at.append(cpjob.now)

    cpjob.run_worker(main)

    assert stopped_at == [100]


# -- many at once ----------------------------------------------------------------------------------


def test_pollers_that_start_a_thread_for_each_job_do_each_once(cpjob: CodePipelineStub) -> None:
    jobs = add(cpjob, 200)

    def works_on(polled: Polled) -> None:
        time.sleep(40)
        succeed(polled)

    def polls() -> None:
        while True:
            time.sleep(2)
            for polled in poll():
                acknowledge(polled)
                threading.Thread(target=works_on, args=(polled,)).start()

    def main() -> None:
        threads = [threading.Thread(target=polls) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    cpjob.run_worker(main)

    assert {job.status for job in jobs} == {"Succeeded"}
    assert [call.operation for call in cpjob.calls].count("PutJobSuccessResult") == 200
    # 25 polls of each thread, 2 seconds apart; the last job is done 40 seconds later.
    assert max(job.calls[-1].at for job in jobs) == 25 * 2 + 40
