"""The rows of large amounts: ten times as much takes ten times as long, in bounded memory."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from typing import Final

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.contract.leaks import leaked_secrets
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.timeline import actions
from tests.benchmarks.action import codepipeline
from tests.benchmarks.measuring import Row

LINEAR: Final = 1.5
"""How much longer one of ten times as many may take: caches of the processor are felt."""

LARGE: Final = 100 * 1024 * 1024


def rows() -> Iterator[Row]:
    """(i) Each of many jobs, calls and files; the memory that a large artifact takes."""
    for what, each, count in (
        ("adding one of {:,} jobs", each_job, 2_000),
        ("one of {:,} answered calls", each_call, 2_000),
        ("reading one of {:,} files of an output", each_file, 2_000),
        ("looking for the secrets of one of {:,} jobs in what all print", each_secret, 1_000),
        ("telling of one of {:,} calls, each with new credentials", each_told_call, 1_000),
        ("`job.calls` and `repr(job)` of one of {:,} jobs", each_look, 400),
    ):
        each(count)
        few, many = each(count), each(10 * count)
        yield Row("i", what.format(10 * count), f"one of {count:,}", many, few, LINEAR)
    what = "the look for 10,000 jobs' secrets in 1 MB"
    yield Row("i", what, "", kept_secrets(10_000), None, 0.3)
    what = f"memory to read an artifact of {LARGE // 1024**2} MB, as a multiple of it"
    yield Row("i", what, "", peak() / LARGE, None, 2.2, "x")


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


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
