"""A worker's endless loop that the test calls itself fails, and says how it is run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from docs_worker import CLIENT, DOCS, add, poll_for_ever

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.errors import EndlessWorkerError
from pytest_cpjob.virtual_time import direct_polls


def catches_exceptions(rest: Callable[[], object]) -> None:
    while True:
        try:
            CLIENT.poll_for_jobs(actionTypeId=DOCS)
            rest()
        except Exception:
            continue


@pytest.mark.parametrize(
    "rest",
    [
        lambda: time.sleep(30),
        lambda: threading.Event().wait(30),
        lambda: time.sleep(0.1),
        lambda: None,
    ],
)
def test_an_endless_loop_fails_and_names_run_worker(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch, rest: Callable[[], object]
) -> None:
    monkeypatch.setattr(direct_polls, "MOST_REAL", 0.4)
    monkeypatch.setattr(direct_polls, "_FIRST_WAIT", 0.2)
    monkeypatch.setattr(direct_polls, "_OTHER_WAITS", 0.1)
    cpjob.add_action_type("Build:Custom:Docs:1")
    began = time.perf_counter()

    with pytest.raises(EndlessWorkerError, match=r"cpjob\.run_worker\(worker\)"):
        catches_exceptions(rest)

    assert time.perf_counter() - began < 5


def test_a_few_empty_polls_are_fine_however_long_they_take(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_polls, "MOST_REAL", 0.0)
    cpjob.add_action_type("Build:Custom:Docs:1")

    for _ in range(5):
        CLIENT.poll_for_jobs(actionTypeId=DOCS)
        time.sleep(0.001)


def test_many_empty_polls_in_a_moment_are_fine_too(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")

    for _ in range(200):
        CLIENT.poll_for_jobs(actionTypeId=DOCS)


def test_the_tests_own_client_may_poll_as_it_likes(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_polls, "MOST_REAL", 0.0)
    cpjob.add_action_type("Build:Custom:Docs:1")
    client = cpjob.client()

    for _ in range(20):
        client.poll_for_jobs(actionTypeId=DOCS)


def test_a_worker_runs_as_ever_after_empty_polls(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")
    CLIENT.poll_for_jobs(actionTypeId=DOCS)
    (job,) = add(cpjob)

    cpjob.run_worker(poll_for_ever)

    assert (job.status, cpjob.now) == ("Succeeded", 30)


def test_sleep_is_pythons_again_afterwards() -> None:
    before = time.sleep, threading.Condition.wait
    with CodePipelineStub() as cpjob:
        cpjob.add_action_type("Build:Custom:Docs:1")
        CLIENT.poll_for_jobs(actionTypeId=DOCS)
        assert time.sleep is not before[0]

    assert (time.sleep, threading.Condition.wait) == before
