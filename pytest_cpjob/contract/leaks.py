"""Leaks: secrets of a job in what its handler wrote, reported or uploaded."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import IO, Final

from pytest_cpjob.contract.findings import Finding
from pytest_cpjob.contract.masking import secrets_by_job
from pytest_cpjob.contract.observer import Evidence
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import JobFailure

_CHUNK: Final = 1024 * 1024
_SIGNED: Final = re.compile(r"x-amz-security-token\W{1,6}b?\W?[\w+/=%]+", re.IGNORECASE)
"""How botocore logs each request's token, once pytest's `log_level` is DEBUG."""


def leaked_secrets(evidence: Evidence) -> Iterator[Finding]:
    """Find secrets in what was printed, logged, reported and uploaded."""
    secrets_of = secrets_by_job(evidence.service)
    printed = {
        where: _SIGNED.sub("", text) if where == "the log" else text
        for where, text in evidence.printed.items()
    }
    for job in evidence.jobs:
        secrets = secrets_of.get(job.id)
        if not secrets:
            continue
        places = [
            (where, {value for value in secrets if value in text})
            for where, text in (*printed.items(), *_reported(job))
        ]
        for where, values in (*places, *_uploaded(job, secrets, evidence)):
            leaked = dict.fromkeys(what for value, what in secrets.items() if value in values)
            if leaked:
                listed = " and ".join(leaked)
                what = f"{listed} of {job.label} {'is' if len(leaked) == 1 else 'are'} in {where}."
                yield Finding("leaked-secret", job.id, what)


def _reported(job: JobRecord) -> Iterator[tuple[str, str]]:
    result = job.result
    if result is None:
        return
    yield "the externalExecutionId", result.external_execution_id or ""
    if isinstance(result, JobFailure):
        yield "the failure message", result.message
        return
    yield "the summary", result.summary or ""
    yield "the continuationToken", result.continuation_token or ""
    for name, value in result.output_variables.items():
        yield f"the output variable {name!r}", f"{name}\n{value}"
    revision = result.current_revision
    if revision is not None:
        yield "currentRevision.revision", revision.revision
        yield "currentRevision.changeIdentifier", revision.change_identifier
        yield "currentRevision.revisionSummary", revision.revision_summary or ""


def _uploaded(
    job: JobRecord, secrets: Collection[str], evidence: Evidence
) -> Iterator[tuple[str, set[str]]]:
    """Look through the outputs piece by piece: they may be large."""
    for name, stored in evidence.outputs.get(job.id, {}).items():
        if stored is not None:
            for where, opened in evidence.read_output(job, name):
                yield where, _in_stream(opened, secrets)


def _in_stream(opened: IO[bytes], secrets: Collection[str]) -> set[str]:
    sought = {value: value.encode(errors="replace") for value in secrets}
    overlap = max(map(len, sought.values()))
    found: set[str] = set()
    end = b""
    while chunk := opened.read(_CHUNK):
        piece = end + chunk
        found |= {value for value, data in sought.items() if data in piece}
        end = piece[-overlap:]
    return found
