"""What the checks look at: the records of the rooms below, nothing of pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import IO, NamedTuple

from pytest_cpjob.artifacts.store import StoredObject
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord


class Evidence(NamedTuple):
    """Everything one stub knows of what the code under test did.

    Attributes:
        outputs: by job, what each output was when its result was reported.
        stopped_calls: what the network guard stopped, and the job it was called for, if any.
        surfaced: whether a refusal came before the test's own eyes.
        printed: texts that the code wrote, by where it wrote them.
        read_output: opens all that can be read in an output artifact, by where it is.
        running_threads: names of threads that did not end.
        own_role: whether the handler's own role was let into the bucket.
    """

    service: JobService
    outputs: Mapping[str, Mapping[str, StoredObject | None]] = MappingProxyType({})
    stopped_calls: Sequence[tuple[str, str | None]] = ()
    surfaced: Callable[[BaseException], bool] = lambda error: False
    printed: Mapping[str, str] = MappingProxyType({})
    read_output: Callable[[JobRecord, str], Iterable[tuple[str, IO[bytes]]]] = lambda job, name: ()
    running_threads: Sequence[str] = ()
    own_role: bool = False

    @property
    def jobs(self) -> list[JobRecord]:
        """The jobs, in the order in which they came to be."""
        return list(self.service.registry.jobs.values())

    def named(self, job_id: str) -> str:
        """Name the job of an id that a request carried; there may be no such job."""
        job = self.service.registry.jobs.get(job_id)
        return f"job {job_id}, which does not exist," if job is None else named(job)


def named(job: JobRecord) -> str:
    """Name a job as messages do: its id and where it stands in its pipeline."""
    facts = job.facts
    return f"job {job.id} ({facts.pipeline_name}/{facts.stage_name}/{facts.action_name})"
