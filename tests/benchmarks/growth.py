"""The rows of large amounts: ten times as much takes ten times as long, in bounded memory.

What was there before is kept from the garbage collector (`gc.freeze`). Else its full collections,
which begin once a quarter more is there, would look through all of boto3 for many and for few never
begin: a cost of any program that makes as many objects. How many we make has rows of its own.
"""

from __future__ import annotations

import gc
import io
import statistics
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final, cast

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.contract.leaks import leaked_secrets
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.timeline import actions
from pytest_cpjob.plugin.explanation import explain_failure
from tests.benchmarks.action import codepipeline
from tests.benchmarks.measuring import Row, quartiles

LINEAR: Final = 1.5
"""How much longer one of ten times as many may take: caches of the processor are felt."""

LARGE: Final = 500 * 1024 * 1024


def rows() -> Iterator[Row]:
    """(i) Each of many jobs, calls and files; the memory that a large artifact takes."""
    for what, each, count in (
        ("adding one of {:,} jobs", each_job, 10_000),
        ("one of {:,} answered calls", each_call, 100_000),
        ("reading one of {:,} files of an output", each_file, 4_000),
        ("looking for the secrets of one of {:,} jobs in what all print", each_secret, 1_000),
        ("telling of one of {:,} calls, each with new credentials", each_told_call, 1_000),
        ("`job.calls` and `repr(job)` of one of {:,} jobs", each_look, 400),
        ("reporting of one of {:,} jobs of a test that has failed", each_reported, 400),
    ):
        each(count // 10)
        few, many = each(count), each(10 * count)
        yield Row("i", what.format(10 * count), f"one of {count:,}", many, few, LINEAR)
    pairs = [(each_thread(1_000), each_thread(100)) for _ in range(6)][1:]
    many, few = (statistics.median(side) for side in zip(*pairs, strict=True))
    spread = quartiles([one / other for one, other in pairs])
    what = "one of 1,000 threads, which each do a job"
    yield Row("i", what, "one of 100", many, few, LINEAR, spread=spread)
    what = "objects for the garbage collector to follow"
    yield Row("i", f"{what}, a queued job", "", followed_of_jobs(), None, 4.0, "objects")
    yield Row("i", f"{what}, an answered call", "", followed_of_calls(), None, 5.0, "objects")
    what = "the look for 10,000 jobs' secrets in 1 MB"
    yield Row("i", what, "", kept_secrets(10_000), None, 0.1)
    what = f"memory to read an artifact of {LARGE // 1024**2} MB, as a multiple of it"
    yield Row("i", what, "", peak() / LARGE, None, 2.2, "x")


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    gc.freeze()
    start = time.process_time()
    work()
    taken = time.process_time() - start
    gc.unfreeze()
    return taken


def each_thread(count: int) -> float:
    """Seconds of one of so many threads, which each poll for a job, acknowledge it and report."""
    action_type = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}

    def worker() -> None:
        [job] = codepipeline.poll_for_jobs(actionTypeId=action_type)["jobs"]
        codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        codepipeline.put_job_success_result(jobId=job["id"])

    with CodePipelineStub() as cpjob:
        for _ in range(count):
            cpjob.add_job(action_type=action_type)

        def work() -> None:
            workers = [threading.Thread(target=worker) for _ in range(count)]
            for each in workers:
                each.start()
            for each in workers:
                each.join()

        seconds = _seconds(work)
        assert [job.status for job in cpjob.jobs] == ["Succeeded"] * count
        assert len(cpjob.calls) == 3 * count
    return seconds / count


def followed_of_jobs(count: int = 1_000) -> float:
    """Objects of one of so many jobs that the collector looks at in each full collection."""
    with CodePipelineStub() as cpjob:
        return _followed(lambda: cpjob.add_job(action_type="Build:Custom:Docs:1"), count)


def followed_of_calls(count: int = 1_000) -> float:
    """Objects of one of so many calls that the collector looks at in each full collection."""
    with CodePipelineStub() as cpjob:
        job = cpjob.add_job(action_type="Build:Custom:Docs:1")

        def call_and_read() -> None:
            codepipeline.get_job_details(jobId=job.id)
            assert cpjob._harness.service.call_log.entries  # what nobody has read takes less

        return _followed(call_and_read, count)


