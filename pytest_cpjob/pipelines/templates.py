"""One CloudFormation template: what its parameters, conditions and resources come to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, NoReturn

from pytest_cpjob.pipelines import resources
from pytest_cpjob.pipelines.intrinsics import Renderer
from pytest_cpjob.pipelines.sources import Source
from pytest_cpjob.pipelines.unresolved import (
    NO_VALUE,
    PROCESSED,
    Need,
    Unresolved,
    joined,
    text_of,
)
from pytest_cpjob.settings import nearest

_SECTIONS: Final = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs", "Globals")
_PSEUDO: Final = "AWS::"
_TRUE: Final = (True, "true")
_SECRET: Final = ("secretsmanager:", "ssm-secure:")


class Given(NamedTuple):
    """What a test gives beside the definition.

    Attributes:
        parameters: by the template's names; `"Resource.Attribute"` for what others make.
        imports: by export name.
        dynamic_references: by the text between `{{resolve:` and `}}`.
    """

    parameters: Mapping[str, object]
    imports: Mapping[str, object]
    dynamic_references: Mapping[str, object]


class Template:
    """A template with the values that a test gives.

    Attributes:
        source: where it was read from.
        resources: the resources as they are written, by logical id.
        owner: the stack it is deployed as.
    """

    def __init__(
        self,
        source: Source,
        given: Given,
        owner: resources.Owner,
        exports: Mapping[str, Any],
    ) -> None:
        self.source = source
        self.owner = owner
        self._given = given
        self._exports = exports
        self._sections = {name: self._section(name) for name in _SECTIONS}
        self.resources = self._checked_resources()
        self._renderer = Renderer(self)
        self._open: list[str] = []
        self._known: dict[str, Any] = {}

    def _section(self, name: str) -> Mapping[str, Any]:
        content = self.source.document.get(name)
        if content is None:
            return {}
        if not isinstance(content, Mapping):
            self.fail(name, f"expected an object, got {content!r:.60}")
        return content

    def _checked_resources(self) -> Mapping[str, Mapping[str, Any]]:
        for logical_id, resource in self._sections["Resources"].items():
            if str(logical_id).startswith("Fn::"):
                continue  # Fn::ForEach makes resources of its own
            if not isinstance(resource, Mapping) or not isinstance(resource.get("Type"), str):
                self.fail(f"Resources.{logical_id}", "a resource needs a Type")
            if not isinstance(resource.get("Properties") or {}, Mapping):
                self.fail(f"Resources.{logical_id}.Properties", "expected an object")
        return {
            str(logical_id): resource
            for logical_id, resource in self._sections["Resources"].items()
            if isinstance(resource, Mapping)
        }

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters that it declares."""
        return self._sections["Parameters"]

    @property
    def loops_told(self) -> str:
        """The end of a sentence about something missing that a loop may make, empty without one."""
        loops = [each for each in self._sections["Resources"] if str(each).startswith("Fn::")]
        return f"; {loops[0]} may make it, which is not expanded here: {PROCESSED}" if loops else ""

    def secrets(self) -> Iterator[str]:
        """Return the values that nobody may see: of parameters with NoEcho, and of secrets."""
        for name, declared in self.parameters.items():
            if isinstance(declared, Mapping) and declared.get("NoEcho") in _TRUE:
                value = self._parameter(name)
                yield from (each for each in _as_list(value) if isinstance(each, str))
        for reference, value in self._given.dynamic_references.items():
            if str(reference).startswith(_SECRET):
                yield text_of(value)

    def of_type(self, *types: str) -> Iterator[str]:
        """Return the logical ids of the resources of some types that are made."""
        for logical_id, resource in self.resources.items():
            if resource["Type"] in types and self.is_made(logical_id) is not False:
                yield logical_id

    def is_made(self, logical_id: str) -> bool | Unresolved:
        """Tell whether a resource's own condition holds."""
        name = self.resources[logical_id].get("Condition")
        if not isinstance(name, str):
            return True
        return self.condition(name, f"Resources.{logical_id}.Condition")

    def render(self, node: Any, place: str) -> Any:
        """Return a part of the template with its functions evaluated."""
        return self._renderer.render(node, place)

    def properties(self, logical_id: str) -> dict[str, Any]:
        """Return a resource's rendered properties."""
        raw = self.resources[logical_id].get("Properties") or {}
        rendered = self.render(raw, f"Resources.{logical_id}.Properties")
        if isinstance(rendered, dict):
            return rendered
        return {}

    def property(self, logical_id: str, name: str) -> Any:
        """Return one rendered property of a resource, None if it has none."""
        raw = self.resources[logical_id].get("Properties") or {}
        if name not in raw:
            return None
        place = f"Resources.{logical_id}.Properties.{name}"
        with self._opened(f"{logical_id}.{name}", place):
            value = self.render(raw[name], place)
        return None if value is NO_VALUE else value

    def name_of(self, logical_id: str) -> Any:
        """Return what a resource is called once it is deployed."""
        return self.ref(logical_id, f"Resources.{logical_id}")

    def exports(self) -> Iterator[tuple[str, str]]:
        """Return the names that it exports, and the output of each."""
        for name, output in self._sections["Outputs"].items():
            export = output.get("Export") if isinstance(output, Mapping) else None
            if isinstance(export, Mapping) and "Name" in export:
                exported = self.render(export["Name"], f"Outputs.{name}.Export.Name")
                if isinstance(exported, str):
                    yield exported, name

    def output(self, name: str) -> Any:
        """Return an output's value."""
        output = self._sections["Outputs"][name]
        return self.render(output.get("Value"), f"Outputs.{name}.Value")

    # -- what functions refer to -----------------------------------------------------------------

    def ref(self, name: str, place: str) -> Any:
        """Return what `Ref` of a parameter, a pseudo parameter or a resource gives."""
        if name.startswith(_PSEUDO):
            return self._pseudo_parameter(name, place)
        if name in self.parameters:
            return self._parameter(name)
        if name not in self.resources:
            known = [*self.parameters, *self.resources]
            hint = self.loops_told or nearest(name, known)
            self.fail(place, f"there is no parameter or resource {name!r}{hint}")
        return self._resource_value(
            name,
            "Ref",
            lambda: resources.reference(
                self.resources[name]["Type"],
                name,
                lambda wanted: self.property(name, wanted),
                self.owner,
            ),
            place,
        )

    def attribute(self, logical_id: str, name: str, place: str) -> Any:
        """Return what `Fn::GetAtt` gives; a test may give it as `parameters={"Id.Name": …}`."""
        full = f"{logical_id}.{name}"
        if full in self._given.parameters:
            return self._given.parameters[full]
        if logical_id not in self.resources:
            self.fail(
                place,
                f"there is no resource {logical_id!r}"
                f"{self.loops_told or nearest(logical_id, self.resources)}",
            )
        found = self._resource_value(
            logical_id,
            name,
            lambda: resources.attribute(
                self.resources[logical_id]["Type"],
                logical_id,
                name,
                lambda wanted: self.property(logical_id, wanted),
                self.owner,
            ),
            place,
        )
        if found is None:
            kind = self.resources[logical_id]["Type"]
            what = f"attribute {name} of {logical_id} ({kind})"
            return Unresolved(Need(what, "parameters", full))
        return found

    def _resource_value(self, logical_id: str, what: str, make: Any, place: str) -> Any:
        # An attribute is not the property of the same name: a topic's TopicName is both.
        key = f"{logical_id}.{what} of the deployed"
        if key not in self._known:
            with self._opened(key, place):
                pieces = make()
            self._known[key] = None if pieces is None else joined(pieces)
        return self._known[key]

    @contextmanager
    def _opened(self, key: str, place: str) -> Iterator[None]:
        """Hold a value open while it is found out; to need it meanwhile is a circle."""
        if key in self._open:
            circle = [*self._open[self._open.index(key) :], key]
            names = dict.fromkeys(each.partition(".")[0] for each in circle)
            self.fail(place, f"circular reference: {' -> '.join((*names, next(iter(names))))}")
        self._open.append(key)
        try:
            yield
        finally:
            self._open.pop()

    def _pseudo_parameter(self, name: str, place: str) -> Any:
        if name in self._given.parameters:
            return self._given.parameters[name]
        values: Mapping[str, Any] = {
            "AWS::AccountId": self.owner.account_id,
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": [],
            "AWS::Partition": self.owner.partition,
            "AWS::Region": self.owner.region,
            "AWS::StackName": self.owner.stack,
            "AWS::URLSuffix": {"aws-cn": "amazonaws.com.cn"}.get(
                self.owner.partition, "amazonaws.com"
            ),
        }
        if name == "AWS::StackId":
            stack = f"stack/{self.owner.stack}/{self.owner.uuid('AWS::StackId')}"
            return joined(self.owner.arn("cloudformation", stack))
        if name not in values:
            self.fail(place, f"there is no pseudo parameter {name!r}{nearest(name, values)}")
        return values[name]

    def _parameter(self, name: str) -> Any:
        declared = self.parameters[name]
        declared = declared if isinstance(declared, Mapping) else {}
        kind = str(declared.get("Type", "String"))
        if name in self._given.parameters:
            return self._typed(kind, self._allowed(name, declared, self._given.parameters[name]))
        if "Default" in declared and not kind.startswith("AWS::SSM::Parameter::"):
            return self._typed(kind, declared["Default"])
        why = "is looked up in Parameter Store" if "Default" in declared else "has no default"
        return Unresolved(Need(f"parameter {name!r} {why}", "parameters", name))

    def _typed(self, kind: str, value: Any) -> Any:
        if "List" in kind and not isinstance(value, list):
            return [item.strip() for item in text_of(value).split(",")]
        return value if isinstance(value, (list, Unresolved)) else text_of(value)

    def _allowed(self, name: str, declared: Mapping[str, Any], value: Any) -> Any:
        items = _as_list(value)
        allowed = declared.get("AllowedValues")
        pattern = declared.get("AllowedPattern")
        for item in items:
            got = "another one" if declared.get("NoEcho") in _TRUE else f"{item!r:.60}"
            if isinstance(allowed, list) and text_of(item) not in map(text_of, allowed):
                listed = ", ".join(repr(text_of(each)) for each in allowed)
                raise ValueError(
                    f"parameters[{name!r}]: {self.source.name} allows {listed}, got {got}"
                )
            if isinstance(pattern, str) and not _fits(pattern, text_of(item)):
                raise ValueError(
                    f"parameters[{name!r}]: {self.source.name} allows the pattern {pattern}, got"
                    f" {got}"
                )
        return value

    def condition(self, name: str, place: str) -> bool | Unresolved:
        """Return whether a condition holds."""
        if name not in self._sections["Conditions"]:
            known = self._sections["Conditions"]
            self.fail(place, f"there is no condition {name!r}{nearest(name, known)}")
        key = f"Conditions.{name}"
        if key not in self._known:
            with self._opened(f"{name}.Condition", place):
                holds = self.render(self._sections["Conditions"][name], key)
            if not isinstance(holds, (bool, Unresolved)):
                self.fail(key, f"expected a condition, got {holds!r:.60}")
            self._known[key] = holds
        found: bool | Unresolved = self._known[key]
        return found

    def mapping(self, name: object) -> Mapping[str, Any] | None:
        """Return a mapping, None if there is no such."""
        found = self._sections["Mappings"].get(str(name))
        return found if isinstance(found, Mapping) else None

    def exported(self, name: str) -> Any:
        """Return what another stack exports: the test's word, or another template's output."""
        if name in self._given.imports:
            return self._given.imports[name]
        if name in self._exports:
            return self._exports[name]()
        return Unresolved(Need(f"import {name!r}", "imports", name))

    def dynamic(self, reference: str) -> Any:
        """Return the value of a dynamic reference."""
        if reference in self._given.dynamic_references:
            return self._given.dynamic_references[reference]
        what = f"dynamic reference {reference!r}"
        return Unresolved(Need(what, "dynamic_references", reference))

    def zones(self, region: str) -> list[str]:
        """Return a region's first three availability zones."""
        return [f"{region or self.owner.region}{letter}" for letter in "abc"]

    def fail(self, place: str, problem: str) -> NoReturn:
        """Raise the error about a place in the template."""
        raise ValueError(f"{self.source.name}: {place}: {problem}")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _fits(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True  # a pattern of Java's that Python does not read
