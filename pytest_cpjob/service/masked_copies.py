"""Masked copies: the record as tests get it, in copies that hide secrets in their `repr`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

__all__ = ["Hide", "MaskedCopy", "frozen_dataclass", "masked_copy", "original_of"]

Hide = Callable[[str], str]

_PLAIN: Final = frozenset({str, int, float, tuple, type(None)})
"""Immutable types, of which most members are: these need no copy."""

_Value = TypeVar("_Value", bound="MaskedCopy")

if TYPE_CHECKING:
    from dataclasses import dataclass as frozen_dataclass
else:

    def frozen_dataclass(**options: bool) -> Callable[[type], type]:
        """Decorate a class that derives from MaskedCopy and has its own `__init__`.

        It becomes a frozen dataclass for who uses it: `fields`, `replace`, `asdict` and `match`
        take it, and pytest shows in which members two differ. But what makes it frozen is
        written once, in MaskedCopy. `dataclass` would write it as a text for each class, and
        compile that: this takes four times as long as all the rest, at the first test of each run.
        """

        def decorate(kind: type) -> type:
            made = dataclass(**{**options, "frozen": False})(kind)
            made.__hash__ = MaskedCopy.__hash__
            made.__dataclass_params__.frozen = True  # as classes that derive from it have to be
            return made

        return decorate


class MaskedCopy:
    """A value whose copy for a test hides secrets of the jobs; copies compare as before.

    It cannot be changed. See `frozen_dataclass`, with which its classes are made.
    """

    __slots__ = ("_hide", "_original")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __hash__(self) -> int:
        own: Any = self
        return hash(tuple(getattr(own, each.name) for each in fields(own) if each.compare))

    # Slots that are no fields are neither compared, copied nor pickled.
    def __getstate__(self) -> tuple[Any, ...]:
        kind: Any = type(self)
        return tuple([getattr(self, name) for name in _members(kind)])

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        kind: Any = type(self)
        for name, value in zip(_members(kind), state, strict=True):
            object.__setattr__(self, name, value)

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
    # They cannot be changed otherwise.
    fill = object.__setattr__
    for name in _members(kind):
        fill(copy, name, _own(getattr(value, name), hide))
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
