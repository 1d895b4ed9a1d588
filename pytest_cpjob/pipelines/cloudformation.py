"""CloudFormation, SAM and CDK templates as definitions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from pytest_cpjob.documents.functions import FunctionCode
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.pipelines import sam
from pytest_cpjob.pipelines.definition import (
    CustomActionType,
    Declaration,
    Definition,
    Function,
    needed,
)
from pytest_cpjob.pipelines.dependencies import circle_from
from pytest_cpjob.pipelines.event_rules import matches, rules_of
from pytest_cpjob.pipelines.resources import Owner
from pytest_cpjob.pipelines.roles import Roles
from pytest_cpjob.pipelines.sources import Source
from pytest_cpjob.pipelines.templates import Given, Template
from pytest_cpjob.pipelines.unresolved import Unresolved, text_of
from pytest_cpjob.settings import nearest

PIPELINE: Final = "AWS::CodePipeline::Pipeline"
CUSTOM_ACTION: Final = "AWS::CodePipeline::CustomActionType"
_AS_THEY_ARE: Final = frozenset({"Configuration"})
"""Members whose keys are the author's, not the API's."""
_NOT_IN_THE_API: Final = ("DisableInboundStageTransitions", "RestartExecutionOnUpdate", "Tags")
_INTEGERS: Final = frozenset({"runOrder", "timeoutInMinutes"})


class Stacks:
    """Templates that are deployed together, or one that is deployed alone."""

    def __init__(
        self, sources: list[Source], given: Given, partition: str, region: str, account_id: str,
        stream: Stream,
    ) -> None:  # fmt: skip
        self.made_up: dict[str, str] = {}
        self._exports: dict[str, Callable[[], Any]] = {}
        self.templates = [
            self._template(source, given, partition, region, account_id, stream)
            for source in sources
        ]
        self._refuse_unknown_parameters(given)
        for template in self.templates:
            for name, output in template.exports():
                self._exports[name] = partial(template.output, output)
        self._region, self._account_id, self._partition = region, account_id, partition

    def _template(
        self,
        source: Source,
        given: Given,
        partition: str,
        region: str,
        account_id: str,
        stream: Stream,
    ) -> Template:
        stack = given.parameters.get("AWS::StackName", _stack_name(source))
        owner = Owner(
            partition, region, account_id, str(stack), stream.at(source.name), self.made_up
        )
        if sam.uses_sam(source.document):
            source = source._replace(document=sam.expanded(source.document))
        return Template(source, given, owner, self._exports)

    def _refuse_unknown_parameters(self, given: Given) -> None:
        declared = [name for template in self.templates for name in template.parameters]
        for name in given.parameters:
            if not isinstance(name, str):
                raise ValueError(f"parameters: expected names, got {name!r:.60}")
            if name not in declared and "." not in name and not name.startswith("AWS::"):
                files = ", ".join(template.source.name for template in self.templates)
                hint = nearest(name, declared) if declared else "; it has no parameters"
                raise ValueError(f"parameters: {files} has no parameter {name[:60]!r}{hint}")

    def candidates(self) -> Iterator[tuple[tuple[str, ...], Callable[[], Definition]]]:
        """Return each pipeline: what it may be called, and what makes its definition."""
        for template in self.templates:
            for logical_id in template.of_type(PIPELINE):
                name = template.property(logical_id, "Name")
                called = [name, logical_id] if isinstance(name, str) else [logical_id]
                yield tuple(called), partial(self._definition, template, logical_id)

    def _definition(self, template: Template, logical_id: str) -> Definition:
        source = f"{template.source.name}: Resources.{logical_id}"
        circle = circle_from(
            logical_id, template.resources, lambda name: template.is_made(name) is True
        )
        if circle:
            listed = ", ".join(circle)
            raise ValueError(f"{source}: Circular dependency between resources: [{listed}]")
        properties = template.properties(logical_id)
        declaration = api_declaration(properties, source)
        declaration["name"] = template.name_of(logical_id)
        role = f"arn:{self._partition}:iam::{self._account_id}:role/{logical_id}Role"
        declaration.setdefault("roleArn", role)
        return Definition(
            source=source,
            declaration=needed(declaration, source, role),
            region=self._region,
            account_id=self._account_id,
            functions=dict(self._functions()),
            action_types=tuple(self._action_types()),
            made_up=self.made_up,
            pollers=self._started_by,
            secrets=frozenset(
                secret for template in self.templates for secret in template.secrets()
            ),
        )

    def _started_by(self, event: Mapping[str, Any]) -> str | None:
        """Return the name of the function that a rule starts with an event."""
        found = (each for each in rules_of(self.templates) if matches(each.pattern, event))
        return next((each.function for each in found), None)

    def _functions(self) -> Iterator[tuple[str, Callable[[], Function]]]:
        roles = Roles(self.templates)
        for template in self.templates:
            for logical_id in template.of_type("AWS::Lambda::Function"):
                name = template.name_of(logical_id)
                if isinstance(name, str):
                    yield name, partial(_function, template, logical_id, name, roles)

    def _action_types(self) -> Iterator[CustomActionType]:
        for template in self.templates:
            for logical_id in template.of_type(CUSTOM_ACTION):
                properties = template.properties(logical_id)
                if not any(isinstance(each, Unresolved) for each in properties.values()):
                    yield _action_type(template, logical_id, properties)


def _stack_name(source: Source) -> str:
    """Return a stack's name after its file: CDK's is `<stack>.template.json`."""
    stem = Path(source.name).name.partition(".")[0] if source.folder else "stack"
    return re.sub(r"[^A-Za-z0-9-]+", "-", stem).strip("-") or "stack"


def api_declaration(properties: Mapping[str, Any], source: str) -> Declaration:
    """Return a pipeline's properties as the API's PipelineDeclaration.

    The names are the same with a small first letter; stores of several regions are a list there
    and a map here, and every value of a configuration is text.
    """
    kept = {key: item for key, item in properties.items() if key not in _NOT_IN_THE_API}
    declaration: Declaration = _small(kept, f"{source}.Properties")
    stores = declaration.get("artifactStores")
    if isinstance(stores, list):
        declaration["artifactStores"] = {
            text_of(each.get("region")): each.get("artifactStore")
            for each in stores
            if isinstance(each, dict)
        }
    return declaration


def _small(value: Any, place: str) -> Any:
    if isinstance(value, Mapping):
        small = {}
        for key, item in value.items():
            name = key[:1].lower() + key[1:]
            where = f"{place}.{key}"
            if key in _AS_THEY_ARE:
                small[name] = configuration_texts(item, where)
            else:
                small[name] = _scalar(name, _small(item, where), where)
        return small
    if isinstance(value, list):
        return [_small(item, f"{place}[{number}]") for number, item in enumerate(value)]
    return value


def _scalar(name: str, value: Any, place: str) -> Any:
    """Return a scalar as the API has it: the few numbers as numbers, everything else as text."""
    if name in _INTEGERS:
        try:
            return value if isinstance(value, Unresolved) else int(value)
        except (TypeError, ValueError):
            raise ValueError(f"{place}: expected a whole number, got {value!r:.60}") from None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return text_of(value)
    return value


def configuration_texts(value: Any, place: str) -> Any:
    """Return a configuration whose values are texts: `false` is `"false"`.

    Raises:
        ValueError: a value is an object or a list.
    """
    if isinstance(value, Unresolved) or value is None:
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"{place}: expected an object, got {value!r:.60}")
    texts = {}
    for key, item in value.items():
        if isinstance(item, (Mapping, list)):
            raise ValueError(
                f"{place}.{key}: CodePipeline takes text here, and this is"
                f" {'a list' if isinstance(item, list) else 'an object'}; write it as JSON text"
            )
        texts[str(key)] = item if isinstance(item, Unresolved) else text_of(item)
    return texts


def _function(template: Template, logical_id: str, name: str, roles: Roles) -> Function:
    def prop(wanted: str) -> Any:
        return template.property(logical_id, wanted)

    environment = prop("Environment")
    variables = environment.get("Variables") if isinstance(environment, dict) else None
    timeout = prop("Timeout")
    known = {
        str(key): text_of(value)
        for key, value in (variables or {}).items()
        if not isinstance(value, Unresolved)
    }
    place = f"{template.source.name}: Resources.{logical_id}"
    code = _code(template, logical_id, FunctionCode(name, place))
    seconds = float(timeout) if str(timeout).isdigit() else None
    return Function(
        code._replace(environment=known, timeout=seconds), roles.permissions(prop("Role"))
    )


def _code(template: Template, logical_id: str, function: FunctionCode) -> FunctionCode:
    """Return where a function's code is: inline, beside the template, or nowhere."""

    def prop(wanted: str) -> Any:
        return template.property(logical_id, wanted)

    code, handler, place = prop("Code"), prop("Handler"), function.place
    runtime = prop("Runtime")
    if prop("PackageType") == "Image":
        return function._replace(missing=f"{place} is an image, which is not run")
    if isinstance(runtime, str) and not runtime.startswith("python"):
        return function._replace(missing=f"{place} runs on {runtime}, and only Python is run")
    if not isinstance(handler, str):
        return function._replace(missing=f"{place} has no Handler")
    function = function._replace(handler=handler)
    if isinstance(code, dict) and isinstance(code.get("ZipFile"), str):
        return function._replace(inline=code["ZipFile"])
    written = code.get("CodeUri") if isinstance(code, dict) else code
    metadata = template.resources[logical_id].get("Metadata")
    asset = metadata.get("aws:asset:path") if isinstance(metadata, Mapping) else None
    return with_code(function, asset or written, template.source.folder)


