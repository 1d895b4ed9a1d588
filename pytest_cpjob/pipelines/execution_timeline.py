"""The timeline of a pipeline's execution, as text in 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Final, NamedTuple

from pytest_cpjob.contract.masking import masking
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, PipelineRecord
from pytest_cpjob.pipelines.variables import REFERENCE
from pytest_cpjob.service.job_service import JobService

_WIDTH: Final = 80
_LONGEST: Final = 300


class _Told(NamedTuple):
    """Something to tell of an action; `is_detail` if it is not what became of the action."""

    text: str
    is_detail: bool = False


def execution_timeline(
    service: JobService,
    pipeline: PipelineRecord,
    execution: ExecutionRecord,
    *,
    in_short: bool = False,
) -> str:
    """Return an execution's timeline, secrets masked.

    Times are seconds of job clock. Of each attempt at an action: who performed it, the variables
    that were put in, its artifacts, and what came of it.

    Args:
        in_short: leave out values and artifacts: what became of stages and actions is told.
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
                for told in _told(run, execution):
                    if not (in_short and told.is_detail):
                        lines += _wrapped("    ", hide(told.text))
    return "\n".join(lines)


def _told(run: ActionRun, execution: ExecutionRecord) -> Iterator[_Told]:
    times = len([each for each in execution.runs[: run.number] if each.action == run.action])
    attempt = f", attempt {times}" if times > 1 else ""
    began = f"+{run.started_at:.10g}s"
    yield _Told(f"{began} {run.action.name}{attempt} ({run.performer}): {run.status}")
    if run.failure is not None:
        yield _Told(f"  ! {run.failure.code}: {run.failure.message}")
        for text, why in run.unresolved.items():
            yield _Told(f"  ! {text}: {why}")
    elif run.status == "Failed" and run.summary is not None:
        yield _Told(f"  ! rejected: {run.summary}")
    for text, value in _variables(run):
        yield _Told(f"  {text} = {value}", is_detail=True)
    for artifact in run.inputs:
        yield _Told(
            f"  reads {artifact.name} s3://{artifact.bucket}/{artifact.key}", is_detail=True
        )
        if artifact.name in run.missing:
            missing = run.missing[artifact.name]
            yield _Told(f"  ! {artifact.name} has no object: {missing} uploaded none")
    if run.status == "Succeeded":
        for artifact in run.outputs:
            is_missed = any(
                artifact.name in other.missing and artifact.key == read.key
                for other in execution.runs
                for read in other.inputs
                if read.name == artifact.name
            )
            verb = "has not uploaded" if is_missed else "gives"
            yield _Told(
                f"  {verb} {artifact.name} s3://{artifact.bucket}/{artifact.key}", is_detail=True
            )
        for key, value in run.variables.items():
            yield _Told(f"  sets {key} = {value!r}", is_detail=True)


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
