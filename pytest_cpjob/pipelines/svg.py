"""A pipeline's definition as an SVG picture: a column for each stage, a box for each action."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final, NamedTuple

from pytest_cpjob.pipelines.drawing import handed_on
from pytest_cpjob.pipelines.variables import Action, actions_of
from pytest_cpjob.report.elements import Element, element, joined

_LETTER: Final = 7.5
"""The width of a letter: the font is monospace, 12.5 pixels high."""

_LINE: Final = 18
_LONGEST: Final = 34
_PADDING: Final = 10
_GAP: Final = 40
_TOP: Final = 34


class _Box(NamedTuple):
    """An action's box: its lines, the first of which is its name, or a text between boxes."""

    lines: list[str]
    is_action: bool = True

    @property
    def height(self) -> int:
        return len(self.lines) * _LINE + (_PADDING if self.is_action else 0)


def definition_svg(declaration: Mapping[str, Any]) -> str:
    """Return a definition as SVG: what each action is, reads and hands on; it loads nothing."""
    actions = actions_of(declaration)
    stages = [
        (str(stage["name"]), list(_boxes(str(stage["name"]), actions)))
        for stage in declaration["stages"]
    ]
    columns = []
    x, height = _GAP / 2, 0
    for number, (name, boxes) in enumerate(stages):
        width = _width(name, boxes)
        if number:
            columns.append(_arrow(x - _GAP, x))
        columns.append(_column(x, width, name, boxes))
        x += width + _GAP
        height = max(height, _TOP + _GAP + sum(box.height + _PADDING for box in boxes))
    title = f"Pipeline {declaration['name']}"
    return element(
        "svg",
        element("title", title),
        element("rect", width="100%", height="100%", fill="#fff"),
        *columns,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {x - _GAP / 2:g} {height}",
        width=f"{x - _GAP / 2:g}",
        height=str(height),
        role="img",
        font_family="ui-monospace, Menlo, Consolas, monospace",
        font_size="12.5",
    )


def _boxes(stage: str, actions: list[Action]) -> Iterator[_Box]:
    """Return a stage's boxes: those that start together follow one another."""
    own = sorted((each for each in actions if each.stage == stage), key=lambda a: a.run_order)
    for number, (order, group) in enumerate(groupby(own, key=lambda action: action.run_order)):
        if number:
            yield _Box([f"then, runOrder {order}:"], is_action=False)
        for action in group:
            yield _Box([line for text in _told(action, actions) for line in _wrapped(text)])


def _told(action: Action, actions: list[Action]) -> Iterator[str]:
    yield action.name
    yield str(action.action_type.get("provider"))
    reads = [what for _, user, what in handed_on(actions) if user is action]
    if reads:
        yield f"reads {', '.join(reads)}"
    gives = [*action.artifacts("outputArtifacts")]
    if action.namespace is not None:
        gives.append(f"#{{{action.namespace}}}")
    if gives:
        yield f"gives {', '.join(gives)}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), _LONGEST) or [""]


def _width(name: str, boxes: list[_Box]) -> float:
    lines = [line for box in boxes for line in box.lines]
    longest = max(map(len, (name[:_LONGEST], *lines)))
    return longest * _LETTER + 4 * _PADDING


def _column(x: float, width: float, name: str, boxes: list[_Box]) -> Element:
    heading = " ".join(name.split())
    shown = heading if len(heading) <= _LONGEST else f"{heading[: _LONGEST - 1]}…"
    y = _TOP
    parts = [_text(shown, x + _PADDING, _TOP / 2 + 4, bold=True)]
    for box in boxes:
        if box.is_action:
            parts.append(
                element(
                    "rect",
                    x=f"{x + _PADDING:g}",
                    y=str(y),
                    width=f"{width - 2 * _PADDING:g}",
                    height=str(box.height),
                    rx="4",
                    fill="#f6f8fa",
                    stroke="#59636e",
                )
            )
        for number, line in enumerate(box.lines):
            bold = box.is_action and number == 0
            parts.append(_text(line, x + 2 * _PADDING, y + (number + 1) * _LINE, bold=bold))
        y += box.height + _PADDING
    frame = element(
        "rect",
        x=f"{x:g}",
        y="2",
        width=f"{width:g}",
        height=str(y),
        rx="6",
        fill="none",
        stroke="#d1d9e0",
    )
    return element("g", frame, joined(*parts))


def _arrow(begin: float, end: float) -> Element:
    y = _TOP / 2
    return element(
        "path",
        d=f"M{begin + 6:g} {y:g}H{end - 6:g}m-6 -4l6 4l-6 4",
        fill="none",
        stroke="#59636e",
        stroke_width="1.5",
    )


def _text(text: str, x: float, y: float, *, bold: bool = False) -> Element:
    weight = "bold" if bold else None
    return element("text", text, x=f"{x:g}", y=f"{y:g}", fill="#1f2328", font_weight=weight)
