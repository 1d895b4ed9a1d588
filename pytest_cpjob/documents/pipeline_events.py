"""EventBridge's events of a pipeline's execution: of the pipeline, its stages and its actions.

Shapes: CodePipeline user guide, "Monitoring CodePipeline events".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.documents.streams import Stream

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""When the job clock is at 0, as in all events."""


def moment(seconds: float) -> datetime:
    """Return the moment of a time of the job clock, to the millisecond as AWS tells it."""
    return BEGINNING + timedelta(milliseconds=round(seconds * 1000))


def state_change(
    level: str,
    state: str,
    *,
    pipeline_arn: str,
    execution_id: str,
    at: float,
    started_at: float,
    attempt: int,
    stream: Stream,
    **detail: Any,
) -> dict[str, Any]:
    """Return the event "CodePipeline LEVEL Execution State Change".

    Args:
        level: `Pipeline`, `Stage` or `Action`.
        state: such as `STARTED`.
        at, started_at: seconds of job clock.
        attempt: how often the execution was retried.
        detail: what else stands in `detail`, `_` for `-` in the names.
    """
    _, _, _, region, account_id, name = pipeline_arn.split(":", 5)
    return {
        "version": "0",
        "id": stream.values.execution_id(),
        "detail-type": f"CodePipeline {level} Execution State Change",
        "source": "aws.codepipeline",
        "account": account_id,
        "time": moment(at).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [pipeline_arn],
        "detail": {
            "pipeline": name,
            "execution-id": execution_id,
            "start-time": _milliseconds(started_at),
            **{key.replace("_", "-"): value for key, value in detail.items()},
            "state": state,
            "version": 1.0,
            "pipeline-execution-attempt": float(attempt),
        },
    }


def artifacts_of(artifacts: Sequence[ArtifactFacts]) -> list[dict[str, Any]]:
    """Return artifacts as events list them."""
    return [
        {"name": each.name, "s3location": {"bucket": each.bucket, "key": each.key}}
        for each in artifacts
    ]


def action_type_of(action_type: Mapping[str, Any]) -> dict[str, str]:
    """Return an action type as events have it."""
    return {
        name: str(action_type.get(name)) for name in ("owner", "provider", "category", "version")
    }


def _milliseconds(seconds: float) -> str:
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
