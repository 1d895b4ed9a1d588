"""Pipelines and executions as the read operations show them; what AWS leaves out is left out.

Sources: raw answers of AWS of September 2026, see `docs/behaviour.md`; the model's shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from pytest_cpjob.documents.facts import ActionType, ArtifactFacts
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, PipelineRecord
from pytest_cpjob.pipelines.variables import Action
from pytest_cpjob.service.action_types import ActionTypes

View = dict[str, Any]

SECRET: Final = "****"
"""What AWS shows instead of a secret property's value."""

VERSION: Final = 1
"""The version of every pipeline: none is updated."""


def local(record: PipelineRecord, seconds: float) -> datetime:
    """Return a time of the job clock as boto3 returns times."""
    from botocore.utils import parse_timestamp

    found: datetime = parse_timestamp(record.date(seconds) / 1000)
    return found


def present(**members: Any) -> View:
    """Return the members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


class StateViews:
    """Shows pipelines; secret properties of action types are masked as AWS does.

    Args:
        types: tell which configuration properties are secret.
    """

    def __init__(self, types: ActionTypes) -> None:
        self._types = types

    # -- GetPipeline, ListPipelines --------------------------------------------------------------

    def pipeline(self, record: PipelineRecord) -> View:
        """GetPipeline."""
        created = local(record, record.created_at)
        return {
            "pipeline": self._declaration(record),
            "metadata": {"pipelineArn": record.arn, "created": created, "updated": created},
        }

    def _declaration(self, record: PipelineRecord) -> View:
        stages = [
            {**stage, "actions": [self._declared(action) for action in record.actions_in(name)]}
            for name, stage in zip(record.stage_names, record.declaration["stages"], strict=True)
        ]
        return {
            **record.declaration,
            "stages": stages,
            "version": VERSION,
            "pipelineType": record.declaration.get("pipelineType", "V1"),
            "executionMode": record.mode,
        }

    def _declared(self, action: Action) -> View:
        declared = dict(action.declared)
        configuration = self._masked(action, action.configuration)
        return {
            **declared,
            "runOrder": action.run_order,
            "inputArtifacts": list(declared.get("inputArtifacts") or []),
            "outputArtifacts": list(declared.get("outputArtifacts") or []),
            **({"configuration": configuration} if configuration else {}),
        }

    def summary_of_pipeline(self, record: PipelineRecord) -> View:
        """One element of ListPipelines."""
        created = local(record, record.created_at)
        return {
            "name": record.name,
            "version": VERSION,
            "pipelineType": record.declaration.get("pipelineType", "V1"),
            "executionMode": record.mode,
            "created": created,
            "updated": created,
        }

    def _masked(self, action: Action, configuration: Mapping[str, str]) -> dict[str, str]:
        kind = action.action_type
        named = ActionType(*(str(kind.get(field)) for field in ActionType._fields))
        secrets = self._types.secrets(named)
        return {key: SECRET if key in secrets else text for key, text in configuration.items()}

    # -- GetPipelineState ------------------------------------------------------------------------

    def state(self, record: PipelineRecord) -> View:
        """GetPipelineState."""
        created = local(record, record.created_at)
        return {
            "pipelineName": record.name,
            "pipelineVersion": VERSION,
            "stageStates": [self._stage(record, name) for name in record.stage_names],
            "created": created,
            "updated": created,
        }

    def _stage(self, record: PipelineRecord, name: str) -> View:
        latest = None if record.mode == "PARALLEL" else record.latest_in(name)
        waiting = [
            {"pipelineExecutionId": each.id, "status": "InProgress"}
            for each in record.waiting_for(name)
            if record.mode != "PARALLEL" and not each.has_ended
        ]
        return present(
            stageName=name,
            inboundExecution=waiting[-1] if waiting else None,
            inboundExecutions=waiting,
            inboundTransitionState=_transition(record, name),
            actionStates=[self._action(record, each) for each in record.actions_in(name)],
            latestExecution=None
            if latest is None
            else {"pipelineExecutionId": latest.id, "status": latest.stages[name].status},
        )

    def _action(self, record: PipelineRecord, action: Action) -> View:
        runs = [run for each in record.executions for run in each.attempts(action)]
        run = None if not runs or record.mode == "PARALLEL" else runs[-1]
        revision = None if run is None or run.revision is None else {"revisionId": run.revision}
        return present(
            actionName=action.name,
            currentRevision=revision,
            entityUrl=entity_url(record, action, self._types),
            latestExecution=None if run is None else _latest(record, run),
        )

    # -- GetPipelineExecution, ListPipelineExecutions --------------------------------------------

    def execution(self, record: PipelineRecord, execution: ExecutionRecord) -> View:
        """GetPipelineExecution."""
        variables = [
            {"name": name, "resolvedValue": value} for name, value in execution.variables.items()
        ]
        return {
            "pipelineExecution": present(
                pipelineName=record.name,
                pipelineVersion=VERSION,
                pipelineExecutionId=execution.id,
                status=execution.status,
                statusSummary=execution.status_summary,
                artifactRevisions=[
                    present(
                        name=artifact.name,
                        revisionId=run.revision,
                        revisionSummary=run.revision_summary,
                        revisionUrl=_commit_url(run),
                    )
                    for run in _sources(execution)
                    for artifact in run.outputs
                ],
                variables=variables or None,
                trigger=dict(execution.trigger),
                executionMode=record.mode,
            )
        }

    def summary_of_execution(self, record: PipelineRecord, execution: ExecutionRecord) -> View:
        """One element of ListPipelineExecutions."""
        reason = execution.stop_reason
        return present(
            pipelineExecutionId=execution.id,
            status=execution.status,
            statusSummary=execution.status_summary,
            startTime=local(record, execution.started_at),
            lastUpdateTime=local(record, execution.updated_at),
            sourceRevisions=[
                present(
                    actionName=run.action.name,
                    revisionId=run.revision,
                    revisionSummary=run.revision_summary,
                    revisionUrl=_commit_url(run),
                )
                for run in _sources(execution)
            ],
            trigger=dict(execution.trigger),
            stopTrigger=None if reason is None else {"reason": reason},
            executionMode=record.mode,
        )

    # -- ListActionExecutions --------------------------------------------------------------------

    def action_execution(
        self, record: PipelineRecord, execution: ExecutionRecord, run: ActionRun
    ) -> View:
        """One element of ListActionExecutions."""
        action = run.action
        role = action.declared.get("roleArn")
        return present(
            pipelineExecutionId=execution.id,
            actionExecutionId=run.id,
            pipelineVersion=VERSION,
            stageName=action.stage,
            actionName=action.name,
            startTime=local(record, run.started_at),
            lastUpdateTime=local(record, run.updated_at),
            updatedBy=run.updated_by,
            status=run.status,
            input=present(
                actionTypeId=dict(action.action_type),
                configuration=self._masked(action, action.configuration),
                resolvedConfiguration=self._masked(action, run.resolved),
                roleArn=role,
                region=str(action.declared.get("region") or record.region),
                inputArtifacts=_artifacts(run.inputs),
                namespace=action.namespace,
            ),
            output=_output(record, run),
        )


def _output(record: PipelineRecord, run: ActionRun) -> View:
    has_succeeded = run.status == "Succeeded"
    return present(
        outputArtifacts=_artifacts(run.outputs if has_succeeded else ()),
        executionResult=_result(record, run),
        outputVariables=dict(run.variables) if has_succeeded else {},
    )


def _result(record: PipelineRecord, run: ActionRun) -> View | None:
    if run.is_open:
        # Where no state is shown, the token of an approval is here.
        is_shown = run.is_approval and record.mode == "PARALLEL"
        return {"externalExecutionId": run.id} if is_shown else None
    failure = run.failure
    summary = failure.message if failure is not None else run.summary
    result = present(
        externalExecutionId=run.external_id,
        externalExecutionSummary=None if run.is_approval else summary,
        externalExecutionUrl=run.external_url,
        errorDetails=None if failure is None else {"code": failure.code},
    )
    return result or None


def _latest(record: PipelineRecord, run: ActionRun) -> View:
    failure = run.failure
    token = run.id if run.is_approval and run.is_open else None
    return present(
        actionExecutionId=run.id,
        status=run.status,
        summary=run.summary if failure is None and not run.is_open else None,
        lastStatusChange=None if token else local(record, run.updated_at),
        token=token,
        lastUpdatedBy=run.updated_by,
        externalExecutionId=None if run.is_approval else run.external_id,
        externalExecutionUrl=run.external_url,
        percentComplete=run.percent,
        errorDetails=None if failure is None else failure._asdict(),
    )


def _transition(record: PipelineRecord, stage: str) -> View:
    reason = record.disabled.get(("Inbound", stage))
    if reason is None:
        return {"enabled": True}
    return {
        "enabled": False,
        "lastChangedBy": record.user_arn("tester"),
        "lastChangedAt": local(record, record.disabled_at.get(stage, 0.0)),
        "disabledReason": reason,
    }


def entity_url(record: PipelineRecord, action: Action, types: ActionTypes) -> str | None:
    """Return the page that the console links an action to, as far as it is known."""
    kind, configuration = action.action_type, action.configuration
    region = str(action.declared.get("region") or record.region)
    owner, provider = kind.get("owner"), kind.get("provider")
    if owner == "AWS" and provider == "Lambda":
        name = configuration.get("FunctionName")
        return f"https://console.aws.amazon.com/lambda/home?region={region}#/functions/{name}"
    if owner == "AWS" and provider == "S3" and kind.get("category") == "Source":
        return f"https://console.aws.amazon.com/s3/home?region={region}#"
    if kind.get("category") == "Approval":
        return configuration.get("ExternalEntityLink")
    template = types.entity_url_template(
        ActionType(*(str(kind.get(field)) for field in ActionType._fields))
    )
    return None if template is None else _filled(template, configuration)


def _filled(template: str, configuration: Mapping[str, str]) -> str:
    for key, value in configuration.items():
        template = template.replace(f"{{Config:{key}}}", value)
    return template


def _sources(execution: ExecutionRecord) -> Iterable[ActionRun]:
    return (run for run in execution.runs if run.revision is not None and run.status == "Succeeded")


def _commit_url(run: ActionRun) -> str | None:
    return run.variables.get("CommitUrl")


def _artifacts(artifacts: Iterable[ArtifactFacts]) -> list[View]:
    return [
        {"name": each.name, "s3location": {"bucket": each.bucket, "key": each.key}}
        for each in artifacts
    ]
