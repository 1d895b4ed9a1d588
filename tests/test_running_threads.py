"""Threads that outlive their test: found, named, and cut off from AWS until they end."""

from __future__ import annotations

import asyncio
import logging.handlers
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from pytest_cpjob import CodePipelineStub, ContractError, UnfakedCallError, harness
from pytest_cpjob.clients.leftover_threads import release

CLIENT = boto3.client("codepipeline", region_name="us-east-1")


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(harness, "THREAD_PATIENCE", 0.05)
    yield
    # Else the next stub would do it, maybe in a test that looks whether anything has changed.
    release()


class Straggler:
    """A thread that does something each time it is told to, and ends when it is let go."""

    def __init__(self, do: Callable[[], object], name: str = "straggler") -> None:
        self.heard: list[object] = []
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._do = do
        self.thread = threading.Thread(target=self._run, name=name)

    def _run(self) -> None:
        while self._orders.get():
            try:
                self.heard.append(self._do())
            except Exception as error:
                self.heard.append(error)
            self._done.put(True)

    def act(self) -> None:
        self._orders.put(True)
        self._done.get()

    def let_go(self) -> None:
        self._orders.put(False)
        if self.thread.ident is not None:
            self.thread.join()


@pytest.fixture
def straggler() -> Iterator[Straggler]:
    """One that lists the action types."""
    one = Straggler(CLIENT.list_action_types)
    yield one
    one.let_go()


def names_found(cpjob: CodePipelineStub) -> tuple[str, ...]:
    """Leave the stub, and give the names of what it found."""
    try:
        cpjob.__exit__(None, None, None)
    except ContractError as error:
        return error.names
    return ()


# -- the finding -----------------------------------------------------------------------------------


def test_a_thread_that_outlives_its_test_is_found_and_named(straggler: Straggler) -> None:
    cpjob = CodePipelineStub()
    cpjob._start()
    straggler.thread.start()

    with pytest.raises(ContractError) as caught:
        cpjob.__exit__(None, None, None)

    assert caught.value.names == ("running-thread",)
    assert str(caught.value) == (
        "running-thread: thread 'straggler' is still running after the test.\n"
        "  It goes on after its test and could call AWS; its calls are blocked until it ends."
        " Lambda freezes such a thread when the handler returns.\n"
        "  To fix it: Join the thread, or tell it to stop, before the code under test returns. See"
        " pytest-cpjob explain running-thread\n"
        '  To allow it: CodePipelineStub(allow=["running-thread"]) or'
        ' @pytest.mark.cpjob(allow=["running-thread"])'
    )


@pytest.mark.parametrize("daemon", [False, True])
def test_a_daemon_is_found_as_well(straggler: Straggler, *, daemon: bool) -> None:
    straggler.thread.daemon = daemon
    with CodePipelineStub(allow=["running-thread"]) as cpjob:
        straggler.thread.start()

    assert [thread.name for thread in cpjob._harness.observer.running_threads] == ["straggler"]


