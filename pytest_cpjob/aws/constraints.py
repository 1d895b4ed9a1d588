"""One shape's constraints as a check that reports what the service would say about a value.

Wording and paths are those of CodePipeline's ValidationExceptions: members joined by dots, a
list's items as `.1.member`, violations inside a map at the map's own path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

_NOT_NULL: Final = "Member must not be null"


class Violation(NamedTuple):
    """One broken rule: its path, as the service writes it, and the constraint in AWS's words."""

    path: str
    constraint: str


class TypeMismatch(Violation):
    """A value of the wrong type: the service answers SerializationException before validating."""

    __slots__ = ()


Check = Callable[[object, str, list[Violation]], None]


class Bounds:
    """The minimum and maximum that a shape sets for a value or for its length."""

    def __init__(self, shape: Mapping[str, Any], noun: str) -> None:
        self.maximum: int | None = shape.get("max")
        self.minimum: int | None = shape.get("min")
        self.too_much = f"Member must have {noun} less than or equal to {self.maximum}"
        self.too_little = f"Member must have {noun} greater than or equal to {self.minimum}"

    def allow(self, size: float) -> bool:
        """Return whether a size is within the bounds."""
        return (self.maximum is None or size <= self.maximum) and (
            self.minimum is None or size >= self.minimum
        )

    def broken(self, size: float) -> Iterator[str]:
        if self.maximum is not None and size > self.maximum:
            yield self.too_much
        if self.minimum is not None and size < self.minimum:
            yield self.too_little

    def all(self) -> Iterator[str]:
        if self.maximum is not None:
            yield self.too_much
        if self.minimum is not None:
            yield self.too_little


class Scalar:
    """A string, number, boolean or timestamp, and the constraints of its shape in AWS's order."""

    def __init__(self, shape: Mapping[str, Any]) -> None:
        self.accepts, self.expected = SCALARS[shape["type"]]
        self.measures_length = shape["type"] == "string"
        self.bounds = Bounds(shape, "length" if self.measures_length else "value")
        self._pattern: str | None = shape.get("pattern")
        self.allowed: tuple[str, ...] | None = tuple(shape["enum"]) if "enum" in shape else None
        self.unmatched = f"Member must satisfy regular expression pattern: {self._pattern}"
        self.not_in_set = f"Member must satisfy enum value set: [{', '.join(self.allowed or ())}]"

    @cached_property
    def matches(self) -> Callable[[str], object] | None:
        # Compiled for the first value: most members of a request are never given.
        return None if self._pattern is None else re.compile(self._pattern, re.ASCII).fullmatch

    def right_type(self, value: object) -> bool:
        # A bool is an int in Python, but not for the service.
        return isinstance(value, self.accepts) and (
            type(value) is not bool or self.accepts is _BOOLEAN
        )

    def is_fine(self, value: Any) -> bool:
        """Return whether no constraint is broken: a fast path, as nearly every value is fine."""
        return (
            self.bounds.allow(len(value) if self.measures_length else value)
            and (self.matches is None or self.matches(value) is not None)
            and (self.allowed is None or value in self.allowed)
        )

    def broken(self, value: Any) -> Iterator[str]:
        size = len(value) if self.measures_length else value
        yield from self.bounds.broken(size)
        if self.matches is not None and self.matches(value) is None:
            yield self.unmatched
        if self.allowed is not None and value not in self.allowed:
            yield self.not_in_set

    @cached_property
    def all_constraints(self) -> str:
        """All constraints: when a map's entry breaks one, the service lists every one."""
        phrases = [*self.bounds.all()]
        if self.matches is not None:
            phrases.append(self.unmatched)
        if self.allowed is not None:
            phrases.append(self.not_in_set)
        return ", ".join(phrases)

    def check(self, value: object, path: str, found: list[Violation]) -> None:
        if not self.right_type(value):
            found.append(TypeMismatch(path, self.expected))
        elif not self.is_fine(value):
            found.extend(Violation(path, phrase) for phrase in self.broken(value))


_BOOLEAN: Final = (bool,)
SCALARS: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "string": ((str,), "Member must be a string"),
    "integer": ((int,), "Member must be an integer"),
    "boolean": (_BOOLEAN, "Member must be a boolean"),
    # botocore accepts datetimes as well as the forms used on the wire.
    "timestamp": ((datetime, int, float, str), "Member must be a timestamp"),
}


class ListOf:
    def __init__(self, shape: Mapping[str, Any], member: Check) -> None:
        self.size = Bounds(shape, "length")
        self.member = member

    def check(self, value: object, path: str, found: list[Violation]) -> None:
        if not isinstance(value, (list, tuple)):
            found.append(TypeMismatch(path, "Member must be a list"))
            return
        found.extend(Violation(path, phrase) for phrase in self.size.broken(len(value)))
        for number, item in enumerate(value, start=1):
            where = f"{path}.{number}.member"
            if item is None:
                found.append(Violation(where, _NOT_NULL))
            else:
                self.member(item, where, found)


class MapOf:
    """A map with string keys; violations by its entries are reported once, at the map's path."""

    def __init__(
        self, shape: Mapping[str, Any], key: Scalar, value: Scalar | None, deep: Check
    ) -> None:
        self.size = Bounds(shape, "length")
        self.key = key
        self.value = value
        self.deep = deep

    def check(self, value: object, path: str, found: list[Violation]) -> None:
        if not isinstance(value, Mapping):
            found.append(TypeMismatch(path, "Member must be a map"))
            return
        found.extend(Violation(path, phrase) for phrase in self.size.broken(len(value)))
        _check_entries(self.key, list(value), path, "Map keys", found)
        if self.value is not None:
            _check_entries(self.value, list(value.values()), path, "Map value", found)
            return
        for key, item in value.items():
            if item is None:
                found.append(Violation(f"{path}.{key}.member", _NOT_NULL))
            else:
                self.deep(item, f"{path}.{key}.member", found)


def _check_entries(
    rule: Scalar, entries: list[object], path: str, which: str, found: list[Violation]
) -> None:
    if any(entry is None for entry in entries):
        found.append(Violation(path, f"{which} must satisfy constraint: [{_NOT_NULL}]"))
        return
    wrong = [entry for entry in entries if not rule.right_type(entry)]
    if wrong:
        found.append(TypeMismatch(path, f"{which} must satisfy constraint: [{rule.expected}]"))
    elif any(True for entry in entries for _ in rule.broken(entry)):
        constraint = f"{which} must satisfy constraint: [{rule.all_constraints}]"
        found.append(Violation(path, constraint))


class Structure:
    def __init__(self, shape: Mapping[str, Any], check_of: Callable[[str], Check]) -> None:
        self._shape = shape
        self._check_of = check_of

    @cached_property
    def members(self) -> tuple[tuple[str, Check, bool], ...]:
        # Looked up at the first use, because a shape may contain itself.
        required = frozenset(self._shape.get("required", ()))
        return tuple(
            (name, self._check_of(member["shape"]), name in required)
            for name, member in self._shape["members"].items()
        )

    def check(self, value: object, path: str, found: list[Violation]) -> None:
        # Nearly always a dict, and isinstance() with an abstract class is much slower.
        if type(value) is not dict and not isinstance(value, Mapping):
            found.append(TypeMismatch(path, "Member must be a structure"))
            return
        prefix = f"{path}." if path else ""
        # The service treats a null member as absent and ignores unknown members.
        for name, check, required in self.members:
            member = value.get(name)
            if member is not None:
                check(member, prefix + name, found)
            elif required:
                found.append(Violation(prefix + name, _NOT_NULL))
