"""Waiting beside others: threads, events and tasks share one time, which waits for all of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from pytest_cpjob import CodePipelineStub

CLIENT = boto3.client("codepipeline", region_name="us-east-1")

Run = Callable[[Callable[[], object]], object]


# -- several threads -------------------------------------------------------------------------------


def test_a_thread_that_is_none_of_the_codes_really_sleeps(
    cpjob: CodePipelineStub, run: Run
) -> None:
    """The test's own thread, started before."""
    begin, slept = threading.Event(), threading.Event()

    def outsider() -> None:
        begin.wait()
        time.sleep(0.02)
        slept.set()

    thread = threading.Thread(target=outsider)
    thread.start()

    def waits_for_it() -> None:
        begin.set()
        thread.join()

    run(waits_for_it)

    assert slept.is_set()
    assert cpjob.now == 0


def test_threads_that_sleep_together_share_the_time(cpjob: CodePipelineStub, run: Run) -> None:
    woke: list[tuple[float, str]] = []

    def sleeps(name: str, *naps: float) -> None:
        for seconds in naps:
            time.sleep(seconds)
            woke.append((cpjob.now, name))

    def starts_them() -> None:
        threads = [
            threading.Thread(target=sleeps, args=("long", 100)),
            threading.Thread(target=sleeps, args=("short", 30, 30, 30)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    run(starts_them)

    assert woke == [(30, "short"), (60, "short"), (90, "short"), (100, "long")]
    assert cpjob.now == 100


def test_time_stands_while_another_thread_is_at_work(cpjob: CodePipelineStub, run: Run) -> None:
    seen: list[float] = []
    rounds = 30_000

    def works() -> None:
        for _ in range(rounds):
            CLIENT.meta.events.emit("nothing-listens")
        seen.append(cpjob.now)

    def naps_meanwhile() -> None:
        thread = threading.Thread(target=works)
        thread.start()
        for _ in range(3):
            time.sleep(60)
        thread.join()

    run(naps_meanwhile)

    assert seen == [0]
    assert cpjob.now == 180


def test_a_thread_that_waits_for_its_work_does_not_hold_up_the_time(
    cpjob: CodePipelineStub, run: Run
) -> None:
    def sleeps_beside_a_pool() -> None:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: 7).result() == 7
            for _ in range(10):
                time.sleep(60)

    run(sleeps_beside_a_pool)

    assert cpjob.now == 600


def test_a_lock_held_over_a_sleep_does_not_hold_up_the_time(
    cpjob: CodePipelineStub, run: Run
) -> None:
    lock = threading.Lock()

    def takes_the_lock() -> None:
        with lock:
            pass

    def sleeps_with_the_lock() -> None:
        thread = threading.Thread(target=takes_the_lock)
        with lock:
            thread.start()
            for _ in range(3):
                time.sleep(60)
        thread.join()

    run(sleeps_with_the_lock)

    assert cpjob.now == 180


# -- events ----------------------------------------------------------------------------------------


def test_a_wait_for_an_event_that_nobody_can_set_is_a_sleep(
    cpjob: CodePipelineStub, run: Run
) -> None:
    answers: list[bool] = []

    run(lambda: answers.append(threading.Event().wait(300)))

    assert answers == [False]
    assert cpjob.now == 300


@pytest.mark.parametrize("timeout", [None, 0, 300])
def test_a_wait_for_an_event_that_is_set_takes_no_time(
    cpjob: CodePipelineStub, run: Run, timeout: float | None
) -> None:
    answers: list[bool] = []
    event = threading.Event()
    event.set()

    run(lambda: answers.append(event.wait(timeout)))

    assert answers == [True]
    assert cpjob.now == 0


@pytest.mark.parametrize(
    ("timeout", "answer"), [(None, True), (threading.TIMEOUT_MAX, True), (300, True), (30, False)]
)
def test_a_wait_ends_when_another_thread_sets_the_event_in_time(
    cpjob: CodePipelineStub, run: Run, timeout: float | None, *, answer: bool
) -> None:
    answers: list[bool] = []

    def waits() -> None:
        event = threading.Event()
        setter = threading.Timer(40, event.set)
        setter.start()
        answers.append(event.wait(timeout))
        setter.join()

    run(waits)

    assert answers == [answer]
    assert cpjob.now == 40


def test_a_wait_does_not_run_ahead_of_a_thread_that_waits_for_something_real(
    cpjob: CodePipelineStub, run: Run
) -> None:
    """Here a lock that the test holds; elsewhere a process or a socket."""
    answers: list[bool] = []
    lock = threading.Lock()
    lock.acquire()
    giver = threading.Timer(0.15, lock.release)
    giver.start()

    def waits() -> None:
        event = threading.Event()

        def sets_it() -> None:
            with lock:
                event.set()

        threading.Thread(target=sets_it).start()
        answers.append(event.wait(300))

    run(waits)
    giver.join()

    assert answers == [True]
    assert cpjob.now == 0


@pytest.mark.parametrize("timeout", [None, threading.TIMEOUT_MAX])
def test_a_wait_for_ever_moves_no_time(
    cpjob: CodePipelineStub, run: Run, timeout: float | None
) -> None:
    """Some say it with a time-out of years."""
    answers: list[bool] = []
    event = threading.Event()
    outsider = threading.Timer(0.05, event.set)

    outsider.start()
    run(lambda: answers.append(event.wait(timeout)))
    outsider.join()

    assert answers == [True]
    assert cpjob.now == 0


def test_a_wait_beside_threads_without_work_is_a_sleep(cpjob: CodePipelineStub, run: Run) -> None:
    answers: list[bool] = []

    def waits_beside_a_pool() -> None:
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(len, ["a", "bc"])) == [1, 2]
            answers.append(threading.Event().wait(300))

    run(waits_beside_a_pool)

    assert answers == [False]
    assert cpjob.now == 300


# -- asyncio ---------------------------------------------------------------------------------------


def test_a_task_that_is_alone_in_its_loop_sleeps_on_the_job_clock(
    cpjob: CodePipelineStub, run: Run
) -> None:
    async def sleeps() -> str:
        await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(60)
        return await asyncio.sleep(30, "woke")

    answers: list[str] = []
    run(lambda: answers.append(asyncio.run(sleeps())))

    assert answers == ["woke"]
    assert cpjob.now == 630


def test_beside_other_tasks_a_task_sleeps_for_real_until_it_is_alone(
    cpjob: CodePipelineStub, run: Run
) -> None:
    order: list[str] = []

    async def works() -> None:
        for _ in range(3):
            await asyncio.sleep(0.01)
        order.append("worked")

    async def sleeps() -> None:
        task = asyncio.create_task(works())
        await asyncio.sleep(300)
        order.append("slept")
        await task

    run(lambda: asyncio.run(sleeps()))

    assert order == ["worked", "slept"]
    assert cpjob.now == pytest.approx(300)


def test_an_asyncio_sleep_for_no_time_or_less_gives_others_their_turn(
    cpjob: CodePipelineStub, run: Run
) -> None:
    order: list[int] = []

    async def notes(number: int) -> None:
        for _ in range(2):
            order.append(number)
            await asyncio.sleep(-number)

    async def both() -> None:
        await asyncio.gather(notes(0), notes(1))

    run(lambda: asyncio.run(both()))

    assert order == [0, 1, 0, 1]
    assert cpjob.now == 0
