"""Leaks: secrets of a job in what its handler wrote, reported or uploaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import IO, Final

from pytest_cpjob.contract.evidence import Evidence, named
from pytest_cpjob.contract.findings import Finding
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.record import MASK
from pytest_cpjob.service.results import JobFailure, JobSuccess
from pytest_cpjob.service.service import JobService

SHORTEST: Final = 8
"""Shorter secret values are found everywhere by chance."""

_CHUNK: Final = 1024 * 1024
_SIGNED: Final = re.compile(r"x-amz-security-token\W{1,6}b?\W?[\w+/=%]+", re.IGNORECASE)
"""How botocore logs each request's token, once pytest's `log_level` is DEBUG."""


def secrets_by_job(service: JobService) -> dict[str, dict[str, str]]:
    """Give the secrets of every job that has some, value -> what it is.

    The artifact credentials are secret by the model's `sensitive` flags (all but the access key
    id, which alone opens nothing), configuration values by their action type's `secret` flags. A
    value stands there as it is, and as `repr` and JSON show it.
    """
    found: dict[str, dict[str, str]] = {}
    for grant in service.grants.all():
        secrets = found.setdefault(grant.job_id, {})
        secrets[grant.credentials.secret_access_key] = "secretAccessKey"
        secrets[grant.credentials.session_token] = "sessionToken"
    for job in list(service.ledger.jobs.values()):
        for name in service.types.secrets(job.facts.action_type):
            value = job.facts.configuration.get(name, "")
            if len(value) >= SHORTEST:
                for shown in (value, repr(value)[1:-1], json.dumps(value)[1:-1]):
                    found.setdefault(job.id, {})[shown] = f"the secret property {name!r}"
    return found


def masking(service: JobService) -> Callable[[str], str]:
    """Give what masks every secret of every job in a text; they are gathered at its first use."""
    longest_first: list[str] | None = None

    def mask(text: str) -> str:
        nonlocal longest_first
        if longest_first is None:
            values = {value for secrets in secrets_by_job(service).values() for value in secrets}
            longest_first = sorted(values, key=len, reverse=True)
        for value in longest_first:
            text = text.replace(value, MASK)
        return text

    return mask


def mask(service: JobService, text: str) -> str:
    """Give a text with every secret of every job masked."""
    return masking(service)(text)


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
                what = f"{listed} of {named(job)} {'is' if len(leaked) == 1 else 'are'} in {where}."
                yield Finding("leaked-secret", job.id, what)


def _reported(job: JobRecord) -> Iterator[tuple[str, str]]:
    result = job.result
    if isinstance(result, JobFailure):
        yield "the failure message", result.message
    elif isinstance(result, JobSuccess):
        yield "the summary", result.summary or ""
        for name, value in result.output_variables.items():
            yield f"the output variable {name!r}", value


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
