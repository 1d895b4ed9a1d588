"""EventBridge's events of one job, by what the service knows of it."""

from __future__ import annotations

from typing import Any, Literal

from pytest_cpjob.documents import eventbridge
from pytest_cpjob.documents.eventbridge import ExecutionResult, Moment
from pytest_cpjob.documents.facts import LAMBDA
from pytest_cpjob.service.clock import Clock
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import JobFailure

Level = Literal["action", "stage", "pipeline"]


def state_change_event(job: JobRecord, clock: Clock, state: str, of: Level) -> dict[str, Any]:
    """Return the event of a job's action, of its stage or of its pipeline.

    Raises:
        ValueError: EventBridge knows no such state, or `of` is another word.
    """
    moment = Moment(clock.date(), clock.date(_first(job).created_at))
    if of == "action":
        stream = job.stream.at("event", state)
        result = _result(job, state)
        return eventbridge.action_state_change(job.facts, state, stream, moment, result)
    stream = job.stream.at("event", of, state)
    if of == "stage":
        return eventbridge.stage_state_change(job.facts, state, stream, moment)
    if of == "pipeline":
        return eventbridge.pipeline_state_change(job.facts, state, stream, moment)
    raise ValueError(f"of: expected one of {', '.join(eventbridge.LEVELS)}, got {of!r}")


def _first(job: JobRecord) -> JobRecord:
    """Return the job that began the action; those that continue it are of the same execution."""
    while job.previous is not None:
        job = job.previous
    return job


def _result(job: JobRecord, state: str) -> ExecutionResult | None:
    """Return what an ended action's event says of its result; a Lambda's names its function.

    Captured of the history of Lambda actions: neither their summary nor their own external id is
    shown, but a failure's message; of custom actions the worker's own are.
    """
    if state not in ("SUCCEEDED", "FAILED"):
        return None
    result = job.result
    is_lambda = job.facts.action_type == LAMBDA
    external_id = None if result is None else result.external_execution_id
    url = summary = error_code = None
    if is_lambda:
        external_id = job.facts.configuration["FunctionName"]
        url = _log_url(job.facts.region, external_id)
    if isinstance(result, JobFailure):
        summary = result.message
    elif result is not None and not is_lambda:
        summary = result.summary
    if state == "FAILED":
        error_code = result.type if isinstance(result, JobFailure) else "JobFailed"
    return ExecutionResult(external_id, url, summary, error_code)


def _log_url(region: str, function_name: str) -> str:
    return (
        f"https://console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#logStream:group=%252Faws%252Flambda%252F{function_name}"
    )
