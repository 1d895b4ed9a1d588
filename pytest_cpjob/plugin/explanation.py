"""What the report of a test that failed says: its findings, hints and timelines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_cpjob.call_sites import is_own, package_of, shown_path
from pytest_cpjob.contract.hints import hints
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.reports import report_of, wrapped
from pytest_cpjob.contract.timeline import timeline
from pytest_cpjob.errors import ContractError, text_of

if TYPE_CHECKING:
    from pytest_cpjob.contract.findings import Finding
    from pytest_cpjob.harness import Harness

MOST_LINES: Final = 25
"""How many lines of ours a failing test has, about; findings are never cut short for it."""

FEWEST_TIMELINE_LINES: Final = 12
MOST_TIMELINES: Final = 3
MOST_HINTS: Final = 3

_RUNNERS: Final = frozenset({"_pytest", "pluggy"})


def explain_failure(
    harness: Harness, report: pytest.TestReport, call: pytest.CallInfo[None]
) -> None:
    """Show in a report that has failed the findings, hints and timelines."""
    error = None if call.excinfo is None else call.excinfo.value
    told = 0
    if isinstance(error, ContractError):
        told = _show_findings(harness, report, call, error)
    # At the end of a test that failed nothing changes any more but what its teardown changes.
    found = (
        harness.inspection.new_findings()
        if call.when == "teardown"
        else harness.inspection.settled_findings(harness.runs_code)
    )
    _add_sections(
        harness, report, found, told, shown_already="" if error is None else text_of(error)
    )


def _show_findings(
    harness: Harness,
    report: pytest.TestReport,
    call: pytest.CallInfo[None],
    error: ContractError,
) -> int:
    """Let a report that findings have failed begin with them; return how many lines they take."""
    assert call.excinfo is not None
    is_asked_for = any(not is_own(str(entry.path)) for entry in _of_test(call.excinfo))
    if not is_asked_for:
        report.longrepr = call.excinfo.getrepr(style="value")
    shown: Any = report.longrepr
    crash = getattr(shown, "reprcrash", None)
    if crash is not None:
        crash.message = _in_short(str(error))
    if is_asked_for or crash is None:
        return 0
    lines = wrapped(str(error), harness.report_width()).splitlines()
    [entry] = shown.reprtraceback.reprentries
    entry.lines[:] = lines
    place = next(
        (found.place for found in harness.inspection.findings if found.name == error.names[0]), None
    )
    if place is not None:
        # As pytest's own are: what annotates a failure, or jumps to it, finds the line there.
        path = shown_path(place.path, harness.observer.directory)
        crash.path, crash.lineno = place.path, place.line
        entry.reprfileloc = type(crash)(path, place.line, ", ".join(dict.fromkeys(error.names)))
    return len(lines)


def _in_short(text: str) -> str:
    """Return what each finding is, without the exception's class before the findings' names.

    It stands in the short summary, in a CI service's annotation, and as junit's message.
    """
    first, *others = text.splitlines()
    return "\n".join([first, *(line for line in others if line.startswith("- "))])


def _of_test(excinfo: pytest.ExceptionInfo[BaseException]) -> Iterator[Any]:
    """Iterate over the frames that are neither pytest's nor of what runs it."""
    return (entry for entry in excinfo.traceback if package_of(str(entry.path)) not in _RUNNERS)


def _add_sections(
    harness: Harness,
    report: pytest.TestReport,
    found: Sequence[Finding],
    told: int,
    shown_already: str,
) -> None:
    add = getattr(report.longrepr, "addsection", None) or _plain_sections(report)
    width, directory = harness.report_width(), harness.observer.directory
    sections = []
    if found:
        sections.append(("cpjob findings", report_of(found, directory=directory)))
    hinted = hints(harness.service)
    if hinted:
        sections.append(("cpjob hints", "\n".join(f"- {hint}" for hint in hinted[:MOST_HINTS])))
    hide = masking(harness.service)
    for name, text in sections:
        shown = wrapped(hide(text), width)
        told += shown.count("\n") + 2
        add(name, shown, "-")
    for name, text in _timelines(harness, MOST_LINES - told, shown_already):
        add(name, hide(text), "-")


def _timelines(harness: Harness, room: int, shown_already: str) -> Iterator[tuple[str, str]]:
    """Iterate over the timelines of the actions that a failure is about, each with its title.

    An exception such as `UnexpectedResult` may show one already. The findings, which would be its
    last line here, have a section of their own.
    """
    firsts = [job for job in list(harness.service.registry.in_order) if job.previous is None]
    findings = harness.inspection.findings
    found = {job_id for finding in findings for job_id in finding.about}
    about = (job for job in firsts if any(each.id in found for each in job.continued))
    chosen = list(islice(about, MOST_TIMELINES)) or firsts[-MOST_TIMELINES:]
    width, directory = harness.report_width(), harness.observer.directory
    for job in chosen:
        if timeline(harness.service, job, width=width, directory=directory) in shown_already:
            continue
        most = max(FEWEST_TIMELINE_LINES, room // len(chosen) - 1)
        text = timeline(
            harness.service,
            job,
            findings,
            width=width,
            most_lines=most,
            directory=directory,
        )
        yield f"cpjob timeline of job {job.id}", text
    if len(firsts) > len(chosen):
        others = len(firsts) - len(chosen)
        text = f"and {others} more job{'s' * (others > 1)}: print job.timeline"
        yield "cpjob timelines", text


def add_late_findings(harness: Harness, report: pytest.TestReport) -> None:
    """Tell of what the teardown of a failed test has found: pytest shows it with the failure."""
    found = harness.inspection.new_findings()
    if found:
        text = report_of(found, directory=harness.observer.directory)
        shown = wrapped(masking(harness.service)(text), harness.report_width())
        report.sections.append(("cpjob findings at teardown", shown))


def _plain_sections(report: pytest.TestReport) -> Any:
    """Return the way to add sections to a report that is text only."""

    def add(name: str, content: str, sep: str) -> None:
        report.sections.append((name, content))

    return add
