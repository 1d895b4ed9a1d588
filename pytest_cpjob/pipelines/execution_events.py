"""The EventBridge events of one pipeline's executions, noted as they happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_cpjob.documents.pipeline_events import action_type_of, artifacts_of, state_change
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, PipelineRecord


class EventLog:
    """Notes what happens to executions of a pipeline as EventBridge tells it."""

    def __init__(self, record: PipelineRecord, now: Callable[[], float], stream: Stream) -> None:
        self._record = record
        self._now = now
        self._stream = stream

    def of_pipeline(self, execution: ExecutionRecord, state: str, **detail: Any) -> None:
        """Note what happened to an execution."""
        if state == "STARTED":
            detail["execution_trigger"] = {
                "trigger-type": execution.trigger.get("triggerType", ""),
                "trigger-detail": execution.trigger.get("triggerDetail", ""),
            }
        self._note(execution, "Pipeline", state, execution.started_at, detail)

    def of_stage(self, execution: ExecutionRecord, stage: str, state: str) -> None:
        """Note what happened to a stage."""
        self._note(execution, "Stage", state, execution.started_at, {"stage": stage})

    def of_action(self, execution: ExecutionRecord, run: ActionRun, state: str) -> None:
        """Note what happened to an action."""
        action = run.action
        detail: dict[str, Any] = {
            "stage": action.stage,
            "action": action.name,
            "action_execution_id": run.id,
            "region": str(action.declared.get("region") or self._record.region),
            "type": action_type_of(action.action_type),
        }
        if run.inputs:
            detail["input_artifacts"] = artifacts_of(run.inputs)
        if state == "SUCCEEDED" and run.outputs:
            detail["output_artifacts"] = artifacts_of(run.outputs)
        result = _result(run) if state in ("SUCCEEDED", "FAILED") else {}
        if result:
            detail["execution_result"] = result
        self._note(execution, "Action", state, run.started_at, detail)

    def _note(
        self,
        execution: ExecutionRecord,
        level: str,
        state: str,
        started_at: float,
        detail: dict[str, Any],
    ) -> None:
        execution.events.append(
            state_change(
                level,
                state,
                pipeline_arn=self._record.arn,
                execution_id=execution.id,
                at=self._record.date(self._now()),
                started_at=self._record.date(started_at),
                retries=execution.retries,
                stream=self._stream.at("event", execution.number, len(execution.events)),
                **detail,
            )
        )


def _result(run: ActionRun) -> dict[str, str]:
    summary = run.summary if run.failure is None else run.failure.message
    members = {
        "external-execution-url": run.external_url,
        "external-execution-summary": summary,
        "external-execution-id": run.external_id,
        "error-code": None if run.failure is None else run.failure.code,
    }
    return {name: value for name, value in members.items() if value}
