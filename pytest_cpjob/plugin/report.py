"""What the plugin does at every test's reports, and what it says at the session's end.

What is said of a test that fails is in `explanation`, which is imported for the first one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_cpjob.errors import ContractError
from pytest_cpjob.plugin.progress import EARLIER_OUTPUT

if TYPE_CHECKING:
    from pytest_cpjob.harness import Harness


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
        from pytest_cpjob.contract.reports import error_of

        try:
            raise error_of(found, directory=harness.observer.directory)
        except ContractError:
            call.excinfo = pytest.ExceptionInfo.from_current()
        return
    sweep = harness.builder.variation
    if sweep is not None and not harness.builder.has_varied and (sweep.action or sweep.order):
        from pytest_cpjob.plugin.unfit_sweeps import skip_told
        from pytest_cpjob.sweeps.variations import UnfitSweepError

        wanted = sweep.action or ", ".join(sweep.order)
        why = UnfitSweepError(
            sweep.marker,
            f"the test ran nothing of {wanted}: let it run a pipeline that has it as far as there,"
            " or take the marker away",
        )
        try:
            pytest.fail(str(why), pytrace=False)
        except pytest.fail.Exception:
            call.excinfo = pytest.ExceptionInfo.from_current()
        skip_told(item, call, why)


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
