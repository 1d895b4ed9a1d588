"""Passed over: why the polls of a test left a job in the queue."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TypeAlias

from pytest_cpjob.service.call_log import CallEntry
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.queue import why_passed_over
from pytest_cpjob.service.results import POLLS

Polls: TypeAlias = "dict[str, list[tuple[float, int, CallEntry]]]"
"""By what they ask for: when each was, its number among all calls, and the call."""


def polls_of(service: JobService) -> Polls:
    """Return the polls that got an answer, those that asked for the same together.

    Thousands of them ask for the same, and thousands of jobs may be left in the queue.
    """
    polls: Polls = {}
    for number, entry in enumerate(service.call_log.tested()):
        call = entry.call
        if call.operation in POLLS and call.error is None:
            asked = f"{call.operation} {dict(call.request)}"
            polls.setdefault(asked, []).append((call.at, number, entry))
    return polls


def passed_over(job: JobRecord, polls: Polls) -> Iterator[tuple[CallEntry, str]]:
    """Say why polls left a job in the queue that was never handed out, each with the first poll."""
    if job.kind == "lambda" or job.hand_outs:
        return
    reasons: dict[str, list[tuple[int, int, CallEntry]]] = {}
    for alike in polls.values():
        since = bisect_left(alike, (job.created_at, -1))
        if since < len(alike):
            _, number, entry = alike[since]
            reason = why_passed_over(entry.call.operation, entry.call.request, job)
            if reason:
                reasons.setdefault(reason, []).append((number, len(alike) - since, entry))
    for reason, found in sorted(reasons.items(), key=lambda each: min(each[1])[0]):
        _, _, first = min(found)
        count = sum(times for _, times, _ in found)
        yield first, f"{first.call.operation}{f' x{count}' if count > 1 else ''} {reason}"
