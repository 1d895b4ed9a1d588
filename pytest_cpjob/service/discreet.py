"""Discreet values: what a test is given of the record, copies that hide secrets in their `repr`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

Hide = Callable[[str], str]

_Value = TypeVar("_Value", bound="Discreet")


class Discreet:
    """A value that may know how to hide the secrets of its service's jobs; nothing compares it."""

    __slots__ = ("_hide", "_original")

    def _hidden(self, text: str) -> str:
        """Give a text without what is secret, as far as this value knows of it."""
        hide: Hide | None = getattr(self, "_hide", None)
        return text if hide is None else hide(text)


def discreet(value: _Value, hide: Hide) -> _Value:
    """Copy a value for a test, and let the copy hide secrets whenever it is shown.

    This is done when a test asks for it, and not when it is made: calls are made all the time.
    What the test does to a dict or a list in the copy does nothing to the record.
    """
    # Every discreet class is a dataclass; `Discreet` itself, which they share, is none.
    members = {each.name: _own(getattr(value, each.name), hide) for each in fields(value)}  # type: ignore[arg-type]
    copy = type(value)(**members)
    # Its class is frozen; these are no members of it, and neither copied nor pickled along.
    object.__setattr__(copy, "_hide", hide)
    object.__setattr__(copy, "_original", value)
    return copy


def original_of(value: object) -> object:
    """Give what a test was given a copy of; anything else is its own original."""
    return getattr(value, "_original", value)


def _own(member: Any, hide: Hide) -> Any:
    if isinstance(member, Discreet):
        return discreet(member, hide)
    if isinstance(member, dict):
        return type(member)((name, _own(item, hide)) for name, item in member.items())
    if isinstance(member, list):
        return [_own(item, hide) for item in member]
    return member
