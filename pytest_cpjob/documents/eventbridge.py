"""EventBridge events, which start workers and pollers that no pipeline invokes.

Shapes: CodePipeline user guide, "Monitoring CodePipeline events", action-level events; EventBridge
user guide, "Creating an Amazon EventBridge rule that runs on a schedule".
"""

from __future__ import annotations

from typing import Any, Final

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.documents.facts import ArtifactFacts, JobFacts
from pytest_cpjob.documents.streams import Stream

STATES: Final = ("STARTED", "SUCCEEDED", "FAILED", "CANCELED", "ABANDONED")
"""The states of an action execution, as EventBridge names them."""

TIME: Final = "2026-01-01T00:00:00Z"
"""The time of all events: the job clock has no date, and tests need the same one each time."""


def action_state_change(facts: JobFacts, state: str, stream: Stream) -> dict[str, Any]:
    """Return the event "CodePipeline Action Execution State Change" of a job's action.

    Raises:
        ValueError: EventBridge has no such state.
    """
    if state not in STATES:
        raise ValueError(f"state: expected one of {', '.join(STATES)}, got {state!r}")
    category, owner, provider, version = facts.action_type
    artifacts: dict[str, list[dict[str, Any]]] = {}
    if state == "STARTED" and facts.inputs:
        artifacts["input-artifacts"] = [_artifact(each) for each in facts.inputs]
    if state == "SUCCEEDED" and facts.outputs:
        artifacts["output-artifacts"] = [_artifact(each) for each in facts.outputs]
    return {
        **_envelope(stream, facts.region, facts.account_id),
        "detail-type": "CodePipeline Action Execution State Change",
        "source": "aws.codepipeline",
        "resources": [facts.pipeline_arn],
        "detail": {
            "pipeline": facts.pipeline_name,
            "execution-id": facts.pipeline_execution_id,
            "stage": facts.stage_name,
            **artifacts,
            "action": facts.action_name,
            "state": state,
            "region": facts.region,
            "type": {
                "owner": owner,
                "provider": provider,
                "category": category,
                "version": version,
            },
            "version": 1,
        },
    }


def scheduled_event(stream: Stream, region: str, account_id: str) -> dict[str, Any]:
    """Return the event with which an EventBridge schedule invokes a function."""
    rule = f"arn:{partition_of(region)}:events:{region}:{account_id}:rule/every-minute"
    return {
        **_envelope(stream, region, account_id),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "resources": [rule],
        "detail": {},
    }


def _envelope(stream: Stream, region: str, account_id: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": stream.values.execution_id(),
        "account": account_id,
        "time": TIME,
        "region": region,
    }


def _artifact(artifact: ArtifactFacts) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "s3location": {"bucket": artifact.bucket, "key": artifact.key},
    }
