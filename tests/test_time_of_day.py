"""Deadlines that a handler computes itself come near while it sleeps."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cpjob import CodePipelineStub, HandlerError, WorkerError
from pytest_cpjob.runners import worker

Run = Callable[[Callable[[], object]], object]


@pytest.fixture
def no_time_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the extra."""
    monkeypatch.setitem(sys.modules, "time_machine", None)


@pytest.fixture
def time_machine() -> Any:
    """The installed time-machine, for tests that drive it, or want it there."""
    return pytest.importorskip("time_machine", reason="the extra test has it")


def now_here() -> datetime:
    return datetime.now()


def now_in_utc() -> datetime:
    return datetime.now(timezone.utc)


CLOCKS: list[tuple[Callable[[], Any], Any]] = [
    (time.time, 60),
    (time.time_ns, 60 * 10**9),
    (now_here, timedelta(seconds=60)),
    (now_in_utc, timedelta(seconds=60)),
]
MONOTONIC: list[tuple[Callable[[], Any], Any]] = [
    (lambda: time.monotonic(), 60),
    (lambda: monotonic(), 60),
]


def naps_until(clock: Callable[[], Any], after: Any) -> int:
    """Sleep in tens until a deadline, and count the sleeps."""
    end, naps = clock() + after, 0
    while clock() < end:
        time.sleep(10)
        naps += 1
    return naps


# -- with time-machine -----------------------------------------------------------------------------


@pytest.mark.usefixtures("time_machine")
@pytest.mark.parametrize(("clock", "minute"), CLOCKS + MONOTONIC)
def test_a_loop_until_a_deadline_comes_to_its_end(
    cpjob: CodePipelineStub, run: Run, clock: Callable[[], Any], minute: Any
) -> None:
    naps: list[int] = []

    run(lambda: naps.append(naps_until(clock, minute)))

    assert naps == [6]
    assert cpjob.now == 60


@pytest.mark.usefixtures("time_machine")
def test_the_present_is_back_afterwards(cpjob: CodePipelineStub, run: Run) -> None:
    year = timedelta(days=365)
    before, monotonic_before = now_in_utc(), time.monotonic()

    run(lambda: [time.sleep(300) for _ in range(2)])

    assert before <= now_in_utc() < before + timedelta(seconds=300) < before + year
    assert monotonic_before <= time.monotonic() < monotonic_before + 300
    assert sys.modules["time_machine"].traveller_stack == []


@pytest.mark.usefixtures("time_machine")
@pytest.mark.cpjob(allow=["raised"])
def test_the_present_is_back_after_a_time_out(cpjob: CodePipelineStub) -> None:
    before = time.time()

    with pytest.raises(HandlerError):
        cpjob.add_lambda_job().invoke(lambda event, context: time.sleep(10_000), retries=1)

    assert before <= time.time() < before + 300
    assert cpjob.now == 900 + 60 + 900


@pytest.mark.usefixtures("time_machine")
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has no TZ")
def test_the_machines_time_zone_stays(
    cpjob: CodePipelineStub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "CPJ-09:30")
    time.tzset()
    seen: list[Any] = []

    def looks() -> None:
        for _ in range(2):
            seen.append((os.environ["TZ"], datetime.now().astimezone().utcoffset()))
            time.sleep(10)

    try:
        run(looks)
        run(lambda: seen.append(naps_until(now_here, timedelta(seconds=60))))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert seen == [("CPJ-09:30", timedelta(hours=9.5))] * 2 + [6]


