"""The report of a run: `--cpjob-report=FILE.html` or `.md`, and pytest-html's extra.

It is loaded only where one of the two was asked for. Under pytest-xdist the workers put each
test's record on its report, and the process that collects the reports writes the file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pytest_cpjob.harness import Harness
    from pytest_cpjob.report.page import ReportedTest

ATTRIBUTE: Final = "cpjob_record"
"""The attribute of a test's last report that has its record."""

_SUFFIXES: Final = (".html", ".md")
_WORST_LAST: Final = ("passed", "skipped", "xfailed", "xpassed", "failed", "error")


def start(config: pytest.Config, paths: Sequence[str], *, in_pytest_html: bool) -> None:
    """Check the files that a run is to write, and collect what they will say.

    Raises:
        pytest.UsageError: a file has another suffix, or cannot be written.
    """
    files = [_checked(config, path) for path in paths]
    if hasattr(config, "workerinput"):
        return
    if files:
        config.pluginmanager.register(RunReport(config, files), "cpjob-report")
    if in_pytest_html:
        config.pluginmanager.register(StyleInPytestHtml(), "cpjob-pytest-html")


def _checked(config: pytest.Config, given: str) -> Path:
    option = f"--cpjob-report={given}"
    path = config.invocation_params.dir / os.path.expanduser(os.path.expandvars(given))
    if path.suffix.lower() not in _SUFFIXES:
        raise pytest.UsageError(
            f"{option}: the file's name must end in .html (a page) or .md (a CI job's summary)"
        )
    if hasattr(config, "workerinput"):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise pytest.UsageError(f"{option} cannot be written: {error}") from None
    return path


def keep_record(
    harness: Harness, report: pytest.TestReport, *, in_file: bool, in_pytest_html: bool
) -> None:
    """Put a test's record on its last report: for the run's file, for pytest-html, or for both."""
    from pytest_cpjob.plugin.executions import execution_blocks
    from pytest_cpjob.report.page import fragment
    from pytest_cpjob.report.records import record_of

    record = record_of(
        harness.service,
        harness.inspection.findings,
        directory=harness.observer.directory,
        blocks=[*execution_blocks(harness), *(make() for make in harness.report_blocks)],
    )
    if in_file:
        setattr(report, ATTRIBUTE, record)
    if in_pytest_html:
        # As pytest_html.extras.html makes it; its page is light for everybody.
        extra = {
            "name": None,
            "format_type": "html",
            "content": str(fragment(record, theme="light")),  # execnet sends no subclass
            "mime_type": None,
            "extension": None,
        }
        vars(report)["extras"] = [*getattr(report, "extras", []), extra]


class StyleInPytestHtml:
    """Puts the style of the tests' extras into pytest-html's page, once."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Add it above the table of tests, as HTML."""
        from pytest_cpjob.report.page import style

        prefix.append(style())


class _Progress:
    """What is known of one test so far."""

    def __init__(self) -> None:
        self.outcome = "passed"
        self.message = ""
        self.record: Any = None


class RunReport:
    """Collects a run's reports, and writes its files at the end."""

    def __init__(self, config: pytest.Config, files: Sequence[Path]) -> None:
        self._config = config
        self._files = files
        self._tests: dict[tuple[str, str], _Progress] = {}
        self._runs: dict[tuple[str, str], int] = {}
        self._written: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of a test; of one that is run again, the last run counts."""
        key = (report.nodeid, getattr(report, "worker_id", ""))
        if report.when == "setup":
            self._tests[key] = _Progress()
            self._runs[key] = self._runs.get(key, 0) + 1
        test = self._tests.setdefault(key, _Progress())
        status = self._config.hook.pytest_report_teststatus(report=report, config=self._config)
        if status[0] in _WORST_LAST:
            test.outcome = max(test.outcome, status[0], key=_WORST_LAST.index)
        if report.failed and not test.message:
            crash = getattr(report.longrepr, "reprcrash", None)
            test.message = getattr(crash, "message", "") or report.longreprtext
        test.record = getattr(report, ATTRIBUTE, test.record)

    def pytest_sessionfinish(self) -> None:
        """Write the files."""
        from pytest_cpjob.report.markdown import markdown
        from pytest_cpjob.report.page import page

        tests = self._reported()
        now = datetime.now().astimezone().isoformat(" ", "minutes")
        subtitle = f"pytest-cpjob {version('pytest-cpjob')}, pytest {pytest.__version__}, {now}"
        for file in self._files:
            write = page if file.suffix.lower() == ".html" else markdown
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(write(tests, subtitle), "utf-8", "backslashreplace")
                self._written.append(f"cpjob report: {file}")
            except OSError as error:
                # It could be written at the start. What the tests have shown must not be lost.
                self._written.append(f"cpjob report: cannot be written: {error}")

    def _reported(self) -> list[ReportedTest]:
        """Return the tests that used the fixture, the failing ones first."""
        from pytest_cpjob.report.page import ReportedTest

        tests = [
            ReportedTest(
                name, test.outcome, test.message, self._runs[name, worker] - 1, test.record
            )
            for (name, worker), test in self._tests.items()
            if test.record is not None
        ]
        return sorted(tests, key=lambda test: not test.is_bad)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the files are."""
        for line in self._written:
            terminalreporter.write_line(line)
