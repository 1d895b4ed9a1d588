"""A pipeline's execution as a test sees it: actions, artifacts, variables, and a picture."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal

from pytest_cpjob.artifacts.job_artifacts import JobArtifact
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.documents.refusals import check
from pytest_cpjob.harness import Harness
from pytest_cpjob.job import Job
from pytest_cpjob.pipelines.execution_drawing import execution_html, execution_mermaid
from pytest_cpjob.pipelines.execution_timeline import execution_timeline
from pytest_cpjob.pipelines.explanations import explained, why_failed
from pytest_cpjob.pipelines.named_actions import NamedActions
from pytest_cpjob.pipelines.records import (
    ActionRun,
    ActionStatus,
    ExecutionRecord,
    ExecutionStatus,
    needs_summary,
)
from pytest_cpjob.pipelines.running import PipelineRuns

RetryMode = Literal["FAILED_ACTIONS", "ALL_ACTIONS"]


class ActionExecution:
    """One action of a `PipelineExecution`: its latest attempt, and all of them.

    Everything is read as it is at that moment. Of an action that has not started everything is
    `None` or empty.

    >>> execution.actions["Release/Publish"].status  # doctest: +SKIP
    'Succeeded'
    """

    def __init__(self, harness: Harness, name: str, runs: list[ActionRun]) -> None:
        self._harness = harness
        self._name = name
        self._runs = runs

    @property
    def _run(self) -> ActionRun | None:
        return self._runs[-1] if self._runs else None

    @property
    def name(self) -> str:
        """`Stage/Action`."""
        return self._name

    @property
    def id(self) -> str | None:
        """Its actionExecutionId."""
        return None if self._run is None else self._run.id

    @property
    def status(self) -> ActionStatus | None:
        """`InProgress`, `Succeeded`, `Failed` or `Abandoned`; None when it has not started."""
        return None if self._run is None else self._run.status

    @property
    def job(self) -> Job | None:
        """The job that its result comes from: the last that continues it; None without jobs."""
        return self.jobs[-1] if self.jobs else None

    @property
    def jobs(self) -> list[Job]:
        """The jobs of the latest attempt: the first, and those that continue it."""
        run = self._run
        return [] if run is None else [Job(self._harness, each) for each in run.jobs]

    @property
    def attempts(self) -> list[ActionExecution]:
        """Every attempt, oldest first: a retry makes another."""
        return [ActionExecution(self._harness, self._name, [run]) for run in self._runs]

    @property
    def resolved_configuration(self) -> dict[str, str]:
        """The configuration with its variables put in, secrets masked."""
        return self._masked({} if self._run is None else self._run.resolved)

    @property
    def output_variables(self) -> dict[str, str]:
        """The output variables of an action that has succeeded."""
        return self._masked({} if self._run is None else self._run.variables)

    @property
    def error_code(self) -> str | None:
        """Why it failed: `errorDetails.code`, such as `JobFailed`."""
        failure = None if self._run is None else self._run.failure
        return None if failure is None else failure.code

    @property
    def error_message(self) -> str | None:
        """Why it failed, in words."""
        failure = None if self._run is None else self._run.failure
        return None if failure is None else masking(self._harness.service)(failure.message)

    def _masked(self, texts: Mapping[str, str]) -> dict[str, str]:
        hide = masking(self._harness.service)
        return {key: hide(text) for key, text in texts.items()}

    def __repr__(self) -> str:
        attempts = f", {len(self._runs)} attempts" if len(self._runs) > 1 else ""
        run = self._run
        why = f": {why_failed(run)}" if run is not None and run.status == "Failed" else ""
        hide = masking(self._harness.service)
        return f"<ActionExecution {self._name} {self.status}{attempts}{hide(why)}>"


class PipelineExecution:
    """One execution of a `Pipeline`, returned by its `run` and `start`.

    Everything is read as it is at that moment.

    >>> execution = cpjob.add_pipeline("template.yaml").run()  # doctest: +SKIP
    >>> execution.status  # doctest: +SKIP
    'Succeeded'
    """

    def __init__(self, harness: Harness, runs: PipelineRuns, record: ExecutionRecord) -> None:
        self._harness = harness
        self._runs = runs
        self._record = record

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PipelineExecution):
            return NotImplemented
        return self._record is other._record

    def __hash__(self) -> int:
        return hash(self._record.id)

    # -- what it is ------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Its pipelineExecutionId."""
        return self._record.id

    @property
    def status(self) -> ExecutionStatus:
        """`InProgress`, `Stopping`, `Stopped`, `Succeeded`, `Superseded` or `Failed`."""
        return self._record.status

    @property
    def status_summary(self) -> str | None:
        """Why it was stopped, or which required variables have no value."""
        return self._record.status_summary

    @property
    def actions(self) -> NamedActions[ActionExecution]:
        """All actions of the pipeline, by `Stage/Action` or by an action's unique name."""
        runs: dict[str, list[ActionRun]] = {
            action.full_name: [] for action in self._runs.record.actions
        }
        for run in self._record.runs:
            runs[run.action.full_name].append(run)
        return NamedActions(
            {name: ActionExecution(self._harness, name, runs[name]) for name in runs}
        )

    @property
    def artifacts(self) -> Mapping[str, JobArtifact]:
        """The artifacts of actions that have succeeded, the latest object of each, by name."""
        return {
            name: self._artifact(run, facts)
            for name, (run, facts) in self._record.artifacts().items()
        }

    def _artifact(self, run: ActionRun, facts: ArtifactFacts) -> JobArtifact:
        job = run.last_job
        return _ExecutionArtifact(
            facts,
            self._harness.store,
            direction="output",
            job_id=run.action.full_name,
            encryption_key=None if job is None else job.facts.encryption_key,
        )

    @property
    def variables(self) -> dict[str, str]:
        """The values of the pipeline's own variables."""
        return dict(self._record.variables)

    @property
    def events(self) -> list[dict[str, Any]]:
        """EventBridge's events of the pipeline, its stages and its actions, in order."""
        return copy.deepcopy(self._record.events)

    # -- what it looks like ----------------------------------------------------------------------

    @property
    def timeline(self) -> str:
        """What happened, as text: stages, actions, who performed them, and what they handed on."""
        return execution_timeline(self._harness.service, self._runs.record, self._record)

    def _timeline_in_short(self) -> str:
        """Return what became of stages and actions; the values and artifacts are in `timeline`."""
        service = self._harness.service
        return execution_timeline(service, self._runs.record, self._record, in_short=True)

    def mermaid(self) -> str:
        """Return the execution as a Mermaid flow chart, such as pull requests show.

        >>> execution = cpjob.add_pipeline(definition).run({"Publish": lambda_handler})
        >>> print(execution.mermaid().splitlines()[0])
        flowchart LR
        """
        return execution_mermaid(self._runs.record, self._record)

    def _repr_html_(self) -> str:
        hide = masking(self._harness.service)
        return execution_html(self._runs.record, self._record, hide)

    # -- what the test does ----------------------------------------------------------------------

    def retry(self, stage: str, mode: RetryMode = "FAILED_ACTIONS") -> PipelineExecution:
        """Retry a failed stage: its failed actions, or all; return this execution.

        With the performers that it has. An execution that came from `run` goes on at once, one
        from `start` with the next `cpjob.advance`.

        Raises:
            ValueError: the pipeline has no such stage, or there is no such mode.
            CpjobError: the stage cannot be retried (StageNotRetryableException,
                NotLatestPipelineExecutionException).

        >>> execution = cpjob.add_pipeline(definition).start({"Publish": lambda_handler})
        >>> execution.approve("Sign", "Rejected").status
        'Failed'
        >>> execution.retry("Release").status
        'InProgress'
        """
        __tracebackhide__ = True
        names = self._runs.record.stage_names
        if stage not in names:
            raise ValueError(f"stage: the pipeline has no stage {stage!r}, only {names}")
        if mode not in ("FAILED_ACTIONS", "ALL_ACTIONS"):
            raise ValueError(f"mode: expected FAILED_ACTIONS or ALL_ACTIONS, got {mode!r}")
        with self._harness.service.lock:
            self._runs.progress.retry(self._record, stage, mode)
        if self._runs.goes_on_at_once(self._record):
            self._runs.finish(self._record)
        return self

    def stop(self, abandon: bool = False, reason: str | None = None) -> PipelineExecution:
        """Stop the execution: its actions finish and nothing follows; return this execution.

        Args:
            abandon: abandon the actions in progress, and do not wait for them.
            reason: up to 200 characters, which become `status_summary`.

        Raises:
            ValueError: the reason is not a text, or a longer one.
            CpjobError: it has ended (PipelineExecutionNotStoppableException), or is stopping
                already (DuplicatedStopRequestException).

        >>> execution = cpjob.add_pipeline(definition).start({"Publish": lambda_handler})
        >>> execution.stop(reason="The wrong branch.").status_summary
        'The wrong branch.'
        """
        __tracebackhide__ = True
        if reason is not None:
            check("reason", "StopPipelineExecutionReason", reason)
        with self._harness.service.lock:
            self._runs.progress.stop(self._record, abandon=abandon, reason=reason)
        self._go_on()
        return self

    def approve(
        self, action: str, result: Literal["Approved", "Rejected"] = "Approved", summary: str = ""
    ) -> PipelineExecution:
        """Answer an approval that is waiting, as a person would; return this execution.

        Raises:
            ValueError: there is no such action, it is not an approval that waits, `result` is
                neither `Approved` nor `Rejected`, or the summary is too long, or missing where the
                approval requires one.

        >>> execution = cpjob.add_pipeline(definition).start({"Publish": lambda_handler})
        >>> execution.approve("Sign").status
        'Succeeded'
        """
        __tracebackhide__ = True
        if result not in ("Approved", "Rejected"):
            raise ValueError(f"result: expected Approved or Rejected, got {result!r}")
        check("summary", "ApprovalSummary", summary)
        names = {each.full_name: each for each in self._runs.record.actions}
        name = NamedActions(names).full_name(action)
        open_runs = [
            run
            for run in self._record.open_runs()
            if run.is_approval and run.action.full_name == name
        ]
        if not open_runs:
            status = self.actions[name].status
            raise ValueError(
                f"action: {name} is not an approval that waits: its status is {status}"
            )
        if needs_summary(open_runs[0].action) and not summary:
            raise ValueError(f"summary: {name} requires one (IsSummaryRequired)")
        self._runs.approve(self._record, open_runs[0], result, summary)
        self._go_on()
        return self

    def _go_on(self) -> None:
        __tracebackhide__ = True
        if self._runs.goes_on_at_once(self._record):
            self._runs.finish(self._record)
        else:
            self._runs.drive()

    def __repr__(self) -> str:
        return f"<PipelineExecution of {self._runs.record.name}, {self}>"

    def __str__(self) -> str:
        """Return its status, and why: what it waits for, what has failed."""
        hide = masking(self._harness.service)
        return hide(explained(self._runs.record, self._record))


class _ExecutionArtifact(JobArtifact):
    """An artifact of an execution: messages name the action that makes it."""

    def _named(self) -> str:
        return f"artifact {self.name!r} of {self._job_id}"
