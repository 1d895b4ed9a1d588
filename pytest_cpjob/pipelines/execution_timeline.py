"""The timeline of a pipeline's execution, as text in 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Final

from pytest_cpjob.contract.masking import masking
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, PipelineRecord
from pytest_cpjob.pipelines.variables import REFERENCE
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
    for text, value in _variables(run):
        yield f"  {text} = {value}"
    for artifact in run.inputs:
        yield f"  reads {artifact.name} s3://{artifact.bucket}/{artifact.key}"
        if artifact.name in run.missing:
            yield f"  ! {artifact.name} has no object: {run.missing[artifact.name]} uploaded none"
    if run.status == "Succeeded":
        for artifact in run.outputs:
            yield f"  gives {artifact.name} s3://{artifact.bucket}/{artifact.key}"
        for key, value in run.variables.items():
            yield f"  sets {key} = {value!r}"


def _variables(run: ActionRun) -> Iterator[tuple[str, str]]:
    """Return the variables that an action refers to, each with what was put in for it."""
    for key, written in run.action.configuration.items():
        references = [each[0] for each in REFERENCE.finditer(written)]
        around = [re.escape(part) for part in re.split(REFERENCE.pattern, written)[::3]]
        found = re.fullmatch("(.*?)".join(around), run.resolved.get(key, ""), re.DOTALL)
        is_resolved = found is not None and run.resolved.get(key) != written
        for number, text in enumerate(references, start=1):
            yield text, repr(found[number]) if found and is_resolved else "(not resolved)"


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
