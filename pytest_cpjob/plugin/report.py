"""What a test's report says: findings, hints, timelines, the session's end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_cpjob.call_sites import is_own, package_of, shown_path
from pytest_cpjob.contract.hints import hints
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.reports import error_of, report_of, wrapped
from pytest_cpjob.contract.timeline import timeline
from pytest_cpjob.errors import ContractError, text_of
from pytest_cpjob.plugin.fixtures import EARLIER_OUTPUT

if TYPE_CHECKING:
    from pytest_cpjob.contract.findings import Finding
    from pytest_cpjob.harness import Harness

MOST_LINES: Final = 25
"""How many lines of ours a failing test has, about; findings are never cut short for it."""

FEWEST_TIMELINE_LINES: Final = 12
MOST_TIMELINES: Final = 3
MOST_HINTS: Final = 3

_RUNNERS: Final = frozenset({"_pytest", "pluggy"})


def capture_sections(harness: Harness, item: pytest.Item, report: pytest.TestReport) -> None:
    """Keep what pytest captured of the test so far, for secrets to be found in.

    pytest keeps the output of earlier runs of a test, the first in a report. A run again has the
    same jobs, with the same secrets, and must not be blamed for them.
    """
    if not harness.service.registry.jobs:
        return
    sections = report.sections[item.stash.get(EARLIER_OUTPUT, 0) :]
    for where, name in (("stdout", "stdout"), ("stderr", "stderr"), ("the log", "log")):
        texts = [text for title, text in sections if title.startswith(f"Captured {name}")]
        harness.observer.captured(where, "".join(texts))


def fail_for_findings(harness: Harness, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Let a test that has passed fail in its call phase, for what nothing can change any more.

    As pytest's own unittest support does, it is given an exception that its code did not raise.
    """
    if harness.service.registry.jobs:
        capture_sections(harness, item, pytest.TestReport.from_item_and_call(item, call))
    found = harness.inspection.settled_findings(harness.runs_code)
    if found:
        try:
            raise error_of(found, directory=harness.observer.directory)
        except ContractError:
            call.excinfo = pytest.ExceptionInfo.from_current()
        return
    sweep = harness.builder.variation
    if sweep is not None and not harness.builder.has_varied and (sweep.action or sweep.order):
        wanted = sweep.action or ", ".join(sweep.order)
        try:
            pytest.fail(
                f"@pytest.mark.{sweep.marker}: the test ran nothing of {wanted}: let it run a"
                " pipeline that has it as far as there, or take the marker away",
                pytrace=False,
            )
        except pytest.fail.Exception:
            call.excinfo = pytest.ExceptionInfo.from_current()


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


# -- the session's end -----------------------------------------------------------------------------


def tell(harness: Harness, *, failed: bool) -> dict[str, Any]:
    """Return what the session's end needs of one test; it goes through xdist.

    What a passing test found, it has asked for: by `pytest.raises` around `check()`.
    """
    directory = harness.observer.directory
    return {
        "jobs": len(harness.service.registry.jobs),
        "findings": [
            (finding.name, "" if finding.place is None else finding.place.shown(directory))
            for finding in harness.inspection.findings
        ]
        if failed
        else [],
    }


def last_lines(reports: Iterable[Any]) -> list[str]:
    """Return the session's last lines from reports with what was told; none without findings.

    The findings by name and line of code, most frequent first, then all in one line. Of a test
    that pytest-rerunfailures ran again, which is what `rerun` counts, the last run is told.
    """
    in_order = sorted(reports, key=lambda report: getattr(report, "rerun", 0))
    told = {report.nodeid: report.cpjob for report in in_order}
    jobs = sum(one["jobs"] for one in told.values())
    found = Counter((name, place) for one in told.values() for name, place in one["findings"])
    if not found:
        return []
    names: Counter[str] = Counter()
    for (name, _), count in found.items():
        names[name] += count
    lines = [f"{name} x{count} {place}".rstrip() for (name, place), count in found.most_common()]
    counted = ", ".join(f"{name} {count}" for name, count in names.most_common())
    return [*lines, f"cpjob: {jobs} job{'s' * (jobs != 1)}, findings: {counted}"]
