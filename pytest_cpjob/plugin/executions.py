"""What a test's report shows of the pipelines that it ran: timelines, and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_cpjob.contract.masking import mask

if TYPE_CHECKING:
    import pytest

    from pytest_cpjob.harness import Harness
    from pytest_cpjob.report.records import Block

MOST_EXECUTIONS: Final = 5


def show_executions(harness: Harness, report: pytest.TestReport) -> None:
    """Add the timelines of the last executions to a failure."""
    for each in harness.executions[-MOST_EXECUTIONS:]:
        title = f"cpjob timeline of execution {each.id}"
        report.sections.append((title, mask(harness.service, each._timeline_in_short())))


def execution_blocks(harness: Harness) -> list[Block]:
    """Return the pictures of the last executions, for a report of the run."""
    return [
        {
            "title": f"Pipeline execution {each.id}",
            "html": each._repr_html_(),
            "mermaid": each.mermaid(),
        }
        for each in harness.executions[-MOST_EXECUTIONS:]
    ]
