"""Workers with threads: pollers, pools, a thread for each job, and those that only wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import boto3
import pytest
from docs_worker import CLIENT, DOCS, Polled, add, poll_for_ever

from pytest_cpjob import CodePipelineStub, WorkerError
from pytest_cpjob.runners import worker


def start(target: Callable[..., object], *args: object, daemon: bool = False) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, daemon=daemon)
    thread.start()
    return thread


# -- pollers in threads of their own ---------------------------------------------------------------


def main_joins() -> None:
    for thread in [start(poll_for_ever) for _ in range(3)]:
        thread.join()


def main_returns() -> None:
    for _ in range(3):
        start(poll_for_ever)


def main_waits_for_an_event() -> None:
    for _ in range(3):
        start(poll_for_ever)
    threading.Event().wait()


def main_waits_for_an_event_beside_daemons() -> None:
    for _ in range(3):
        start(poll_for_ever, daemon=True)
    threading.Event().wait()


def main_sleeps() -> None:
    for _ in range(3):
        start(poll_for_ever)
    while True:
        time.sleep(1)


def main_looks_after_them() -> None:
    threads = [start(poll_for_ever) for _ in range(3)]
    while any(thread.is_alive() for thread in threads):
        time.sleep(1)


def pollers_in_a_pool() -> None:
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(poll_for_ever)
        threading.Event().wait()


def pollers_in_a_pool_whose_results_are_awaited() -> None:
    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(poll_for_ever) for _ in range(3)]:
            future.result()


def pollers_in_a_pool_beside_a_main_that_sleeps() -> None:
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(poll_for_ever)
        while True:
            time.sleep(1)


def main_polls_beside_a_heart() -> None:
    start(beats)
    poll_for_ever()


def main_polls_beside_a_heart_that_is_a_daemon() -> None:
    start(beats, daemon=True)
    poll_for_ever()


def main_returns_beside_a_heart() -> None:
    start(beats)
    while jobs := CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
        CLIENT.acknowledge_job(jobId=jobs[0]["id"], nonce=jobs[0]["nonce"])
        CLIENT.put_job_success_result(jobId=jobs[0]["id"])


def beats() -> None:
    while True:
        time.sleep(60)


@pytest.mark.parametrize(
    "target",
    [
        main_joins,
        main_returns,
        main_waits_for_an_event,
        main_waits_for_an_event_beside_daemons,
        main_sleeps,
        main_looks_after_them,
        pollers_in_a_pool,
        pollers_in_a_pool_whose_results_are_awaited,
        pollers_in_a_pool_beside_a_main_that_sleeps,
        main_polls_beside_a_heart,
        main_polls_beside_a_heart_that_is_a_daemon,
        main_returns_beside_a_heart,
    ],
)
def test_all_threads_come_to_their_end(cpjob: CodePipelineStub, target: Callable[[], None]) -> None:
    before = set(threading.enumerate())
    jobs = add(cpjob, 7)

    cpjob.run_worker(target)

    assert {job.status for job in jobs} == {"Succeeded"}
    assert not set(threading.enumerate()) - before


def test_pollers_share_the_time_between_their_polls(cpjob: CodePipelineStub) -> None:
    add(cpjob, 6)

    cpjob.run_worker(main_joins)

    polls = [call.at for call in cpjob.calls if call.operation == "PollForJobs"]
    assert polls == [0, 0, 0, 30, 30, 30, 60, 60, 60]


def test_every_poller_polls_in_vain_as_often_as_the_test_wants(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")

    cpjob.run_worker(main_joins, idle_polls=2)

    assert [call.operation for call in cpjob.calls] == ["PollForJobs"] * 6


def test_a_thread_for_each_poll_ends_too(cpjob: CodePipelineStub) -> None:
    jobs = add(cpjob, 2)

    def poll_once() -> None:
        for job in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
            CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            CLIENT.put_job_success_result(jobId=job["id"])

    def schedules() -> None:
        while True:
            start(poll_once).join()
            time.sleep(30)

    cpjob.run_worker(schedules, idle_polls=2)

    assert {job.status for job in jobs} == {"Succeeded"}
    assert len([call for call in cpjob.calls if call.operation == "PollForJobs"]) >= 4


def test_a_timer_that_starts_the_next_poll_ends_too(cpjob: CodePipelineStub) -> None:
    before = set(threading.enumerate())
    jobs = add(cpjob, 2)

    def poll_and_come_again() -> None:
        for job in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
            CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            CLIENT.put_job_success_result(jobId=job["id"])
        threading.Timer(30, poll_and_come_again).start()

    cpjob.run_worker(poll_and_come_again, idle_polls=2)

    assert {job.status for job in jobs} == {"Succeeded"}
    assert len([call for call in cpjob.calls if call.operation == "PollForJobs"]) >= 4
    assert not set(threading.enumerate()) - before


# -- a thread for each job -------------------------------------------------------------------------


def test_jobs_are_done_while_the_poller_sleeps_and_time_stands(cpjob: CodePipelineStub) -> None:
    """Else a poller's sleeps would use up the credentials of jobs that are being worked on."""
    jobs = [
        cpjob.add_job(
            action_type=DOCS,
            input_artifacts={"Source": {"index.md": f"# {number}"}},
            output_artifacts=["Site"],
        )
        for number in range(3)
    ]

    def works_on(job: Polled) -> None:
        keys = job["data"]["artifactCredentials"]
        s3 = boto3.Session(
            keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"], "us-east-1"
        ).client("s3")
        source, site = (
            job["data"][kind][0]["location"]["s3Location"]
            for kind in ("inputArtifacts", "outputArtifacts")
        )
        body = s3.get_object(Bucket=source["bucketName"], Key=source["objectKey"])["Body"].read()
        s3.put_object(
            Bucket=site["bucketName"],
            Key=site["objectKey"],
            Body=body,
            ServerSideEncryption="aws:kms",
        )
        CLIENT.put_job_success_result(jobId=job["id"])

    def starts_a_thread_for_each() -> None:
        while True:
            for job in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
                CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                start(works_on, job)
            time.sleep(300)

    cpjob.run_worker(starts_a_thread_for_each)

    assert {job.status for job in jobs} == {"Succeeded"}
    assert [job.calls[-1].at for job in jobs] == [0, 300, 600]


