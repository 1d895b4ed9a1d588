"""One job in the service: its facts, its state, and how it may change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from pytest_cpjob.documents.facts import Credentials, JobFacts
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.service import limits
from pytest_cpjob.service.call_log import Change
from pytest_cpjob.service.results import Result

if TYPE_CHECKING:
    from pytest_cpjob.iam.policies import Permissions

Kind = Literal["custom", "third-party", "lambda"]
Status = Literal["Created", "Queued", "Dispatched", "InProgress", "TimedOut", "Succeeded", "Failed"]

_LONGEST_NONCE: Final = 50

OPEN: Final = frozenset({"Created", "Queued", "Dispatched", "InProgress"})
"""The states of a job that can still get a result."""

TIMEOUTS: Final[dict[Kind, float]] = {
    "custom": limits.CUSTOM_TIMEOUT,
    "third-party": limits.PARTNER_TIMEOUT,
    "lambda": limits.LAMBDA_TIMEOUT,
}


class JobRecord:
    """What the service knows about one job.

    Attributes:
        given: the arguments that the test gave; the other values are drawn.
        stream: the source of the job's drawn values (credentials, the ids of its continuation).
        nonce: the latest hand-out's, None before the first.
        first_nonce: the first hand-out's, if a captured document says it.
        hand_outs: how often polls (or the test) have handed out the job.
        delivered: whether the code under test got the job's Lambda event.
        acknowledged_by_test: whether the test's own client acknowledged the job.
        abandoned: whether its execution was stopped and the job abandoned: a result of it is
            accepted and changes nothing.
        delay: seconds from its creation until CodePipeline invokes a Lambda function with it.
        raised: the exceptions of a Lambda handler, each with whether a result preceded it.
        permissions: what the function's role may do, None if that is unknown.
        role: the name of the role behind the artifact credentials.
        is_declared: whether a pipeline's definition has made it.
        declared_timeout: seconds, if the pipeline's definition sets a time-out.
    """

    __slots__ = (
        "abandoned",
        "acknowledged",
        "acknowledged_by_test",
        "allow",
        "client_id",
        "client_token",
        "continuation",
        "created_at",
        "credentials",
        "credentials_issued",
        "declared_timeout",
        "delay",
        "delivered",
        "facts",
        "first_nonce",
        "given",
        "hand_outs",
        "is_declared",
        "kind",
        "nonce",
        "permissions",
        "previous",
        "raised",
        "result",
        "role",
        "status",
        "stream",
    )

    def __init__(
        self,
        facts: JobFacts,
        kind: Kind,
        stream: Stream,
        created_at: float,
        *,
        client_id: str | None = None,
        client_token: str | None = None,
        allow: frozenset[str] = frozenset(),
        given: frozenset[str] = frozenset(),
        previous: JobRecord | None = None,
        delay: float = 0.0,
        permissions: Permissions | None = None,
        role: str = "PipelineActionRole",
        declared_timeout: float | None = None,
        is_declared: bool = False,
    ) -> None:
        self.facts = facts
        self.kind: Kind = kind
        self.stream = stream
        self.created_at = created_at
        self.client_id = client_id
        self.client_token = client_token
        self.allow = allow
        self.given = given
        self.status: Status = "Queued"
        self.nonce: str | None = None
        self.first_nonce: str | None = None
        self.hand_outs = 0
        self.credentials: Credentials | None = None
        self.credentials_issued = 0
        self.result: Result | None = None
        self.previous = previous
        self.delay = delay
        self.continuation: JobRecord | None = None
        self.delivered = False
        self.acknowledged = False
        self.acknowledged_by_test = False
        self.abandoned = False
        self.raised: tuple[tuple[BaseException, bool], ...] = ()
        self.permissions = permissions
        self.role = role
        self.declared_timeout = declared_timeout
        self.is_declared = is_declared

    def __repr__(self) -> str:
        return f"<JobRecord {self.id} {self.facts.action_type} {self.status}>"

    @property
    def id(self) -> str:
        """The job's id."""
        return self.facts.id

    @property
    def label(self) -> str:
        """The job as messages name it: its id, and where it stands in its pipeline."""
        return f"job {self.id} ({self.place})"

    @property
    def place(self) -> str:
        """Where it stands in its pipeline, by names that the test gave; else its action type.

        Names that were drawn mean nothing to who reads them.
        """
        facts = self.facts
        if "pipeline_name" in self.given:
            return f"{facts.pipeline_name}/{facts.stage_name}/{facts.action_name}"
        if {"stage_name", "action_name"} & self.given:
            return f"{facts.stage_name}/{facts.action_name}"
        return str(facts.action_type)

    def artifact_name(self, bucket: object, key: object) -> str | None:
        """Return which of its artifacts an object is, such as `input artifact 'Source'`."""
        for direction, artifacts in (("input", self.facts.inputs), ("output", self.facts.outputs)):
            for artifact in artifacts:
                if (artifact.bucket, artifact.key) == (bucket, key):
                    return f"{direction} artifact {artifact.name!r}"
        return None

    @property
    def first(self) -> JobRecord:
        """The job that began the action which this one continues; itself, if none came before."""
        job = self
        while job.previous is not None:
            job = job.previous
        return job

    @property
    def continued(self) -> Iterator[JobRecord]:
        """This job and those that continue it."""
        job: JobRecord | None = self
        while job is not None:
            yield job
            job = job.continuation

    @property
    def is_open(self) -> bool:
        """Whether a result may still come."""
        return self.status in OPEN

    @property
    def timeout(self) -> float:
        """Seconds from the job's creation to its time-out."""
        return TIMEOUTS[self.kind] if self.declared_timeout is None else self.declared_timeout

    @property
    def next_nonce(self) -> str:
        """The nonce of the next hand-out: a small decimal string, different each time.

        A continued job goes on counting from its predecessor, so that the nonce which a worker
        still has of the predecessor is not accepted for it.
        """
        if self.nonce is None and self.first_nonce is not None:
            return self.first_nonce
        latest = self.nonce or (self.previous.nonce if self.previous else None)
        if latest is None or not (latest.isascii() and latest.isdigit()):
            latest = str(int(self.facts.pipeline_execution_id[:2], 16))
        following = str(int(latest) + 1)
        # A captured one may be anything of 1 to 50 characters, the greatest number too.
        return following if len(following) <= _LONGEST_NONCE else "1"

    def hand_out(self) -> None:
        """Count one more hand-out and set its nonce."""
        self.nonce = self.next_nonce
        self.hand_outs += 1


