"""Leaks: secrets of a job in what its handler wrote, reported or uploaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pytest_cpjob.contract.evidence import Evidence, named
from pytest_cpjob.contract.findings import Finding
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.record import MASK
from pytest_cpjob.service.results import JobFailure, JobSuccess
from pytest_cpjob.service.service import JobService

SHORTEST: Final = 8
"""Shorter secret values are found everywhere by chance."""


def secrets_of(service: JobService, job: JobRecord) -> dict[str, str]:
    """Give a job's secrets, value -> what it is.

    The artifact credentials are secret by the model's `sensitive` flags (all but the access key
    id, which alone opens nothing), configuration values by their action type's `secret` flags.
    """
    found: dict[str, str] = {}
    for grant in service.grants.all():
        if grant.job_id == job.id:
            found[grant.credentials.secret_access_key] = "secretAccessKey"
            found[grant.credentials.session_token] = "sessionToken"
    for name in service.types.secrets(job.facts.action_type):
        value = job.facts.configuration.get(name, "")
        if len(value) >= SHORTEST:
            found[value] = f"the secret property {name!r}"
    return found


def mask(service: JobService, text: str) -> str:
    """Give a text with every secret of every job masked."""
    for job in list(service.ledger.jobs.values()):
        for value in secrets_of(service, job):
            text = text.replace(value, MASK)
    return text


def leaked_secrets(evidence: Evidence) -> Iterator[Finding]:
    """Find secrets in what was printed, logged, reported and uploaded."""
    for job in evidence.jobs:
        secrets = secrets_of(evidence.service, job)
        if not secrets:
            continue
        for where, text in _texts(job, evidence).items():
            leaked = dict.fromkeys(what for value, what in secrets.items() if value in text)
            if leaked:
                listed = " and ".join(leaked)
                what = f"{listed} of {named(job)} {'is' if len(leaked) == 1 else 'are'} in {where}."
                yield Finding("leaked-secret", job.id, what)


def _texts(job: JobRecord, evidence: Evidence) -> Mapping[str, str]:
    texts = dict(evidence.printed)
    result = job.result
    if isinstance(result, JobFailure):
        texts["the failure message"] = result.message
    elif isinstance(result, JobSuccess):
        texts["the summary"] = result.summary or ""
        for name, value in result.output_variables.items():
            texts[f"the output variable {name!r}"] = value
        for name, stored in evidence.outputs.get(job.id, {}).items():
            if stored is not None:
                texts.update(_uploaded(job, name, evidence))
    return texts


def _uploaded(job: JobRecord, name: str, evidence: Evidence) -> Iterator[tuple[str, str]]:
    try:
        files = evidence.read_output(job, name)
    except CpjobError:
        return
    for path, content in files.items():
        yield f"{path!r} of output artifact {name!r}", content.decode("utf-8", "replace")
