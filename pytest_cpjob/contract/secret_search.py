"""The search for secrets: all values in one pass over a text, also where they stand encoded."""

from __future__ import annotations

import binascii
import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote, unquote_plus

_FEW: Final = 16
"""So many values are faster found one by one."""

SHORTEST: Final = 8
"""Shorter values are found everywhere by chance, and are not looked for."""

_STEP: Final = 4
_GRAM: Final = SHORTEST - _STEP + 1

_HEX_BYTE: Final = re.compile("%[0-9A-Fa-f]{2}")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))")
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_URL_SAFE: Final = str.maketrans("-_", "+/")


_Span: TypeAlias = "tuple[int, int]"


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

    Of each value, the pieces of 5 characters are kept that begin in four places next to each other.
    A text is looked at in every fourth place: one of these pieces is there, wherever the value
    begins. What a piece leads to is where in a value it may be and how long that value may be, not
    the value: thousands may have it in common. They are in the middle of a value, since session
    tokens begin alike, and keys in PEM end alike.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._listed: list[str] = []
        self._sorted = 0
        # Reentrant: a `__repr__` that the collector runs meanwhile may look for secrets as well.
        self._sorting = threading.RLock()
        self._grams: dict[str, tuple[_Span, ...]] = {}
        self.shortest = self.longest = 0
        for value in values:
            self.add(value)

    def __bool__(self) -> bool:
        return bool(self._listed)

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def add(self, value: str) -> None:
        """Look for a value as well, unless it is too short."""
        if value in self._values or len(value) < SHORTEST:
            return
        self._values.add(value)
        self._listed.append(value)
        self.shortest = min(self.shortest or len(value), len(value))
        self.longest = max(self.longest, len(value))

    def _sort(self) -> None:
        """Put the values that are new where they are found by their pieces."""
        grams = self._grams
        with self._sorting:
            while self._sorted < len(self._listed):
                value = self._listed[self._sorted]
                self._sorted += 1
                for offset, spans in _spans(len(value)):
                    gram = value[offset : offset + _GRAM]
                    known = grams.setdefault(gram, spans)
                    if known is not spans and spans[0] not in known:
                        grams[gram] = known + spans

    def plain(self, text: str) -> list[tuple[int, str]]:
        """Return where in a text values stand as they are, in order, and which."""
        found: list[tuple[int, str]] = []
        if len(self._listed) <= _FEW:
            for value in self._listed:
                start = text.find(value)
                while start >= 0:
                    found.append((start, value))
                    start = text.find(value, start + 1)
            return sorted(found)
        self._sort()
        grams, values = self._grams, self._values
        places = range(0, len(text) - _GRAM + 1, _STEP)
        for at in [at for at in places if text[at : at + _GRAM] in grams]:
            for offset, length in grams[text[at : at + _GRAM]]:
                start = at - offset
                value = text[start : start + length] if start >= 0 else ""
                if len(value) == length and value in values:
                    found.append((start, value))
        return sorted(found)

    def find(self, text: str, *, encoded: bool = True) -> Iterator[Found]:
        """Iterate over the values in a text, as they are and, if so asked, as they are encoded."""
        if not self._listed or len(text) < self.shortest:
            return
        for start, value in self.plain(text):
            yield Found(value, "", start, start + len(value))
        if encoded:
            yield from self.encoded(text)

    def encoded(self, text: str) -> Iterator[Found]:
        """Iterate over the values that a text has in base64, in hex, URL-encoded or escaped."""
        if not self._listed or len(text) < self.shortest:
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
        least = max(self.shortest * 4 // 3, 11)
        base64 = f"[A-Za-z0-9+/_-]{{{least},}}"
        runs = _pieces(rf"{base64}(?:\r?\n[A-Za-z0-9+/_-]+)*", text)
        if runs:
            # What is encoded may have begun anywhere in a run, and so may the secret in it.
            for skipped in range(4):
                yield "base64", runs, partial(_from_base64, skipped)
        runs = _pieces(f"[0-9A-Fa-f]{{{self.shortest * 2},}}", text)
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


@cache
def _spans(length: int) -> tuple[tuple[int, tuple[_Span]], ...]:
    """Return where the pieces of a value of this length begin, each as what it leads to, too."""
    middle = (length - SHORTEST) // 2
    return tuple((offset, ((offset, length),)) for offset in range(middle, middle + _STEP))


class PartIndex:
    """Whether a text is a part of one of many values, for parts of at least `shortest` characters.

    Pieces of 5 characters at each multiple of the step are kept: every part that is long enough
    has one of them within its first step.
    """

    def __init__(self, values: Iterable[str], shortest: int) -> None:
        self._shortest = shortest
        self._step = shortest - _GRAM + 1
        self._all = "\n".join(values)
        self._grams = {
            self._all[at : at + _GRAM] for at in range(0, len(self._all) - _GRAM + 1, self._step)
        }
        self._answers: dict[str, bool] = {}

    def has(self, part: str) -> bool:
        """Return whether this is a part; of a short one, by looking at all."""
        answer = self._answers.get(part)
        if answer is None:
            answer = self._answers[part] = self._may_have(part) and part in self._all
        return answer

    def _may_have(self, part: str) -> bool:
        return len(part) < self._shortest or any(
            part[at : at + _GRAM] in self._grams for at in range(self._step)
        )


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
