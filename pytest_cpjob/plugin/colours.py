"""Colour: what we say of a failure, as the terminal shows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

_NAMES: Final = r"^(?:- )?[a-z]+(?:-[a-z]+)+(?:, [a-z]+(?:-[a-z]+)+)*"
_COLOURED: Final = (
    (re.compile(rf"{_NAMES}(?: \([^()]+:\d+\))?(?=: )", re.MULTILINE), "red"),
    (re.compile(r"^  !.*$", re.MULTILINE), "red"),
    (re.compile(r"(?<=-> )[A-Z]\w*(?=$|:)", re.MULTILINE), "red"),
    (re.compile(r"^  \+[\d.e+]+s", re.MULTILINE), "cyan"),
    (re.compile(r"^  (?:result\b|To fix it:)", re.MULTILINE), "green"),
)
"""What is coloured: findings, errors, times, results and fixes."""


@contextmanager
def in_colour(reports: Iterable[Any], markup: Callable[..., str]) -> Iterator[None]:
    """Let the terminal show our sections and findings in colour; files are written without it."""
    undo = []
    for report in reports:
        sections = getattr(report.longrepr, "sections", None)
        if sections is not None:
            undo.append((sections, sections[:]))
            sections[:] = [
                (name, _coloured(text, markup) if name.startswith("cpjob ") else text, sep)
                for name, text, sep in sections
            ]
        for entry in getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ()):
            if getattr(entry, "style", "") == "value" and _is_shown_as_it_is(entry):
                undo.append((entry.lines, entry.lines[:]))
                entry.lines[:] = _coloured("\n".join(entry.lines), markup).split("\n")
    try:
        yield
    finally:
        for changed, original in undo:
            changed[:] = original


def _is_shown_as_it_is(entry: Any) -> bool:
    """Whether this pytest writes a value's lines unchanged; 8.0 colours them as Python's code."""
    write = getattr(type(entry), "_write_entry_lines", None)
    return "style" in getattr(getattr(write, "__code__", None), "co_names", ())


def _coloured(text: str, markup: Callable[..., str]) -> str:
    for pattern, colour in _COLOURED:
        marked = partial(_marked, markup, colour)
        text = pattern.sub(marked, text)
    return text


def _marked(markup: Callable[..., str], colour: str, found: re.Match[str]) -> str:
    return markup(found[0], **{colour: True})
