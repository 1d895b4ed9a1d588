"""Hints: what probably went wrong with a test, where the calls alone do not say it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_cpjob.service.job_service import JobService

_UNKNOWN_JOB: Final = frozenset(
    {"JobNotFoundException", "InvalidJobException", "ValidationException"}
)


def hints(service: JobService) -> list[str]:
    """Return each hint once, in the order of the calls."""
    return list(dict.fromkeys(_unknown_jobs(service)))


def _unknown_jobs(service: JobService) -> Iterator[str]:
    """A hand-written event, or one of a factory, names a job that the service does not know."""
    for entry in service.call_log.tested():
        call = entry.call
        job_id = call.request.get("jobId")
        is_unknown = isinstance(job_id, str) and job_id not in service.registry.jobs
        if call.service == "codepipeline" and call.error in _UNKNOWN_JOB and is_unknown:
            yield (
                f"The service of this test has no job {job_id!r} ({call.operation} ->"
                f" {call.error}). Documents that are written by hand, or by a factory, are data"
                " only: add the job with cpjob.add_lambda_job(...) and use job.invoke(handler) or"
                " job.event, or take a whole document with cpjob.add_job_from(document)."
            )
