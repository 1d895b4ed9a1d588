"""The timeline: what befell a job, line by line on the job clock, in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_cpjob.contract.findings import Finding
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.service.call_log import CallEntry, Entry, NoteEntry
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import JobFailure, JobSuccess, Result

WIDTH: Final = 80
_INDENT: Final = 10
_LONGEST_TEXT: Final = 300

_HOLDERS: Final = {
    "job": "the job's credentials",
    "other-job": "another job's credentials",
    "own-role": "the handler's own role",
    "nobody": "credentials of nobody",
}


def timeline(service: JobService, job: JobRecord, findings: Sequence[Finding] = ()) -> str:
    """Give one job's timeline, secrets masked: before they are cut short or wrapped.

    Each line is `+95s`, the seconds of job clock, and what happened: the operation, the S3 object
    and whose credentials touched it, the error if there was one, the change of state.
    """
    facts, mask = job.facts, masking(service)
    where = f"{facts.pipeline_name}/{facts.stage_name}/{facts.action_name}"
    lines = textwrap.wrap(f"{where}, {facts.action_type}: {job.status}", WIDTH)
    for entry in service.call_log.of_job(job.id):
        if isinstance(entry, CallEntry) and entry.caller.by_test and entry.call.service == "s3":
            continue  # the test's own looks into the bucket
        lines += _line(f"+{entry.at:.10g}s", mask("; ".join(_parts(entry, job))))
    if job.result is not None:
        lines += _line("result", mask(outcome(job.result)))
    for finding in findings:
        what = finding.what.replace(job.label, "the job")
        lines += _line("!", mask(f"{finding.name}: {what}"))
    return "\n".join(lines)


def outcome(result: Result) -> str:
    """Say in a line what was reported."""
    if isinstance(result, JobFailure):
        return f"{result.type}: {result.message}"
    said = []
    if isinstance(result, JobSuccess) and result.continuation_token is not None:
        said.append(f"continue with {result.continuation_token!r}")
    if result.output_variables:
        said.append(f"output variables {dict(result.output_variables)!r}")
    if result.summary:
        said.append(f"summary {result.summary!r}")
    return f"success, {', '.join(said)}" if said else "success"


def _parts(entry: Entry, job: JobRecord) -> Iterator[str]:
    if isinstance(entry, NoteEntry):
        yield entry.text
        return
    if isinstance(entry, CallEntry):
        yield _called(entry)
    for change in entry.changes:
        if change.job_id == job.id:
            yield f"{change.before} -> {change.after}"


def _called(entry: CallEntry) -> str:
    call, text = entry.call, entry.call.operation
    if call.service != "codepipeline":
        text = f"{call.service}.{text}"
    if entry.caller.by_test:
        text += " (the test's own client)"
    if call.service == "s3":
        text += f" {call.request.get('Bucket')}/{call.request.get('Key', '')}"
        if entry.holder is not None:
            text += f" with {_HOLDERS[entry.holder]}"
    if call.error is not None:
        text += f" -> {call.error}"
        if entry.message:
            text += f": {entry.message}"
    return text


def _line(mark: str, text: str) -> list[str]:
    """Give `mark` and the text beside it, wrapped."""
    shown = " ".join(text.split())
    if len(shown) > _LONGEST_TEXT:
        shown = f"{shown[:_LONGEST_TEXT]}..."
    return textwrap.wrap(
        shown,
        WIDTH,
        initial_indent=f"  {mark:<{_INDENT - 3}} ",
        subsequent_indent=" " * _INDENT,
        break_on_hyphens=False,
    )