def test_what_a_jobs_thread_does_after_its_result_is_done_to_the_end(
    cpjob: CodePipelineStub,
) -> None:
    add(cpjob, 1)
    notified: list[str] = []
    client = cpjob.client()

    def works_on(job: Polled) -> None:
        CLIENT.put_job_success_result(jobId=job["id"])
        for _ in range(3):
            time.sleep(100)
            CLIENT.list_action_types()
        notified.append(job["id"])

    def starts_a_thread_for_each() -> None:
        while True:
            for job in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
                CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                start(works_on, job)
            time.sleep(30)

    cpjob.run_worker(starts_a_thread_for_each)

    assert client is not CLIENT
    assert notified == [job.id for job in cpjob.jobs]


def test_a_main_that_only_waits_does_so_until_the_jobs_threads_are_done(
    cpjob: CodePipelineStub,
) -> None:
    add(cpjob, 1)
    notified, went_on = [], threading.Event()

    def works_on(job: Polled) -> None:
        CLIENT.put_job_success_result(jobId=job["id"])
        time.sleep(100)
        helper = start(went_on.set)
        went_on.wait()
        helper.join()
        notified.append(job["id"])

    def polls() -> None:
        while True:
            for job in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
                CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                start(works_on, job)
            time.sleep(30)

    def main() -> None:
        start(polls)
        try:
            threading.Event().wait()
        finally:
            notified.append("main ended")

    cpjob.run_worker(main)

    assert notified == [cpjob.jobs[0].id, "main ended"]


def test_consumers_at_a_queue_are_no_hanging_threads(cpjob: CodePipelineStub) -> None:
    jobs = add(cpjob, 4)
    queue: Queue[Polled | None] = Queue()
    consumers: list[threading.Thread] = []

    def consumes() -> None:
        while (job := queue.get()) is not None:
            CLIENT.put_job_success_result(jobId=job["id"])

    def produces() -> None:
        consumers.extend(start(consumes) for _ in range(2))
        while True:
            for job in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
                CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                queue.put(job)
            time.sleep(30)

    cpjob.run_worker(produces)

    assert {job.status for job in jobs} == {"Succeeded"}
    for _ in consumers:
        queue.put(None)
    for consumer in consumers:
        consumer.join()


# -- threads that do not end -----------------------------------------------------------------------