class JobRegistry:
    """The jobs of one service; the only place where a job's state is written.

    Attributes:
        jobs: all jobs by id, continued ones too, in order of creation.
        in_order: the same without the ids.
        results: the reported results, in order.
        changes: all changes of state, in order.
        open_jobs: how many jobs have not ended.
        owners: bucket and key of an artifact -> the ids of the jobs that it belongs to; a
            continued job shares its predecessor's artifacts.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, JobRecord] = {}
        self.in_order: list[JobRecord] = []
        self.results: list[Result] = []
        self.changes: list[Change] = []
        self.open_jobs = 0
        self.owners: dict[tuple[str, str], list[str]] = {}

    def add(self, job: JobRecord) -> None:
        """Add a job: a Lambda's is InProgress at once, others wait for a worker.

        Raises:
            ValueError: there is a job of this id.
        """
        self.check_new(job)
        self.jobs[job.id] = job
        self.in_order.append(job)
        self.open_jobs += 1
        for artifact in (*job.facts.inputs, *job.facts.outputs):
            self.owners.setdefault((artifact.bucket, artifact.key), []).append(job.id)
        if job.kind == "lambda":
            job.status = "InProgress"

    def check_new(self, job: JobRecord) -> None:
        """Reject a job whose id is taken.

        Raises:
            ValueError: there is a job of this id.
        """
        if job.id in self.jobs:
            raise ValueError(f"job_id: job {job.id!r} already exists; ids are unique")

    def set_status(self, job: JobRecord, status: Status) -> None:
        """Move a job to its next state."""
        self.changes.append(Change(job.id, job.status, status))
        self.open_jobs -= job.is_open
        job.status = status
        self.open_jobs += job.is_open

    def abandon(self, job: JobRecord) -> None:
        """End an open job of an execution that was stopped with `abandon`; others stay as they are.

        `JobStatus` has no name for it: the job is one that has failed without a result.
        """
        if job.is_open:
            job.abandoned = True
            self.set_status(job, "Failed")

    def end(self, job: JobRecord, result: Result, status: Status) -> None:
        """End a job with its reported result."""
        job.result = result
        self.results.append(result)
        self.set_status(job, status)
