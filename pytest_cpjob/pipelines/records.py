"""What is known of pipelines and their executions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.documents import timestamps
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.pipelines.variables import Action, actions_of
from pytest_cpjob.service.jobs import JobRecord

ActionStatus = Literal["InProgress", "Abandoned", "Succeeded", "Failed"]
StageStatus = Literal["InProgress", "Failed", "Stopped", "Stopping", "Succeeded"]
ExecutionStatus = Literal["InProgress", "Stopped", "Stopping", "Succeeded", "Superseded", "Failed"]


class Failure(NamedTuple):
    """Why an action failed: `errorDetails`."""

    code: str
    message: str


@dataclass(eq=False)
class ActionRun:
    """One attempt at an action: an action execution.

    Attributes:
        id: its actionExecutionId.
        number: counts the attempts of all actions, in the order in which they started.
        started_at, updated_at: seconds of job clock.
        resolved: the configuration with its variables put in.
        inputs, outputs: its artifacts.
        missing: inputs without an object, each with the action that has uploaded none.
        unresolved: variables without a value, as they are written, each with why.
        revision: of a source, what its artifacts were made from.
        performer: who performs it, as the timeline names it.
        performed_job: the last of its jobs when it was last performed, None before.
        performed_at: when it was last performed.
    """

    action: Action
    id: str
    number: int
    started_at: float
    updated_at: float
    performer: str
    status: ActionStatus = "InProgress"
    job: JobRecord | None = None
    resolved: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[ArtifactFacts, ...] = ()
    outputs: tuple[ArtifactFacts, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    unresolved: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    summary: str | None = None
    external_id: str | None = None
    external_url: str | None = None
    percent: int | None = None
    updated_by: str | None = None
    revision: str | None = None
    revision_summary: str | None = None
    is_performed: bool = False
    performed_job: JobRecord | None = None
    performed_at: float = 0.0

    @property
    def jobs(self) -> list[JobRecord]:
        """Its jobs: the first, and those that continue it."""
        chain: list[JobRecord] = []
        job = self.job
        while job is not None:
            chain.append(job)
            job = job.continuation
        return chain

    @property
    def last_job(self) -> JobRecord | None:
        """The job that its result comes from."""
        chain = self.jobs
        return chain[-1] if chain else None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status == "InProgress"

    @property
    def is_approval(self) -> bool:
        """Whether it waits for somebody to approve; custom approvals have workers instead."""
        return is_manual_approval(self.action)


def needs_summary(action: Action) -> bool:
    """Tell whether an approval is only answered together with a summary."""
    return action.configuration.get("IsSummaryRequired") == "true"


def is_manual_approval(action: Action) -> bool:
    """Tell whether an action is AWS's manual approval."""
    kind = action.action_type
    return (kind.get("owner"), kind.get("category")) == ("AWS", "Approval")


@dataclass(eq=False)
class StageRun:
    """One stage as one execution has entered it.

    Attributes:
        current: by action, the attempt that counts; what is to be done again is not in it.
    """

    name: str
    status: StageStatus = "InProgress"
    current: dict[str, ActionRun] = field(default_factory=dict)

    @property
    def open_runs(self) -> list[ActionRun]:
        """The actions that have not ended."""
        return [run for run in self.current.values() if run.is_open]


