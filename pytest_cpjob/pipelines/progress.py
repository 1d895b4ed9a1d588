"""How executions move through a pipeline's stages: CodePipeline's rules, and nothing performed.

Sources: CodePipeline user guide, "How pipeline executions work", "Retry a failed stage", "Stop a
pipeline execution"; model shapes of the operations' errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.pipelines.execution_events import EventLog
from pytest_cpjob.pipelines.records import (
    ActionRun,
    ActionStatus,
    ExecutionRecord,
    ExecutionStatus,
    Failure,
    PipelineRecord,
    StageRun,
    StageStatus,
)
from pytest_cpjob.pipelines.variables import Action
from pytest_cpjob.service.errors import ServiceError
from pytest_cpjob.service.jobs import JobRecord

Prepare = Callable[[ExecutionRecord, Action], ActionRun]
"""Makes the attempt at an action; one that cannot begin has its `failure`."""


class Progress:
    """Moves the executions of one pipeline on.

    Args:
        record: the pipeline and its executions, which only this changes.
        now: the time of the job clock.
        prepare: makes an action's attempt.
        abandon: ends the job of an action that is abandoned.
    """

    def __init__(
        self,
        record: PipelineRecord,
        now: Callable[[], float],
        stream: Stream,
        *,
        prepare: Prepare,
        abandon: Callable[[JobRecord], None],
    ) -> None:
        self._record = record
        self._now = now
        self._prepare = prepare
        self._abandon = abandon
        self._stream = stream
        self._events = EventLog(record, now, stream)

    # -- a new execution -------------------------------------------------------------------------

    def begin(self, trigger: Mapping[str, str], variables: Mapping[str, str]) -> ExecutionRecord:
        """Begin an execution; without a variable that is required it fails at once, as AWS's does.

        Args:
            variables: values that take the place of defaults; of unknown names they are ignored.
        """
        number = len(self._record.executions) + 1
        now = self._now()
        execution = ExecutionRecord(
            self._stream.at("execution", number).values.execution_id(), number, now, now, trigger
        )
        self._record.executions.append(execution)
        declared = self._record.declaration.get("variables") or ()
        values = {
            str(each["name"]): variables.get(each["name"], each.get("defaultValue"))
            for each in declared
        }
        self._events.of_pipeline(execution, "STARTED")
        missing = [name for name, value in values.items() if value is None]
        if missing:
            execution.status_summary = (
                f"Values for required variables haven't been provided: {','.join(missing)}"
            )
            self._end(execution, "Failed")
            return execution
        execution.variables = {name: str(value) for name, value in values.items()}
        execution.waits_for = self._record.stage_names[0]
        return execution

    # -- on and on -------------------------------------------------------------------------------

    def step(self) -> bool:
        """Move each execution by one step at most; tell whether any has moved."""
        moved = [self.step_of(each) for each in self._record.executions]
        return any(moved)

    def step_of(self, execution: ExecutionRecord) -> bool:
        """Move one execution by one step, if it can move."""
        if execution.has_ended:
            return False
        if execution.status == "Stopping":
            return self._stop_if_idle(execution)
        if not execution.moves:
            return False
        if execution.waits_for is not None:
            return self._enter_if_free(execution, execution.waits_for)
        stage = execution.stage
        return stage is not None and self._step_in(execution, stage)

    def _enter_if_free(self, execution: ExecutionRecord, name: str) -> bool:
        mode = self._record.mode
        if mode != "PARALLEL":
            others = [each for each in self._record.waiting_for(name) if each is not execution]
            if mode == "SUPERSEDED" and any(each.number > execution.number for each in others):
                execution.waits_for = None
                self._end(execution, "Superseded")
                return True
            queued = mode == "QUEUED" and any(each.number < execution.number for each in others)
            if queued or self._is_closed(name) or self._is_occupied(name):
                return False
        execution.waits_for = None
        execution.stages[name] = StageRun(name)
        self._touch(execution)
        self._events.of_stage(execution, name, "STARTED")
        return True

    def _is_closed(self, name: str) -> bool:
        names = self._record.stage_names
        before = names[names.index(name) - 1]
        disabled = self._record.disabled
        return ("Inbound", name) in disabled or (
            name != names[0] and ("Outbound", before) in disabled
        )

    def _is_occupied(self, name: str) -> bool:
        return any(
            each.moves
            and not each.has_ended
            and each.waits_for is None
            and each.stage is not None
            and each.stage.name == name
            for each in self._record.executions
        )

    def _step_in(self, execution: ExecutionRecord, stage: StageRun) -> bool:
        """Start the next actions of a stage, or end it."""
        if any(not run.is_open and run.status != "Succeeded" for run in stage.current.values()):
            if stage.open_runs:
                return False  # the others go on to their end
            self._end_stage(execution, stage, "Failed")
            self._end(execution, "Failed")
            return True
        actions = self._record.actions_in(stage.name)
        for order in sorted({action.run_order for action in actions}):
            group = [action for action in actions if action.run_order == order]
            missing = [action for action in group if action.name not in stage.current]
            if missing:
                for action in missing:
                    self._start(execution, stage, action)
                return True
            if any(stage.current[action.name].is_open for action in group):
                return False
        self._end_stage(execution, stage, "Succeeded")
        following = self._record.stage_after(stage.name)
        if following is None:
            self._end(execution, "Succeeded")
        else:
            execution.waits_for = following
        return True

    def _start(self, execution: ExecutionRecord, stage: StageRun, action: Action) -> None:
        run = self._prepare(execution, action)
        execution.runs.append(run)
        stage.current[action.name] = run
        self._touch(execution)
        self._events.of_action(execution, run, "STARTED")
        if run.failure is not None:
            self.end_run(execution, run, "Failed", run.failure)

    # -- ends ------------------------------------------------------------------------------------

    def end_run(
        self,
        execution: ExecutionRecord,
        run: ActionRun,
        status: ActionStatus,
        failure: Failure | None = None,
    ) -> None:
        """End an attempt at an action."""
        run.status, run.failure = status, failure
        run.updated_at = self._now()
        self._touch(execution)
        self._events.of_action(execution, run, status.upper())

    def _end_stage(self, execution: ExecutionRecord, stage: StageRun, status: StageStatus) -> None:
        stage.status = status
        self._events.of_stage(execution, stage.name, status.upper())

    def _end(self, execution: ExecutionRecord, status: ExecutionStatus) -> None:
        execution.status = status
        self._touch(execution)
        self._events.of_pipeline(execution, status.upper())

    def _touch(self, execution: ExecutionRecord) -> None:
        execution.updated_at = self._now()

    # -- stop and retry --------------------------------------------------------------------------

    def stop(self, execution: ExecutionRecord, *, abandon: bool, reason: str | None) -> None:
        """Stop an execution: its actions are abandoned, or finish and nothing follows.

        Raises:
            ServiceError: it has ended, or is stopped already.
        """
        if execution.has_ended:
            raise ServiceError(
                "PipelineExecutionNotStoppableException",
                f"The pipeline execution {execution.id} cannot be stopped: it is"
                f" {execution.status}",
            )
        if execution.status == "Stopping" and not abandon:
            raise ServiceError(
                "DuplicatedStopRequestException",
                f"The pipeline execution {execution.id} is being stopped already",
            )
        stage = execution.stage
        execution.status = "Stopping"
        if reason is not None:
            execution.stop_reason = execution.status_summary = reason
        self._touch(execution)
        self._events.of_pipeline(execution, "STOPPING", stop_execution_comments=reason or "")
        if stage is not None and stage.status == "InProgress":
            stage.status = "Stopping"
            self._events.of_stage(execution, stage.name, "STOPPING")
        if abandon:
            for run in execution.open_runs():
                self.end_run(execution, run, "Abandoned")
                if run.last_job is not None:
                    self._abandon(run.last_job)
        self.step_of(execution)

    def _stop_if_idle(self, execution: ExecutionRecord) -> bool:
        if execution.open_runs():
            return False
        stage = execution.stage
        if stage is not None and stage.status == "Stopping":
            self._end_stage(execution, stage, "Stopped")
        execution.waits_for = None
        self._end(execution, "Stopped")
        return True

    def retry(self, execution: ExecutionRecord, stage_name: str, mode: str) -> None:
        """Let the actions of a stage be done again: the failed ones, or all.

        Raises:
            ServiceError: the stage cannot be retried.
        """
        if self._record.is_deleted:
            raise ServiceError(
                "StageNotRetryableException", f"The pipeline {self._record.name} was deleted"
            )
        latest = self._record.latest_in(stage_name)
        if latest is not None and latest.number > execution.number:
            raise ServiceError(
                "NotLatestPipelineExecutionException",
                f"The pipeline execution {execution.id} is not the latest in stage {stage_name}",
            )
        stage = execution.stages.get(stage_name)
        why = _why_not(execution, stage, mode)
        if stage is None or why:
            raise ServiceError(
                "StageNotRetryableException", f"Stage {stage_name} cannot be retried: {why}"
            )
        for name, run in list(stage.current.items()):
            if mode == "ALL_ACTIONS" or run.status in ("Failed", "Abandoned"):
                del stage.current[name]
        execution.retries += 1
        execution.status = stage.status = "InProgress"
        execution.status_summary = execution.stop_reason = None
        self._touch(execution)
        self._events.of_pipeline(execution, "RESUMED")
        self._events.of_stage(execution, stage_name, "RESUMED")


def _why_not(execution: ExecutionRecord, stage: StageRun | None, mode: str) -> str:
    """Return why a stage cannot be retried, nothing if it can."""
    if stage is None or stage is not execution.stage:
        return "the execution has not ended there"
    if mode == "ALL_ACTIONS" and stage.open_runs:
        return "actions of it are in progress"
    has_failed = any(run.status in ("Failed", "Abandoned") for run in stage.current.values())
    if execution.status == "InProgress" and has_failed and mode == "FAILED_ACTIONS":
        return ""
    if execution.status not in ("Failed", "Stopped") or stage.status not in ("Failed", "Stopped"):
        return f"the execution is {execution.status}, the stage {stage.status}"
    return ""
