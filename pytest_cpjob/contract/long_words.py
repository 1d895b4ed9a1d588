"""Long words of the letters of base64: most secrets are one, and what is encoded mostly is."""

from __future__ import annotations

import string
from typing import Final

WORD: Final = "[A-Za-z0-9+/_-]"
"""Both alphabets of base64, without what fills its end; as a pattern."""

_LETTERS: Final = frozenset(f"{string.ascii_letters}{string.digits}+/_-".encode())
_MARKS: Final = bytes(b"a"[0] if byte in _LETTERS else b" "[0] for byte in range(256))


def long_words(text: str, least: int) -> list[tuple[int, int]]:
    """Return where the words of at least so many letters begin and end.

    Four times as fast as a regular expression, which tries a word again from each of its letters.
    """
    # One byte a character, so that places are the same: what is not of Latin-1 becomes a `?`.
    marked = text.encode("latin-1", "replace").translate(_MARKS)
    word = b"a" * least
    found = []
    start = marked.find(word)
    while start >= 0:
        end = marked.find(b" ", start + least)
        if end < 0:
            end = len(marked)
        found.append((start, end))
        start = marked.find(word, end)
    return found
