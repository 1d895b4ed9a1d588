"""The suspicion: whether anything has happened that one of the checks could object to.

In most tests each job got its one result, no call failed, and nothing was printed or uploaded. Then
no check can find anything, and neither the checks nor the findings' texts are imported. What one of
`checks` looks for must be suspicious here: when in doubt, it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cpjob.contract.let_out import is_anything_let_out

if TYPE_CHECKING:
    from pytest_cpjob.contract.observer import Evidence
    from pytest_cpjob.service.call_log import CallEntry
    from pytest_cpjob.service.jobs import JobRecord


def is_suspicious(evidence: Evidence) -> bool:
    """Return whether the checks are to look at what is known."""
    service = evidence.service
    return bool(
        evidence.stopped_calls
        or evidence.forked_calls
        or evidence.running_threads
        or service.faults.unmet()
        or any(map(_is_unfinished, service.registry.in_order))
        or any(map(_is_remarkable, service.call_log.tested()))
        or (service.registry.jobs and is_anything_let_out(evidence))
    )


def _is_unfinished(job: JobRecord) -> bool:
    """Whether a job has no result, or its handler has raised."""
    return job.result is None or bool(job.raised)


def _is_remarkable(entry: CallEntry) -> bool:
    """Whether a call failed, in any way, or was made on an artifact with others' credentials."""
    return (
        entry.call.error is not None
        or entry.error is not None
        or entry.fault is not None
        or entry.denial is not None
        or entry.holder not in (None, "job")
    )
