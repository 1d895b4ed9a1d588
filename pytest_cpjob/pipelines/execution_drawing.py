"""A pipeline's execution as a picture: Mermaid text, and HTML for reports and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Final

from pytest_cpjob.pipelines.drawing import mermaid
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, PipelineRecord
from pytest_cpjob.pipelines.variables import Action

_CLASSES: Final = {
    "Succeeded": "fill:#d3f2d3,stroke:#2a7d2a,color:#000",
    "Failed": "fill:#f8d0d0,stroke:#b01010,color:#000,stroke-width:3px",
    "Abandoned": "fill:#eeeeee,stroke:#777777,color:#000",
    "InProgress": "fill:#d5e5fa,stroke:#2255aa,color:#000",
    "Waiting": "fill:#ffffff,stroke:#999999,color:#555,stroke-dasharray:4",
}
_MARKS: Final = {"Succeeded": "✔", "Failed": "✘", "Abandoned": "⊘", "InProgress": "…"}


def execution_mermaid(pipeline: PipelineRecord, execution: ExecutionRecord) -> str:
    """Return an execution as a Mermaid flow chart; what failed is marked."""

    def described(action: Action) -> tuple[str, str]:
        attempts = execution.attempts(action)
        if not attempts:
            return "not started", "Waiting"
        run = attempts[-1]
        below = run.status if len(attempts) == 1 else f"{run.status}, attempt {len(attempts)}"
        if run.failure is not None:
            below = f"{below}: {run.failure.code}"
        return below, run.status

    lines = [f"  classDef {name} {style}" for name, style in _CLASSES.items()]
    return mermaid(pipeline.declaration, described) + "\n".join(lines) + "\n"


def execution_html(
    pipeline: PipelineRecord, execution: ExecutionRecord, hide: Callable[[str], str]
) -> str:
    """Return an execution as HTML: a column for each stage, a box for each action.

    Args:
        hide: masks secrets.
    """
    columns = "".join(
        f'<td style="vertical-align:top;padding:4px"><b>{escape(name)}</b>'
        f"{''.join(_boxes(pipeline, execution, name, hide))}</td>"
        for name in pipeline.stage_names
    )
    title = escape(f"{pipeline.name}: {execution.status}")
    return (
        f'<div class="cpjob-execution"><p><b>{title}</b> <code>{escape(execution.id)}</code></p>'
        f"<table><tr>{columns}</tr></table></div>"
    )


def _boxes(
    pipeline: PipelineRecord, execution: ExecutionRecord, stage: str, hide: Callable[[str], str]
) -> Iterator[str]:
    for action in pipeline.actions_in(stage):
        attempts = execution.attempts(action)
        yield _box(action, attempts[-1] if attempts else None, len(attempts), hide)


def _box(action: Action, run: ActionRun | None, attempts: int, hide: Callable[[str], str]) -> str:
    status = "Waiting" if run is None else run.status
    fill = _CLASSES[status].partition(",")[0].replace("fill:", "background:")
    lines = [f"{_MARKS.get(status, '')} {escape(action.name)}"]
    if run is not None:
        again = f", attempt {attempts}" if attempts > 1 else ""
        lines.append(f"<small>{escape(run.performer)}: {run.status}{again}</small>")
        if run.failure is not None:
            told = hide(f"{run.failure.code}: {run.failure.message}")
            lines.append(f"<small>{escape(told[:200])}</small>")
    style = f"{fill};color:#000;border:1px solid #888;border-radius:4px;margin:4px;padding:4px"
    return f'<div style="{style}">{"<br>".join(lines)}</div>'
