"""The operations on pipelines and executions: a valid request in, a response or an error out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from pytest_cpjob.harness import Harness
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, PipelineRecord, needs_summary
from pytest_cpjob.pipelines.registry import PipelineRegistry
from pytest_cpjob.pipelines.state_views import VERSION, StateViews, local
from pytest_cpjob.service.errors import ServiceError, invalid

Request = Mapping[str, Any]
Response = dict[str, Any]
Item = TypeVar("Item")

_PAGE: Final = 100
_NAME_MEMBERS: Final = ("pipelineName", "name")


class Pipelines(NamedTuple):
    """The pipelines of one stub, and the operations on them."""

    registry: PipelineRegistry
    operations: PipelineOperations


def pipelines_of(harness: Harness) -> Pipelines:
    """Return a stub's pipelines: none so far."""
    registry = PipelineRegistry(harness)
    return Pipelines(registry, PipelineOperations(harness, registry))


class PipelineOperations:
    """The operations over the pipelines of one stub."""

    def __init__(self, harness: Harness, registry: PipelineRegistry) -> None:
        self._service = harness.service
        self._account_id = harness.settings.account_id
        self._registry = registry
        self._views = StateViews(harness.service.types)

    def answers(self, operation: str, request: Request) -> bool:
        """Whether a call is answered here: moto's own pipelines stay moto's."""
        names = {*self._registry.names(), *self._registry.deleted}
        if operation == "ListPipelines" or not names:
            return bool(names)
        name = next((request[each] for each in _NAME_MEMBERS if each in request), None)
        if operation == "DeletePipeline":
            # To delete an unknown one is no error: an answer would hide a misspelt name.
            return name in names
        return name in names or not self._registry.is_motos(str(name))

    def go_on(self) -> None:
        """Perform what is due in every pipeline."""
        self._registry.drive()

    def call(self, operation: str, request: Request) -> Response:
        """Answer a valid request.

        Raises:
            ServiceError: the operation refuses it.
        """
        if operation == "ListPipelines":
            return self.list_pipelines(request)
        handlers: Mapping[str, Callable[[PipelineRecord, Request], Response]] = {
            "GetPipeline": self.get_pipeline,
            "GetPipelineState": lambda record, _: self._views.state(record),
            "GetPipelineExecution": self.get_execution,
            "ListPipelineExecutions": self.list_executions,
            "ListActionExecutions": self.list_action_executions,
            "StartPipelineExecution": self.start,
            "StopPipelineExecution": self.stop,
            "RetryStageExecution": self.retry,
            "PutApprovalResult": self.put_approval_result,
            "EnableStageTransition": self.enable_transition,
            "DisableStageTransition": self.disable_transition,
            "DeletePipeline": self.delete,
        }
        name = str(next(request[each] for each in _NAME_MEMBERS if each in request))
        record = self._registry.find(name)
        if record is None:
            if operation == "DeletePipeline":
                return {}  # deleted before: the model has no error for that
            raise self._not_found(operation, name)
        return handlers[operation](record, request)

    def _not_found(self, operation: str, name: str) -> ServiceError:
        text = f"Account '{self._account_id}' does not have a pipeline with name '{name}'"
        if operation == "ListActionExecutions":
            text = (
                f"The account with AWS account ID '{self._account_id}' does not include a pipeline"
                f" named '{name}'"
            )
        return ServiceError("PipelineNotFoundException", text)

    # -- reading ---------------------------------------------------------------------------------

    def get_pipeline(self, record: PipelineRecord, request: Request) -> Response:
        """GetPipeline."""
        version = request.get("version", VERSION)
        if version != VERSION:
            raise ServiceError(
                "PipelineVersionNotFoundException",
                f"The pipeline {record.name} has no version {version}",
            )
        return self._views.pipeline(record)

    def list_pipelines(self, request: Request) -> Response:
        """ListPipelines."""
        found = [self._registry.find(name) for name in self._registry.names()]
        records = [record for record in found if record is not None]
        page, rest = _page(records, request, lambda record: record.name)
        return {"pipelines": [self._views.summary_of_pipeline(each) for each in page], **rest}

    def get_execution(self, record: PipelineRecord, request: Request) -> Response:
        """GetPipelineExecution."""
        return self._views.execution(record, _execution(record, request["pipelineExecutionId"]))

    def list_executions(self, record: PipelineRecord, request: Request) -> Response:
        """ListPipelineExecutions: newest first."""
        stage = request.get("filter", {}).get("succeededInStage", {}).get("stageName")
        executions = [
            each
            for each in reversed(record.executions)
            if stage is None or (stage in each.stages and each.stages[stage].status == "Succeeded")
        ]
        page, rest = _page(executions, request, lambda execution: execution.id)
        summaries = [self._views.summary_of_execution(record, each) for each in page]
        return {"pipelineExecutionSummaries": summaries, **rest}

    def list_action_executions(self, record: PipelineRecord, request: Request) -> Response:
        """ListActionExecutions: the latest start first, every attempt."""
        wanted = request.get("filter", {})
        latest = wanted.get("latestInPipelineExecution")
        execution_id = (latest or wanted).get("pipelineExecutionId")
        executions = list(record.executions)
        if execution_id is not None:
            executions = [_execution(record, execution_id)]
        runs = [(each, run) for each in executions for run in each.runs]
        if latest is not None and latest["startTimeRange"] == "Latest":
            runs = [(each, run) for each, run in runs if each.attempts(run.action)[-1] is run]
        runs.sort(key=lambda pair: (pair[1].started_at, pair[0].number, pair[1].number))
        runs.reverse()
        page, rest = _page(runs, request, lambda pair: pair[1].id)
        shown = [self._views.action_execution(record, each, run) for each, run in page]
        return {"actionExecutionDetails": shown, **rest}

    # -- acting ----------------------------------------------------------------------------------

    def start(self, record: PipelineRecord, request: Request) -> Response:
        """StartPipelineExecution: performed by those of the latest `run` or `start`."""
        token = request.get("clientRequestToken")
        if token is not None and token in record.started_tokens:
            return {"pipelineExecutionId": record.started_tokens[token]}
        variables: dict[str, str] = {}
        for each in request.get("variables", ()):
            if each["name"] in variables:
                raise invalid(
                    "Variable names must be unique. The following variable name is already in use:"
                    f" {each['name']}"
                )
            variables[each["name"]] = each["value"]
        execution = self._begin(record, variables)
        # Of another key of a bucket no version is known.
        execution.source_revisions = {
            each["actionName"]: each["revisionValue"]
            for each in request.get("sourceRevisions", ())
            if each["revisionType"] != "S3_OBJECT_KEY"
        }
        if token is not None:
            record.started_tokens[token] = execution.id
        return {"pipelineExecutionId": execution.id}

    def _begin(self, record: PipelineRecord, variables: Mapping[str, str]) -> ExecutionRecord:
        runs = self._registry.runs_of(record.name)
        if runs is not None:
            return runs.begin(None, variables, to_the_end=False)
        progress = self._registry.progress_of(record)
        trigger = {
            "triggerType": "StartPipelineExecution",
            "triggerDetail": record.user_arn("tester"),
        }
        execution = progress.begin(trigger, variables)
        execution.moves = False
        return execution

    def stop(self, record: PipelineRecord, request: Request) -> Response:
        """StopPipelineExecution."""
        execution = record.find(request["pipelineExecutionId"])
        if execution is None:
            raise ServiceError(
                "PipelineExecutionNotStoppableException",
                f"The pipeline {record.name} has no execution {request['pipelineExecutionId']}",
            )
        self._registry.progress_of(record).stop(
            execution, abandon=bool(request.get("abandon")), reason=request.get("reason")
        )
        return {"pipelineExecutionId": execution.id}

    def retry(self, record: PipelineRecord, request: Request) -> Response:
        """RetryStageExecution."""
        _check_stage(record, request)
        execution = record.find(request["pipelineExecutionId"])
        if execution is None:
            raise ServiceError(
                "StageNotRetryableException",
                f"The pipeline {record.name} has no execution {request['pipelineExecutionId']}",
            )
        progress = self._registry.progress_of(record)
        progress.retry(execution, request["stageName"], request["retryMode"])
        return {"pipelineExecutionId": execution.id}

    def put_approval_result(self, record: PipelineRecord, request: Request) -> Response:
        """PutApprovalResult."""
        _check_stage(record, request)
        stage, name = request["stageName"], request["actionName"]
        action = next((each for each in record.actions_in(stage) if each.name == name), None)
        if action is None:
            raise ServiceError("ActionNotFoundException", f"Stage {stage} has no action {name}")
        execution, run = _approval(record, request["token"], action.full_name)
        result = request["result"]
        if needs_summary(action) and not result["summary"]:
            raise ServiceError(
                "InvalidApprovalTokenException",
                f"Action '{name}' in stage '{stage}' requires a summary. Provide a summary in the"
                " approval result and try again.",
            )
        runs = self._registry.runs_of(record.name)
        assert runs is not None  # single jobs have no approvals
        runs.approve(execution, run, result["status"], result["summary"])
        return {"approvedAt": local(record, self._service.clock.now)}

    def enable_transition(self, record: PipelineRecord, request: Request) -> Response:
        """EnableStageTransition."""
        _check_stage(record, request)
        record.disabled.pop((request["transitionType"], request["stageName"]), None)
        return {}

    def disable_transition(self, record: PipelineRecord, request: Request) -> Response:
        """DisableStageTransition: executions wait before the stage, or behind it."""
        _check_stage(record, request)
        stage = request["stageName"]
        record.disabled[request["transitionType"], stage] = request["reason"]
        record.disabled_at[stage] = self._service.clock.now
        return {}

    def delete(self, record: PipelineRecord, request: Request) -> Response:
        """DeletePipeline: what runs is abandoned."""
        progress = self._registry.progress_of(record)
        for execution in record.executions:
            if not execution.has_ended:
                progress.stop(execution, abandon=True, reason=None)
        self._registry.delete(record)
        return {}


