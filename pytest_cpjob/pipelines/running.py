"""The executions of one pipeline, performed: handlers, workers and stand-ins, on the job clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.harness import Harness
from pytest_cpjob.pipelines.added_jobs import note_added
from pytest_cpjob.pipelines.definition import Definition
from pytest_cpjob.pipelines.outcomes import TIMED_OUT, note_progress
from pytest_cpjob.pipelines.performers import Performance, Performances, performances_of
from pytest_cpjob.pipelines.performing import Performing
from pytest_cpjob.pipelines.preparing import Preparation
from pytest_cpjob.pipelines.progress import Progress
from pytest_cpjob.pipelines.records import (
    ActionRun,
    ActionStatus,
    ExecutionRecord,
    Failure,
    PipelineRecord,
    needs_summary,
)
from pytest_cpjob.pipelines.swept import rank_of, stage_to_retry
from pytest_cpjob.pipelines.variables import Action
from pytest_cpjob.service import limits
from pytest_cpjob.threads import current_run

APPROVAL_TIMEOUT: Final = 7 * 24 * 3600.0
"""Seconds that an approval waits (CodePipeline's limits page: seven days)."""

_MOST_WAITS: Final = 100
"""How often `run` moves the clock on to the next time-out before it gives up."""


class PipelineRuns:
    """What runs a pipeline's executions.

    Attributes:
        record: the pipeline and its executions.
        progress: moves them on.
    """

    def __init__(self, harness: Harness, definition: Definition, stream: Stream) -> None:
        self._harness = harness
        self._definition = definition
        self._stream = stream
        self._clock = harness.service.clock
        self.record = PipelineRecord(
            definition.declaration,
            definition.region,
            definition.account_id,
            self._clock.now,
            self._clock.start,
        )
        preparation = Preparation(harness, definition, stream, self.performance_of)
        self.progress = Progress(
            self.record,
            lambda: self._clock.now,
            stream,
            prepare=preparation.attempt,
            abandon=harness.service.registry.abandon,
        )
        self._performing = Performing(
            harness,
            definition,
            stream,
            end=self._end,
            drive=self.drive,
        )
        self._performances: dict[str, Performances] = {}
        self._latest: Performances | None = None
        self._run_to_the_end: set[str] = set()
        self._is_busy = False
        self._clock.on_advance(lambda _: self.drive())

    def begin(
        self, performances: Performances | None, variables: Mapping[str, str], *, to_the_end: bool
    ) -> ExecutionRecord:
        """Begin an execution; nothing of it is performed yet.

        Args:
            performances: who performs its actions; by default those of the latest execution.
        """
        if performances is None:
            performances = self._latest or performances_of(self._definition, {}, complete=False)
        self._latest = performances
        trigger = {
            "triggerType": "StartPipelineExecution",
            "triggerDetail": self.record.user_arn("tester"),
        }
        with self._harness.service.lock:
            execution = self.progress.begin(trigger, variables)
            self._performances[execution.id] = performances
            if to_the_end:
                self._run_to_the_end.add(execution.id)
            return execution

    def performance_of(self, execution: ExecutionRecord, action: Action) -> Performance:
        """Return who performs an action."""
        return self._performances[execution.id][action.full_name]

    def goes_on_at_once(self, execution: ExecutionRecord) -> bool:
        """Whether `run`, not `start`, has begun an execution."""
        return execution.id in self._run_to_the_end

    def finish(self, execution: ExecutionRecord) -> None:
        """Run an execution to its end, or until nothing but the test can bring it further.

        What nobody reports on times out: the job clock is moved there.
        """
        for _ in range(_MOST_WAITS):
            self.drive()
            due = self._next_due(execution)
            if execution.has_ended or due is None:
                return
            self._clock.advance(max(due - self._clock.now, 0.001))

    def drive(self) -> None:
        """Do everything that is due now; within a handler or a worker, nothing."""
        if self._is_busy or current_run() is not None:
            return
        self._is_busy = True
        try:
            while self._move() or self._perform_next() or self._retry_swept():
                pass
        finally:
            self._is_busy = False

    def note(self) -> None:
        """Note what has been reported so far; nothing begins and nothing is performed."""
        with self._harness.service.lock:
            for execution in self.record.executions:
                self._note(execution)

    def _move(self) -> bool:
        with self._harness.service.lock:
            ended = [self._note(each) for each in self.record.executions]
            return self.progress.step() or any(ended)

    def _note(self, execution: ExecutionRecord) -> bool:
        """Note what jobs have reported, and which approvals came too late."""
        moved = False
        if not execution.moves:
            note_added(execution, self.record, self.progress)
            return False
        for run in execution.open_runs():
            outcome = note_progress(run)
            if outcome is None and run.is_approval and self._deadline(run) <= self._clock.now:
                outcome = ("Failed", TIMED_OUT)
            if outcome is not None:
                self.progress.end_run(execution, run, *outcome)
                moved = True
        return moved

    def _deadline(self, run: ActionRun) -> float:
        minutes = run.action.declared.get("timeoutInMinutes")
        return run.started_at + (APPROVAL_TIMEOUT if minutes is None else minutes * 60.0)

    def _next_due(self, execution: ExecutionRecord) -> float | None:
        """Return when something happens to an execution though nobody does anything."""
        moments = []
        for run in execution.open_runs():
            job = run.last_job
            if job is not None:
                moments.append(job.created_at + job.timeout)
                if job.status == "Dispatched":
                    moments.append(self._clock.now + limits.REDELIVERY)
        return min(moments, default=None)

    # -- performing ------------------------------------------------------------------------------

    def _perform_next(self) -> bool:
        for execution in self.record.executions:
            if not execution.moves:
                continue
            due = [run for run in execution.open_runs() if self._is_due(execution, run)]
            if due:
                self._perform(execution, sorted(due, key=lambda run: self._place(execution, run)))
                return True
        return False

    def _place(self, execution: ExecutionRecord, run: ActionRun) -> tuple[int, str]:
        """Return what parallel actions are ordered by: a sweep's order, else one by the seed."""
        stream = self._stream.at("order", execution.number, run.action.full_name, run.number)
        sweep = self._harness.builder.variation
        return rank_of(sweep, run.action), stream.values.execution_id()

    def _retry_swept(self) -> bool:
        """Retry a stage that has failed because a sweep let a call of its action fail."""
        for execution in self.record.executions:
            if execution.moves and execution.status == "Failed" and not execution.retries:
                stage = stage_to_retry(self._harness, execution)
                if stage is not None:
                    with self._harness.service.lock:
                        self.progress.retry(execution, stage, "FAILED_ACTIONS")
                    return True
        return False

    def _is_due(self, execution: ExecutionRecord, run: ActionRun) -> bool:
        kind = self.performance_of(execution, run.action).kind
        if kind == "handler":
            job = run.last_job
            begins = float("inf") if job is None else job.created_at + job.delay
            return job is not run.performed_job and begins <= self._clock.now
        if kind in ("worker", "poller"):
            job = run.last_job
            is_new = job is not run.performed_job or self._clock.now > run.performed_at
            return job is not None and job.status == "Queued" and is_new
        if kind == "approval":
            return self.goes_on_at_once(execution)
        return kind != "nobody" and not run.is_performed

    def _perform(self, execution: ExecutionRecord, due: list[ActionRun]) -> None:
        """Perform the first of some actions; of workers all, side by side."""
        run = due[0]
        performance = self.performance_of(execution, run.action)
        run.is_performed = True
        if performance.kind == "stand-in":
            self._performing.stand_in(execution, run, performance)
        elif performance.kind == "approval":
            summary = "approved" if needs_summary(run.action) else ""
            self.approve(execution, run, "Approved", summary)
        elif performance.kind == "handler":
            follow = self.goes_on_at_once(execution)
            self._performing.invoke(run, performance, follow=follow)
        elif performance.kind == "poller":
            self._performing.invoke_poller(execution, run, performance)
        else:
            named = [(each, self.performance_of(execution, each.action)) for each in due]
            self._performing.run_workers([each for each in named if each[1].kind == "worker"])

    def _end(self, execution: ExecutionRecord, run: ActionRun, failure: Failure | None) -> None:
        with self._harness.service.lock:
            if run.is_open:
                status: ActionStatus = "Succeeded" if failure is None else "Failed"
                self.progress.end_run(execution, run, status, failure)

    # -- approvals -------------------------------------------------------------------------------

    def approve(
        self, execution: ExecutionRecord, run: ActionRun, result: str, summary: str
    ) -> None:
        """End an approval."""
        run.updated_by = self.record.user_arn("reviewer")
        run.summary, run.external_id = summary, run.id
        with self._harness.service.lock:
            if result == "Approved":
                self.progress.end_run(execution, run, "Succeeded")
            else:
                self.progress.end_run(execution, run, "Failed", None)
