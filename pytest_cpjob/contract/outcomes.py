"""Outcomes: what was reported of a job, in a line."""

from __future__ import annotations

from pytest_cpjob.service.call_log import Call
from pytest_cpjob.service.results import JobFailure, JobSuccess, Result, failure_of, success_of


def outcome(result: Result) -> str:
    """Return in a line what was reported."""
    if isinstance(result, JobFailure):
        return f"{result.type}: {result.message}"
    said = []
    if isinstance(result, JobSuccess) and result.continuation_token is not None:
        said.append(f"continue with {result.continuation_token!r}")
    if result.output_variables:
        said.append(f"output variables {dict(result.output_variables)!r}")
    if result.summary:
        said.append(f"summary {result.summary!r}")
    return f"success, {', '.join(said)}" if said else "success"


def reported_by(call: Call) -> Result:
    """Return what a valid call of one of the four result operations reports."""
    request = {name: value for name, value in call.request.items() if value is not None}
    return failure_of(request) if "Failure" in call.operation else success_of(request)
