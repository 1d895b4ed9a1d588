"""Waiting takes no time: a sleep moves the job clock instead, and everything comes back."""

from __future__ import annotations

import asyncio
import queue
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from types import ModuleType
from typing import Any

import pytest

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.virtual_time.ownership import Ownership

Run = Callable[[Callable[[], object]], object]


# -- sleep moves the job clock ---------------------------------------------------------------------


def test_a_sleep_moves_the_job_clock(cpjob: CodePipelineStub, run: Run) -> None:
    run(lambda: time.sleep(600))
    assert cpjob.now == 600

    run(lambda: [time.sleep(0.25) for _ in range(10)])
    assert cpjob.now == 602.5


def test_a_sleep_bound_early_by_its_name_is_met_too(cpjob: CodePipelineStub, run: Run) -> None:
    run(lambda: sleep(600))

    assert cpjob.now == 600


def test_a_sleep_bound_while_the_code_runs_is_met_too_and_is_the_real_one_again_afterwards(
    cpjob: CodePipelineStub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.sleep
    module = ModuleType("cpjob_imported_late")
    monkeypatch.setitem(sys.modules, "cpjob_imported_late", module)

    def imports_late() -> None:
        exec("from time import sleep, monotonic", module.__dict__)
        module.sleep(600)

    run(imports_late)

    assert cpjob.now == 600
    assert module.sleep is time.sleep is real
    assert module.monotonic is time.monotonic


@pytest.mark.parametrize("seconds", [1, 1.0, True])
def test_a_sleep_takes_what_pythons_takes(
    cpjob: CodePipelineStub, run: Run, seconds: float
) -> None:
    run(lambda: time.sleep(seconds))

    assert cpjob.now == 1


@pytest.mark.parametrize(
    "seconds", [-1, -0.5, float("nan"), float("inf"), "1", None], ids=lambda value: str(value)
)
def test_a_sleep_raises_what_pythons_raises(
    cpjob: CodePipelineStub, run: Run, seconds: Any
) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)) as pythons:
        time.sleep(seconds)

    with pytest.raises(pythons.type):
        run(lambda: time.sleep(seconds))

    assert cpjob.now == 0


def test_no_sleep_at_all_moves_nothing(cpjob: CodePipelineStub, run: Run) -> None:
    run(lambda: time.sleep(0))

    assert cpjob.now == 0


def test_what_comes_due_during_a_sleep_comes_due(cpjob: CodePipelineStub, run: Run) -> None:
    job = cpjob.add_job()
    client = cpjob.client()
    (polled,) = client.poll_for_jobs(
        actionTypeId=job.details["jobDetails"]["data"]["actionTypeId"]
    )["jobs"]
    seen: list[str] = []

    def waits() -> None:
        for _ in range(2):
            time.sleep(150)
            seen.append(job.status)

    run(waits)

    assert polled["id"] == job.id
    assert seen == ["Dispatched", "Queued"]


# -- all comes back --------------------------------------------------------------------------------


def what_may_be_replaced() -> list[object]:
    return [
        time.sleep,
        time.monotonic,
        time.time,
        sleep,
        asyncio.sleep,
        asyncio.tasks.sleep,
        threading.Event.wait,
        threading.Condition.wait,
        threading.Thread.start,
        threading.Thread.join,
        threading.excepthook,
        selectors.DefaultSelector.select,
        subprocess.Popen.wait,
        ThreadPoolExecutor.submit,
        asyncio.BaseEventLoop.time,
        sys.stdout,
        sys.stderr,
    ]


@pytest.mark.cpjob(allow=["raised"])
@pytest.mark.parametrize("error", [None, ValueError(), SystemExit(), KeyboardInterrupt()])
def test_nothing_stays_replaced(
    cpjob: CodePipelineStub, run: Run, error: BaseException | None
) -> None:
    before = what_may_be_replaced()
    during: list[object] = []

    def sleeps() -> None:
        time.sleep(60)
        during.extend(what_may_be_replaced())
        if error is not None:
            raise error

    if error is None:
        run(sleeps)
    else:
        with pytest.raises(type(error)):
            run(sleeps)

    assert what_may_be_replaced() == before
    assert during[:2] != before[:2]


def test_locks_and_queues_are_pythons_again_after_the_test() -> None:
    before = threading.Lock, threading.RLock, queue.SimpleQueue, queue.Queue.get
    with CodePipelineStub():
        ours = threading.Lock, threading.RLock, queue.SimpleQueue, queue.Queue.get
        lock = threading.Lock()

    assert not set(ours) & set(before)
    assert (threading.Lock, threading.RLock, queue.SimpleQueue, queue.Queue.get) == before
    with lock:
        assert not lock.acquire(timeout=0.001)


def test_what_cannot_be_replaced_leaves_the_rest_as_it_was(
    cpjob: CodePipelineStub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where gevent has put classes of C in the place of Python's."""
    before = what_may_be_replaced()
    with monkeypatch.context() as patch:
        patch.setattr(selectors, "SelectSelector", type("", (), {"__slots__": ()})())
        with pytest.raises(AttributeError):
            run(lambda: time.sleep(60))

    assert what_may_be_replaced() == before
    run(lambda: time.sleep(60))
    assert cpjob.now == 60


def test_nothing_stays_replaced_after_runs_that_overlapped(cpjob: CodePipelineStub) -> None:
    before = what_may_be_replaced()
    go, second_began, first_ended = (threading.Lock() for _ in range(3))
    for lock in (go, second_began, first_ended):
        lock.acquire()

    def first() -> None:
        go.release()
        second_began.acquire()

    def second() -> None:
        second_began.release()
        first_ended.acquire()

    def runs_the_second() -> None:
        go.acquire()
        cpjob.run_worker(second)

    thread = threading.Thread(target=runs_the_second)
    thread.start()
    cpjob.run_worker(first)
    first_ended.release()
    thread.join()

    assert what_may_be_replaced() == before


def test_a_sleep_that_the_test_has_replaced_itself_is_the_tests(
    cpjob: CodePipelineStub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)

    run(lambda: time.sleep(600))

    assert (slept, cpjob.now) == ([600], 0)
    assert time.sleep == slept.append


def test_what_the_code_puts_in_sleeps_place_stays(
    cpjob: CodePipelineStub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", time.sleep)

    def patches() -> None:
        time.sleep = patched

    def patched(seconds: float) -> None: ...

    run(patches)

    assert time.sleep is patched


@pytest.mark.parametrize("step", ["end", "begin"])
def test_a_time_out_between_any_two_lines_spoils_no_later_test(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupted(*_: object) -> None:
        raise TimeoutError

    sleeping, monotonic = time.sleep, time.monotonic
    with monkeypatch.context() as patch, CodePipelineStub() as cpjob:
        patch.setattr(Ownership, step, interrupted)
        with pytest.raises(TimeoutError):
            cpjob.invoke(lambda event, context: time.sleep(600))

    for _ in range(2):
        with CodePipelineStub() as cpjob:
            cpjob.invoke(lambda event, context: time.sleep(600))
            assert cpjob.now == 600
    assert (time.sleep, time.monotonic) == (sleeping, monotonic)
