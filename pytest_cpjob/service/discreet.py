"""Discreet values: what a test is given of the record hides secrets in its `repr`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Hide = Callable[[str], str]

_Value = TypeVar("_Value", bound="Discreet")


class Discreet:
    """A value that may know how to hide the secrets of its service's jobs; nothing compares it."""

    __slots__ = ("_hide",)

    def _hidden(self, text: str) -> str:
        """Give a text without what is secret, as far as this value knows of it."""
        hide: Hide | None = getattr(self, "_hide", None)
        return text if hide is None else hide(text)

    def _parts(self) -> Iterable[Discreet]:
        """Give the values within this one that a test may take out of it."""
        return ()


def discreet(value: _Value, hide: Hide) -> _Value:
    """Let a value hide secrets whenever it is shown.

    This is done when a test asks for it, and not when it is made: calls are made all the time.
    """
    # Its class is frozen; this is no member of it, and neither copied nor pickled along.
    object.__setattr__(value, "_hide", hide)
    for part in value._parts():
        discreet(part, hide)
    return value