@pytest.mark.usefixtures("time_machine")
def test_clocks_move_by_the_time_that_threads_share(cpjob: CodePipelineStub, run: Run) -> None:
    seen: list[tuple[float, float]] = []

    def sleeps_in_three_threads() -> None:
        before = time.time(), time.monotonic()
        threads = [threading.Thread(target=time.sleep, args=(100,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen.append((time.time() - before[0], time.monotonic() - before[1]))

    run(sleeps_in_three_threads)

    ((time_of_day, counted),) = seen
    assert 100 <= time_of_day < 200
    assert 100 <= counted < 200
    assert cpjob.now == 100


# -- without it ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_time_machine")
@pytest.mark.parametrize(("clock", "minute"), CLOCKS)
def test_without_time_machine_the_time_out_names_the_extra(
    cpjob: CodePipelineStub, clock: Callable[[], Any], minute: Any
) -> None:
    with pytest.raises(HandlerError) as caught:
        cpjob.invoke(lambda event, context: naps_until(clock, minute))

    assert "Task timed out after 900.00 seconds" in str(caught.value)
    assert str(caught.value).endswith(
        "\nIf the function waits until time.time() or datetime.now() has come to a deadline: these"
        " move with its sleeps once time-machine is installed: pip install 'pytest-cpjob[time]'"
    )


@pytest.mark.usefixtures("no_time_machine")
def test_without_time_machine_a_worker_that_waits_for_a_time_is_ended_and_told_of_the_extra(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_SLEEPS", 100)

    with pytest.raises(WorkerError) as caught:
        cpjob.run_worker(lambda: naps_until(time.time, 3600))

    assert str(caught.value) == (
        "the worker slept 100 times without a call; time.time() and datetime.now() move with"
        " sleeps once time-machine is installed: pip install 'pytest-cpjob[time]'"
    )


@pytest.mark.usefixtures("no_time_machine")
@pytest.mark.parametrize(("clock", "minute"), MONOTONIC)
def test_without_time_machine_a_counted_deadline_comes_near_all_the_same(
    cpjob: CodePipelineStub, run: Run, clock: Callable[[], Any], minute: Any
) -> None:
    run(lambda: naps_until(clock, minute))

    assert cpjob.now == 60


def test_a_time_machine_that_also_sets_the_counting_clock_is_not_driven(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before 3.0 it put the time of day into `time.monotonic`, and all deadlines out of joint."""
    old = SimpleNamespace(
        escape_hatch=SimpleNamespace(time=SimpleNamespace(monotonic=time.monotonic)),
        coordinates_stack=[],
        travel=None,
    )
    monkeypatch.setitem(sys.modules, "time_machine", old)

    with pytest.raises(HandlerError, match=r"pip install 'pytest-cpjob\[time\]'"):
        cpjob.invoke(lambda event, context: naps_until(time.time, 60))


@pytest.mark.usefixtures("time_machine")
def test_with_time_machine_there_is_nothing_to_install(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_SLEEPS", 100)

    with pytest.raises(HandlerError, match=r"ended 'forever' here$"):
        cpjob.invoke(forever)
    with pytest.raises(WorkerError, match=r"without a call$"):
        cpjob.run_worker(lambda: forever(None, None))


def forever(event: object, context: object) -> None:
    while True:
        time.sleep(1)


# -- a test that drives the time itself ------------------------------------------------------------


def test_a_tests_own_time_machine_wins(
    cpjob: CodePipelineStub, run: Run, time_machine: Any
) -> None:
    seen: list[Any] = []
    start = datetime(2026, 2, 3, tzinfo=timezone.utc)

    def sleeps() -> None:
        time.sleep(60)
        seen.append(datetime.now(timezone.utc))
        traveller.shift(5)
        seen.append(datetime.now(timezone.utc))

    with time_machine.travel(start, tick=False) as traveller:
        run(sleeps)
        assert datetime.now(timezone.utc) == start + timedelta(seconds=5)

    assert seen == [start, start + timedelta(seconds=5)]
    assert cpjob.now == 60
    assert time_machine.traveller_stack == []


def test_a_tests_own_freezegun_wins(cpjob: CodePipelineStub, run: Run) -> None:
    freezegun = pytest.importorskip("freezegun", reason="the extra test has it")
    seen: list[Any] = []

    def sleeps() -> None:
        time.sleep(60)
        seen.append(time.time())
        frozen.tick(5)
        seen.append(time.time())

    with freezegun.freeze_time("2026-02-03") as frozen:
        run(sleeps)

    assert seen[1] - seen[0] == 5
    assert datetime.fromtimestamp(seen[0], timezone.utc).date().isoformat() == "2026-02-03"
    assert cpjob.now == 60


def test_under_a_tests_own_freezegun_a_loops_timers_come_at_their_times(
    cpjob: CodePipelineStub,
) -> None:
    freezegun = pytest.importorskip("freezegun", reason="the extra test has it")
    with freezegun.freeze_time("2026-02-03"):
        cpjob.invoke(lambda event, context: asyncio.run(asyncio.sleep(30)))

    assert cpjob.now == 30


def test_under_a_tests_own_time_machine_a_loop_is_ended_without_advice_to_install_anything(
    cpjob: CodePipelineStub, time_machine: Any
) -> None:
    with (
        time_machine.travel("2026-02-03T00:00Z", tick=False),
        pytest.raises(HandlerError, match=r"ended '<lambda>' here$"),
    ):
        cpjob.invoke(lambda event, context: naps_until(time.time, 60))


@pytest.mark.usefixtures("no_time_machine")
def test_under_a_tests_own_freezegun_a_loop_is_ended_without_advice_to_install_anything(
    cpjob: CodePipelineStub,
) -> None:
    freezegun = pytest.importorskip("freezegun", reason="the extra test has it")
    with (
        freezegun.freeze_time("2026-02-03"),
        pytest.raises(HandlerError, match=r"ended '<lambda>' here$"),
    ):
        cpjob.invoke(lambda event, context: naps_until(time.time, 60))


def test_threads_are_waited_for_while_freezegun_has_stopped_the_clocks(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    freezegun = pytest.importorskip("freezegun", reason="the extra test has it")
    monkeypatch.setattr(worker, "PATIENCE", 0.05)
    let_go = threading.Lock()
    let_go.acquire()
    thread = threading.Thread(target=let_go.acquire, name="hangs")

    with freezegun.freeze_time("2026-02-03"):
        with pytest.raises(WorkerError, match=r"- hangs$"):
            cpjob.run_worker(thread.start)
        cpjob.run_worker(lambda: threading.Event().wait(0.01))
    let_go.release()
    thread.join()
