"""CloudFormation's intrinsic functions, each a small function from rendered arguments to a value.

Source: CloudFormation user guide, "Intrinsic function reference". What is not known stays
`Unresolved`, so that only what a pipeline needs has to be given.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, Protocol

from pytest_cpjob.pipelines.unresolved import (
    PROCESSED,
    Need,
    NoValue,
    Unresolved,
    joined,
    text_of,
)

_PLACEHOLDER: Final = re.compile(r"\$\{(!?)([^}]*)\}")
_EXPANDED: Final = ("Fn::ForEach", "Fn::Transform")
"""Functions that CloudFormation expands before it looks at the template."""
_DYNAMIC: Final = re.compile(r"\{\{resolve:([^{}]+)\}\}")


class Scope(Protocol):
    """What functions refer to; a template is one."""

    def ref(self, name: str, place: str) -> Any:
        """Return what `Ref` of a name gives."""

    def attribute(self, logical_id: str, name: str, place: str) -> Any:
        """Return what `Fn::GetAtt` gives."""

    def condition(self, name: str, place: str) -> bool | Unresolved:
        """Return whether a condition holds."""

    def mapping(self, name: object) -> Mapping[str, Any] | None:
        """Return a mapping, None if there is no such."""

    def exported(self, name: str) -> Any:
        """Return what another stack exports under a name."""

    def dynamic(self, reference: str) -> Any:
        """Return the value of a dynamic reference."""

    def zones(self, region: str) -> list[str]:
        """Return a region's availability zones."""

    def fail(self, place: str, problem: str) -> NoReturn:
        """Raise the error about a place in the template."""


