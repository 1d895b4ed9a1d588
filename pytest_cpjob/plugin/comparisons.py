"""Explanations: what became of the jobs that a failed comparison is about."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final, get_args

from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.outcomes import outcome
from pytest_cpjob.errors import text_of
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord, Status
from pytest_cpjob.service.masked_copies import original_of
from pytest_cpjob.service.results import JobFailure, JobSuccess

MOST_JOBS: Final = 3
_PACKAGE: Final = os.path.dirname(os.path.dirname(__file__))
_STATUSES: Final = frozenset(get_args(Status)) | {"Created"}


def explain_comparison(
    service: JobService, op: str, left: object, right: object, others: list[list[str]]
) -> list[list[str]]:
    """Explain a comparison of statuses or results, either way round; give all explanations.

    Args:
        op: pytest's name of it, `==` or `in`.
        others: what pytest and other plugins say, the first of which pytest would show.
    """
    jobs = list(service.registry.jobs.values())
    headline = [f"{left!r} {op} {right!r}"]
    if _are_statuses(op, left, right):
        about = _of_statuses(jobs, left, right)
        # pytest's own is nothing but the difference of two words.
        shown = others[0] if len(others) > 1 else headline
        lines = [line for job in about for line in _explained(service, job)]
    elif op == "==" and any(isinstance(each, (JobSuccess, JobFailure)) for each in (left, right)):
        compared = original_of(left), original_of(right)
        about = [job for job in jobs if any(job.result is each for each in compared)][-MOST_JOBS:]
        shown = others[0] if others else headline
        alike = type(left) is type(right)
        explain = _in_a_line if alike else _explained
        if alike and shown[1:2] == [""]:
            shown = [shown[0], *shown[2:]]
        lines = [line for job in about for line in explain(service, job)]
    else:
        return others
    if not about:
        return others
    hide = masking(service)
    return [[shown[0], *map(hide, lines), *shown[1:]], *others]


def _are_statuses(op: str, left: object, right: object) -> bool:
    if op == "==":
        return _is_status(left) and _is_status(right)
    expected = isinstance(right, (tuple, list, set, frozenset)) and all(map(_is_status, right))
    return op == "in" and _is_status(left) and expected


def _is_status(value: object) -> bool:
    return isinstance(value, str) and value in _STATUSES


def _of_statuses(jobs: list[JobRecord], left: object, right: object) -> list[JobRecord]:
    """Give the newest jobs of either status, in turns: which is the job's cannot be told."""
    newest_first = jobs[::-1]
    of_left, of_right = (
        [job for job in newest_first if job.status == status] for status in (left, right)
    )
    in_turns = [job for both in zip_longest(of_left, of_right) for job in both if job is not None][
        :MOST_JOBS
    ]
    return [job for job in jobs if job in in_turns]


def _explained(service: JobService, job: JobRecord) -> Iterator[str]:
    yield ""
    yield f"job {job.id} is {job.status}"
    if job.result is not None:
        yield f"  it was reported as {outcome(job.result)}"
    else:
        yield "  nothing was reported of it"
    last = _last_call(service, job)
    if last:
        yield f"  the last call: {last}"
    for error, _ in job.raised[-1:]:
        yield f"  the handler raised {type(error).__name__}: {text_of(error)}"
        for line in "".join(traceback.format_list(_frames_of_handler(error))).splitlines():
            yield f"  {line}"


def _in_a_line(service: JobService, job: JobRecord) -> Iterator[str]:
    """Leave room for the difference of two results: pytest shows eight lines."""
    last = _last_call(service, job)
    yield f"job {job.id} is {job.status}{f', its last call: {last}' if last else ''}"


def _last_call(service: JobService, job: JobRecord) -> str:
    calls = service.call_log.calls(job.id)
    if not calls:
        return ""
    last = calls[-1]
    ending = f" -> {last.error}" if last.error else ""
    return f"+{last.at:.10g}s {last.service}.{last.operation}{ending}"


def _frames_of_handler(error: BaseException) -> list[traceback.FrameSummary]:
    """Give where the handler was, without the test that called it: pytest shows eight lines."""
    frames = list(traceback.extract_tb(error.__traceback__))
    called = [number for number, frame in enumerate(frames) if _is_ours(frame)]
    ahead = frames[called[0] :] if called else frames
    return [frame for frame in ahead if not _is_ours(frame)]


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_PACKAGE)
