"""Grants: which credentials give access to which artifact objects, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pytest_cpjob.documents.facts import ArtifactFacts, Credentials
from pytest_cpjob.service import limits
from pytest_cpjob.service.jobs import JobRecord

Location = tuple[str, str]
"""A bucket and a key."""

Issued = tuple[str, str, str, str, float]
"""One set of credentials, in the order of `Credentials`; the job's id; when they expire."""

_NO_OBJECTS: Final[frozenset[Location]] = frozenset()


class Grant:
    """What one set of a job's artifact credentials gives access to.

    Attributes:
        inputs: the objects that may be read, as (bucket, key).
        outputs: the objects that may be written and read.
        expires_at: seconds of job clock.
    """

    __slots__ = ("credentials", "expires_at", "inputs", "job_id", "outputs")

    def __init__(
        self,
        credentials: Credentials,
        job_id: str,
        inputs: frozenset[Location],
        outputs: frozenset[Location],
        expires_at: float,
    ) -> None:
        self.credentials = credentials
        self.job_id = job_id
        self.inputs = inputs
        self.outputs = outputs
        self.expires_at = expires_at


class Grants:
    """Every set of credentials that the service has issued.

    A loop of calls issues new ones in each: so each is a tuple of texts and a number, of which the
    collector keeps no account, and the objects, which its job's other credentials open too, are
    kept by job.
    """

    def __init__(self) -> None:
        self._issued: dict[str, Issued] = {}
        self._in_order: list[Issued] = []
        self._objects: dict[str, tuple[frozenset[Location], frozenset[Location]]] = {}

    def issue(self, job: JobRecord, now: float) -> Credentials:
        """Issue new credentials to the job; earlier ones stay valid until they expire."""
        job.credentials_issued += 1
        credentials = Credentials.of_job(job.stream, job.credentials_issued, job.credentials)
        facts = job.facts
        if (facts.inputs or facts.outputs) and facts.id not in self._objects:
            self._objects[facts.id] = _objects(facts.inputs), _objects(facts.outputs)
        key_id, key, token = credentials
        issued = key_id, key, token, facts.id, now + limits.CREDENTIALS_LIFETIME
        self._issued[key_id] = issued
        self._in_order.append(issued)
        job.credentials = credentials
        return credentials

    def current(self, job: JobRecord, now: float) -> Credentials:
        """Return the job's latest credentials; issue its first ones if it has none yet."""
        return job.credentials or self.issue(job, now)

    def find(self, access_key_id: str | None) -> Grant | None:
        """Return the grant of these credentials if they belong to a job."""
        issued = self._issued.get(access_key_id) if access_key_id else None
        if issued is None:
            return None
        key_id, key, token, job_id, expires_at = issued
        inputs, outputs = self._objects.get(job_id, (_NO_OBJECTS, _NO_OBJECTS))
        return Grant(Credentials(key_id, key, token), job_id, inputs, outputs, expires_at)

    def is_issued(self, access_key_id: str | None) -> bool:
        """Return whether an access key id belongs to some job's artifact credentials."""
        return access_key_id in self._issued

    def since(self, count: int) -> list[Issued]:
        """Return what was issued after the first ones, as many as were known before."""
        return self._in_order[count:]


def _objects(artifacts: Iterable[ArtifactFacts]) -> frozenset[Location]:
    return frozenset((artifact.bucket, artifact.key) for artifact in artifacts)
