"""The part index: whether a text is a part of one of many secrets."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from typing import Final

_PIECE: Final = 5
_BITS: Final = (1 << 30) - 1
_AT_ONCE: Final = 1 << 14
_TOGETHER: Final = 8
_LARGEST: Final = 1 << 17


class PartIndex:
    """Whether a text is a part of one of some values, which may become more meanwhile.

    Pieces of 5 characters at each multiple of the step are kept: every part that is long enough
    has one of them within its first step. Kept are their hashes, sorted, in arrays that take 4
    bytes for each where a set takes 80: the tokens of 16,000 calls have 1.4 million of them. Eight
    small arrays of a size become one, so that there are few to look in.

    Args:
        values: the values; new ones are at the end.
        shortest: characters that a part has at least; of a shorter one, all values are looked at.
    """

    def __init__(self, values: Sequence[str], shortest: int) -> None:
        self._values = values
        self._shortest = shortest
        self._step = shortest - _PIECE + 1
        # Reentrant: a `__repr__` that the collector runs meanwhile may look for secrets as well.
        self._lock = threading.RLock()
        self._count = 0
        self._newest: set[int] = set()
        self._sorted: list[list[array[int]]] = []
        self._answers: dict[str, bool] = {}

    def has(self, part: str) -> bool:
        """Return whether this is a part."""
        if self._count < len(self._values):
            self._take_in_new()
        answer = self._answers.get(part)
        if answer is None:
            answer = self._may_have(part) and any(part in value for value in self._values)
            self._answers[part] = answer
        return answer

    def _take_in_new(self) -> None:
        with self._lock:
            count = self._count
            new = self._values[count:]
            for value in new:
                places = range(0, len(value) - _PIECE + 1, self._step)
                self._newest.update(hash(value[at : at + _PIECE]) & _BITS for at in places)
                if len(self._newest) >= _AT_ONCE:
                    self._sort(self._newest)
                    self._newest = set()
            # What was none may be one now.
            self._answers = {}
            self._count = max(count + len(new), self._count)

    def _sort(self, hashes: set[int]) -> None:
        one = array("I", sorted(hashes))
        for alike in self._sorted:
            alike.append(one)
            if len(alike) < _TOGETHER or len(one) >= _LARGEST:
                return
            one = array("I", sorted(chain.from_iterable(alike)))
            alike.clear()
        self._sorted.append([one])

    def _may_have(self, part: str) -> bool:
        """Return whether all the pieces are known that would be kept of it, wherever it begins."""
        if len(part) < self._shortest:
            return True
        last = len(part) - _PIECE
        return any(
            all(
                self._has_piece(part[at : at + _PIECE]) for at in range(first, last + 1, self._step)
            )
            for first in range(self._step)
        )

    def _has_piece(self, piece: str) -> bool:
        wanted = hash(piece) & _BITS
        if wanted in self._newest:
            return True
        for one in chain.from_iterable(self._sorted):
            at = bisect_left(one, wanted)
            if at < len(one) and one[at] == wanted:
                return True
        return False