def _execution(record: PipelineRecord, execution_id: str) -> ExecutionRecord:
    found = record.find(execution_id)
    if found is None:
        raise ServiceError(
            "PipelineExecutionNotFoundException",
            f"The pipeline {record.name} has no execution {execution_id}",
        )
    return found


def _check_stage(record: PipelineRecord, request: Request) -> None:
    if request["stageName"] not in record.stage_names:
        raise ServiceError(
            "StageNotFoundException",
            f"The pipeline {record.name} has no stage {request['stageName']}",
        )


def _approval(record: PipelineRecord, token: str, name: str) -> tuple[ExecutionRecord, ActionRun]:
    """Return the approval that a token is of."""
    for execution in record.executions:
        for run in execution.runs:
            if run.id == token and run.is_approval and run.action.full_name == name:
                if not run.is_open:
                    raise ServiceError(
                        "ApprovalAlreadyCompletedException",
                        f"The approval of {name} has been answered already",
                    )
                return execution, run
    raise ServiceError(
        "InvalidApprovalTokenException", f"The token is not of an approval of {name} that waits"
    )


def _page(
    items: Sequence[Item], request: Request, name_of: Callable[[Item], str]
) -> tuple[Sequence[Item], Response]:
    """Return one page, and the token of the next.

    A page begins after an item, not at a number: others may be added between two pages.
    """
    start = 0
    token = request.get("nextToken")
    if token is not None:
        names = [name_of(item) for item in items]
        after = _read(token)
        if after not in names:
            raise ServiceError(
                "InvalidNextTokenException", "The next token was specified in an invalid format"
            )
        start = names.index(after) + 1
    page = items[start : start + request.get("maxResults", _PAGE)]
    if start + len(page) >= len(items) or not page:
        return page, {}
    last = f"after:{name_of(page[-1])}"
    return page, {"nextToken": base64.urlsafe_b64encode(last.encode()).decode()}


def _read(token: str) -> str:
    try:
        word, _, name = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
    except (ValueError, binascii.Error):
        return ""
    return name if word == "after" else ""
