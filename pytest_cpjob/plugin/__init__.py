"""The pytest plugin: its hooks. At load time it imports pytest, but no AWS library."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_cpjob.clients.import_guard import ImportGuard
from pytest_cpjob.defaults import BUILT_IN_REGION, CHECKS, WARNINGS
from pytest_cpjob.patching import Undo, restore_late_attributes
from pytest_cpjob.plugin import current_test
from pytest_cpjob.plugin.fixtures import (
    SWEEP,
    _cpjob_server,
    _cpjob_sweep,
    cpjob,
    cpjob_artifact_factory,
    cpjob_credentials_factory,
    cpjob_details_factory,
    cpjob_endpoint,
    cpjob_event_factory,
    cpjob_faker,
    cpjob_pipeline_context_factory,
    cpjob_third_party_details_factory,
    forget,
)
from pytest_cpjob.plugin.loading import load_own_modules_plainly
from pytest_cpjob.plugin.options import BUILT_IN, REPORT, SEED, add_options, check_flags, check_ini
from pytest_cpjob.plugin.progress import EARLIER_OUTPUT, PROGRESS, Progress

if TYPE_CHECKING:
    from pytest_cpjob.harness import Harness

# pytest finds a plugin's fixtures by their names in its module.
__all__ = [
    "_cpjob_server",
    "_cpjob_sweep",
    "cpjob",
    "cpjob_artifact_factory",
    "cpjob_credentials_factory",
    "cpjob_details_factory",
    "cpjob_endpoint",
    "cpjob_event_factory",
    "cpjob_faker",
    "cpjob_pipeline_context_factory",
    "cpjob_third_party_details_factory",
]

_UNDO: Final = pytest.StashKey[Undo]()
_IMPORT_GUARD: Final = pytest.StashKey[ImportGuard]()
_SWEEPS: Final = {
    "cpjob_job_variants": "*names, without=[], action=None): run this test of the cpjob fixture"
    " again for other jobs that AWS can send; all variations, or only the named ones; to each job,"
    " or to those of one action of a pipeline.",
    "cpjob_faults": "*names, without=[], action=None): run this test of the cpjob fixture again for"
    " faults that its calls can run into; all variations, or only the named ones; of each job, or"
    " of those of one action of a pipeline.",
    "cpjob_warm": "*names, without=[]): run this test of the cpjob fixture again for a process that"
    " has run its handler before; all variations, or only the named ones.",
    "cpjob_action_orders": "*actions): run this test of the cpjob fixture again for each order in"
    " which these parallel actions of a pipeline can be performed.",
    "cpjob_stage_retries": "action, *, calls=5): run this test of the cpjob fixture again for a"
    " failure of each of the action's calls, after which its stage is retried once.",
}
_SEED_OPTION: Final = "--cpjob-seed="
_REPLAY: Final = f"replay these documents with {_SEED_OPTION}"


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    undo = Undo()
    early_config.stash[_UNDO] = undo
    early_config.add_cleanup(undo.all)
    load_own_modules_plainly(undo)
    check_flags(early_config)
    makes_clients = early_config.getini("cpjob_aws_env")
    stops_calls = early_config.getini("cpjob_stop_calls_at_import")
    if makes_clients or stops_calls:
        region = early_config.getini("cpjob_region") or BUILT_IN_REGION
        guard = ImportGuard(region, makes_clients=makes_clients, stops_calls=stops_calls or None)
        guard.install(undo)
        guard.watch("while code was imported for its tests to be collected")
        early_config.stash[_IMPORT_GUARD] = guard


def pytest_collection_finish(session: pytest.Session) -> None:
    guard = session.config.stash.get(_IMPORT_GUARD, None)
    if guard is not None:
        guard.rest()


def pytest_configure(config: pytest.Config) -> None:
    current_test.have_own(config)
    config.addinivalue_line(
        "markers",
        "cpjob(*, seed=None, region=None, account_id=None, allow=[], own_role=None,"
        " role_policy=None): options of"
        " the cpjob fixtures for this test; allow lists findings that are not reported, of"
        f" {', '.join(CHECKS)}; and warnings of add_pipeline, of {', '.join(WARNINGS)}.",
    )
    if not hasattr(config, "workerinput"):  # xdist's workers have the main process's options
        check_ini(config)
    for name, told in _SWEEPS.items():
        config.addinivalue_line("markers", f"{name}({told}")
    config.pluginmanager.register(_Colours(), "cpjob-colours")
    seed = config.getoption("--cpjob-seed")
    if seed == "random":
        import secrets

        worker_input = getattr(config, "workerinput", None)
        seed = worker_input["cpjob_seed"] if worker_input else secrets.token_hex(4)
    if seed is not None:
        config.stash[SEED] = seed
    files = config.getoption("--cpjob-report")
    in_pytest_html = _is_shown_by_pytest_html(config)
    config.stash[REPORT] = bool(files) or in_pytest_html
    if config.stash[REPORT]:
        from pytest_cpjob.plugin.run_report import start

        start(config, files, in_pytest_html=in_pytest_html)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["cpjob_seed"] = node.config.stash.get(SEED, None)
    node.workerinput["cpjob_width"] = node.config.get_terminal_writer().fullwidth


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return one line with the options of the whole run that differ from their defaults."""
    told = []
    seed = config.stash.get(SEED, None)
    if seed is not None:
        is_random = config.getoption("--cpjob-seed") == "random"
        told.append(f"{_REPLAY if is_random else _SEED_OPTION}{seed}")
    for name, built_in in BUILT_IN.items():
        value = config.getini(name)
        if value not in (None, built_in) and not (name == "cpjob_seed" and told):
            told.append(f"{name} = {' '.join(value) if isinstance(value, list) else value}")
    return f"cpjob: {', '.join(told)}" if told else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    current_test.begin(item)
    # An earlier run of the same test may have been ended before its last report.
    forget(item)
    if (module := sys.modules.get("pytest_cpjob.harness")) is not None:
        module.forget_test()
    if item._report_sections:
        item.stash[EARLIER_OUTPUT] = len(item._report_sections)
    guard = item.config.stash.get(_IMPORT_GUARD, None)
    if guard is None or "cpjob" not in getattr(item, "fixturenames", ()):
        return (yield)
    with guard.watching("in the set-up of a test, before its cpjob was there"):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    progress = item.stash.get(PROGRESS, None)
    if progress is None:
        return (yield)
    __tracebackhide__ = True  # a warning of pytest's own may be raised through here
    # Inside pytest's own capture, which replaces sys.stdout for each phase.
    progress.is_running = True
    undo = Undo()
    try:
        progress.harness.observer.listen(undo)
        return (yield)
    finally:
        undo.all()
        progress.is_running = False


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    progress = item.stash.get(PROGRESS, None)
    if progress is not None and call.when == "call" and not progress.is_running:
        progress.has_ended = True
        progress.harness.end_running()
        _fail_for_findings(progress.harness, item, call)
    is_swept = (
        call.excinfo is not None
        and progress is not None
        and not progress.is_running
        and progress.harness.builder.variation is not None
    )
    if is_swept:
        from pytest_cpjob.plugin.unfit_sweeps import skip_unfit

        skip_unfit(item, call)
    if call.excinfo is None:
        report = yield
    else:
        undo = Undo()
        try:
            _hide_frames(call.excinfo.value, item, undo)
            report = yield
        finally:
            undo.all()
    if is_swept and report.skipped:
        from pytest_cpjob.plugin.unfit_sweeps import place_skip

        place_skip(item, report)
    if call.when == "teardown" and _active_harness() is None:
        restore_late_attributes()
        # Not imported at pytest's start: only a stub changes variables.
        if (module := sys.modules.get("pytest_cpjob.variables")) is not None:
            module.restore_late_variables()
    if progress is not None:
        _note(progress, call, report)
        _explain(progress, item, call, report)
        if call.when == "teardown":
            forget(item)
    elif report.failed and call.when == "setup":
        _explain_scope(report)
    fixtures = getattr(item, "funcargs", None) or {}
    if _has_text(report, fixtures) and _has_stubs():
        from pytest_cpjob.plugin.masked_reports import mask_report, mask_written

        mask_report(report)
        mask_written(fixtures, report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> Generator[None, object, object]:
    """Mask a subtest's report, to which pytest adds output once it is made, before all others."""
    if hasattr(report, "context") and _has_stubs():
        from pytest_cpjob.plugin.masked_reports import mask_part

        mask_part(report, _active_harness())
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    """Mask what a test has warned of, which pytest tells once the test's last report is made."""
    if _has_stubs():
        from pytest_cpjob.plugin.masked_reports import mask_warning

        mask_warning(warning_message)


def _fail_for_findings(harness: Harness, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Let a test fail for what its code did, before any plugin hears that it has passed."""
    if call.excinfo is not None:
        return
    from pytest_cpjob.plugin.report import fail_for_findings

    try:
        fail_for_findings(harness, item, call)
    except Exception:
        # An error of ours fails the test that asked, not the whole run.
        call.excinfo = pytest.ExceptionInfo.from_current()


def _hide_frames(error: BaseException, item: pytest.Item, undo: Undo) -> None:
    """Leave out frames that are neither the test's nor of the code under test."""
    if not item.config.getoption("fulltrace"):
        from pytest_cpjob.plugin.tracebacks import hide_frames

        hide_frames(error, undo, of_aws=PROGRESS in item.stash)


def _note(progress: Progress, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Take note of what a report says of a test."""
    if call.excinfo is None or call.when == "teardown":
        return
    if report.failed or not progress.is_running:
        progress.has_passed = False
        progress.has_failed |= report.failed


def _explain(
    progress: Progress, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> None:
    """Say in a report what became of the test's jobs, and keep what a later report needs."""
    is_last = call.when == "teardown"
    if not (is_last or report.failed or progress.harness.service.registry.jobs):
        return
    for explain in (_explain_jobs, _tell) if is_last or report.failed else (_explain_jobs,):
        try:
            explain(progress, item, call, report)
        except Exception as error:
            _fail_for_ours(report, error)


def _explain_jobs(
    progress: Progress, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> None:
    """Say what the jobs of a test that has failed, or fails now, have met."""
    harness = progress.harness
    if not progress.is_running:
        from pytest_cpjob.plugin.report import capture_sections

        capture_sections(harness, item, report)
    if report.failed:
        from pytest_cpjob.plugin.explanation import explain_failure

        explain_failure(harness, report, call)
    elif call.when == "teardown" and progress.has_failed:
        from pytest_cpjob.plugin.explanation import add_late_findings

        add_late_findings(harness, report)


def _tell(
    progress: Progress, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> None:
    """Tell what the run's own reports need, and show the executions of a test that has failed."""
    harness = progress.harness
    if call.when == "teardown":
        from pytest_cpjob.plugin.report import tell

        vars(report)["cpjob"] = tell(harness, failed=report.failed or not progress.has_passed)
        if item.config.stash[REPORT]:
            _keep_record(harness, item.config, report)
    elif call.when == "call" and harness.executions:
        from pytest_cpjob.plugin.executions import show_executions

        show_executions(harness, report)


def _fail_for_ours(report: pytest.TestReport, error: Exception) -> None:
    """Let a report fail for an error of ours, to which the test's own failure is never lost."""
    report.sections.append(("cpjob", f"the jobs cannot be described: {error!r}"))
    if report.passed:
        report.outcome = "failed"
        report.longrepr = "".join(traceback.format_exception(error))


def _keep_record(harness: Harness, config: pytest.Config, report: pytest.TestReport) -> None:
    """Put what a report of the run shows of a test on its last report."""
    from pytest_cpjob.plugin.run_report import keep_record

    keep_record(
        harness,
        report,
        in_file=bool(config.getoption("--cpjob-report")),
        in_pytest_html=_is_shown_by_pytest_html(config),
    )


def _is_shown_by_pytest_html(config: pytest.Config) -> bool:
    """Whether pytest-html, whose option this is, writes its page of the run."""
    return bool(config.getoption("htmlpath", None))


def _explain_scope(report: pytest.TestReport) -> None:
    """Say what to do where a fixture of a wider scope asks for one of ours."""
    text = report.longreprtext
    if "ScopeMismatch" in text and "cpjob" in text:
        report.sections.append(
            (
                "cpjob hints setup",
                "- Every test has a service of its own, so cpjob and its like have function scope:"
                " give the fixture that asks for it scope='function', or make shared data without"
                " it, and the jobs in each test.",
            )
        )


def _has_text(report: pytest.TestReport, fixtures: Mapping[str, object]) -> bool:
    """Whether there is anything in a report, or given to pytest's XML file, that can be masked."""
    return bool(
        report.longrepr
        or report.sections
        or report.user_properties
        or hasattr(report, "wasxfail")
        or "record_xml_attribute" in fixtures
        or "record_testsuite_property" in fixtures
    )


def _has_stubs() -> bool:
    """Whether this test has started stubs, or has one that was started for it."""
    module = sys.modules.get("pytest_cpjob.harness")
    return module is not None and bool(module.maskings_of_test())


def _active_harness() -> Harness | None:
    module = sys.modules.get("pytest_cpjob.harness")
    harness: Harness | None = None if module is None else module.active_harness()
    return harness


@pytest.hookimpl(wrapper=True)
def pytest_assertrepr_compare(
    op: str, left: object, right: object
) -> Generator[None, list[list[str]], list[list[str]]]:
    others = yield
    harness = _active_harness() if op in ("==", "in") else None
    if harness is None:
        return others
    from pytest_cpjob.plugin.comparisons import explain_comparison

    return explain_comparison(harness.service, op, left, right, others)


class _Colours:
    """Shows what we say of failures in colour, where the terminal has it."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, object, object]:
        writer = terminalreporter.config.get_terminal_writer()
        failed = [
            report
            for kind in ("failed", "error")
            for report in terminalreporter.stats.get(kind, ())
        ]
        if not failed or not writer.hasmarkup or "pytest_cpjob.plugin.report" not in sys.modules:
            return (yield)
        from pytest_cpjob.plugin.colours import in_colour

        with in_colour(failed, writer.markup):
            return (yield)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    told = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "cpjob")
    ]
    if told:
        from pytest_cpjob.plugin.report import last_lines

        lines = last_lines(told)
        if lines:
            terminalreporter.write_sep("=", "cpjob findings", yellow=True)
        for line in lines:
            terminalreporter.write_line(line, yellow=True)
    failed = terminalreporter.stats.get("failed") or terminalreporter.stats.get("error")
    if failed and config.getoption("--cpjob-seed") == "random":
        # In the header too, which `-q` leaves out.
        terminalreporter.write_line(f"cpjob: {_REPLAY}{config.stash[SEED]}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = [mark for mark in metafunc.definition.iter_markers() if mark.name.startswith("cpjob_")]
    if not marks:
        return
    others = [mark.name for mark in marks if mark.name not in _SWEEPS]
    if others:
        from pytest_cpjob.plugin.unknown_markers import refuse_unknown_markers

        refuse_unknown_markers(metafunc, others)
    swept = [(name, mark) for name in _SWEEPS for mark in marks if mark.name == name]
    if not swept:
        return
    if "cpjob" not in metafunc.fixturenames:
        # On a module or a class, the marker applies to those tests that use the fixture.
        own = [mark.name for mark in metafunc.definition.own_markers if mark.name in _SWEEPS]
        if own:
            pytest.fail(
                f"{metafunc.definition.nodeid}: @pytest.mark.{own[0]} runs a test of the cpjob"
                " fixture again, and this test does not use that fixture: give it the argument"
                " cpjob, or a fixture that has it, or take the marker away",
                pytrace=False,
            )
        return
    from pytest_cpjob.settings import OptionError
    from pytest_cpjob.sweeps.markers import variations

    try:
        chosen = {
            each.name: each
            for name, marker in swept
            for each in variations(name, marker.args, marker.kwargs)
        }
    except OptionError as error:
        told = f"{metafunc.definition.nodeid}: {error}"
        raise pytest.fail.Exception(told, pytrace=False) from None
    metafunc.fixturenames.append(SWEEP)
    metafunc.parametrize(SWEEP, chosen.values(), ids=list(chosen), indirect=True)
