"""The sequence diagram of an action: who called what over job clock, as HTML without pictures.

The lifelines stand at fractions of the width, so that it fits a phone as well as a screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pytest_cpjob.contract.timeline import HOLDERS
from pytest_cpjob.report.elements import Element, element, joined
from pytest_cpjob.report.records import ActionRecord, Step

MOST_SERVICES: Final = 3
"""How many services beside CodePipeline have a lifeline each; the others share one."""

_TEST: Final = "test"
_CODE: Final = "code"
_CODEPIPELINE: Final = "codepipeline"
_OTHERS: Final = "other services"
_NAMES: Final = {_TEST: "Test", _CODEPIPELINE: "CodePipeline"}
_LONGEST_ABBREVIATION: Final = 4
_LONG_AGO: Final = 30.0
"""From how many seconds of job clock on a pause is shown as one."""

_OWN_BOXES: Final = {"note": _CODE, "finding": _CODE, "change": _CODEPIPELINE}


def diagram(action: ActionRecord) -> Element:
    """Return an action's diagram: a list of steps, each with its arrow between two lifelines."""
    lanes = _lanes(action["steps"])
    names = [_name(lane, action["code"]) for lane in lanes]
    heads = (element("span", name, style=f"--k:{number}") for number, name in enumerate(names))
    lines = (element("i", style=f"--k:{number}") for number in range(len(lanes)))
    rows = joined(*_rows(action["steps"], lanes, names))
    return element(
        "div",
        element("div", *heads, class_="heads", aria_hidden="true"),
        element("div", *lines, class_="lines", aria_hidden="true"),
        element("ol", rows),
        class_="seq",
        style=f"--n:{len(lanes)}",
    )


def _lanes(steps: Iterable[Step]) -> list[str]:
    """Return the lifelines from left to right."""
    steps = list(steps)
    lanes = [_TEST] if any(step["by_test"] for step in steps) else []
    called = dict.fromkeys(step["service"] for step in steps if step["service"])
    called.pop(_CODEPIPELINE, None)
    services = sorted(called, key=lambda name: name != "s3")
    if len(services) > MOST_SERVICES:
        services[MOST_SERVICES - 1 :] = [_OTHERS]
    return [*lanes, _CODE, _CODEPIPELINE, *services]


def _name(lane: str, code: str) -> str:
    if lane == _CODE:
        return code
    is_short = len(lane) <= _LONGEST_ABBREVIATION
    return _NAMES.get(lane) or (lane.upper() if is_short else lane)


def _rows(steps: Iterable[Step], lanes: list[str], names: list[str]) -> Iterator[Element]:
    shown: float | None = None
    for step in steps:
        at = step["at"]
        if at is not None and shown is not None and at - shown >= _LONG_AGO:
            yield element("li", f"{at - shown:.10g} s later", class_="pause")
        time = "" if at is None or at == shown else f"+{at:.10g}s"
        shown = shown if at is None else at
        yield _row(step, time, lanes, names)


def _row(step: Step, time: str, lanes: list[str], names: list[str]) -> Element:
    if step["kind"] in ("job", "repeat"):
        return element("li", step["text"], class_=step["kind"])
    arrow = _arrow(step)
    if arrow is None:
        lane = lanes.index(_OWN_BOXES.get(step["kind"], _CODEPIPELINE))
        content = _box(step, lane)
    else:
        begin, end = (lanes.index(lane if lane in lanes else _OTHERS) for lane in arrow)
        content = _call(step, begin, end, f"{names[begin]} to {names[end]}: ")
    is_wrong = bool(step["error"] or step["findings"]) or step["kind"] == "note"
    kind = f"{step['kind']} wrong" if is_wrong else step["kind"]
    stamp = [element("span", time, class_="at")] if time else []
    return element("li", *stamp, content, class_=kind)


def _arrow(step: Step) -> tuple[str, str] | None:
    """Return the lifelines that a step goes from and to; None of what stays at one."""
    if step["kind"] == "event":
        return _CODEPIPELINE, _CODE
    if step["kind"] == "passed-over":
        return _CODE, _CODEPIPELINE
    if step["kind"] == "call":
        return _TEST if step["by_test"] else _CODE, step["service"]
    return None


def _call(step: Step, begin: int, end: int, who: str) -> Element:
    left, right = sorted((begin, end))
    parts = [
        element("span", who, class_="unseen"),
        element("b", step["operation"]) if step["operation"] else element("span", step["text"]),
        *([element("span", step["target"])] if step["target"] else []),
        *_credentials(step["holder"]),
        *_place(step),
    ]
    after = [element("span", step["error"], class_="error")] if step["error"] else []
    if step["change"]:
        after.append(element("span", step["change"].replace("->", "→"), class_="states"))
    return element(
        "div",
        element("p", *_spaced(parts)),
        element("span", class_=f"arrow {'right' if begin < end else 'left'}", aria_hidden="true"),
        element("p", *_spaced(after)) if after else Element(),
        class_="body",
        style=f"--a:{left};--b:{right}",
    )


def _box(step: Step, lane: int) -> Element:
    said = step["text"] or step["change"].replace("->", "→")
    if step["kind"] == "result":
        said = f"result: {said}"
    box = element("p", *_spaced([element("span", said), *_place(step)]), class_="box")
    return element("div", box, class_="body", style=f"--k:{lane}")


def _credentials(holder: str) -> Iterator[Element]:
    if holder:
        yield element("span", f"with {HOLDERS[holder]}", class_=f"with {holder}")


def _place(step: Step) -> Iterator[Element]:
    if step["place"]:
        yield element("code", step["place"])
    for number in step["findings"]:
        yield element("strong", f"! {number}", class_="mark", title=f"finding {number}")


def _spaced(parts: Iterable[Element]) -> Iterator[str]:
    for number, part in enumerate(parts):
        yield from ([" "] if number else [])
        yield part
