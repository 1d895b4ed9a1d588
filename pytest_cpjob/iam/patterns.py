"""IAM's wildcards, over texts of which parts may be unknown."""

from __future__ import annotations

import re
from typing import Final

UNKNOWN: Final = "\ue000"
"""Stands in a text for a part that nobody knows; a character of the private use area."""

ONE_PART: Final = "\ue002"
"""Stands in a request's resource for a name or an id that nobody chose: `:` and `/` end it."""

_STARS: Final = ("*", ONE_PART)
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")


def pattern_of(text: str) -> str:
    """Return a policy's text with its policy variables as unknown parts.

    `${*}`, `${?}` and `${$}` are the characters themselves (IAM user guide, "Policy variables").
    A literal wildcard is rare enough to be taken for one that may match anything: unknown.
    """

    def known(found: re.Match[str]) -> str:
        return "$" if found[1] == "$" else UNKNOWN

    return _VARIABLE.sub(known, text)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern matches a text for sure; `*` is any characters, `?` any one.

    >>> matches("arn:aws:s3:::site/*", "arn:aws:s3:::site/index.html")
    True
    """
    if UNKNOWN in pattern or UNKNOWN in text:
        return pattern == "*"
    return _fits(pattern, text)


def may_match(pattern: str, text: str) -> bool:
    """Tell whether a pattern matches some text that another pattern matches.

    The other one is a request's resource, in which `*`, `?` and `ONE_PART` stand for what nobody
    knows.

    >>> may_match("arn:aws:s3:::site-*", "arn:aws:s3:::*-bucket-????????????")
    True
    >>> may_match("arn:aws:s3:::site", "arn:aws:s3:::logs*")
    False
    """
    one, other = pattern.replace(UNKNOWN, "*"), text.replace(UNKNOWN, "*")
    if one == "*" or other == "*":
        return True
    if not any(wildcard in other for wildcard in ("*", "?", ONE_PART)):
        return _fits(one, other)
    return _overlap(one, other)


def _fits(pattern: str, text: str) -> bool:
    """Match a text; a regular expression would take exponential time for a few stars."""
    at = here = 0
    star = resume = -1
    while here < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[here]):
            at, here = at + 1, here + 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


def _overlap(one: str, other: str) -> bool:
    """Tell whether two patterns have a text in common: one pass over `one`, all ends at once."""
    ends = _skip_stars({0}, other)
    for char in one:
        if char == "*":
            ends = set(range(min(ends), len(other) + 1)) if ends else ends
        else:
            ends = _skip_stars(
                {
                    end if other[end] in _STARS else end + 1
                    for end in ends
                    if end < len(other) and _may_be(other[end], char)
                },
                other,
            )
    return len(other) in ends


def _may_be(wildcard: str, char: str) -> bool:
    if wildcard == ONE_PART:
        return char not in ":/"
    return wildcard in ("*", "?", char) or char == "?"


def _skip_stars(ends: set[int], other: str) -> set[int]:
    """Add the places behind stars, which may stand for nothing."""
    reached = set(ends)
    for end in ends:
        while end < len(other) and other[end] in _STARS:
            end += 1
            reached.add(end)
    return reached
