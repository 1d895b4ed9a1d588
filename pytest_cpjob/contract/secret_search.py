"""The search for secrets: all values in one pass over a text, also where they stand encoded."""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from pytest_cpjob.contract.encoded_texts import Encoded, encoded_in
from pytest_cpjob.contract.long_words import WORD, long_words
from pytest_cpjob.contract.secret_values import SHORTEST, SecretValues

_FEW: Final = 16
"""So many values are faster found one by one."""

_LONG: Final = 32
"""Of a longer word in a value, so much in the middle is looked for."""

_SHORTEST_WORD: Final = 16
"""Shorter words are in most lines, so that there is no use in looking for them first."""

_IS_WORD: Final = re.compile(f"{WORD}+").fullmatch
_WORDS: Final = re.compile(f"{WORD}{{{_SHORTEST_WORD},}}")

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


class _Pieces:
    """Values that are found by pieces of them.

    Of each value, the pieces are kept that begin in a few places next to each other. A text is
    looked at in steps of as many places: one of the pieces is there, wherever the value begins.
    What a piece leads to is where in a value it may be and how long that value may be, not the
    value: thousands may have it in common. They are in the middle of a value, since session tokens
    begin alike, and keys in PEM end alike.

    Args:
        shortest: characters in the middle of each value in which all its pieces are.
        count: of how many places the pieces of a value are kept.

    Attributes:
        values: all values; where they are to be found is worked out when a text is looked at.
        middles: where the middle of a value begins, of those that have it elsewhere.
    """

    def __init__(self, shortest: int, count: int) -> None:
        self.values: list[str] = []
        self.middles: dict[str, int] = {}
        self._shortest = shortest
        self._count = count
        self._size = shortest - count + 1
        self._sorted = 0
        self._spans: dict[str, tuple[_Span, ...]] = {}

    def sort(self) -> None:
        """Put the values that are new where they are found."""
        while self._sorted < len(self.values):
            value = self.values[self._sorted]
            self._sorted += 1
            middle = self.middles.get(value, (len(value) - self._shortest) // 2)
            for offset, spans in _spans(middle, self._count, len(value)):
                piece = value[offset : offset + self._size]
                known = self._spans.setdefault(piece, spans)
                if known is not spans and spans[0] not in known:
                    self._spans[piece] = known + spans

    def in_text(
        self, text: str, parts: Iterable[_Span], values: Container[str]
    ) -> Iterator[tuple[int, str]]:
        """Iterate over the values that have their middle in these parts of a text."""
        spans, size, step = self._spans, self._size, self._count
        for begin, end in parts:
            places = range(begin, end - size + 1, step)
            for at in [at for at in places if text[at : at + size] in spans]:
                for offset, length in spans[text[at : at + size]]:
                    start = at - offset
                    value = text[start : start + length] if start >= 0 else ""
                    if len(value) == length and value in values:
                        yield start, value


class SecretIndex:
    """Finds values in time that does not grow with their number, which may grow meanwhile.

    Nearly all secrets are, or have in them, a long word of the letters of base64, and few texts
    have such words. So only these are looked at, unless there are many secrets without one.

    Attributes:
        values: the values that it finds.
    """

    def __init__(self, values: SecretValues) -> None:
        self.values = values
        self._listed = values.listed
        # Reentrant: a `__repr__` that the collector runs meanwhile may look for secrets as well.
        self._lock = threading.RLock()
        self._looked_at = 0
        self._with_word = _Pieces(_SHORTEST_WORD, _SHORTEST_WORD // 2)
        self._shortest_word = _LONG
        self._without_word = _Pieces(SHORTEST, SHORTEST // 2)

    def _look_at_new(self) -> None:
        """Tell of the values that are new which have a long word in them."""
        while self._looked_at < len(self._listed):
            value = self._listed[self._looked_at]
            self._looked_at += 1
            length = len(value)
            start = (length - _LONG) // 2 if length > _LONG else 0
            size = length if length < _LONG else _LONG
            if size < _SHORTEST_WORD or not _IS_WORD(value, start, start + size):
                words = (word.span() for word in _WORDS.finditer(value))
                start, end = max(words, key=_length, default=(0, 0))
                if start == end:
                    self._without_word.values.append(value)
                    continue
                size = min(end - start, _LONG)
                self._with_word.middles[value] = (start + end - _SHORTEST_WORD) // 2
            if size < self._shortest_word:
                self._shortest_word = size
            self._with_word.values.append(value)

    def plain(self, text: str) -> list[tuple[int, str]]:
        """Return where in a text values stand as they are, in order, and which."""
        if len(self._listed) <= _FEW:
            return sorted(_one_by_one(self._listed, text))
        with_word, without = self._with_word, self._without_word
        with self._lock:
            self._look_at_new()
            words = long_words(text, self._shortest_word) if with_word.values else []
            if words:
                with_word.sort()
            are_many = len(without.values) > _FEW
            if are_many:
                without.sort()
        found = set(with_word.in_text(text, words, self.values))
        if are_many:
            found.update(without.in_text(text, [(0, len(text))], self.values))
        else:
            found.update(_one_by_one(without.values, text))
        return sorted(found)

    def find(self, text: str, *, encoded: bool = True) -> Iterator[Found]:
        """Iterate over the values in a text, as they are and, if so asked, as they are encoded."""
        if not self._listed or len(text) < self.values.shortest:
            return
        for start, value in self.plain(text):
            yield Found(value, "", start, start + len(value))
        if encoded:
            yield from self.encoded(text)

    def encoded(self, text: str) -> Iterator[Found]:
        """Iterate over the values that a text has in base64, in hex, URL-encoded or escaped."""
        if not self._listed or len(text) < self.values.shortest:
            return
        for part in encoded_in(text, self.values.shortest):
            yield from self._in_decoded(part)

    def _in_decoded(self, encoded: Encoded) -> Iterator[Found]:
        form, pieces, decode = encoded
        decoded = decode([piece for _, piece in pieces])
        ends = []
        total = 0
        for text in decoded:
            total += len(text)
            ends.append(total)
        for start, value in self.plain("".join(decoded)):
            number = bisect_right(ends, start)
            origin, piece = pieces[number]
            yield Found(value, form, origin, origin + _length_needed(value, piece, decode))


def _length_needed(value: str, piece: str, decode: Callable[[Sequence[str]], list[str]]) -> int:
    """Return how long a piece has to be for a value in it: later lines may be something else."""
    end = len(piece)
    while (line := piece.rfind("\n", 0, end)) >= 0 and value in decode([piece[:line]])[0]:
        end = line
    return end


def _one_by_one(values: Iterable[str], text: str) -> Iterator[tuple[int, str]]:
    for value in values:
        start = text.find(value)
        while start >= 0:
            yield start, value
            start = text.find(value, start + 1)


def _length(span: _Span) -> int:
    return span[1] - span[0]


@cache
def _spans(first: int, count: int, length: int) -> tuple[tuple[int, tuple[_Span]], ...]:
    """Return where the pieces of a value of this length begin, each as what it leads to, too."""
    return tuple((offset, ((offset, length),)) for offset in range(first, first + count))
