"""EventBridge events, which start workers and pollers that no pipeline invokes.

Shapes: CodePipeline user guide, "Monitoring CodePipeline events", and real events of 2024 to 2026;
EventBridge user guide, "Creating an Amazon EventBridge rule that runs on a schedule".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.documents import timestamps
from pytest_cpjob.documents.facts import ArtifactFacts, JobFacts
from pytest_cpjob.documents.streams import Stream

STATES: Final = ("STARTED", "SUCCEEDED", "FAILED", "CANCELED", "ABANDONED")
"""The states of an action execution, as EventBridge names them."""

STAGE_STATES: Final = (
    "STARTED",
    "SUCCEEDED",
    "RESUMED",
    "FAILED",
    "STOPPING",
    "STOPPED",
    "CANCELED",
)
"""The states of a stage's execution."""

PIPELINE_STATES: Final = (
    "STARTED",
    "SUCCEEDED",
    "RESUMED",
    "FAILED",
    "STOPPING",
    "STOPPED",
    "SUPERSEDED",
    "CANCELED",
)
"""The states of a pipeline's execution."""

LEVELS: Final = ("action", "stage", "pipeline")
"""What a state change may be of."""


class Moment(NamedTuple):
    """When a change happened, and when what changed had started: milliseconds since 1970."""

    at: int
    started: int


class ExecutionResult(NamedTuple):
    """What is known of an action that ended; `None` is left out of the event."""

    external_execution_id: str | None = None
    external_execution_url: str | None = None
    external_execution_summary: str | None = None
    error_code: str | None = None

    def as_dict(self) -> dict[str, str]:
        """Return the event's `execution-result`."""
        members = {name.replace("_", "-"): value for name, value in self._asdict().items()}
        return {name: value for name, value in members.items() if value is not None}


def action_state_change(
    facts: JobFacts,
    state: str,
    stream: Stream,
    moment: Moment,
    result: ExecutionResult | None = None,
) -> dict[str, Any]:
    """Return the event "CodePipeline Action Execution State Change" of a job's action.

    Inputs come with `STARTED`, outputs with `SUCCEEDED`, `execution-result` with the ended states.

    Raises:
        ValueError: EventBridge has no such state.
    """
    _check_state(state, STATES)
    members: dict[str, Any] = {"stage": facts.stage_name}
    if result is not None and result.as_dict():
        members["execution-result"] = result.as_dict()
    if state == "STARTED" and facts.inputs:
        members["input-artifacts"] = [_artifact(each) for each in facts.inputs]
    if state == "SUCCEEDED" and facts.outputs:
        members["output-artifacts"] = [_artifact(each) for each in facts.outputs]
    category, owner, provider, version = facts.action_type
    members |= {
        "action-execution-id": facts.action_execution_id,
        "action": facts.action_name,
        "state": state,
        "region": facts.region,
        "type": {"owner": owner, "provider": provider, "category": category, "version": version},
    }
    return _change("Action", facts, members, stream, moment)


def stage_state_change(
    facts: JobFacts, state: str, stream: Stream, moment: Moment
) -> dict[str, Any]:
    """Return the event "CodePipeline Stage Execution State Change" of a job's stage.

    Raises:
        ValueError: EventBridge knows no such state.
    """
    _check_state(state, STAGE_STATES)
    members = {"stage": facts.stage_name, "state": state}
    return _change("Stage", facts, members, stream, moment)


def pipeline_state_change(
    facts: JobFacts,
    state: str,
    stream: Stream,
    moment: Moment,
    trigger: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the event "CodePipeline Pipeline Execution State Change" of a job's pipeline.

    `trigger` is the `execution-trigger` of a `STARTED`.

    Raises:
        ValueError: EventBridge knows no such state.
    """
    _check_state(state, PIPELINE_STATES)
    members: dict[str, Any] = {"state": state}
    if trigger is not None and state == "STARTED":
        members = {"execution-trigger": dict(trigger), **members}
    return _change("Pipeline", facts, members, stream, moment)


def scheduled_event(stream: Stream, region: str, account_id: str, at: int) -> dict[str, Any]:
    """Return the event that a schedule invokes a function with, at a time in milliseconds."""
    rule = f"arn:{partition_of(region)}:events:{region}:{account_id}:rule/every-minute"
    return {
        **_envelope(stream, region, account_id, at),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "resources": [rule],
        "detail": {},
    }


def execution_attempt(level: str, retries: int) -> float:
    """Return an event's `pipeline-execution-attempt`, for an execution retried so often.

    Actions were captured to count from 1, stages from 0. What pipelines count from, and how each
    goes on after a retry, is our choice.
    """
    return float(retries if level == "Stage" else retries + 1)


def _check_state(state: str, states: tuple[str, ...]) -> None:
    if state not in states:
        raise ValueError(f"state: expected one of {', '.join(states)}, got {state!r}")


def _change(
    level: str,
    facts: JobFacts,
    members: Mapping[str, Any],
    stream: Stream,
    moment: Moment,
) -> dict[str, Any]:
    return {
        **_envelope(stream, facts.region, facts.account_id, moment.at),
        "detail-type": f"CodePipeline {level} Execution State Change",
        "source": "aws.codepipeline",
        "resources": [facts.pipeline_arn],
        "detail": {
            "pipeline": facts.pipeline_name,
            "execution-id": facts.pipeline_execution_id,
            "start-time": timestamps.to_milliseconds(moment.started),
            **members,
            # EventBridge has both as numbers with a decimal point.
            "version": 1.0,
            "pipeline-execution-attempt": execution_attempt(level, facts.execution_retries),
        },
    }


def _envelope(stream: Stream, region: str, account_id: str, at: int) -> dict[str, Any]:
    return {
        "version": "0",
        "id": stream.values.execution_id(),
        "account": account_id,
        "time": timestamps.to_seconds(at),
        "region": region,
    }


def _artifact(artifact: ArtifactFacts) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "s3location": {"bucket": artifact.bucket, "key": artifact.key},
    }
