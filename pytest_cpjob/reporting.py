"""What a test's report says of its jobs: findings, timelines, explanations, the last line."""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.contract.findings import report_of
from pytest_cpjob.contract.leaks import mask, masking
from pytest_cpjob.errors import ContractError
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import JobFailure, JobSuccess

if TYPE_CHECKING:
    import pytest

    from pytest_cpjob.stub import CodePipelineStub

MOST_TIMELINES: Final = 10
_PACKAGE: Final = os.path.dirname(__file__)
_STATUSES: Final = frozenset(
    {"Created", "Queued", "Dispatched", "InProgress", "TimedOut", "Succeeded", "Failed"}
)


def hear(stub: CodePipelineStub, report: pytest.TestReport) -> None:
    """Keep what pytest captured of the test so far, for secrets to be found in."""
    for where, text in (
        ("stdout", report.capstdout),
        ("stderr", report.capstderr),
        ("the log", report.caplog),
    ):
        stub.witness.captured(where, text)


def explain_failure(stub: CodePipelineStub, report: pytest.TestReport) -> None:
    """Add the findings, unless they are the failure itself, and the timelines to a report."""
    from pytest_cpjob.contract.timeline import timeline

    add = getattr(report.longrepr, "addsection", None)
    if add is None:
        add = _plain_sections(report)
    found = stub.witness.new_findings()
    if found:
        add("cpjob findings", mask(stub.service, report_of(found)), "-")
    jobs = list(stub.service.ledger.jobs.values())
    for job in jobs[-MOST_TIMELINES:]:
        of_job = [finding for finding in stub.witness.findings if finding.job_id == job.id]
        text = timeline(stub.service, job, of_job)
        add(f"cpjob timeline of job {job.id}", mask(stub.service, text), "-")
    if len(jobs) > MOST_TIMELINES:
        add("cpjob timelines", f"and {len(jobs) - MOST_TIMELINES} earlier jobs", "-")


def _plain_sections(report: pytest.TestReport) -> Any:
    """Give the way to add sections to a report that is text only."""

    def add(name: str, content: str, sep: str) -> None:
        report.sections.append((name, content))

    return add


def mask_secrets(stub: CodePipelineStub, report: pytest.TestReport) -> None:
    """Mask the secrets of all jobs in a failure's text: locals, arguments, differences, output."""
    hide = masking(stub.service)
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


def explain_comparison(stub: CodePipelineStub, left: object, right: object) -> list[str] | None:
    """Explain `job.status == ...` and `job.result == ...`; None for what is neither."""
    jobs = list(stub.service.ledger.jobs.values())
    if isinstance(left, str) and isinstance(right, str):
        if not {left, right} <= _STATUSES:
            return None
        about = [job for job in jobs if job.status == left]
    elif isinstance(right, (JobSuccess, JobFailure)):
        if type(left) is type(right):
            return None
        about = [job for job in jobs if job.result is left]
    else:
        return None
    lines = [f"{left!r} == {right!r}"]
    for job in about[-3:]:
        lines += _explained(stub, job)
    return [mask(stub.service, line) for line in lines] if about else None


def _explained(stub: CodePipelineStub, job: JobRecord) -> Iterator[str]:
    from pytest_cpjob.contract.timeline import outcome

    yield ""
    yield f"job {job.id} is {job.status}"
    if job.result is not None:
        yield f"  it was reported as {outcome(job.result)}"
    else:
        yield "  nothing was reported of it"
    calls = stub.service.record.calls(job.id)
    if calls:
        last = calls[-1]
        ending = f" -> {last.error}" if last.error else ""
        yield f"  the last call: +{last.at:.10g}s {last.service}.{last.operation}{ending}"
    for error, _ in job.raised[-1:]:
        yield f"  the handler raised {type(error).__name__}: {error}"
        for line in "".join(traceback.format_list(_frames_of_handler(error))).splitlines():
            yield f"  {line}"


def _frames_of_handler(error: BaseException) -> list[traceback.FrameSummary]:
    """Give where the handler was, without the test that called it: pytest shows eight lines."""
    frames = list(traceback.extract_tb(error.__traceback__))
    called = [number for number, frame in enumerate(frames) if _is_ours(frame)]
    ahead = frames[called[0] :] if called else frames
    return [frame for frame in ahead if not _is_ours(frame)]


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_PACKAGE)


def tell(stub: CodePipelineStub, *, failed: bool) -> dict[str, Any]:
    """Give what the last line of the session needs of one test; it goes through xdist.

    What a passing test found, it has asked for: by `pytest.raises` around `check()`.
    """
    return {
        "jobs": len(stub.service.ledger.jobs),
        "findings": [finding.name for finding in stub.witness.findings] if failed else [],
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