@dataclass(eq=False)
class ExecutionRecord:
    """One execution of a pipeline.

    Attributes:
        number: counts the pipeline's executions from 1.
        variables: the pipeline's own, resolved.
        source_revisions: by source action, the revision that whoever started it has asked for.
        stages: those that were entered, in order.
        runs: every attempt of every action, in the order in which they started.
        waits_for: the stage before which it waits.
        events: EventBridge's, in order.
        retries: how often a stage of it was retried.
        objects: bucket and key of each artifact object that is known to be there.
        moves: whether its stages follow one another; not where a test adds single jobs.
    """

    id: str
    number: int
    started_at: float
    updated_at: float
    trigger: Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    source_revisions: dict[str, str] = field(default_factory=dict)
    status: ExecutionStatus = "InProgress"
    status_summary: str | None = None
    stop_reason: str | None = None
    stages: dict[str, StageRun] = field(default_factory=dict)
    runs: list[ActionRun] = field(default_factory=list)
    waits_for: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    retries: int = 0
    moves: bool = True
    objects: set[tuple[str, str]] = field(default_factory=set)

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it goes on by itself."""
        return self.status not in ("InProgress", "Stopping")

    @property
    def stage(self) -> StageRun | None:
        """The stage that it has entered last."""
        return list(self.stages.values())[-1] if self.stages else None

    def open_runs(self) -> list[ActionRun]:
        """Return the actions that have not ended."""
        return [run for run in self.runs if run.is_open]

    def attempts(self, action: Action) -> list[ActionRun]:
        """Return the attempts at an action, oldest first."""
        name = action.full_name
        return [run for run in self.runs if run.action.full_name == name]

    def produced(self) -> dict[tuple[str, str], str]:
        """Return the output variables so far, by namespace and key."""
        return {
            (run.action.namespace, key): value
            for run in self.runs
            if run.action.namespace is not None and run.status == "Succeeded"
            for key, value in run.variables.items()
        }

    def artifacts(self) -> dict[str, tuple[ActionRun, ArtifactFacts]]:
        """Return the latest object of each artifact, and who has made it, by name."""
        return {
            artifact.name: (run, artifact)
            for run in self.runs
            if run.status == "Succeeded"
            for artifact in run.outputs
        }


@dataclass(eq=False)
class PipelineRecord:
    """One pipeline, and its executions, oldest first.

    Attributes:
        clock_start: the date of the job clock's 0, in milliseconds since 1970.
        disabled: by direction and stage, why a transition is disabled.
        disabled_at: by stage, since when.
        started_tokens: by clientRequestToken, the execution that it has started.
        is_deleted: whether DeletePipeline has deleted it.
    """

    declaration: Mapping[str, Any]
    region: str
    account_id: str
    created_at: float
    clock_start: int
    executions: list[ExecutionRecord] = field(default_factory=list)
    disabled: dict[tuple[str, str], str] = field(default_factory=dict)
    disabled_at: dict[str, float] = field(default_factory=dict)
    started_tokens: dict[str, str] = field(default_factory=dict)
    is_deleted: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.declaration["name"])

    def date(self, seconds: float) -> int:
        """Return a time of the job clock in milliseconds since 1970."""
        return timestamps.moment(self.clock_start, seconds)

    @property
    def arn(self) -> str:
        """Its ARN."""
        owner = f"arn:{partition_of(self.region)}:codepipeline:{self.region}:{self.account_id}"
        return f"{owner}:{self.name}"

    @property
    def mode(self) -> str:
        """How executions stand to each other: SUPERSEDED, QUEUED or PARALLEL."""
        return str(self.declaration.get("executionMode", "SUPERSEDED"))

    @property
    def stage_names(self) -> list[str]:
        """The stages in order."""
        return [str(stage["name"]) for stage in self.declaration["stages"]]

    @cached_property
    def actions(self) -> list[Action]:
        """All actions in order."""
        return actions_of(self.declaration)

    def user_arn(self, user: str) -> str:
        """Return the ARN of a person who does something to it."""
        return f"arn:{partition_of(self.region)}:iam::{self.account_id}:user/{user}"

    def declare(self, stage: Mapping[str, Any]) -> None:
        """Add the actions of a stage that are not declared yet, and the stage if it is new."""
        stages = self.declaration["stages"]
        known = next((each for each in stages if each["name"] == stage["name"]), None)
        if known is None:
            stages.append(stage)
        else:
            names = [each["name"] for each in known["actions"]]
            known["actions"] += [each for each in stage["actions"] if each["name"] not in names]
        self.__dict__.pop("actions", None)

    def actions_in(self, stage: str) -> list[Action]:
        """Return the actions of a stage."""
        return [action for action in self.actions if action.stage == stage]

    def stage_after(self, stage: str) -> str | None:
        """Return the next stage, None after the last."""
        names = self.stage_names
        place = names.index(stage) + 1
        return names[place] if place < len(names) else None

    def find(self, execution_id: str) -> ExecutionRecord | None:
        """Return one execution."""
        return next((each for each in self.executions if each.id == execution_id), None)

    def latest_in(self, stage: str) -> ExecutionRecord | None:
        """Return the execution that has entered a stage last."""
        return next((each for each in reversed(self.executions) if stage in each.stages), None)

    def waiting_for(self, stage: str) -> Iterator[ExecutionRecord]:
        """Return the executions that wait before a stage, oldest first."""
        return (each for each in self.executions if each.waits_for == stage)
