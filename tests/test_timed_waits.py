"""Every timed wait of Python's gives the answer, and ends at the time, that real clocks would."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from pytest_cpjob import CodePipelineStub, HandlerError, WorkerError

End = Callable[[], object]
Make = Callable[[], tuple[Callable[[float], bool], End]]

OLD_LOCK = threading.Lock()
OLD_POOL = ThreadPoolExecutor(2, thread_name_prefix="older than any run")


# -- all kinds of waits ----------------------------------------------------------------------------
# Each gives a wait, which says whether it was ended by somebody, and what ends it.


def event() -> tuple[Callable[[float], bool], End]:
    one = threading.Event()
    return one.wait, one.set


def condition() -> tuple[Callable[[float], bool], End]:
    one = threading.Condition()

    def wait(seconds: float) -> bool:
        with one:
            return one.wait(seconds)

    def end() -> None:
        with one:
            one.notify()

    return wait, end


def predicate() -> tuple[Callable[[float], bool], End]:
    one, happened = threading.Condition(), []

    def wait(seconds: float) -> bool:
        with one:
            return one.wait_for(lambda: bool(happened), seconds)

    def end() -> None:
        with one:
            happened.append(True)
            one.notify_all()

    return wait, end


def semaphore() -> tuple[Callable[[float], bool], End]:
    one = threading.Semaphore(0)
    return lambda seconds: one.acquire(timeout=seconds), one.release


def barrier() -> tuple[Callable[[float], bool], End]:
    one = threading.Barrier(2)

    def wait(seconds: float) -> bool:
        try:
            one.wait(seconds)
        except threading.BrokenBarrierError:
            return False
        return True

    def end() -> None:
        if not one.broken:
            one.wait()

    return wait, end


def lock() -> tuple[Callable[[float], bool], End]:
    one = threading.Lock()
    one.acquire()
    return lambda seconds: one.acquire(timeout=seconds), one.release


def recursive_lock() -> tuple[Callable[[float], bool], End]:
    one, go = threading.RLock(), threading.Event()

    def hold() -> None:
        with one, one:
            go.wait()

    threading.Thread(target=hold).start()
    while one.acquire(blocking=False):
        one.release()
    return lambda seconds: one.acquire(timeout=seconds), go.set


def full_queue() -> tuple[Callable[[float], bool], End]:
    one: queue.Queue[int] = queue.Queue(1)
    one.put(1)

    def wait(seconds: float) -> bool:
        try:
            one.put(2, timeout=seconds)
        except queue.Full:
            return False
        return True

    return wait, one.get


def _empty(one: Any) -> tuple[Callable[[float], bool], End]:
    def wait(seconds: float) -> bool:
        try:
            one.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

    return wait, lambda: one.put(1)


def empty_queue() -> tuple[Callable[[float], bool], End]:
    return _empty(queue.Queue())


def simple_queue() -> tuple[Callable[[float], bool], End]:
    return _empty(queue.SimpleQueue())


def joined_thread() -> tuple[Callable[[float], bool], End]:
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()

    def wait(seconds: float) -> bool:
        thread.join(seconds)
        return not thread.is_alive()

    return wait, go.set


def future() -> tuple[Callable[[float], bool], End]:
    one: Future[int] = Future()

    def wait(seconds: float) -> bool:
        try:
            one.result(seconds)
        except concurrent.futures.TimeoutError:
            return False
        return True

    return wait, lambda: one.set_result(1)


def several_futures() -> tuple[Callable[[float], bool], End]:
    one: Future[int] = Future()
    return lambda seconds: not concurrent.futures.wait([one], seconds).not_done, (
        lambda: one.set_result(1)
    )


def task() -> tuple[Callable[[float], bool], End]:
    one: Future[int] = Future()

    def wait(seconds: float) -> bool:
        async def waits() -> bool:
            try:
                await asyncio.wait_for(asyncio.wrap_future(one), seconds)
            except asyncio.TimeoutError:
                return False
            return True

        return asyncio.run(waits())

    return wait, lambda: one.cancelled() or one.set_result(1)


KINDS: list[Make] = [
    event,
    condition,
    predicate,
    semaphore,
    barrier,
    lock,
    recursive_lock,
    full_queue,
    empty_queue,
    simple_queue,
    joined_thread,
    future,
    several_futures,
    task,
]


def later(seconds: float, end: End) -> threading.Thread:
    thread = threading.Timer(seconds, end)
    thread.start()
    return thread


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(("ends_after", "answer", "at"), [(40, True, 40), (400, False, 300.5)])
def test_a_wait_ends_when_it_would_on_real_clocks(
    cpjob: CodePipelineStub, make: Make, ends_after: float, answer: bool, at: float
) -> None:
    def handler(event: object, context: object) -> tuple[bool, float]:
        wait, end = make()
        ender = later(ends_after, end)
        got = wait(300.5), cpjob.now
        ender.join()
        return got

    assert cpjob.invoke(handler) == (answer, at)


@pytest.mark.parametrize("make", KINDS)
def test_no_sleep_jumps_past_the_end_of_a_wait(cpjob: CodePipelineStub, make: Make) -> None:
    def handler(event: object, context: object) -> tuple[bool, float]:
        wait, end = make()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(wait, 5)
            time.sleep(10)
            end()
            return waiting.result(), cpjob.now

    assert cpjob.invoke(handler) == (False, 10)


# -- what is older than the run --------------------------------------------------------------------


def test_work_of_a_pool_that_is_older_than_the_run_is_waited_for(cpjob: CodePipelineStub) -> None:
    def handler(event: object, context: object) -> tuple[bool, float]:
        done, begin = threading.Event(), cpjob.now

        def work() -> None:
            time.sleep(2)
            done.set()

        OLD_POOL.submit(work)
        return done.wait(300), cpjob.now - begin

    assert [cpjob.invoke(handler) for _ in range(3)] == [(True, 2)] * 3


def test_a_lock_that_is_older_than_the_test_is_waited_for_in_real_time(
    cpjob: CodePipelineStub,
) -> None:
    def handler(event: object, context: object) -> tuple[bool, float]:
        with OLD_LOCK, ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(OLD_LOCK.acquire, timeout=0.5)
            time.sleep(10)
            return waiting.result(), cpjob.now

    assert cpjob.invoke(handler) == (False, 10)


def test_a_thread_of_the_tests_that_really_sleeps_is_waited_for(cpjob: CodePipelineStub) -> None:
    done, go = threading.Event(), threading.Event()

    def outsider() -> None:
        go.wait()
        time.sleep(0.2)
        done.set()

    thread = threading.Thread(target=outsider)
    thread.start()

    def handler(event: object, context: object) -> tuple[bool, float]:
        go.set()
        return done.wait(300), cpjob.now

    assert cpjob.invoke(handler) == (True, 0)
    thread.join()


# -- waits that nobody ends ------------------------------------------------------------------------


def test_a_handler_that_waits_for_ever_meets_its_time_out(cpjob: CodePipelineStub) -> None:
    with pytest.raises(HandlerError, match=r"Task timed out after 900\.00 seconds"):
        cpjob.invoke(lambda event, context: threading.Event().wait())

    assert cpjob.now == 900


def test_a_worker_that_waits_for_ever_is_an_error(cpjob: CodePipelineStub) -> None:
    with pytest.raises(WorkerError, match=r"^the worker waits, without a time-out, for what none "):
        cpjob.run_worker(threading.Event().wait)


def test_a_deadlock_is_an_error(cpjob: CodePipelineStub) -> None:
    def deadlocks() -> None:
        one = threading.Event()
        thread = threading.Thread(target=one.wait)
        thread.start()
        thread.join()

    with pytest.raises(WorkerError, match=r"^the worker waits, without a time-out, for what none "):
        cpjob.run_worker(deadlocks)


# -- many threads, and several runs ----------------------------------------------------------------


def test_many_threads_start_and_sleep(cpjob: CodePipelineStub) -> None:
    def handler(event: object, context: object) -> float:
        threads = [threading.Thread(target=time.sleep, args=(number,)) for number in range(1, 301)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return cpjob.now

    assert cpjob.invoke(handler) == 300


def test_a_second_invocation_at_the_same_time_is_refused(cpjob: CodePipelineStub) -> None:
    said: list[str] = []

    def second() -> None:
        try:
            cpjob.invoke(lambda event, context: None)
        except HandlerError as error:
            said.append(str(error))

    outsider = threading.Thread(target=second)

    def first(event: object, context: object) -> None:
        # Not a thread of the handler's: the test's own, which would be run on its own time.
        outsider.start()
        outsider.join()

    cpjob.invoke(first)
    cpjob.invoke(lambda event, context: None)

    assert said == [
        "another thread invokes a function at this time, and Lambda runs one invocation at a time"
        " in a process: invoke one after the other"
    ]


def test_a_call_after_runs_that_overlapped_is_nobodys(cpjob: CodePipelineStub) -> None:
    """The earlier of two runs that overlapped is over: the test's call is not its."""
    began, go = threading.Event(), threading.Event()

    def second() -> None:
        began.set()
        go.wait()

    thread = threading.Thread(target=lambda: cpjob.run_worker(second))
    thread.start()
    began.wait()
    cpjob.run_worker(lambda: None)
    go.set()
    thread.join()

    cpjob.add_lambda_job().invoke(
        lambda event, context: (
            time.sleep(1)
            or cpjob.client().put_job_success_result(jobId=event["CodePipeline.job"]["id"])
        )
    )
    assert cpjob.now == 1
