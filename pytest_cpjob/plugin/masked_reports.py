"""What leaves a test by way of pytest is rid of its jobs' secrets.

It is of every stub that the test has started, by the fixture or itself.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from pytest_cpjob.harness import Harness, maskings_of_test

Hide = Callable[[str], str]

_PLAIN: Final = (bool, int, float, type(None))


def hide(text: str) -> str:
    """Return a text with every secret of the test's jobs masked."""
    return _hiding()(text)


def _hiding() -> Hide:
    hides = maskings_of_test()

    def hide_all(text: str) -> str:
        for each in hides:
            text = each(text)
        return text

    return hide_all


def mask_report(report: pytest.TestReport) -> None:
    """Mask a report: locals, arguments, differences, reasons, output, recorded properties.

    Whatever its outcome is: `-rA`, a page or an XML file show reports of tests that have passed.
    """
    try:
        _mask(report, _hiding())
    except Exception as error:
        _show_nothing(report, error)


def _show_nothing(report: pytest.TestReport, error: Exception) -> None:
    """Let a test fail of which something cannot be masked.

    Nothing of it is shown, nor what the error says, which may be of the report.
    """
    report.outcome = "failed"
    where = "".join(traceback.format_tb(error.__traceback__))
    report.longrepr = (
        "pytest-cpjob itself has failed while it masked this test's report, of which nothing"
        f" is shown therefore; please report it: {type(error).__name__} in\n{where}"
    )
    report.sections = []
    report.user_properties = []
    vars(report).pop("wasxfail", None)


def _mask(report: pytest.TestReport, hidden: Hide) -> None:
    report.longrepr = _shown(report.longrepr, hidden)
    report.sections = [(name, hidden(text)) for name, text in report.sections]
    report.user_properties = [
        (hidden(name), _value(value, hidden)) for name, value in report.user_properties
    ]
    if hasattr(report, "wasxfail"):
        report.wasxfail = hidden(report.wasxfail)


def mask_written(fixtures: Mapping[str, Any], report: pytest.TestReport) -> None:
    """Mask what a test has given to pytest's XML file past its report.

    What these fixtures give is a method of what keeps the values until the file is written.
    """
    attributes = _kept_by(fixtures.get("record_xml_attribute"), "attrs")
    properties = _kept_by(fixtures.get("record_testsuite_property"), "global_properties")
    try:
        hidden = _hiding()
        if isinstance(attributes, dict):
            attributes.update({name: hidden(str(value)) for name, value in attributes.items()})
        if isinstance(properties, list):
            properties[:] = [(hidden(str(name)), hidden(str(value))) for name, value in properties]
    except Exception as error:
        _show_nothing(report, error)
        for kept in (attributes, properties):
            if isinstance(kept, (dict, list)):
                kept.clear()


def _kept_by(method: Any, name: str) -> Any:
    return getattr(getattr(method, "__self__", None), name, None)


def mask_part(report: pytest.TestReport, harness: Harness | None) -> None:
    """Mask the report of a subtest, and let the secrets in its output be found.

    pytest captures that output apart, past those who listen to the test.
    """
    if harness is not None:
        for title, text in report.sections:
            if title in ("Captured stdout call", "Captured stderr call"):
                harness.observer.wrote(title.split()[1], text, None)
    mask_report(report)
    context: Any = vars(report)["context"]
    shown = {"msg": context.msg, "kwargs": context.kwargs}
    try:
        shown = _value(shown, _hiding())
    except Exception as error:
        _show_nothing(report, error)
        shown = {"msg": None, "kwargs": {}}
    for name, value in shown.items():
        # It is frozen, and new ones would show the shown values once more.
        object.__setattr__(context, name, value)


def mask_warning(recorded: warnings.WarningMessage) -> None:
    """Mask a warning before anybody shows it, or sends it to pytest-xdist's controller."""
    text = str(recorded.message)
    try:
        hidden = hide(text)
    except Exception as error:
        hidden = (
            "pytest-cpjob itself has failed while it masked this warning, which is not shown"
            f" therefore; please report it: {type(error).__name__}"
        )
    if hidden != text:
        recorded.message = UserWarning(hidden)  # its category stays


def _shown(shown: Any, hidden: Hide) -> Any:
    """Mask what pytest will show, a tree of its own objects, tuples, lists and texts, in place."""
    if isinstance(shown, str):
        return hidden(shown)
    if isinstance(shown, tuple) and type(shown) is tuple:
        return tuple(_shown(each, hidden) for each in shown)
    if isinstance(shown, list):
        shown[:] = [_shown(each, hidden) for each in shown]
    elif type(shown).__module__.startswith("_pytest."):
        for name, value in vars(shown).items():
            setattr(shown, name, _shown(value, hidden))
    return shown


def _value(value: Any, hidden: Hide) -> Any:
    """Return a value of a test's own masked: the value itself, where nothing of it is secret."""
    if isinstance(value, _PLAIN):
        return value
    if type(value) is dict:
        return {_value(name, hidden): _value(each, hidden) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_value(each, hidden) for each in value)
    try:
        text = str(value)
    except Exception:
        # An object of the user's that cannot be shown; who writes the properties would fail too.
        return object.__repr__(value)
    shown = hidden(text)
    return value if shown == text else shown