def _followed(work: Callable[[], object], count: int) -> float:
    work()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(count):
        work()
    gc.collect()
    return (len(gc.get_objects()) - before) / count


def each_job(count: int) -> float:
    """Seconds of one of so many jobs, added."""
    with CodePipelineStub(allow=["not-acknowledged"]) as cpjob:

        def work() -> None:
            for _ in range(count):
                cpjob.add_job(action_type="Build:Custom:Docs:1")

        return _seconds(work) / count


def each_call(count: int) -> float:
    """Seconds of one of so many calls, with the checks of all at the end."""
    with CodePipelineStub() as cpjob:
        job = cpjob.add_job(action_type="Build:Custom:Docs:1")

        def work() -> None:
            for _ in range(count):
                codepipeline.get_job_details(jobId=job.id)
            cpjob.check()

        return _seconds(work) / count


def each_file(count: int) -> float:
    """Seconds of one of so many files, in an artifact that is put and read."""
    with CodePipelineStub() as cpjob:
        job = cpjob.add_job(output_artifacts=["Site"])
        files = {f"pages/{number}.html": b"<h1>Hi</h1>" for number in range(count)}

        def work() -> None:
            job.output_artifacts["Site"].put(files)
            assert len(job.output_artifacts["Site"].files) == count

        return _seconds(work) / count


def each_secret(count: int) -> float:
    """Seconds of the secrets of one of so many jobs, of which each prints one of its own."""
    with CodePipelineStub(allow=["leaked-secret"]) as cpjob:
        for _ in range(count):
            given = cpjob.add_lambda_job().details["jobDetails"]["data"]["artifactCredentials"]
            cpjob._harness.observer.wrote("stdout", f"{given['sessionToken']}\n", None)
        return _seconds(lambda: _leaks(cpjob, count)) / count


def kept_secrets(count: int) -> float:
    """Seconds to look for the secrets of so many jobs in a megabyte that has none of them."""
    with CodePipelineStub() as cpjob:
        for _ in range(count):
            assert cpjob.add_lambda_job().details
        for number in range(16_384):
            line = f"{number:8} INFO built the page docs/guide/{number}.html"
            cpjob._harness.observer.wrote("stdout", f"{line:<63}\n", None)
        return _seconds(lambda: _leaks(cpjob, 0))


def _leaks(cpjob: CodePipelineStub, count: int) -> None:
    evidence = cpjob._harness.observer.evidence()
    assert len(list(leaked_secrets(evidence, {}, masking(evidence.service)))) == count


def each_told_call(count: int) -> float:
    """Seconds of one of so many calls in the timelines of all jobs, four calls a job."""
    with CodePipelineStub() as cpjob:
        for _ in range(count // 4):
            job = cpjob.add_lambda_job()
            for _ in range(4):
                codepipeline.get_job_details(jobId=job.id)
        return _seconds(lambda: actions(cpjob._harness.service)) / count


def each_look(count: int) -> float:
    """Seconds of a test's look at one of so many jobs."""
    with CodePipelineStub() as cpjob:
        for _ in range(count):
            codepipeline.put_job_success_result(jobId=cpjob.add_lambda_job().id)
        return _seconds(lambda: [(job.calls, repr(job)) for job in cpjob.jobs]) / count


def each_reported(count: int) -> float:
    """Seconds of one of so many jobs without a result, in what a failing test's report says."""
    with CodePipelineStub() as cpjob:
        for _ in range(count):
            assert cpjob.add_lambda_job().event
        report = SimpleNamespace(longrepr="", sections=[])
        call = SimpleNamespace(excinfo=None, when="call")
        harness = cpjob._harness
        seconds = _seconds(lambda: explain_failure(harness, cast("Any", report), cast("Any", call)))
        said = " ".join(report.sections[0][1].split())
        assert f"and {count - 1} more jobs was delivered" in said
    return seconds / count


def peak() -> float:
    """Bytes of memory that it takes at most to read a large artifact which is there."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("large", bytes(LARGE))
    with CodePipelineStub() as cpjob:
        job = cpjob.add_job(input_artifacts={"Source": stream.getvalue()})
        del stream
        tracemalloc.start()
        assert len(job.input_artifacts["Source"].content) >= LARGE
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return float(most)
