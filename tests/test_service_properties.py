"""Random workers against the job service: whatever they do, in whatever order, its rules hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from pytest_cpjob.aws.codepipeline_model import operation_errors
from pytest_cpjob.documents.job_arguments import job_facts
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.service.call_log import Caller
from pytest_cpjob.service.errors import ServiceError
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord, Kind
from pytest_cpjob.service.results import JobSuccess

ACCOUNT = "123456789012"
WORKER = Caller(client=1, thread=1)
TIMEOUTS: dict[Kind, int] = {"custom": 24 * 3600, "third-party": 12 * 3600, "lambda": 20 * 60}
REDELIVERY = 300
EDGES = {
    ("Queued", "Dispatched"),
    ("Queued", "TimedOut"),
    ("Dispatched", "InProgress"),
    ("Dispatched", "Queued"),
    ("Dispatched", "TimedOut"),
    ("InProgress", "Succeeded"),
    ("InProgress", "Failed"),
    ("InProgress", "TimedOut"),
}
POLLED_TYPES: dict[Kind, dict[str, str]] = {
    "custom": {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"},
    "third-party": {"category": "Test", "owner": "ThirdParty", "provider": "Acme", "version": "1"},
}
PROJECTS = ("web", "api")

indexes = st.integers(min_value=0, max_value=2**16)
sizes = st.none() | st.integers(min_value=1, max_value=4)
tokens = st.none() | st.text("abc", min_size=1, max_size=3)


class Workers(RuleBasedStateMachine):
    """Workers who do what they like with the ids and nonces that they have come across.

    The machine keeps its own account of every job's state, by the edges above alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.service = JobService(account_id=ACCOUNT)
        self.states: dict[str, str] = {}
        self.added_at: dict[str, float] = {}
        self.handed_out_at: dict[str, float] = {}
        self.nonces: dict[str, list[str]] = {}
        self.acknowledged: set[str] = set()
        self.reported: dict[str, object] = {}
        self.changes_seen = 0

    @property
    def jobs(self) -> Mapping[str, JobRecord]:
        return self.service.registry.jobs

    def pick(self, index: int) -> JobRecord:
        return list(self.jobs.values())[index % len(self.jobs)]

    def note_new(self, job: JobRecord) -> None:
        assert job.id not in self.states
        self.states[job.id] = "InProgress" if job.kind == "lambda" else "Queued"
        self.added_at[job.id] = self.service.clock.now
        self.nonces[job.id] = []

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | str:
        """Call, and give the answer or the error's code; an error has changed nothing."""
        answer, changes = self.service.call(operation, request, WORKER)
        if isinstance(answer, ServiceError):
            assert answer.code in operation_errors(operation)
            assert changes == ()
            return answer.code
        return answer

    def about(self, job: JobRecord, operation: str, **members: Any) -> dict[str, Any] | str:
        if job.kind == "third-party":
            # PutJobSuccessResult -> PutThirdPartyJobSuccessResult
            before, _, after = operation.partition("Job")
            operation = f"{before}ThirdPartyJob{after}"
            members["clientToken"] = job.client_token
        return self.call(operation, {"jobId": job.id, **members})

    def note_hand_out(self, job_id: str, nonce: str) -> None:
        assert self.states[job_id] == "Queued"
        assert nonce not in self.nonces[job_id]
        self.nonces[job_id].append(nonce)
        self.handed_out_at[job_id] = self.service.clock.now

    # -- what comes in ---------------------------------------------------------------------------

    @initialize()
    def every_type_is_known(self) -> None:
        for kind in ("custom", "third-party", "lambda"):
            self.add(kind, "web")

    @rule(kind=st.sampled_from(list(TIMEOUTS)), project=st.sampled_from(PROJECTS))
    def add(self, kind: Kind, project: str) -> None:
        facts = job_facts(
            Stream("properties", "job", len(self.jobs)),
            region="us-east-1",
            account_id=ACCOUNT,
            kind=kind,
            action_type=POLLED_TYPES.get(kind),
            configuration={"Project": project},
        )
        job = JobRecord(facts, kind, Stream("properties", facts.id), self.service.clock.now)
        if kind == "third-party":
            job.client_id, job.client_token = facts.pipeline_execution_id, f"token {facts.id}"
        self.service.add(job)
        self.note_new(job)

    # -- what workers do -------------------------------------------------------------------------

    @rule(size=sizes, project=st.none() | st.sampled_from(PROJECTS))
    def poll(self, size: int | None, project: str | None) -> None:
        answer = self.call(
            "PollForJobs",
            {
                "actionTypeId": POLLED_TYPES["custom"],
                **({"maxBatchSize": size} if size else {}),
                **({"queryParam": {"Project": project}} if project else {}),
            },
        )
        assert isinstance(answer, dict)
        found = [(job["id"], job["nonce"]) for job in answer["jobs"]]
        fit = [
            job.id
            for job in self.jobs.values()
            if job.kind == "custom"
            and self.states[job.id] == "Queued"
            and project in (None, job.facts.configuration["Project"])
        ]
        assert len(found) == min(size or 1, len(fit))
        assert {job_id for job_id, _ in found} <= set(fit)
        for job_id, nonce in found:
            self.note_hand_out(job_id, nonce)
        self.follow({job_id: "Dispatched" for job_id, _ in found})

    @rule()
    def poll_all_that_nobody_acknowledged(self) -> None:
        """Nothing is ever lost: after the time to acknowledge, each is there to be had once."""
        self.advance(REDELIVERY)
        waiting = [
            job.id
            for job in self.jobs.values()
            if self.states[job.id] == "Queued" and job.kind == "custom"
        ]
        answer = self.call(
            "PollForJobs", {"actionTypeId": POLLED_TYPES["custom"], "maxBatchSize": 1_000}
        )
        assert isinstance(answer, dict)
        assert sorted(job["id"] for job in answer["jobs"]) == sorted(waiting)
        for job in answer["jobs"]:
            self.note_hand_out(job["id"], job["nonce"])
        self.follow(dict.fromkeys(waiting, "Dispatched"))

    @rule(size=sizes)
    def poll_as_a_partner(self, size: int | None) -> None:
        request: dict[str, Any] = {"actionTypeId": POLLED_TYPES["third-party"]}
        answer = self.call(
            "PollForThirdPartyJobs", {**request, **({"maxBatchSize": size} if size else {})}
        )
        assert isinstance(answer, dict)
        found = [job["jobId"] for job in answer["jobs"]]
        fit = [
            job.id
            for job in self.jobs.values()
            if job.kind == "third-party" and self.states[job.id] == "Queued"
        ]
        assert len(found) == min(size or 1, len(fit))
        for job in answer["jobs"]:
            assert self.jobs[job["jobId"]].client_id == job["clientId"]
            self.note_hand_out(job["jobId"], str(self.jobs[job["jobId"]].nonce))
        self.follow(dict.fromkeys(found, "Dispatched"))

    @rule(index=indexes)
    def ask_for_details(self, index: int) -> None:
        job = self.pick(index)
        answer = self.about(job, "GetJobDetails")

        if job.kind != "third-party":
            assert isinstance(answer, dict)
            assert answer["jobDetails"]["id"] == job.id
            self.follow({})
        elif self.states[job.id] in ("Succeeded", "Failed", "TimedOut"):
            assert answer == "InvalidJobException"
            self.follow({})
        else:
            assert isinstance(answer, dict)
            nonce = answer["jobDetails"]["nonce"]
            if self.states[job.id] == "Queued":
                self.note_hand_out(job.id, nonce)
                self.follow({job.id: "Dispatched"})
            assert nonce == self.nonces[job.id][-1]

    @rule(index=indexes, which=st.integers(min_value=-3, max_value=-1))
    def acknowledge(self, index: int, which: int) -> None:
        """Acknowledge with the latest nonce of a job, or with an older one, or with none of its."""
        job = self.pick(index)
        known = ["0", "0", "0", *self.nonces[job.id]]
        right = self.states[job.id] == "Dispatched" and known[which] == self.nonces[job.id][-1]

        answer = self.about(job, "AcknowledgeJob", nonce=known[which])

        assert answer == ({"status": "InProgress"} if right else "InvalidNonceException")
        if right:
            assert job.id not in self.acknowledged
            self.acknowledged.add(job.id)
        self.follow({job.id: "InProgress"} if right else {})

    @rule(index=indexes, token=tokens)
    def succeed(self, index: int, token: str | None) -> None:
        job = self.pick(index)
        members = {} if token is None else {"continuationToken": token}
        jobs_before = list(self.jobs)
        right = self.states[job.id] == "InProgress"
        again = self.reported.get(job.id) == JobSuccess(continuation_token=token)

        answer = self.about(job, "PutJobSuccessResult", **members)

        assert answer == ({} if right or again else "InvalidJobStateException")
        new = [job_id for job_id in self.jobs if job_id not in jobs_before]
        assert len(new) == (1 if right and token else 0)
        for job_id in new:
            assert self.jobs[job_id].facts.continuation_token == token
            assert job.continuation is self.jobs[job_id]
            self.note_new(self.jobs[job_id])
        if right:
            self.reported[job.id] = job.result
        self.follow({job.id: "Succeeded"} if right else {})

    @rule(index=indexes)
    def fail(self, index: int) -> None:
        job = self.pick(index)
        right = self.states[job.id] == "InProgress"
        again = self.states[job.id] == "Failed"

        answer = self.about(
            job, "PutJobFailureResult", failureDetails={"type": "JobFailed", "message": "no"}
        )

        assert answer == ({} if right or again else "InvalidJobStateException")
        if right:
            self.reported[job.id] = job.result
        self.follow({job.id: "Failed"} if right else {})

    @rule(seconds=st.sampled_from([1, 150, 299, 300, 1200, 12 * 3600, 24 * 3600]))
    def wait(self, seconds: int) -> None:
        self.advance(seconds)

    def advance(self, seconds: int) -> None:
        self.service.clock.advance(seconds)
        now = self.service.clock.now
        due = {}
        for job_id, state in self.states.items():
            timeout = TIMEOUTS[self.jobs[job_id].kind]
            if state in ("Queued", "Dispatched", "InProgress"):
                if self.added_at[job_id] + timeout <= now:
                    due[job_id] = "TimedOut"
                elif state == "Dispatched" and self.handed_out_at[job_id] + REDELIVERY <= now:
                    due[job_id] = "Queued"
        self.follow(due)

    # -- what always holds -----------------------------------------------------------------------

    def follow(self, expected: dict[str, str]) -> None:
        """Take the service's changes since the last step: those expected, along allowed edges."""
        changes = self.service.registry.changes[self.changes_seen :]
        self.changes_seen += len(changes)
        for change in changes:
            assert (change.before, change.after) in EDGES
            assert change.before == self.states[change.job_id]
            self.states[change.job_id] = change.after
        assert {change.job_id: change.after for change in changes} == expected

    @invariant()
    def the_jobs_are_in_the_states_that_led_there(self) -> None:
        assert {job.id: job.status for job in self.jobs.values()} == self.states

    @invariant()
    def a_job_has_one_result_and_keeps_it(self) -> None:
        assert {job.id: job.result for job in self.jobs.values() if job.result} == self.reported
        assert self.service.registry.results == list(self.reported.values())
        for job_id, state in self.states.items():
            assert (job_id in self.reported) == (state in ("Succeeded", "Failed"))

    @invariant()
    def only_what_was_acknowledged_is_worked_on(self) -> None:
        for job in self.jobs.values():
            assert job.acknowledged == (job.id in self.acknowledged)
            if self.states[job.id] in ("InProgress", "Succeeded", "Failed"):
                assert job.kind == "lambda" or job.acknowledged


Workers.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestWorkers = Workers.TestCase
