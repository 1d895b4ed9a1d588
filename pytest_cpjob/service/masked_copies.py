"""Masked copies: the record as tests get it, in copies that hide secrets in their `repr`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, Final, TypeVar

Hide = Callable[[str], str]

_PLAIN: Final = frozenset({str, int, float, tuple, type(None)})
"""Immutable types, of which most members are: these need no copy."""

_Value = TypeVar("_Value", bound="MaskedCopy")


class MaskedCopy:
    """A value whose copy for a test hides secrets of the jobs; copies compare as before."""

    __slots__ = ("_hide", "_original")

    def _hidden(self, text: str) -> str:
        """Return a text with its secrets masked, if this value is a masked copy."""
        hide: Hide | None = getattr(self, "_hide", None)
        return text if hide is None else hide(text)


def masked_copy(value: _Value, hide: Hide) -> _Value:
    """Copy a value for a test, so that the copy hides secrets whenever it is shown.

    Copies are made when a test asks for them, not for every call, which would cost time. A test
    that changes a dict or list in the copy does not change the record.
    """
    kind: Any = type(value)
    copy: _Value = kind.__new__(kind)
    # The dataclasses are frozen.
    fill = object.__setattr__
    for name in _members(kind):
        fill(copy, name, _own(getattr(value, name), hide))
    # Slots, not fields: so they are neither compared, copied nor pickled.
    fill(copy, "_hide", hide)
    fill(copy, "_original", value)
    return copy


@cache
def _members(kind: Any) -> tuple[str, ...]:
    """Return the field names of a dataclass that derives from MaskedCopy."""
    return tuple(each.name for each in fields(kind))


def original_of(value: object) -> object:
    """Return the original of a masked copy; any other value is its own original."""
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
