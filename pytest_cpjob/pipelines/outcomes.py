"""What became of an action that a job was made for, as state and history show it.

Source: the table of `docs/behaviour.md`: of a Lambda action CodePipeline shows the function, not
what the handler says of itself; of custom actions it shows what the worker reported.
"""

from __future__ import annotations

from typing import Final

from pytest_cpjob.contract.findings import NO_REPLY
from pytest_cpjob.pipelines.records import ActionRun, ActionStatus, Failure
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import JobFailure, JobSuccess

TIMED_OUT: Final = Failure(
    "JobFailed", "The action did not complete within the time allowed for it."
)
"""Of an action whose job got no result in time; code and text are this project's choice."""


def note_begin(run: ActionRun, job: JobRecord) -> None:
    """Note the job that an action has made, and what is shown while it runs."""
    run.job = job
    if job.kind == "lambda":
        name = job.facts.configuration["FunctionName"].rpartition("function:")[2]
        name = name.partition(":")[0]
        run.external_id = name
        run.external_url = (
            f"https://console.aws.amazon.com/cloudwatch/home?region={job.facts.region}"
            f"#logStream:group=%252Faws%252Flambda%252F{name}"
        )


def note_progress(run: ActionRun) -> tuple[ActionStatus, Failure | None] | None:
    """Note what the run's jobs have reported; return how it ends, None while it goes on."""
    jobs = run.jobs
    if not jobs or not run.is_open:
        return None
    for job in jobs:
        _note_report(run, job)
    last = jobs[-1]
    if last.is_open:
        return None
    result = last.result
    if isinstance(result, JobFailure):
        return "Failed", Failure(result.type, result.message)
    if isinstance(result, JobSuccess):
        if result.continuation_token is not None:
            return None
        run.variables = dict(result.output_variables)
        return "Succeeded", None
    return "Failed", _without_result(run, last)


def _without_result(run: ActionRun, job: JobRecord) -> Failure:
    """Return how an action fails that got no result in time."""
    if job.kind != "lambda":
        return TIMED_OUT
    return Failure(TIMED_OUT.code, NO_REPLY.replace("{name}", str(run.external_id)))


def _note_report(run: ActionRun, job: JobRecord) -> None:
    result = job.result
    if job.kind == "lambda" or result is None:
        return
    if result.external_execution_id is not None:
        run.external_id = result.external_execution_id
    if isinstance(result, JobSuccess):
        run.summary = result.summary if result.summary is not None else run.summary
        if result.percent_complete is not None:
            run.percent = result.percent_complete


def note_source(run: ActionRun) -> None:
    """Note what a source's state shows of its revision."""
    if run.revision is None:
        return
    run.external_id = run.revision
    if run.action.action_type.get("provider") == "S3":
        run.revision_summary = f"Amazon S3 version id: {run.revision}"
    else:
        run.revision_summary = run.variables.get("CommitMessage")
    run.summary = run.revision_summary
