"""Discreet values: what a test is given of the record, copies that hide secrets in their `repr`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, Final, TypeVar

Hide = Callable[[str], str]

_PLAIN: Final = frozenset({str, int, float, tuple, type(None)})
"""What nobody can change, and what most members are."""

_Value = TypeVar("_Value", bound="MaskedCopy")


class MaskedCopy:
    """A value that may know how to hide the secrets of its service's jobs; nothing compares it."""

    __slots__ = ("_hide", "_original")

    def _hidden(self, text: str) -> str:
        """Give a text without what is secret, as far as this value knows of it."""
        hide: Hide | None = getattr(self, "_hide", None)
        return text if hide is None else hide(text)


def masked_copy(value: _Value, hide: Hide) -> _Value:
    """Copy a value for a test, and let the copy hide secrets whenever it is shown.

    This is done when a test asks for it, and not when it is made: calls are made all the time.
    What the test does to a dict or a list in the copy does nothing to the record.
    """
    kind: Any = type(value)
    copy: _Value = kind.__new__(kind)
    # Its class is frozen.
    fill = object.__setattr__
    for name in _members(kind):
        fill(copy, name, _own(getattr(value, name), hide))
    # These are no members of it, and neither copied nor pickled along.
    fill(copy, "_hide", hide)
    fill(copy, "_original", value)
    return copy


@cache
def _members(kind: Any) -> tuple[str, ...]:
    """Name the members of one of the dataclasses that are masked_copy."""
    return tuple(each.name for each in fields(kind))


def original_of(value: object) -> object:
    """Give what a test was given a copy of; anything else is its own original."""
    return getattr(value, "_original", value)


def _own(member: Any, hide: Hide) -> Any:
    if type(member) in _PLAIN:
        return member
    if isinstance(member, MaskedCopy):
        return masked_copy(member, hide)
    if isinstance(member, dict):
        return type(member)((name, _own(item, hide)) for name, item in member.items())
    if isinstance(member, list):
        return [_own(item, hide) for item in member]
    return member