def with_code(function: FunctionCode, written: Any, folder: Path | None) -> FunctionCode:
    """Return a function with the code that its definition names, relative to its file."""
    place = function.place
    if not isinstance(written, str) or written.startswith("s3://"):
        return function._replace(
            missing=f"{place} has its code in a bucket, not beside the definition"
        )
    if folder is None:
        return function._replace(
            missing=f"{place} has its code at {written!r}, relative to no file"
        )
    path = (folder / written).resolve()
    if not path.exists():
        return function._replace(
            missing=f"{place} has its code at {written!r}, which does not exist"
        )
    return function._replace(path=path)


def _action_type(
    template: Template, logical_id: str, properties: Mapping[str, Any]
) -> CustomActionType:
    place = f"{template.source.name}: Resources.{logical_id}.Properties"

    def counts(name: str) -> tuple[int, int]:
        details = properties.get(name) or {}
        try:
            return int(details["MinimumCount"]), int(details["MaximumCount"])
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f"{place}.{name}: expected MinimumCount and MaximumCount, got {details!r:.60}"
            ) from None

    listed = properties.get("ConfigurationProperties") or []
    return CustomActionType(
        category=text_of(properties.get("Category")),
        provider=text_of(properties.get("Provider")),
        version=text_of(properties.get("Version")),
        properties={
            str(each.get("Name")): {
                key[:1].lower() + key[1:]: _flag(item)
                for key, item in each.items()
                if key != "Name"
            }
            for each in listed
            if isinstance(each, Mapping)
        },
        inputs=counts("InputArtifactDetails"),
        outputs=counts("OutputArtifactDetails"),
    )


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(str(value).lower(), value)
