"""What a test's report says of its jobs: findings, timelines, the last line; and its masking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.contract.findings import report_of
from pytest_cpjob.contract.masking import mask, masking
from pytest_cpjob.errors import ContractError

if TYPE_CHECKING:
    import pytest

    from pytest_cpjob.harness import Harness

MOST_TIMELINES: Final = 10


def capture_sections(harness: Harness, report: pytest.TestReport) -> None:
    """Keep what pytest captured of the test so far, for secrets to be found in."""
    for where, text in (
        ("stdout", report.capstdout),
        ("stderr", report.capstderr),
        ("the log", report.caplog),
    ):
        harness.observer.captured(where, text)


def explain_failure(harness: Harness, report: pytest.TestReport) -> None:
    """Add the findings, unless they are the failure itself, and the timelines to a report."""
    from pytest_cpjob.contract.timeline import timeline

    add = getattr(report.longrepr, "addsection", None)
    if add is None:
        add = _plain_sections(report)
    found = harness.inspection.new_findings()
    if found:
        add("cpjob findings", mask(harness.service, report_of(found)), "-")
    jobs = list(harness.service.registry.jobs.values())
    for job in jobs[-MOST_TIMELINES:]:
        of_job = [finding for finding in harness.inspection.findings if finding.job_id == job.id]
        text = timeline(harness.service, job, of_job)
        add(f"cpjob timeline of job {job.id}", mask(harness.service, text), "-")
    if len(jobs) > MOST_TIMELINES:
        add("cpjob timelines", f"and {len(jobs) - MOST_TIMELINES} earlier jobs", "-")


def _plain_sections(report: pytest.TestReport) -> Any:
    """Give the way to add sections to a report that is text only."""

    def add(name: str, content: str, sep: str) -> None:
        report.sections.append((name, content))

    return add


def mask_secrets(harness: Harness, report: pytest.TestReport) -> None:
    """Mask the secrets of all jobs in a failure's text: locals, arguments, differences, output."""
    hide = masking(harness.service)
    report.longrepr = _masked(report.longrepr, hide)
    report.sections = [(name, hide(text)) for name, text in report.sections]


def _masked(shown: Any, hide: Callable[[str], str]) -> Any:
    """Mask what pytest will show, a tree of its own objects, tuples, lists and texts, in place."""
    if isinstance(shown, str):
        return hide(shown)
    if isinstance(shown, tuple) and type(shown) is tuple:
        return tuple(_masked(each, hide) for each in shown)
    if isinstance(shown, list):
        shown[:] = [_masked(each, hide) for each in shown]
    elif type(shown).__module__.startswith("_pytest."):
        for name, value in vars(shown).items():
            setattr(shown, name, _masked(value, hide))
    return shown


def show_findings_alone(report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
    """Let findings at teardown be shown without the traceback into this plugin."""
    assert call.excinfo is not None
    if isinstance(call.excinfo.value, ContractError):
        report.longrepr = call.excinfo.getrepr(style="value")


def tell(harness: Harness, *, failed: bool) -> dict[str, Any]:
    """Give what the last line of the session needs of one test; it goes through xdist.

    What a passing test found, it has asked for: by `pytest.raises` around `check()`.
    """
    return {
        "jobs": len(harness.service.registry.jobs),
        "findings": [finding.name for finding in harness.inspection.findings] if failed else [],
    }


def last_line(reports: Iterable[Any]) -> str | None:
    """Give the session's last line from reports with what was told; None where nothing was found.

    Of a test that pytest-rerunfailures ran again, which is what `rerun` counts, the last run is
    the one that is told of.
    """
    in_order = sorted(reports, key=lambda report: getattr(report, "rerun", 0))
    told = {report.nodeid: report.cpjob for report in in_order}
    jobs = sum(one["jobs"] for one in told.values())
    found = Counter(name for one in told.values() for name in one["findings"])
    if not found:
        return None
    counted = ", ".join(f"{name} {count}" for name, count in found.most_common())
    return f"cpjob: {jobs} job{'s' * (jobs != 1)}, findings: {counted}"
