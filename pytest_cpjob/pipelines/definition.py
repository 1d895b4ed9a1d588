"""A pipeline's definition, whatever it is written in: its declaration and what is around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pytest_cpjob.documents.functions import FunctionCode
from pytest_cpjob.iam.policies import Permissions
from pytest_cpjob.pipelines.unresolved import Need, Unresolved, marked_copy, unresolved_in

Declaration = dict[str, Any]
"""The API's PipelineDeclaration."""


class Function(NamedTuple):
    """A Lambda function that a definition makes.

    Attributes:
        permissions: what its role may do, None if the role is not known.
    """

    code: FunctionCode
    permissions: Permissions | None = None


class CustomActionType(NamedTuple):
    """A custom action type that a definition makes."""

    category: str
    provider: str
    version: str
    properties: Mapping[str, Mapping[str, Any]]
    inputs: tuple[int, int]
    outputs: tuple[int, int]

    @property
    def action_type(self) -> tuple[str, str, str, str]:
        """The four parts of its name."""
        return (self.category, "Custom", self.provider, self.version)


@dataclass(frozen=True)
class Definition:
    """One pipeline and what its definition says beside it.

    Attributes:
        source: what messages call it: the file, and the place in it.
        functions: by name, each made when it is asked for.
        pollers: returns the name of the function that an event starts, None if it starts none.
        made_up: names and ids that the definition leaves open, with the patterns of what AWS
            would make of them.
        secrets: values in it that nobody may see.
    """

    source: str
    declaration: Declaration
    region: str
    account_id: str
    functions: Mapping[str, Callable[[], Function]] = field(default_factory=dict)
    action_types: tuple[CustomActionType, ...] = ()
    made_up: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    pollers: Callable[[Mapping[str, Any]], str | None] = lambda event: None

    def function_of(self, name: str) -> Function | None:
        """Return the function that an action's FunctionName means: a name, or an ARN."""
        bare = name.rpartition("function:")[2].partition(":")[0]
        make = self.functions.get(bare)
        return None if make is None else make()


ROLE_MEMBERS: Final = ("roleArn",)


class MissingValues(ValueError):
    """A pipeline needs values that its definition does not tell.

    Args:
        source: the definition, as messages name it.
        places: what is needed, each with the members that it is for.
    """

    def __init__(self, source: str, places: Mapping[Need, list[str]]) -> None:
        self.source = source
        self.places = places
        super().__init__(self.told(lambda need: f"{need.argument}={{{need.key!r}: ...}}"))

    def told(self, shown: Callable[[Need], str]) -> str:
        """Return the message.

        Args:
            shown: writes what gives a value, an argument or an option.
        """
        lines = [f"{self.source}: the pipeline needs what its definition does not tell:"]
        for need, found in self.places.items():
            way_out = need.way_out
            if need.argument:
                way_out = f"give it with {shown(need)}"
            lines.append(f"- {need.what}, for {found[0]}{_and_more(found)}; {way_out}")
        return "\n".join(lines)


def needed(declaration: Declaration, source: str, default_role: str) -> Declaration:
    """Return a declaration in which nothing is unresolved any more.

    Roles are not needed: one that is not known is left out of an action, and is a stand-in for
    the pipeline.

    Raises:
        MissingValues: listing each thing that is needed and not known, with what gives it.
    """
    resolved = _without_unknown_roles(declaration, default_role)
    places: dict[Need, list[str]] = {}
    for place, value in _members(resolved, ""):
        for unresolved in unresolved_in(value):
            for need in unresolved.needs:
                places.setdefault(need, []).append(place)
    if places:
        raise MissingValues(source, places)
    copied: Declaration = marked_copy(resolved)
    return copied


def _and_more(places: list[str]) -> str:
    more = len(set(places)) - 1
    return f" and {more} more" if more else ""


def _without_unknown_roles(declaration: Declaration, default_role: str) -> Declaration:
    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: cleaned(item)
                for key, item in value.items()
                if not (key in ROLE_MEMBERS and isinstance(item, Unresolved))
            }
        if isinstance(value, list):
            return [cleaned(item) for item in value]
        return value

    result: Declaration = cleaned(declaration)
    if isinstance(declaration.get("roleArn"), Unresolved):
        result["roleArn"] = default_role
    return result


def _members(value: Any, place: str) -> Any:
    """Return the places that messages name: an action's by its names, else the member's path."""
    if isinstance(value, Unresolved):
        yield place or "the pipeline", value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _members(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            name = item.get("name") if isinstance(item, dict) else None
            shown = name if isinstance(name, str) else str(number)
            yield from _members(item, f"{place}[{shown}]")
