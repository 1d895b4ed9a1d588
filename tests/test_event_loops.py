"""Event loops on the job clock: the clock jumps to a loop's next timer, and never past it."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pytest_cpjob import CodePipelineStub, HandlerError


@pytest.fixture
def run(cpjob: CodePipelineStub) -> Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]:
    """Run a coroutine in a loop of its own, as a handler does."""
    return lambda main: cpjob.invoke(lambda event, context: asyncio.run(main()))


Run = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]


def test_a_time_out_comes_before_the_sleep_that_it_is_around(
    cpjob: CodePipelineStub, run: Run
) -> None:
    async def main() -> float:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(30), 2)
        return cpjob.now

    assert run(main) == 2


def test_a_callback_comes_at_its_time(cpjob: CodePipelineStub, run: Run) -> None:
    called: list[float] = []

    async def main() -> None:
        asyncio.get_running_loop().call_later(10, lambda: called.append(cpjob.now))
        await asyncio.sleep(30)

    run(main)

    assert (called, cpjob.now) == ([10], 30)


def test_tasks_share_the_time(cpjob: CodePipelineStub, run: Run) -> None:
    woke: list[tuple[float, str]] = []

    async def sleeps(name: str, *naps: float) -> None:
        for nap in naps:
            await asyncio.sleep(nap)
            woke.append((cpjob.now, name))

    async def main() -> None:
        await asyncio.gather(sleeps("long", 100), sleeps("short", 30, 30, 30))

    run(main)

    assert woke == [(30, "short"), (60, "short"), (90, "short"), (100, "long")]


@pytest.mark.parametrize("seconds", [0.1, 0.25, 1 / 3, 7, 12345.678])
def test_a_sleep_moves_the_clock_by_what_it_sleeps(cpjob: CodePipelineStub, seconds: float) -> None:
    cpjob.run_worker(lambda: asyncio.run(asyncio.sleep(seconds)))

    assert cpjob.now == pytest.approx(seconds, abs=1e-6)


def test_work_in_a_thread_is_waited_for(cpjob: CodePipelineStub, run: Run) -> None:
    async def main() -> tuple[str, float]:
        def works() -> str:
            time.sleep(20)
            return "done"

        return await asyncio.wait_for(asyncio.to_thread(works), 300), cpjob.now

    assert run(main) == ("done", 20)


def test_real_work_in_a_thread_is_waited_for(cpjob: CodePipelineStub, run: Run) -> None:
    async def main() -> tuple[int, float]:
        return await asyncio.wait_for(asyncio.to_thread(sum, range(3_000_000)), 300), cpjob.now

    assert run(main) == (sum(range(3_000_000)), 0)


def test_what_a_socket_brings_is_heard_before_a_timer(cpjob: CodePipelineStub, run: Run) -> None:
    here, there = socket.socketpair()
    go = threading.Event()

    def answers() -> None:
        go.wait()
        time.sleep(0.2)
        there.sendall(b"hello\n")

    outsider = threading.Thread(target=answers)
    outsider.start()

    async def main() -> tuple[bytes, float]:
        reader, writer = await asyncio.open_connection(sock=here)
        go.set()
        line = await asyncio.wait_for(reader.readline(), 300)
        writer.close()
        return line, cpjob.now

    assert run(main) == (b"hello\n", 0)
    outsider.join()
    there.close()


def test_a_loop_that_waits_for_ever_meets_the_time_out(cpjob: CodePipelineStub, run: Run) -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(HandlerError, match="Task timed out"):
        run(main)

    assert cpjob.now == 900


def test_a_loop_that_spins_until_a_time_comes_to_its_end(cpjob: CodePipelineStub, run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + 0.05
        while loop.time() < end:
            await asyncio.sleep(0)

    run(main)

    assert cpjob.now == 0


def test_a_loop_in_a_thread_shares_the_time(cpjob: CodePipelineStub) -> None:
    def handler(event: object, context: object) -> float:
        thread = threading.Thread(target=lambda: asyncio.run(asyncio.sleep(50)))
        thread.start()
        time.sleep(20)
        begun = cpjob.now
        thread.join()
        return begun

    assert (cpjob.invoke(handler), cpjob.now) == (20, 50)


# -- processes -------------------------------------------------------------------------------------

FORK = multiprocessing.get_context("fork")


def test_a_process_that_is_polled_gets_real_time(cpjob: CodePipelineStub) -> None:
    def handler(event: object, context: object) -> int:
        process, looks = FORK.Process(target=time.sleep, args=(0.3,)), 0
        process.start()
        while process.is_alive():
            time.sleep(60)
            looks += 1
        return looks

    assert cpjob.invoke(handler) <= 2


def test_a_process_that_is_joined_gets_real_time(cpjob: CodePipelineStub) -> None:
    def handler(event: object, context: object) -> object:
        process = FORK.Process(target=time.sleep, args=(0.3,))
        process.start()
        process.join(300)
        return process.exitcode

    assert (cpjob.invoke(handler), cpjob.now) == (0, 0)


def test_what_a_pool_of_processes_does_is_waited_for(cpjob: CodePipelineStub) -> None:
    def handler(event: object, context: object) -> object:
        with FORK.Pool(1) as pool:
            return pool.apply_async(len, ["abc"]).get(timeout=300)

    assert (cpjob.invoke(handler), cpjob.now) == (3, 0)