class Renderer:
    """Renders the values of one template."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def render(self, node: Any, place: str) -> Any:
        """Return a value with every function in it evaluated."""
        if isinstance(node, Mapping):
            return self._mapping(node, place)
        if isinstance(node, list):
            items = (self.render(item, f"{place}[{number}]") for number, item in enumerate(node))
            return [item for item in items if not isinstance(item, NoValue)]
        if isinstance(node, str) and "{{resolve:" in node:
            return self._with_dynamic_references(node)
        return node

    def _mapping(self, node: Mapping[str, Any], place: str) -> Any:
        if len(node) == 1:
            [(name, argument)] = node.items()
            if name in ("Ref", "Condition") and isinstance(argument, str):
                # A policy statement has a Condition too, whose value is no text.
                if name == "Ref":
                    return self._scope.ref(argument, place)
                return self._scope.condition(argument, place)
            if isinstance(name, str) and name.startswith("Fn::"):
                return self._call(name, argument, f"{place}.{name}")
        rendered = {}
        for key, item in node.items():
            if isinstance(key, str) and key.startswith("Fn::"):
                # Fn::Transform and Fn::ForEach stand beside plain keys; neither is rendered.
                rendered[key] = Unresolved(_not_rendered(key))
                continue
            value = self.render(item, f"{place}.{key}")
            if not isinstance(value, NoValue):
                rendered[key] = value
        return rendered

    def _call(self, name: str, argument: Any, place: str) -> Any:
        function = _FUNCTIONS.get(name)
        if function is None:
            return Unresolved(_not_rendered(name))
        return function(self, argument, place)

    def _with_dynamic_references(self, text: str) -> Any:
        pieces: list[object] = []
        at = 0
        for found in _DYNAMIC.finditer(text):
            pieces += [text[at : found.start()], self._scope.dynamic(found[1])]
            at = found.end()
        return joined([*pieces, text[at:]])

    # -- the functions ---------------------------------------------------------------------------

    def get_att(self, argument: Any, place: str) -> Any:
        """`Fn::GetAtt`: as text with a dot, or as a list of two."""
        if isinstance(argument, str):
            logical_id, dot, name = argument.partition(".")
            if dot:
                return self._scope.attribute(logical_id, name, place)
        if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str):
            name = self.render(argument[1], place)
            if isinstance(name, Unresolved):
                return name
            return self._scope.attribute(argument[0], text_of(name), place)
        self._wrong(place, "[logical id, attribute]", argument)

    def sub(self, argument: Any, place: str) -> Any:
        """`Fn::Sub`: a text, or a list of a text and its own variables."""
        variables: Any = {}
        if isinstance(argument, list) and len(argument) == 2:
            argument, variables = argument
        if not isinstance(argument, str) or not isinstance(variables, Mapping):
            self._wrong(place, "text, or [text, {variable: value}]", argument)
        pieces: list[object] = []
        at = 0
        for found in _PLACEHOLDER.finditer(argument):
            pieces.append(argument[at : found.start()])
            at = found.end()
            name = found[2].strip()
            if found[1]:
                pieces.append(f"${{{found[2]}}}")
            elif name in variables:
                pieces.append(self.render(variables[name], f"{place}.{name}"))
            elif "." in name:
                pieces.append(self._scope.attribute(*_split(name), place))
            else:
                pieces.append(self._scope.ref(name, place))
        for piece in pieces:
            if isinstance(piece, (dict, list)):
                self._scope.fail(place, "a list or an object cannot stand in a text")
        result = joined([*pieces, argument[at:]])
        return self._with_dynamic_references(result) if isinstance(result, str) else result

    def join(self, argument: Any, place: str) -> Any:
        """`Fn::Join`: [separator, list]."""
        if not (isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str)):
            self._wrong(place, "[separator, list]", argument)
        pieces = self._list(argument[1], place)
        if isinstance(pieces, Unresolved):
            return pieces
        result = joined(pieces, argument[0])
        return self._with_dynamic_references(result) if isinstance(result, str) else result

    def select(self, argument: Any, place: str) -> Any:
        """`Fn::Select`: [index, list]."""
        if not (isinstance(argument, list) and len(argument) == 2):
            self._wrong(place, "[index, list]", argument)
        index, items = self.render(argument[0], place), self._list(argument[1], place)
        for value in (index, items):
            if isinstance(value, Unresolved):
                return value
        try:
            number = int(index)
        except (TypeError, ValueError):
            self._wrong(place, "a number first", index)
        if not 0 <= number < len(items):
            self._scope.fail(place, f"there is no item {number} in a list of {len(items)}")
        return items[number]

    def split(self, argument: Any, place: str) -> Any:
        """`Fn::Split`: [separator, text]."""
        if not (isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str)):
            self._wrong(place, "[separator, text]", argument)
        text = self.render(argument[1], place)
        if isinstance(text, Unresolved):
            return text
        return text_of(text).split(argument[0]) if argument[0] else [text_of(text)]

    def find_in_map(self, argument: Any, place: str) -> Any:
        """`Fn::FindInMap`: [map, key, key], and a default where there is no such key."""
        if not (isinstance(argument, list) and len(argument) in (3, 4)):
            self._wrong(place, "[map, key, key]", argument)
        names = [self.render(each, place) for each in argument[:3]]
        for name in names:
            if isinstance(name, Unresolved):
                return name
        found: Any = self._scope.mapping(names[0])
        for name in names[1:]:
            found = found.get(text_of(name)) if isinstance(found, Mapping) else None
        if found is None and len(argument) == 4 and "DefaultValue" in argument[3]:
            return self.render(argument[3]["DefaultValue"], place)
        if found is None:
            keys = ", ".join(map(repr, names))
            self._scope.fail(place, f"Mappings has no value at {keys}")
        return self.render(found, place)

    def condition_if(self, argument: Any, place: str) -> Any:
        """`Fn::If`: [condition, value, value]; only the one that is meant is rendered."""
        if not (isinstance(argument, list) and len(argument) == 3):
            self._wrong(place, "[condition, value, value]", argument)
        holds = self._scope.condition(str(argument[0]), place)
        if isinstance(holds, Unresolved):
            return holds
        return self.render(argument[1 if holds else 2], f"{place}[{1 if holds else 2}]")

    def equals(self, argument: Any, place: str) -> Any:
        """`Fn::Equals`: [value, value]."""
        if not (isinstance(argument, list) and len(argument) == 2):
            self._wrong(place, "[value, value]", argument)
        one, other = (self.render(each, place) for each in argument)
        for value in (one, other):
            if isinstance(value, Unresolved):
                return value
        if isinstance(one, (dict, list)) or isinstance(other, (dict, list)):
            return bool(one == other)
        return text_of(one) == text_of(other)

    def negation(self, argument: Any, place: str) -> Any:
        """`Fn::Not`: [condition]."""
        if not (isinstance(argument, list) and len(argument) == 1):
            self._wrong(place, "[condition]", argument)
        holds = self._truth(argument[0], place)
        return holds if isinstance(holds, Unresolved) else not holds

    def conjunction(self, argument: Any, place: str) -> Any:
        """`Fn::And`: a list of conditions."""
        return self._all(argument, place, decided_by=False)

    def disjunction(self, argument: Any, place: str) -> Any:
        """`Fn::Or`: a list of conditions."""
        return self._all(argument, place, decided_by=True)

    def _all(self, argument: Any, place: str, *, decided_by: bool) -> Any:
        if not isinstance(argument, list):
            self._wrong(place, "a list of conditions", argument)
        truths = [self._truth(each, place) for each in argument]
        if decided_by in [truth for truth in truths if isinstance(truth, bool)]:
            return decided_by
        return next((t for t in truths if isinstance(t, Unresolved)), not decided_by)

    def import_value(self, argument: Any, place: str) -> Any:
        """`Fn::ImportValue`: what another stack exports."""
        name = self.render(argument, place)
        return name if isinstance(name, Unresolved) else self._scope.exported(text_of(name))

    def base64(self, argument: Any, place: str) -> Any:
        """`Fn::Base64`: a text."""
        text = self.render(argument, place)
        if isinstance(text, Unresolved):
            return text
        return base64.b64encode(text_of(text).encode()).decode()

    def get_azs(self, argument: Any, place: str) -> Any:
        """`Fn::GetAZs`: a region's zones; `""` is this one."""
        region = self.render(argument, place)
        return region if isinstance(region, Unresolved) else self._scope.zones(text_of(region))

    def length(self, argument: Any, place: str) -> Any:
        """`Fn::Length`: a list."""
        items = self._list(argument, place)
        return items if isinstance(items, Unresolved) else len(items)

    def to_json(self, argument: Any, place: str) -> Any:
        """`Fn::ToJsonString`: an object or a list."""
        value = self.render(argument, place)
        pieces: list[object] = []
        _json_pieces(value, pieces)
        return joined(pieces)

    # -- what they have in common ----------------------------------------------------------------

    def _truth(self, node: Any, place: str) -> Any:
        holds = self.render(node, place)
        if isinstance(holds, (bool, Unresolved)):
            return holds
        self._wrong(place, "a condition", node)

    def _list(self, node: Any, place: str) -> Any:
        items = self.render(node, place)
        if isinstance(items, (list, Unresolved)):
            return items
        self._wrong(place, "a list", items)

    def _wrong(self, place: str, expected: str, got: object) -> NoReturn:
        self._scope.fail(place, f"expected {expected}, got {got!r:.60}")


