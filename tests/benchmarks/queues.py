"""The rows of long queues: a poll, and the memory of a queued job."""

from __future__ import annotations

import itertools
import statistics
import time
import tracemalloc
from collections.abc import Iterator

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.service.call_log import Caller
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord
from tests.benchmarks.measuring import Row

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
POLLS = 2_000


def rows() -> Iterator[Row]:
    """(f) Polls with 10, 1,000 and 100,000 queued; bytes of a queued job."""
    short, *longer = (filled(length) for length in (10, 1_000, 100_000))
    for length, queue, budget in ((1_000, longer[0], None), (100_000, longer[1], 3.0)):
        ours, theirs = polls(queue, short)
        yield Row("f", f"a poll with {length:,} queued", "with 10 queued", ours, theirs, budget)
    yield Row("f", "memory of a queued job", "", memory(), None, 2048.0, "bytes")


class Queue:
    """A service with so many queued jobs, however often it is polled."""

    def __init__(self, service: JobService) -> None:
        self._service = service
        self._like = next(iter(service.registry.jobs.values()))
        self._numbers = itertools.count()

    def poll(self) -> float:
        """Seconds that one poll takes; the job that it was handed is then replaced."""
        start = time.perf_counter()
        answer, _ = self._service.call("PollForJobs", {"actionTypeId": DOCS}, Caller(1, 1))
        taken = time.perf_counter() - start
        assert isinstance(answer, dict)
        assert len(answer["jobs"]) == 1
        number = next(self._numbers)
        facts = self._like.facts._replace(id=f"00000000-0000-4000-8000-{number:012d}")
        self._service.add(JobRecord(facts, "custom", Stream("more", number), 0.0))
        return taken


def filled(length: int) -> Queue:
    """Give a queue of so many jobs."""
    with CodePipelineStub() as cpjob:
        for _ in range(length):
            cpjob.add_job(action_type="Build:Custom:Docs:1")
        return Queue(cpjob._harness.service)


def polls(one: Queue, other: Queue) -> tuple[float, float]:
    """Poll two queues in turn, and give the medians."""
    pairs = [(one.poll(), other.poll()) for _ in range(POLLS)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(
        pair[1] for pair in pairs
    )


def memory(count: int = 5_000) -> float:
    """Bytes that one queued job takes."""
    with CodePipelineStub() as cpjob:
        cpjob.add_job(action_type="Build:Custom:Docs:1")
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(count):
            cpjob.add_job(action_type="Build:Custom:Docs:1")
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    return (after - before) / count