def test_threads_that_hang_are_named(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PATIENCE", 0.05)
    let_go = threading.Lock()
    let_go.acquire()
    hanging = [
        threading.Thread(target=_take_and_give_back, args=(let_go,), name=name)
        for name in ("builder", "uploader")
    ]

    def starts_what_hangs() -> None:
        for thread in hanging:
            thread.start()
        poll_for_ever()

    (job,) = add(cpjob, 1)
    with pytest.raises(WorkerError) as caught:
        cpjob.run_worker(starts_what_hangs)
    let_go.release()
    for thread in hanging:
        thread.join()

    first, *names = str(caught.value).splitlines()
    assert first == "the worker finished, but these threads are still running:"
    assert sorted(names) == ["- builder", "- uploader"]
    assert job.status == "Succeeded"


def _take_and_give_back(lock: threading.Lock) -> None:
    with lock:
        pass


def test_a_daemon_that_hangs_is_no_error_of_the_worker(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end with its process."""
    monkeypatch.setattr(worker, "PATIENCE", 0.05)
    let_go = threading.Lock()
    let_go.acquire()
    threads: list[threading.Thread] = []

    def starts_a_daemon() -> None:
        threads.append(start(_take_and_give_back, let_go, daemon=True))
        poll_for_ever()

    cpjob.add_action_type("Build:Custom:Docs:1")
    cpjob.run_worker(starts_a_daemon)
    let_go.release()
    threads[0].join()


def test_threads_that_were_there_before_are_none_of_the_workers(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PATIENCE", 0.05)
    let_go = threading.Lock()
    let_go.acquire()
    outsider = start(_take_and_give_back, let_go)
    cpjob.add_action_type("Build:Custom:Docs:1")

    cpjob.run_worker(poll_for_ever)

    let_go.release()
    outsider.join()


@pytest.mark.cpjob(allow=["no-result"])
def test_a_failure_in_one_thread_ends_the_others(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_CALLS", 30)
    add(cpjob)
    before = set(threading.enumerate())

    def never_reports() -> None:
        for job in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
            CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        main_waits_for_an_event()

    with pytest.raises(
        WorkerError, match=r"30 calls without any job changing state \(1 open; job "
    ):
        cpjob.run_worker(never_reports)

    assert not set(threading.enumerate()) - before


def test_an_exception_that_ended_a_workers_thread_fails_its_test(
    pytester: pytest.Pytester,
) -> None:
    """pytest itself warns of it, as ever."""
    pytester.makepyfile(
        """
        import threading
        import time

        def breaks():
            raise ValueError("no such branch")

        def test_one(cpjob):
            def main():
                threading.Thread(target=breaks).start()
                time.sleep(60)
                print("went on")

            cpjob.run_worker(main)

        def test_exit(cpjob):
            cpjob.run_worker(lambda: threading.Thread(target=exit).start())
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:faker", "-p", "no:randomly")

    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["passed"]) == (1, 1)
    result.stdout.fnmatch_lines(
        [
            "E *ValueError: no such branch",
            "went on",
            "*PytestUnhandledThreadExceptionWarning: Exception in thread *",
            "FAILED *::test_one*",
        ]
    )


def breaks() -> None:
    raise MemoryError("too little")


@pytest.fixture
def default_hook(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let nobody have set a hook, and pytest warn of nothing; older pytests set theirs by phase."""
    return lambda: monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)


@pytest.mark.parametrize("daemon", [False, True])
def test_an_exception_that_ended_a_thread_leaves_run_worker_once_the_others_are_done(
    cpjob: CodePipelineStub,
    capsys: pytest.CaptureFixture[str],
    daemon: bool,
    default_hook: Callable[[], None],
) -> None:
    default_hook()

    def works_on() -> None:
        start(breaks, daemon=daemon)
        poll_for_ever()

    jobs = add(cpjob, 2)
    with pytest.raises(MemoryError, match="too little"):
        cpjob.run_worker(works_on)

    assert [job.status for job in jobs] == ["Succeeded", "Succeeded"]
    assert "MemoryError: too little" in capsys.readouterr().err


def test_it_comes_before_what_the_worker_is_given_up_for(
    cpjob: CodePipelineStub, default_hook: Callable[[], None]
) -> None:
    default_hook()

    def waits_for_ever() -> None:
        start(breaks)
        threading.Event().wait()

    add(cpjob, 1)
    with pytest.raises(MemoryError):
        cpjob.run_worker(waits_for_ever)


def test_what_the_worker_itself_raises_comes_first(
    cpjob: CodePipelineStub, default_hook: Callable[[], None]
) -> None:
    default_hook()

    def raises() -> None:
        start(breaks).join()
        raise ValueError("a thread has died")

    with pytest.raises(ValueError, match="a thread has died"):
        cpjob.run_worker(raises)


def test_an_exception_of_which_a_users_own_hook_hears_is_the_hooks(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: heard.append(args.exc_type))

    cpjob.run_worker(lambda: start(breaks).join())

    assert heard == [MemoryError]


def test_an_exception_of_which_the_workers_own_hook_hears_is_the_hooks(
    cpjob: CodePipelineStub, default_hook: Callable[[], None]
) -> None:
    default_hook()
    heard: list[object] = []

    def sets_a_hook() -> None:
        threading.excepthook = lambda args: heard.append(args.exc_type)
        start(breaks).join()

    cpjob.run_worker(sets_a_hook)

    assert heard == [MemoryError]


def test_a_thread_of_the_tests_own_is_none_of_the_workers(
    cpjob: CodePipelineStub, capsys: pytest.CaptureFixture[str], default_hook: Callable[[], None]
) -> None:
    default_hook()
    cpjob.add_action_type("Build:Custom:Docs:1")
    cpjob.at(10, lambda: start(breaks).join())

    cpjob.run_worker(lambda: time.sleep(60))

    assert "MemoryError: too little" in capsys.readouterr().err
