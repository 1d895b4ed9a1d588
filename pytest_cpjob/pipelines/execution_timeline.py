"""The timeline of a pipeline's execution, as text in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from pytest_cpjob.contract.masking import masking
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, PipelineRecord
from pytest_cpjob.pipelines.variables import references_of
from pytest_cpjob.service.job_service import JobService

_WIDTH: Final = 80
_LONGEST: Final = 300


def execution_timeline(
    service: JobService, pipeline: PipelineRecord, execution: ExecutionRecord
) -> str:
    """Return an execution's timeline, secrets masked.

    Times are seconds of job clock. Of each attempt at an action: who performed it, the variables
    that were put in, its artifacts, and what came of it.
    """
    hide = masking(service)
    lines = [f"{pipeline.name}, execution {execution.id}: {execution.status}"]
    if execution.status_summary:
        lines += _wrapped("  ", hide(execution.status_summary))
    for name in pipeline.stage_names:
        stage = execution.stages.get(name)
        if stage is None:
            waits = ", which the execution waits for" if execution.waits_for == name else ""
            lines.append(f"  {name}: not entered{waits}")
            continue
        lines.append(f"  {name}: {stage.status}")
        for run in execution.runs:
            if run.action.stage == name:
                for text in _told(run, execution):
                    lines += _wrapped("    ", hide(text))
    return "\n".join(lines)


def _told(run: ActionRun, execution: ExecutionRecord) -> Iterator[str]:
    times = len([each for each in execution.runs[: run.number] if each.action == run.action])
    attempt = f", attempt {times}" if times > 1 else ""
    yield f"+{run.started_at:.10g}s {run.action.name}{attempt} ({run.performer}): {run.status}"
    if run.failure is not None:
        yield f"  ! {run.failure.code}: {run.failure.message}"
    elif run.status == "Failed" and run.summary is not None:
        yield f"  ! rejected: {run.summary}"
    for reference in references_of(run.action):
        value = _value(run, reference.text, reference.configuration_key)
        yield f"  {reference.text} = {value}"
    for artifact in run.inputs:
        yield f"  reads {artifact.name} s3://{artifact.bucket}/{artifact.key}"
    if run.status == "Succeeded":
        for artifact in run.outputs:
            yield f"  gives {artifact.name} s3://{artifact.bucket}/{artifact.key}"
        for key, value in run.variables.items():
            yield f"  sets {key} = {value!r}"


def _value(run: ActionRun, text: str, configuration_key: str) -> str:
    """Return what a reference was replaced by, as far as the whole value tells."""
    written = str(run.action.configuration[configuration_key])
    shown = str(run.resolved.get(configuration_key, ""))
    if shown == written:
        return "(not resolved)"
    before, _, after = written.partition(text)
    if "#{" not in before and "#{" not in after:
        return repr(shown[len(before) : len(shown) - len(after) or None])
    return f"in {shown!r}"


def _wrapped(indent: str, text: str) -> list[str]:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    inner = len(shown) - len(shown.lstrip())
    return textwrap.wrap(
        " ".join(shown.split()),
        _WIDTH,
        initial_indent=indent + " " * inner,
        subsequent_indent=indent + " " * (inner + 2),
        break_on_hyphens=False,
    )
