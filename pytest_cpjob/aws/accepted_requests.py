"""Requests that are certainly valid: one check for botocore and the service, compiled once.

It accepts less than either, and says nothing of why: only plain dicts, lists and values of exactly
the modelled types, no unknown member and no null, within all of the service's constraints. Whoever
is not accepted is left to those who know what to say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

from pytest_cpjob.aws import codepipeline_model
from pytest_cpjob.aws.constraints import Bounds, Scalar

Copy = Callable[[Any], Any]
_OfText: TypeAlias = "tuple[int, int, Callable[[str], object] | None, tuple[str, ...] | None]"
"""The constraints of a string: its least and its greatest length, its pattern, its values."""

_TYPES: Final[Mapping[str, type]] = {"integer": int, "boolean": bool}


class _NotAccepted(Exception):
    """The value is not certainly valid."""


def accepted_copy(operation: str, params: object) -> dict[str, Any] | None:
    """Return a copy of a request, sharing nothing that can change; None if it is not accepted."""
    try:
        copied: dict[str, Any] = _input(operation)(params)
    except _NotAccepted:
        return None
    return copied


def is_described_by(operation: str, description: Mapping[str, Any]) -> bool:
    """Whether a service's description has an operation and its request as botocore ships them."""
    shipped = codepipeline_model.load().description
    if description is shipped:
        return True
    if description["metadata"] != shipped["metadata"]:
        return False
    if description["operations"][operation] != shipped["operations"][operation]:
        return False
    names = _reachable(shipped["operations"][operation]["input"]["shape"])
    return all(description["shapes"].get(name) == shipped["shapes"][name] for name in names)


@cache
def _reachable(shape_name: str) -> frozenset[str]:
    shape = codepipeline_model.load().description["shapes"][shape_name]
    inside = [*shape.get("members", {}).values()]
    inside += [shape[role] for role in ("member", "key", "value") if role in shape]
    return frozenset({shape_name}).union(*(_reachable(each["shape"]) for each in inside))


@cache
def _input(operation: str) -> Copy:
    model = codepipeline_model.load()
    return _copy_of(model.operation(operation)["input"]["shape"])


@cache
def _copy_of(shape_name: str) -> Copy:
    shape = codepipeline_model.load().shapes[shape_name]
    kind = shape["type"]
    if kind == "structure":
        return _structure(shape)
    if kind == "list":
        return _list(shape)
    if kind == "map":
        return _map(shape)
    return _scalar(shape)


def _scalar(shape: Mapping[str, Any]) -> Copy:
    if shape["type"] == "string":
        return _string(shape)
    # Of a timestamp there are many forms, which botocore converts: none is certain.
    wanted = _TYPES.get(shape["type"])
    is_fine = Scalar(shape).is_fine

    def copy(value: Any) -> Any:
        if type(value) is not wanted or not is_fine(value):
            raise _NotAccepted
        return value

    return copy


def _of_text(shape: Mapping[str, Any]) -> _OfText:
    scalar, size = Scalar(shape), Bounds(shape, "length")
    most = sys.maxsize if size.maximum is None else size.maximum
    return size.minimum or 0, most, scalar.matches, scalar.allowed


def _string(shape: Mapping[str, Any]) -> Copy:
    least, most, matches, allowed = _of_text(shape)

    def copy(value: Any) -> Any:
        if (
            type(value) is str
            and least <= len(value) <= most
            and (matches is None or matches(value) is not None)
            and (allowed is None or value in allowed)
        ):
            return value
        raise _NotAccepted

    return copy


def _list(shape: Mapping[str, Any]) -> Copy:
    size, member = Bounds(shape, "length"), _copy_of(shape["member"]["shape"])

    def copy(value: Any) -> Any:
        if type(value) is not list or not size.allow(len(value)):
            raise _NotAccepted
        return [member(item) for item in value]

    return copy


def _map(shape: Mapping[str, Any]) -> Copy:
    size = Bounds(shape, "length")
    key, member = _copy_of(shape["key"]["shape"]), _copy_of(shape["value"]["shape"])

    def copy(value: Any) -> Any:
        if type(value) is not dict or not size.allow(len(value)):
            raise _NotAccepted
        return {key(name): member(item) for name, item in value.items()}

    return copy


def _structure(shape: Mapping[str, Any]) -> Copy:
    shapes = codepipeline_model.load().shapes
    members = {name: member["shape"] for name, member in shape["members"].items()}
    texts = {
        name: _of_text(shapes[each])
        for name, each in members.items()
        if shapes[each]["type"] == "string"
    }
    others = {name: _copy_of(each) for name, each in members.items() if name not in texts}
    required = tuple(shape.get("required", ()))

    def copy(value: Any) -> Any:
        if type(value) is not dict:
            raise _NotAccepted
        copied = {}
        try:
            for name, item in value.items():
                if type(item) is str:
                    # As `_string` does, but without a call for each: nearly all are strings.
                    least, most, matches, allowed = texts[name]
                    if (
                        not least <= len(item) <= most
                        or (matches is not None and matches(item) is None)
                        or (allowed is not None and item not in allowed)
                    ):
                        raise _NotAccepted
                    copied[name] = item
                else:
                    copied[name] = others[name](item)
        except (KeyError, TypeError):  # an unknown member, or one whose name cannot be hashed
            raise _NotAccepted from None
        for name in required:
            if name not in copied:
                raise _NotAccepted
        return copied

    return copy
