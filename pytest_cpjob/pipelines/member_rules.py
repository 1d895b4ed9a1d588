"""Members that a pipeline's declaration cannot have: most of them are misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_cpjob.aws.codepipeline_model import load
from pytest_cpjob.pipelines.rule_context import Broken

_ON_THE_WIRE: Final = frozenset({"__type"})
"""What raw answers of AWS have beside the members."""

_NEWER: Final = frozenset(
    {
        "beforeEntry",
        "commands",
        "conditions",
        "environmentVariables",
        "files",
        "onSuccess",
        "outputVariables",
        "result",
        "retryConfiguration",
        "retryMode",
        "timeoutInMinutes",
        "type",
    }
)
"""Members that the oldest supported botocore may not know."""

_NAMED: Final = frozenset({"StageDeclaration", "ActionDeclaration"})
_NEAR: Final = 0.6


def unknown_members(declaration: Mapping[str, Any]) -> Iterator[Broken]:
    """Return a broken rule for each member that the API does not have, with the nearest valid one.

    botocore refuses such a request itself, and CloudFormation such a template.
    """
    yield from _unknown("PipelineDeclaration", declaration, "pipeline", "")


def _unknown(shape_name: str, value: Any, place: str, within: str) -> Iterator[Broken]:
    """Return the unknown members of a value.

    Args:
        place: the stage and the action that it belongs to.
        within: the member of those that it is in, empty if it is one itself.
    """
    shape = load().shapes[shape_name]
    if shape["type"] == "list" and isinstance(value, list):
        for item in value:
            inner = shape["member"]["shape"]
            if inner in _NAMED and isinstance(item, Mapping):
                name = str(item.get("name"))
                joined = name if place == "pipeline" else f"{place}/{name}"
                yield from _unknown(inner, item, joined, "")
            else:
                yield from _unknown(inner, item, place, within)
    elif shape["type"] == "map" and isinstance(value, Mapping):
        for item in value.values():
            yield from _unknown(shape["value"]["shape"], item, place, within)
    elif shape["type"] == "structure" and isinstance(value, Mapping):
        members = shape["members"]
        for name, item in value.items():
            if name in members:
                yield from _unknown(members[name]["shape"], item, place, f"{within}.{name}")
            elif name not in _ON_THE_WIRE | _NEWER:
                of = f" in {within[1:]}" if within else ""
                text = f"Unknown parameter{of}: {name!r}{_nearest(name, members)}"
                yield Broken(place, "ParamValidationError", text)


def _nearest(name: str, members: Mapping[str, Any]) -> str:
    by_letters = {known.casefold(): known for known in members}
    near = difflib.get_close_matches(name.casefold(), by_letters, 1, _NEAR)
    if near:
        return f"; did you mean {by_letters[near[0]]!r}?"
    return f"; expected one of {', '.join(members)}"
