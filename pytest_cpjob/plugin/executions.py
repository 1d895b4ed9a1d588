"""What a test's report shows of the pipelines that it ran: timelines, and pictures in HTML."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from pytest_cpjob.contract.masking import mask

if TYPE_CHECKING:
    import pytest

    from pytest_cpjob.harness import Harness

MOST_EXECUTIONS: Final = 5


def show_executions(harness: Harness, report: pytest.TestReport) -> None:
    """Add the timelines of executions to a failure, and their pictures to pytest-html's report."""
    shown = harness.executions[-MOST_EXECUTIONS:]
    html = sys.modules.get("pytest_html")
    if html is not None:
        pictures = [html.extras.html(each._repr_html_()) for each in shown]
        vars(report)["extras"] = [*getattr(report, "extras", []), *pictures]
    if report.failed:
        for each in shown:
            title = f"cpjob timeline of execution {each.id}"
            report.sections.append((title, mask(harness.service, _in_short(each.timeline))))


def _in_short(timeline: str) -> str:
    """Return what became of stages and actions; the values and artifacts are in `timeline`."""
    lines = timeline.splitlines()
    return "\n".join(line for line in lines if not line.startswith(" " * 6) or "!" in line)
