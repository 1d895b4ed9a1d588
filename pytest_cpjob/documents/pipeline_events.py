"""EventBridge's events of a pipeline's execution: of the pipeline, its stages and its actions.

Shapes: CodePipeline user guide, "Monitoring CodePipeline events".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_cpjob.documents import timestamps
from pytest_cpjob.documents.eventbridge import execution_attempt
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.documents.streams import Stream


def state_change(
    level: str,
    state: str,
    *,
    pipeline_arn: str,
    execution_id: str,
    at: int,
    started_at: int,
    retries: int,
    stream: Stream,
    **detail: Any,
) -> dict[str, Any]:
    """Return the event "CodePipeline LEVEL Execution State Change".

    Args:
        level: `Pipeline`, `Stage` or `Action`.
        state: such as `STARTED`.
        at, started_at: milliseconds since 1970.
        retries: how often the execution was retried.
        detail: what else stands in `detail`, `_` for `-` in the names.
    """
    _, _, _, region, account_id, name = pipeline_arn.split(":", 5)
    return {
        "version": "0",
        "id": stream.values.execution_id(),
        "detail-type": f"CodePipeline {level} Execution State Change",
        "source": "aws.codepipeline",
        "account": account_id,
        "time": timestamps.to_seconds(at),
        "region": region,
        "resources": [pipeline_arn],
        "detail": {
            "pipeline": name,
            "execution-id": execution_id,
            "start-time": timestamps.to_milliseconds(started_at),
            **{key.replace("_", "-"): value for key, value in detail.items()},
            "state": state,
            "version": 1.0,
            "pipeline-execution-attempt": execution_attempt(level, retries),
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
