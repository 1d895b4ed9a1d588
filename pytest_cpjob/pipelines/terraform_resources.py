"""The resources of a Terraform state or plan, and their values.

Source: Terraform's "JSON output format". What a plan does not know yet is found through what its
configuration refers to, or made up as the provider will make it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.iam.patterns import ONE_PART
from pytest_cpjob.pipelines.sources import Source
from pytest_cpjob.pipelines.templates import Given
from pytest_cpjob.pipelines.unresolved import Need, Unresolved

_ARNS: Final[Mapping[str, str]] = {
    "aws_codebuild_project": "arn:{p}:codebuild:{r}:{a}:project/{name}",
    "aws_iam_policy": "arn:{p}:iam::{a}:policy/{name}",
    "aws_iam_role": "arn:{p}:iam::{a}:role/{name}",
    "aws_lambda_function": "arn:{p}:lambda:{r}:{a}:function:{function_name}",
    "aws_s3_bucket": "arn:{p}:s3:::{bucket}",
    "aws_sns_topic": "arn:{p}:sns:{r}:{a}:{name}",
}
"""The ARNs that the provider will know after the apply."""
_SAME_AS: Final[Mapping[tuple[str, str], str]] = {
    ("aws_s3_bucket", "id"): "bucket",
    ("aws_iam_role", "id"): "name",
    ("aws_codebuild_project", "id"): "name",
    ("aws_lambda_function", "id"): "function_name",
    ("aws_sns_topic", "id"): "arn",
    ("aws_codepipeline", "id"): "name",
}


class Resource(NamedTuple):
    """One resource.

    Attributes:
        values: what is known of it.
        expressions: what a plan's configuration says of the rest.
        module: the address of the module that it is in, empty at the root.
    """

    address: str
    kind: str
    values: Mapping[str, Any]
    expressions: Mapping[str, Any]
    module: str


class Resources:
    """All resources of one document.

    Attributes:
        name: what messages call the document.
        place: the partition, region and account, by the letters of the provider's ARNs.
        made_up: ids that a plan leaves open, with the patterns of what AWS would draw.
    """

    def __init__(self, source: Source, given: Given, place: dict[str, str], stream: Stream) -> None:
        document = source.document
        self.name = source.name
        self.place = place
        self.made_up: dict[str, str] = {}
        self._given, self._stream = given, stream
        state = document.get("planned_values") or document.get("values") or {}
        configuration = document.get("configuration") or {}
        self._all = list(
            _resources(state.get("root_module"), configuration.get("root_module") or {}, "")
        )
        self._by_address = {each.address: each for each in self._all}

    def of_kind(self, kind: str) -> Iterator[Resource]:
        """Iterate over the resources of a type."""
        return (each for each in self._all if each.kind == kind)

    def given(self, address: str) -> Any:
        """Return what the test gives for an address, else that it is known after the apply only."""
        return self._given.parameters.get(address, known_later(address))

    def value(self, resource: Resource, *path: str | int) -> Any:
        """Return a value, or what the plan's configuration says that it will be; None for none."""
        address = resource.address + "".join(
            f".{step}" if isinstance(step, str) else f"[{step}]" for step in path
        )
        if address in self._given.parameters:
            return self._given.parameters[address]
        value: Any = resource.values
        for step in path:
            value = step_of(value, step)
        if value is not None and value != "":
            return value
        expression: Any = resource.expressions
        for step in path:
            expression = step_of(expression, step)
        references = expression.get("references") if isinstance(expression, Mapping) else None
        if not references:
            return None
        return self._referred(resource, address, references)

    def _referred(self, resource: Resource, address: str, references: list[str]) -> Any:
        """Return what the one attribute that an expression refers to will be."""
        longest = [
            each
            for each in references
            if not any(other != each and other.startswith(f"{each}.") for other in references)
        ]
        if len(longest) == 1:
            target, _, attribute = longest[0].rpartition(".")
            prefix = f"{resource.module}." if resource.module else ""
            found = self._by_address.get(f"{prefix}{target}")
            value = None if found is None else self.attribute(found, attribute)
            if value is not None:
                return value
        return known_later(address)

    def attribute(self, resource: Resource, name: str) -> Any:
        """Return an attribute as it is, or as it will be."""
        full = f"{resource.address}.{name}"
        if full in self._given.parameters:
            return self._given.parameters[full]
        value = resource.values.get(name)
        if value is not None:
            return value
        same = _SAME_AS.get((resource.kind, name))
        if same is not None:
            return self.attribute(resource, same)
        if name == "arn" and resource.kind in _ARNS:
            named = {key: item for key, item in resource.values.items() if isinstance(item, str)}
            try:
                return _ARNS[resource.kind].format(**self.place, **named)
            except KeyError:
                return None
        if resource.kind == "aws_kms_key" and name in ("arn", "id", "key_id"):
            drawn = self._stream.at(resource.address).values.execution_id()
            self.made_up[drawn] = ONE_PART
            arn = "arn:{p}:kms:{r}:{a}:key/".format(**self.place)
            return f"{arn}{drawn}" if name == "arn" else drawn
        return None


def _resources(module: Any, configuration: Any, path: str) -> Iterator[Resource]:
    if not isinstance(module, Mapping):
        return
    expressions = {
        f"{each.get('type')}.{each.get('name')}": each.get("expressions") or {}
        for each in configuration.get("resources") or ()
        if isinstance(each, Mapping)
    }
    for each in module.get("resources") or ():
        if each.get("mode", "managed") == "managed" and isinstance(each.get("values"), Mapping):
            key = f"{each.get('type')}.{each.get('name')}"
            yield Resource(
                str(each.get("address")),
                str(each.get("type")),
                each["values"],
                expressions.get(key, {}),
                path,
            )
    calls = configuration.get("module_calls") or {}
    for child in module.get("child_modules") or ():
        address = str(child.get("address", ""))
        call = re.sub(r"\[[^]]*\]$", "", address.rpartition("module.")[2])
        inner = (calls.get(call) or {}).get("module") or {}
        yield from _resources(child, inner, address)


def known_later(address: str) -> Unresolved:
    """Return the value of what only an apply tells."""
    what = f"{address} is known after the apply only"
    return Unresolved(Need(what, "parameters", address))


def step_of(value: Any, step: str | int) -> Any:
    """Return a member or an item of a value, None if it has none."""
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else None
    return value.get(step) if isinstance(value, Mapping) else None
