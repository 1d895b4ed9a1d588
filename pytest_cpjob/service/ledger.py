"""The ledger: every job, every result, every change of state, in order."""

from __future__ import annotations

from pytest_cpjob.service.jobs import JobRecord, Status
from pytest_cpjob.service.record import Change
from pytest_cpjob.service.results import Result


class Ledger:
    """The jobs of one service; the only place where a job's state is written.

    Attributes:
        jobs: every job by id, continued ones too, in the order in which they came to be.
        results: what was reported, in order.
        changes: every step from a state to the next, in order.
        open_jobs: how many jobs have not ended.
        owners: by an artifact's bucket and key, the ids of the jobs whose artifact it is; a
            continued job shares its predecessor's.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, JobRecord] = {}
        self.results: list[Result] = []
        self.changes: list[Change] = []
        self.open_jobs = 0
        self.owners: dict[tuple[str, str], list[str]] = {}

    def add(self, job: JobRecord) -> None:
        """Take a job in: a Lambda's is InProgress at once, others wait for a worker.

        Raises:
            ValueError: there is a job of this id.
        """
        self.check_new(job)
        self.jobs[job.id] = job
        self.open_jobs += 1
        for artifact in (*job.facts.inputs, *job.facts.outputs):
            self.owners.setdefault((artifact.bucket, artifact.key), []).append(job.id)
        if job.kind == "lambda":
            job.status = "InProgress"

    def check_new(self, job: JobRecord) -> None:
        """Refuse a job whose id is taken.

        Raises:
            ValueError: there is a job of this id.
        """
        if job.id in self.jobs:
            raise ValueError(f"job_id: there is a job {job.id!r} already; ids are unique")

    def set_status(self, job: JobRecord, status: Status) -> None:
        """Move a job to its next state."""
        self.changes.append(Change(job.id, job.status, status))
        self.open_jobs -= job.is_open
        job.status = status
        self.open_jobs += job.is_open

    def end(self, job: JobRecord, result: Result, status: Status) -> None:
        """End a job with what was reported of it."""
        job.result = result
        self.results.append(result)
        self.set_status(job, status)
