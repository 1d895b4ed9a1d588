"""What happens while a handler or a worker waits, at a time of the job clock."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from docs_worker import CLIENT, add, poll_for_ever

from pytest_cpjob import CodePipelineStub


def test_something_happens_while_a_handler_sleeps(cpjob: CodePipelineStub) -> None:
    ready: list[float] = []
    cpjob.at(100, lambda: ready.append(cpjob.now))

    def handler(event: object, context: object) -> int:
        looks = 0
        while not ready:
            time.sleep(30)
            looks += 1
        return looks

    assert (cpjob.invoke(handler), ready) == (4, [100])


@pytest.mark.parametrize("timeout", [None, 300])
def test_it_ends_a_wait_at_its_time(cpjob: CodePipelineStub, timeout: float | None) -> None:
    event = threading.Event()
    cpjob.at(60, event.set)

    assert cpjob.invoke(lambda e, c: (event.wait(timeout), cpjob.now)) == (True, 60)


def test_several_happen_in_the_order_of_their_times_and_then_of_the_calls(
    cpjob: CodePipelineStub,
) -> None:
    happened: list[tuple[str, float]] = []
    for name, seconds in [("c", 20), ("a", 10), ("d", 20), ("b", 10)]:
        cpjob.at(seconds, lambda name=name: happened.append((name, cpjob.now)))

    cpjob.advance(15)
    assert happened == [("a", 10), ("b", 10)]

    cpjob.advance(15)
    assert happened[2:] == [("c", 20), ("d", 20)]
    assert cpjob.now == 30


def test_one_may_bring_about_the_next(cpjob: CodePipelineStub) -> None:
    happened: list[float] = []

    def again() -> None:
        happened.append(cpjob.now)
        if len(happened) < 3:
            cpjob.at(cpjob.now + 5, again)

    cpjob.at(0, again)
    cpjob.advance(100)

    assert happened == [0, 5, 10]


@pytest.mark.parametrize("seconds", [-1, 9, float("nan"), float("inf"), "10", None, True, 10**400])
def test_a_time_that_cannot_be_is_refused(cpjob: CodePipelineStub, seconds: Any) -> None:
    cpjob.advance(10)

    with pytest.raises(ValueError, match=r"^seconds: expected a "):
        cpjob.at(seconds, print)


def test_what_cannot_be_called_is_refused(cpjob: CodePipelineStub) -> None:
    with pytest.raises(ValueError, match=r"^action: expected a function without arguments, got 7"):
        cpjob.at(10, 7)


@pytest.mark.parametrize("how", ["invoke", "run_worker", "advance"])
def test_what_it_raises_reaches_the_test(cpjob: CodePipelineStub, how: str) -> None:
    def fails() -> None:
        raise LookupError("no such stack")

    def swallows() -> None:
        try:
            time.sleep(200)
        except Exception:
            pytest.fail("it is none of the code's")

    cpjob.at(100, fails)

    with pytest.raises(LookupError, match="no such stack"):
        {
            "invoke": lambda: cpjob.invoke(lambda event, context: swallows()),
            "run_worker": lambda: cpjob.run_worker(swallows),
            "advance": lambda: cpjob.advance(200),
        }[how]()


def test_its_calls_are_the_tests(cpjob: CodePipelineStub) -> None:
    cpjob.at(10, CLIENT.list_action_types)

    cpjob.invoke(lambda event, context: time.sleep(20))

    assert cpjob.calls == []


def test_it_can_add_a_job_for_a_worker_and_a_pending_one_keeps_no_worker_alive(
    cpjob: CodePipelineStub,
) -> None:
    add(cpjob)
    cpjob.at(20, lambda: add(cpjob))
    cpjob.at(5000, lambda: add(cpjob))

    cpjob.run_worker(poll_for_ever)

    assert [job.status for job in cpjob.jobs] == ["Succeeded"] * 2
    assert cpjob.now < 5000
