"""Encoded texts: the parts of a text that may be encoded, and the ways to decode them."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import unquote, unquote_plus

from pytest_cpjob.contract.long_words import WORD, long_words

_SHORTEST: Final = 11
"""Letters of base64 that 8 bytes take, the last ones not all of them."""

_MORE_LINES: Final = re.compile(rf"(?:\r?\n{WORD}+)*")
_NO_SPACE: Final = re.compile(r"\S+")
_HEX_BYTE: Final = re.compile("%[0-9A-Fa-f]{2}")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))")
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_URL_SAFE: Final = str.maketrans("-_", "+/")


class Encoded(NamedTuple):
    """What of a text may be encoded in one way.

    Attributes:
        form: the way, as findings name it.
        pieces: the parts, each with where it begins.
        decode: decodes them all in one go, which thousands of pieces need.
    """

    form: str
    pieces: list[tuple[int, str]]
    decode: Callable[[Sequence[str]], list[str]]


def encoded_in(text: str, shortest: int) -> Iterator[Encoded]:
    """Iterate over what may be encoded of values that have at least so many characters."""
    least = max(shortest * 4 // 3, _SHORTEST)
    words = long_words(text, least)
    if words:
        yield from _in_base64(text, words)
        yield from _in_hex(text, words, shortest * 2)
    if "%" in text:
        parts = [
            (start + part.start(), part[0])
            for start, line in _lines_with("%", text)
            for part in _NO_SPACE.finditer(line)
            if _HEX_BYTE.search(part[0])
        ]
        yield Encoded("URL-encoded", parts, lambda pieces: [f"{unquote(one)}\n" for one in pieces])
        parts = [each for each in parts if "+" in each[1]]
        yield Encoded(
            "URL-encoded", parts, lambda pieces: [f"{unquote_plus(one)}\n" for one in pieces]
        )
    if "\\" in text:
        lines = list(_lines_with("\\", text))
        yield Encoded("escaped", lines, lambda pieces: [f"{_unescaped(one)}\n" for one in pieces])


def _in_base64(text: str, words: Sequence[tuple[int, int]]) -> Iterator[Encoded]:
    """Iterate over words with the lines that go on after them, as mails and PEM break base64."""
    pieces = []
    done = 0
    for start, end in words:
        if start >= done:
            more = _MORE_LINES.match(text, end)
            done = end if more is None else more.end()
            pieces.append((start, text[start:done]))
    # What is encoded may have begun anywhere in a piece, and so may the secret in it.
    for skipped in range(4):
        yield Encoded("base64", pieces, partial(_from_base64, skipped))


def _in_hex(text: str, words: Sequence[tuple[int, int]], least: int) -> Iterator[Encoded]:
    digits = re.compile(f"[0-9A-Fa-f]{{{least},}}")
    pieces = [
        (found.start(), found[0])
        for start, end in words
        if end - start >= least
        for found in digits.finditer(text, start, end)
    ]
    if pieces:
        for skipped in range(2):
            yield Encoded("hex", pieces, partial(_from_hex, skipped))


def _lines_with(mark: str, text: str) -> Iterator[tuple[int, str]]:
    """Iterate over the lines that have a mark, each with where it begins."""
    at = text.find(mark)
    while at >= 0:
        start = text.rfind("\n", 0, at) + 1
        end = text.find("\n", at)
        if end < 0:
            end = len(text)
        yield start, text[start:end]
        at = text.find(mark, end)


def _from_base64(skipped: int, pieces: Sequence[str]) -> list[str]:
    decoded = []
    for piece in pieces:
        plain = piece.replace("\n", "").replace("\r", "").translate(_URL_SAFE)[skipped:]
        plain += "A" * (-len(plain) % 4)
        decoded.append(_as_text(binascii.a2b_base64(plain)))
    return decoded


def _from_hex(skipped: int, pieces: Sequence[str]) -> list[str]:
    return [
        _as_text(bytes.fromhex(piece[skipped : skipped + (len(piece) - skipped) // 2 * 2]))
        for piece in pieces
    ]


def _as_text(data: bytes) -> str:
    # Most secrets are ASCII, and what is around one may be anything.
    return data.decode("utf-8", "replace")


def _unescaped(line: str) -> str:
    return _ESCAPE.sub(_character, line)


def _character(found: re.Match[str]) -> str:
    number = found[1] or found[2]
    return chr(int(number, 16)) if number else _ESCAPED.get(found[3], found[3])