def test_in_pytest_it_is_an_error_of_the_tests_teardown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import threading
        import pytest
        from pytest_cpjob import harness

        harness.THREAD_PATIENCE = 0.05
        LET_GO = threading.Event()

        def test_leaves_a_thread(cpjob):
            threading.Thread(target=lambda: LET_GO.wait(60), name="uploader").start()

        @pytest.mark.cpjob(allow=["running-thread"])
        def test_may_leave_a_thread(cpjob):
            threading.Thread(target=lambda: LET_GO.wait(60), name="uploader").start()

        def test_is_not_blamed_for_the_threads_of_others(cpjob):
            pass

        def test_ends_them():
            LET_GO.set()
        """
    )

    result = pytester.runpytest("-p", "no:randomly", "-p", "no:faker")

    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_leaves_a_thread*",
            "running-thread: thread 'uploader' is still running after the test.",
        ]
    )


def test_threads_that_were_there_before_are_nobodys_finding(straggler: Straggler) -> None:
    straggler.thread.start()
    cpjob = CodePipelineStub()
    cpjob._start()

    assert names_found(cpjob) == ()


def test_a_thread_that_is_about_to_end_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "THREAD_PATIENCE", 5.0)
    cpjob = CodePipelineStub()
    cpjob._start()
    job = cpjob.add_lambda_job()
    told = threading.Event()

    def reports_late() -> None:
        told.wait()
        time.sleep(0.02)
        CLIENT.put_job_success_result(jobId=job.id)

    threading.Thread(target=reports_late).start()
    told.set()

    assert names_found(cpjob) == ()
    assert job.status == "Succeeded"


# -- what is none ----------------------------------------------------------------------------------


def test_a_pool_with_nothing_to_do_is_no_finding() -> None:
    cpjob = CodePipelineStub()
    cpjob._start()
    pool = ThreadPoolExecutor(2)
    assert list(pool.map(len, ["a", "bc"])) == [1, 2]

    assert names_found(cpjob) == ()
    pool.shutdown()


def test_a_pool_that_is_at_work_is_a_finding() -> None:
    cpjob = CodePipelineStub()
    cpjob._start()
    lock = threading.Lock()
    lock.acquire()
    pool = ThreadPoolExecutor(2, thread_name_prefix="builds")
    future = pool.submit(lock.acquire)

    assert names_found(cpjob) == ("running-thread",)
    assert [thread.name for thread in cpjob._harness.observer.running_threads] == ["builds_0"]
    lock.release()
    assert future.result()
    pool.shutdown()


def test_a_thread_that_waits_at_a_queue_for_ever_is_no_finding() -> None:
    cpjob = CodePipelineStub()
    cpjob._start()
    orders: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=orders.get, name="consumer")
    thread.start()
    listener = logging.handlers.QueueListener(queue.Queue())
    listener.start()

    assert names_found(cpjob) == ()
    orders.put("end")
    thread.join()
    listener.stop()


def test_a_thread_that_waits_at_a_queue_for_a_while_goes_on_and_is_a_finding() -> None:
    cpjob = CodePipelineStub()
    cpjob._start()
    orders: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=orders.get, args=(True, 60), name="consumer")
    thread.start()

    assert names_found(cpjob) == ("running-thread",)
    orders.put("end")
    thread.join()


# -- cut off ---------------------------------------------------------------------------------------


def left_behind(straggler: Straggler) -> None:
    """Let a test end whose thread does not."""
    with CodePipelineStub(allow=["running-thread"]):
        straggler.thread.start()
        straggler.act()


def test_a_stragglers_later_call_is_refused_and_in_no_record(straggler: Straggler) -> None:
    left_behind(straggler)

    with CodePipelineStub() as next_tests:
        job = next_tests.add_lambda_job()
        straggler.act()
        CLIENT.put_job_success_result(jobId=job.id)

    answer, refusal = straggler.heard
    assert "actionTypes" in answer
    assert isinstance(refusal, UnfakedCallError)
    assert str(refusal) == (
        "thread 'straggler' called ListActionTypes after its test had ended: the code under"
        " test must end its threads"
    )
    assert [call.operation for call in next_tests.calls] == ["PutJobSuccessResult"]
    assert next_tests._harness.inspection.findings == []


def test_what_a_straggler_starts_is_refused_as_well(straggler: Straggler) -> None:
    """A timer that starts the next one, or a pool: each by a thread that nobody has seen."""
    children: list[Straggler] = []

    def arm() -> str:
        child = Straggler(CLIENT.list_action_types, name="child")
        child.thread.start()
        children.append(child)
        return "armed"

    straggler._do = arm
    start = threading.Thread.start
    with CodePipelineStub(allow=["running-thread"]):
        straggler.thread.start()
    with CodePipelineStub() as next_tests:
        straggler.act()
        straggler.let_go()
        children[0].act()
        job = next_tests.add_lambda_job()
        with ThreadPoolExecutor(1) as pool:  # the next test's own threads are no descendants
            pool.submit(CLIENT.put_job_success_result, jobId=job.id).result(10)
    with CodePipelineStub():
        children[0].act()
    children[0].let_go()
    release()

    assert [type(heard) for heard in children[0].heard] == [UnfakedCallError] * 2
    assert job.status == "Succeeded"
    assert threading.Thread.start is start


def test_a_straggler_is_refused_without_any_stub_too(straggler: Straggler) -> None:
    left_behind(straggler)

    straggler.act()

    assert isinstance(straggler.heard[-1], UnfakedCallError)


def test_stragglers_of_several_tests_are_all_refused_until_each_has_ended(
    straggler: Straggler,
) -> None:
    other = Straggler(CLIENT.list_action_types, name="other")
    left_behind(straggler)
    left_behind(other)

    with CodePipelineStub():
        straggler.act()
        other.act()
    straggler.let_go()
    with CodePipelineStub():
        other.act()
    other.let_go()

    assert [type(heard) for heard in straggler.heard[1:]] == [UnfakedCallError]
    assert [type(heard) for heard in other.heard[1:]] == [UnfakedCallError] * 2


def test_the_client_class_is_as_before_once_a_straggler_has_ended(straggler: Straggler) -> None:
    before = vars(BaseClient)["_make_api_call"]
    left_behind(straggler)
    assert vars(BaseClient)["_make_api_call"] is not before

    straggler.let_go()
    with CodePipelineStub():
        pass

    assert vars(BaseClient)["_make_api_call"] is before


def test_the_guard_does_not_grow_with_every_test_while_a_straggler_lives(
    straggler: Straggler,
) -> None:
    left_behind(straggler)
    guarded = vars(BaseClient)["_make_api_call"]

    for _ in range(3):
        with CodePipelineStub() as cpjob:
            CLIENT.put_job_success_result(jobId=cpjob.add_lambda_job().id)

    assert vars(BaseClient)["_make_api_call"] is guarded


def test_the_guard_does_not_grow_behind_a_tracer_either(
    straggler: Straggler, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_behind(straggler)
    guarded = vars(BaseClient)["_make_api_call"]

    def tracer(client: Any, operation_name: str, api_params: Any) -> Any:
        return guarded(client, operation_name, api_params)

    tracer.__wrapped__ = guarded
    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", tracer)
        with CodePipelineStub() as cpjob:
            CLIENT.put_job_success_result(jobId=cpjob.add_lambda_job().id)

        assert vars(BaseClient)["_make_api_call"] is tracer


def test_an_asynchronous_straggler_is_refused_as_well() -> None:
    sessions = pytest.importorskip(
        "aiobotocore.session", reason="aiobotocore pins an older botocore: it is tested by itself"
    )

    async def list_action_types() -> None:
        async with sessions.get_session().create_client(
            "codepipeline", region_name="us-east-1"
        ) as client:
            await client.list_action_types()

    straggler = Straggler(lambda: asyncio.run(list_action_types()))
    left_behind(straggler)
    with CodePipelineStub() as next_tests:
        straggler.act()
    straggler.let_go()

    assert [type(heard) for heard in straggler.heard] == [type(None), UnfakedCallError]
    assert next_tests.calls == []


# -- together with what runs code ------------------------------------------------------------------


def test_a_thread_that_a_handler_leaves_is_found(cpjob: CodePipelineStub) -> None:
    """Lambda freezes it between invocations."""
    lock = threading.Lock()
    lock.acquire()
    thread = threading.Thread(target=lock.acquire, name="straggler")

    cpjob.invoke(lambda event, context: thread.start())
    cpjob._harness.settle()

    with pytest.raises(ContractError, match="thread 'straggler' is still running after the test"):
        cpjob.check()
    lock.release()
    thread.join()


def test_a_thread_that_sleeps_on_after_its_handler_sleeps_for_real(
    cpjob: CodePipelineStub,
) -> None:
    """Its sleeps no longer move the job clock."""
    straggler = Straggler(lambda: time.sleep(0.001))

    def leaves_it(event: object, context: object) -> None:
        straggler.thread.start()
        straggler.act()

    cpjob.invoke(leaves_it)
    moved = cpjob.now
    straggler.act()
    straggler.let_go()

    assert moved == pytest.approx(0.001)
    assert cpjob.now == moved
