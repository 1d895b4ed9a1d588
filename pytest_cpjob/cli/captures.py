"""Captured documents as people have them: JSON, a printed Python dict, or a line of a log."""

from __future__ import annotations

import ast
import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from pytest_cpjob.cli.redaction import kinds_of

_STARTS: Final = re.compile(r"[{\[]\s*['\"{\[]")
_MOST_UNCLOSED: Final = 20
_DEEPEST: Final = 20
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_capture(content: bytes, source: str) -> Any:
    """Return the document of a job in a file: the first one that its text holds.

    Args:
        content: the file's bytes: UTF-8, or UTF-16 or UTF-32 as Windows' shells write it.
        source: the file's name, for errors.

    Raises:
        ValueError: it is not text, or holds no document of a job; the text names the file.
    """
    text = _decoded(content, source)
    nothing = True
    for value in _values(text):
        nothing = False
        document = _document_in(value, _DEEPEST)
        if document is not None:
            return document
    if nothing:
        raise ValueError(f"{source} holds neither JSON nor a printed Python dict")
    raise ValueError(
        f"{source} holds no document of a job: a Lambda event, an answer of GetJobDetails,"
        " GetThirdPartyJobDetails or PollForJobs, or one of its jobs"
    )


def is_document(value: object) -> bool:
    """Tell whether a value is one of the documents, or one of the jobs that a poll handed out."""
    if kinds_of(value):
        return True
    return isinstance(value, dict) and isinstance(value.get("data"), dict) and "id" in value


def _decoded(content: bytes, source: str) -> str:
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None:
        # Tells UTF-16 and UTF-32 without a mark by where their zeros are.
        encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{source} is not text: {error}") from None


def _values(text: str) -> Iterator[Any]:
    """Return what a text holds, the whole of it first, then what begins after a prefix."""
    whole = _parsed(text.strip())
    if whole is not None:
        yield whole
        return
    end = 0
    unclosed = 0
    for found in _STARTS.finditer(text):
        if found.start() < end:
            continue
        part = _balanced(text, found.start())
        if part is None:
            # Each looks through all that follows: a text of brackets alone would take for ever.
            unclosed += 1
            if unclosed == _MOST_UNCLOSED:
                return
            continue
        value = _parsed(part)
        if value is not None:
            end = found.start() + len(part)
            yield value


def _parsed(text: str) -> Any:
    """Return a dict or list that is written in JSON or in Python, or None."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(value, (dict, list, tuple)):
            return value
    return None


def _balanced(text: str, start: int) -> str | None:
    """Return the text from a bracket to the one that closes it, outside of quotes."""
    depth = 0
    quote = ""
    at = start
    while at < len(text):
        letter = text[at]
        if quote:
            if letter == "\\":
                at += 1
            elif letter == quote:
                quote = ""
        elif letter in "'\"":
            quote = letter
        elif letter in "{[(":
            depth += 1
        elif letter in "}])":
            depth -= 1
            if depth == 0:
                return text[start : at + 1]
        at += 1
    return None


def _document_in(value: Any, depth: int) -> Any:
    """Return the first document in a value: itself, a member's, or one written in a text."""
    if is_document(value):
        return value
    if depth == 0:
        return None
    if isinstance(value, str):
        inner = _parsed(value) if "{" in value else None
        return None if inner is None else _document_in(inner, depth - 1)
    members = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list, tuple)):
        return None
    for member in members:
        found = _document_in(member, depth - 1)
        if found is not None:
            return found
    return None
