"""Executions that a test makes of single jobs: they begin at the job, and go no further."""

from __future__ import annotations

from pytest_cpjob.pipelines.outcomes import note_begin, note_progress, note_source
from pytest_cpjob.pipelines.progress import Progress
from pytest_cpjob.pipelines.records import (
    ActionRun,
    ExecutionRecord,
    PipelineRecord,
    StageRun,
)
from pytest_cpjob.service.jobs import JobRecord


def add_execution(
    record: PipelineRecord, job: JobRecord, execution_id: str, progress: Progress
) -> None:
    """Add a job's execution, or the job to the one that it belongs to.

    The stages before the job's have succeeded, each source with the revision that the job's inputs
    tell.
    """
    execution = record.find(execution_id)
    if execution is None:
        trigger = {
            "triggerType": "StartPipelineExecution",
            "triggerDetail": f"{record.user_arn('tester')}",
        }
        execution = ExecutionRecord(
            execution_id,
            len(record.executions) + 1,
            job.created_at,
            job.created_at,
            trigger,
            moves=False,
        )
        record.executions.append(execution)
    for name in record.stage_names[: record.stage_names.index(job.facts.stage_name)]:
        if name not in execution.stages:
            _pass(record, execution, name, job)
    stage = execution.stages.setdefault(job.facts.stage_name, StageRun(job.facts.stage_name))
    action = next(
        each for each in record.actions_in(stage.name) if each.name == job.facts.action_name
    )
    run = ActionRun(
        action,
        job.facts.action_execution_id,
        len(execution.runs) + 1,
        job.created_at,
        job.created_at,
        "the test",
        resolved=job.facts.configuration,
        inputs=job.facts.inputs,
        outputs=job.facts.outputs,
    )
    note_begin(run, job)
    execution.runs.append(run)
    stage.current[action.name] = run
    note_added(execution, record, progress)


def _pass(record: PipelineRecord, execution: ExecutionRecord, name: str, job: JobRecord) -> None:
    """Let an execution have been in a stage: its actions have succeeded."""
    stage = execution.stages[name] = StageRun(name, "Succeeded")
    inputs = {each.name: each for each in job.facts.inputs}
    for action in record.actions_in(name):
        values = job.stream.at("before", action.full_name).values
        run = ActionRun(
            action,
            values.execution_id(),
            len(execution.runs) + 1,
            job.created_at,
            job.created_at,
            "stand-in",
            "Succeeded",
            resolved=action.configuration,
            outputs=tuple(
                inputs[each] for each in action.artifacts("outputArtifacts") if each in inputs
            ),
        )
        if action.action_type.get("category") == "Source":
            run.revision = next((each.revision for each in run.outputs if each.revision), None)
            note_source(run)
        execution.runs.append(run)
        stage.current[action.name] = run


def note_added(execution: ExecutionRecord, record: PipelineRecord, progress: Progress) -> None:
    """Bring an execution that does not move by itself up to what its jobs have reported."""
    if execution.moves or execution.has_ended:
        return
    for run in execution.open_runs():
        outcome = note_progress(run)
        if outcome is not None:
            progress.end_run(execution, run, *outcome)
    if execution.status == "Stopping":
        progress.step_of(execution)
        return
    for name, stage in execution.stages.items():
        runs = list(stage.current.values())
        if any(run.status == "Failed" for run in runs):
            execution.status = stage.status = "Failed"
        elif len(runs) == len(record.actions_in(name)) and all(
            run.status == "Succeeded" for run in runs
        ):
            stage.status = "Succeeded"
            if record.stage_after(name) is None:
                execution.status = "Succeeded"