def _split(name: str) -> tuple[str, str]:
    logical_id, _, attribute = name.partition(".")
    return logical_id, attribute


def _not_rendered(name: str) -> Need:
    if name.startswith(_EXPANDED):
        return Need(f"{name} is not expanded here", way_out=PROCESSED)
    return Need(f"{name} is not rendered")


def _json_pieces(value: Any, pieces: list[object]) -> None:
    """Add a value's JSON, in pieces of which some may be unresolved."""
    if isinstance(value, Unresolved):
        inner = (json.dumps(part)[1:-1] if isinstance(part, str) else part for part in value.parts)
        pieces += ['"', Unresolved(*inner), '"']
    elif isinstance(value, dict):
        pieces.append("{")
        for number, (key, item) in enumerate(value.items()):
            pieces.append(f"{',' if number else ''}{json.dumps(key)}:")
            _json_pieces(item, pieces)
        pieces.append("}")
    elif isinstance(value, list):
        pieces.append("[")
        for number, item in enumerate(value):
            pieces.append("," if number else "")
            _json_pieces(item, pieces)
        pieces.append("]")
    else:
        pieces.append(json.dumps(value))


_FUNCTIONS: Final[Mapping[str, Callable[[Renderer, Any, str], Any]]] = {
    "Fn::And": Renderer.conjunction,
    "Fn::Base64": Renderer.base64,
    "Fn::Equals": Renderer.equals,
    "Fn::FindInMap": Renderer.find_in_map,
    "Fn::GetAZs": Renderer.get_azs,
    "Fn::GetAtt": Renderer.get_att,
    "Fn::If": Renderer.condition_if,
    "Fn::ImportValue": Renderer.import_value,
    "Fn::Join": Renderer.join,
    "Fn::Length": Renderer.length,
    "Fn::Not": Renderer.negation,
    "Fn::Or": Renderer.disjunction,
    "Fn::Select": Renderer.select,
    "Fn::Split": Renderer.split,
    "Fn::Sub": Renderer.sub,
    "Fn::ToJsonString": Renderer.to_json,
}
