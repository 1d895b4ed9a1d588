"""The search for secrets: all values in one pass over a text, also where they stand encoded."""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import unquote, unquote_plus

_FEW: Final = 16
"""So many values are faster found one by one."""

_GRAM: Final = 16
_STEP: Final = 2
_LONG: Final = _GRAM + _STEP
_SHORT_GRAM: Final = 8

_HEX_BYTE: Final = re.compile("%[0-9A-Fa-f]{2}")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))")
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_URL_SAFE: Final = str.maketrans("-_", "+/")


class Found(NamedTuple):
    """A value in a text.

    Attributes:
        form: how it was encoded, nothing where it stands as it is.
        start, end: what of the text it takes; of an encoded one, all that was decoded as one.
    """

    value: str
    form: str
    start: int
    end: int


class SecretIndex:
    """Values of 8 characters or more, found in time that does not grow with their number.

    Of a long value, the last pieces of 16 characters are kept that begin in two places next to each
    other. A text is looked at in every other place: one of these pieces is there, wherever the
    value begins. The end, since the session tokens of all jobs begin alike.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: dict[str, None] = {}
        self._unsorted: list[str] = []
        self._long: dict[str, str] = {}
        self._more: dict[str, list[str]] = {}
        self._short: dict[str, list[str]] = {}
        self._shortest = 0
        for value in values:
            self.add(value)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def add(self, value: str) -> None:
        """Look for a value as well."""
        if value in self._values:
            return
        self._values[value] = None
        self._unsorted.append(value)
        if not self._shortest or len(value) < self._shortest:
            self._shortest = len(value)

    def _sort(self) -> None:
        """Put the values that are new where they are found by their ends."""
        for value in self._unsorted:
            if len(value) < _LONG:
                self._short.setdefault(value[-_SHORT_GRAM:], []).append(value)
                continue
            for gram in (value[-_LONG:-_STEP], value[-_LONG + 1 : -1]):
                if self._long.setdefault(gram, value) is not value:
                    self._more.setdefault(gram, []).append(value)
        self._unsorted.clear()

    def plain(self, text: str) -> list[tuple[int, str]]:
        """Return where in a text values stand as they are, in order, and which."""
        found: list[tuple[int, str]] = []
        if len(self._values) <= _FEW:
            for value in self._values:
                start = text.find(value)
                while start >= 0:
                    found.append((start, value))
                    start = text.find(value, start + len(value))
            return sorted(found)
        self._sort()
        long, short = self._long, self._short
        places = range(0, len(text) - _GRAM + 1, _STEP)
        for at in [at for at in places if text[at : at + _GRAM] in long]:
            gram = text[at : at + _GRAM]
            for value in (long[gram], *self._more.get(gram, ())):
                for start in (at + _LONG - len(value), at + _LONG - 1 - len(value)):
                    if start >= 0 and text.startswith(value, start):
                        found.append((start, value))
        if short:
            for end in range(_SHORT_GRAM, len(text) + 1):
                for value in short.get(text[end - _SHORT_GRAM : end], ()):
                    if text.endswith(value, 0, end):
                        found.append((end - len(value), value))
        return sorted(found)

    def find(self, text: str, *, encoded: bool = True) -> Iterator[Found]:
        """Iterate over the values in a text, as they are and, if so asked, as they are encoded."""
        if not self._values or len(text) < self._shortest:
            return
        for start, value in self.plain(text):
            yield Found(value, "", start, start + len(value))
        if encoded:
            yield from self.encoded(text)

    def encoded(self, text: str) -> Iterator[Found]:
        """Iterate over the values that a text has in base64, in hex, URL-encoded or escaped."""
        if not self._values or len(text) < self._shortest:
            return
        for form, pieces, decode in self._decoders(text):
            yield from self._in_decoded(form, pieces, decode)

    def _in_decoded(
        self,
        form: str,
        pieces: Sequence[tuple[int, str]],
        decode: Callable[[Sequence[str]], list[str]],
    ) -> Iterator[Found]:
        """Look for values in pieces that are decoded in one go, which thousands of pieces need."""
        decoded = decode([piece for _, piece in pieces])
        ends = []
        total = 0
        for text in decoded:
            total += len(text)
            ends.append(total)
        for start, value in self.plain("".join(decoded)):
            number = bisect_right(ends, start)
            origin, piece = pieces[number]
            yield Found(value, form, origin, origin + len(piece))

    def _decoders(
        self, text: str
    ) -> Iterator[tuple[str, list[tuple[int, str]], Callable[[Sequence[str]], list[str]]]]:
        """Iterate over the ways to decode parts of a text."""
        least = max(self._shortest * 4 // 3, 11)
        base64 = f"[A-Za-z0-9+/_-]{{{least},}}"
        runs = _pieces(rf"{base64}(?:\r?\n[A-Za-z0-9+/_-]+)*", text)
        if runs:
            # What is encoded may have begun anywhere in a run, and so may the secret in it.
            for skipped in range(4):
                yield "base64", runs, partial(_from_base64, skipped)
        runs = _pieces(f"[0-9A-Fa-f]{{{self._shortest * 2},}}", text)
        if runs:
            for skipped in range(2):
                yield "hex", runs, partial(_from_hex, skipped)
        if "%" in text:
            words = [each for each in _pieces(r"\S+", text) if _HEX_BYTE.search(each[1])]
            yield "URL-encoded", words, lambda pieces: [f"{unquote(each)}\n" for each in pieces]
            words = [each for each in words if "+" in each[1]]
            yield (
                "URL-encoded",
                words,
                lambda pieces: [f"{unquote_plus(each)}\n" for each in pieces],
            )
        if "\\" in text:
            lines = [each for each in _pieces(r"[^\n]+", text) if "\\" in each[1]]
            yield "escaped", lines, lambda pieces: [f"{_unescaped(each)}\n" for each in pieces]


def _pieces(pattern: str, text: str) -> list[tuple[int, str]]:
    return [(found.start(), found[0]) for found in re.finditer(pattern, text)]


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
