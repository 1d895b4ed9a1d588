"""Why an execution is where it is, in one line: what it waits for, what has failed."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, PipelineRecord


def explained(pipeline: PipelineRecord, execution: ExecutionRecord) -> str:
    """Return an execution's status and its reason, secrets not masked.

    Such as `InProgress: waits for approval of 'Approve/Editor'`.
    """
    why = "; ".join(_why(pipeline, execution))
    return f"{execution.status}: {why}" if why else execution.status


def _why(pipeline: PipelineRecord, execution: ExecutionRecord) -> Iterator[str]:
    if execution.status_summary:
        yield execution.status_summary
    stage = execution.stage
    if execution.status in ("Failed", "InProgress") and stage is not None:
        for run in stage.current.values():
            if run.status == "Failed":
                yield f"{run.action.full_name}: {why_failed(run)}"
    if not execution.has_ended:
        for run in execution.open_runs():
            yield f"waits for {_awaited(run)}"
        if execution.waits_for is not None:
            yield f"waits before stage {execution.waits_for!r}, {_obstacle(pipeline, execution)}"


def why_failed(run: ActionRun) -> str:
    """Return why an action has failed: with the variables that it asks for in vain."""
    if run.failure is None:
        return "rejected" if not run.summary else f"rejected: {run.summary}"
    told = f"{run.failure.code}: {run.failure.message}"
    return " ".join([told, *(f"{text}: {why}." for text, why in run.unresolved.items())])


def _awaited(run: ActionRun) -> str:
    name = repr(run.action.full_name)
    if run.is_approval:
        return f"approval of {name}"
    job = run.last_job
    if job is not None and job.previous is not None and not job.delivered:
        return f"{name}, which continues at +{job.created_at + job.delay:.10g}s"
    return f"{name} ({run.performer})"


def _obstacle(pipeline: PipelineRecord, execution: ExecutionRecord) -> str:
    stage = execution.waits_for
    assert stage is not None
    names = pipeline.stage_names
    before = names[names.index(stage) - 1]
    if ("Inbound", stage) in pipeline.disabled or (
        stage != names[0] and ("Outbound", before) in pipeline.disabled
    ):
        return "whose transition is disabled"
    latest = pipeline.latest_in(stage)
    if latest is None or latest is execution or latest.has_ended:
        return "which it enters next"
    return f"in which execution {latest.id} is"
