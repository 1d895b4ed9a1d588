"""Grants: which credentials give access to which artifact objects, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pytest_cpjob.documents.facts import ArtifactFacts, Credentials
from pytest_cpjob.service import limits
from pytest_cpjob.service.jobs import JobRecord

Location = tuple[str, str]
"""A bucket and a key."""


class Grant(NamedTuple):
    """What one set of a job's artifact credentials gives access to.

    Attributes:
        inputs: the objects that may be read, as (bucket, key).
        outputs: the objects that may be written and read.
        expires_at: seconds of job clock.
    """

    credentials: Credentials
    job_id: str
    inputs: frozenset[Location]
    outputs: frozenset[Location]
    expires_at: float


class Grants:
    """Every set of credentials that the service has issued, by access key id."""

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}

    def issue(self, job: JobRecord, now: float) -> Credentials:
        """Issue new credentials to the job; earlier ones stay valid until they expire."""
        job.credentials_issued += 1
        credentials = Credentials.draw(job.stream.at("credentials", job.credentials_issued).random)
        before = self.find(job.credentials.access_key_id) if job.credentials else None
        self._grants[credentials.access_key_id] = Grant(
            credentials,
            job.id,
            before.inputs if before else _objects(job.facts.inputs),
            before.outputs if before else _objects(job.facts.outputs),
            now + limits.CREDENTIALS_LIFETIME,
        )
        job.credentials = credentials
        return credentials

    def current(self, job: JobRecord, now: float) -> Credentials:
        """Return the job's latest credentials; issue its first ones if it has none yet."""
        return job.credentials or self.issue(job, now)

    def find(self, access_key_id: str | None) -> Grant | None:
        """Return the grant of these credentials if they belong to a job."""
        return self._grants.get(access_key_id) if access_key_id else None

    def is_issued(self, access_key_id: str | None) -> bool:
        """Return whether an access key id belongs to some job's artifact credentials."""
        return access_key_id in self._grants

    def all(self) -> list[Grant]:
        """Return every grant, in the order of issue."""
        return list(self._grants.values())

    def since(self, count: int) -> list[Grant]:
        """Return the grants after the first ones, as many as were known before."""
        return self.all()[count:] if len(self._grants) > count else []


def _objects(artifacts: Iterable[ArtifactFacts]) -> frozenset[Location]:
    return frozenset((artifact.bucket, artifact.key) for artifact in artifacts)
