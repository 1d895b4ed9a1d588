"""From what a test gives to the definition of one pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.documents.job_arguments import account_id_checked, region_checked
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.pipelines.cloudformation import Stacks, configuration_texts
from pytest_cpjob.pipelines.definition import Declaration, Definition
from pytest_cpjob.pipelines.rules import check_declaration
from pytest_cpjob.pipelines.sources import Source, read_sources
from pytest_cpjob.pipelines.templates import Given
from pytest_cpjob.pipelines.terraform import Infrastructure, is_terraform
from pytest_cpjob.pipelines.unresolved import PROCESSED
from pytest_cpjob.settings import nearest

_ARN: Final = re.compile(r"arn:[a-z-]+:codepipeline:([a-z0-9-]+):([0-9]{12}):")
_NESTED: Final = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application")
_KNOWN: Final = (
    "a PipelineDeclaration, GetPipeline's answer, a CloudFormation or SAM template, or the output"
    " of 'terraform show -json'"
)

Candidate = tuple[tuple[str, ...], Callable[[], Definition]]


def load_definition(
    definition: object,
    *,
    name: str | None,
    parameters: Mapping[str, object] | None,
    imports: Mapping[str, object] | None,
    dynamic_references: Mapping[str, object] | None,
    region: str | None,
    account_id: str | None,
    default_region: str,
    default_account_id: str,
    stream: Stream,
) -> Definition:
    """Return the definition of one pipeline, held to CreatePipeline's rules.

    Raises:
        ValueError: it cannot be read, has no such pipeline or several, lacks what it needs, or
            CreatePipeline would refuse it.
        CpjobError: a template is YAML, and PyYAML is not installed.
    """
    given = Given(
        _mapping("parameters", parameters),
        _mapping("imports", imports),
        _mapping("dynamic_references", dynamic_references),
    )
    sources = read_sources(definition)
    found_region, found_account = _owner_told(sources)
    region = region_checked(region or found_region or default_region)
    account_id = account_id_checked(account_id or found_account or default_account_id)
    candidates = list(_candidates(sources, given, region, account_id, stream))
    chosen = _choose(candidates, name, sources)()
    check_declaration(
        chosen.declaration,
        chosen.source,
        region=chosen.region,
        action_types=chosen.action_types,
    )
    return chosen


def _mapping(argument: str, value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{argument}: expected a dict, got {value!r:.60}")
    return value


def _owner_told(sources: list[Source]) -> tuple[str | None, str | None]:
    """Return the region and the account that GetPipeline's answer names."""
    for source in sources:
        metadata = source.document.get("metadata")
        arn = metadata.get("pipelineArn") if isinstance(metadata, Mapping) else None
        found = _ARN.match(str(arn))
        if found is not None:
            return found[1], found[2]
    return None, None


def _candidates(
    sources: list[Source], given: Given, region: str, account_id: str, stream: Stream
) -> Iterator[Candidate]:
    templates = []
    for source in sources:
        document = source.document
        if is_terraform(document):
            yield from Infrastructure(
                source, given, partition_of(region), region, account_id, stream.at(source.name)
            ).candidates()
        elif "Resources" in document:
            templates.append(source)
        else:
            declaration = document.get("pipeline", document)
            if not isinstance(declaration, Mapping) or "stages" not in declaration:
                raise ValueError(f"{source.name}: {_not_a_definition(document)}")
            _refuse_parameters(source, given)
            yield (
                (str(declaration.get("name")),),
                partial(_declared, dict(declaration), source, region, account_id),
            )
    if templates:
        partition = partition_of(region)
        yield from Stacks(templates, given, partition, region, account_id, stream).candidates()


def _not_a_definition(document: Mapping[str, Any]) -> str:
    keys = ", ".join(repr(str(key)[:40]) for key in list(document)[:6]) or "nothing"
    return f"not a pipeline's definition: expected {_KNOWN}; at its top are {keys}"


def _refuse_parameters(source: Source, given: Given) -> None:
    for parameter in given.parameters:
        raise ValueError(
            f"parameters: {source.name} is not a template, and has no parameter"
            f" {str(parameter)[:60]!r}"
        )


def _declared(declaration: Declaration, source: Source, region: str, account_id: str) -> Definition:
    return Definition(
        source=source.name,
        declaration=_texts(declaration, source.name),
        region=region,
        account_id=account_id,
    )


def _texts(declaration: Declaration, source: str) -> Declaration:
    """Return a copy of a declaration, without the members that are null, as JSON writes them."""

    def copied(value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            members = {
                str(key): copied(item, f"{place}.{key}")
                for key, item in value.items()
                if item is not None
            }
            if isinstance(members.get("configuration"), Mapping):
                configuration_texts(members["configuration"], f"{place}.configuration")
            return members
        if isinstance(value, (list, tuple)):
            return [copied(item, f"{place}[{number}]") for number, item in enumerate(value)]
        return value

    result: Declaration = copied(declaration, source)
    return result


def _elsewhere(sources: list[Source]) -> str:
    """Return the end of a sentence about where a pipeline may be, empty if nothing tells."""
    resources: dict[str, Any] = {}
    for source in sources:
        found = source.document.get("Resources")
        resources.update(found if isinstance(found, Mapping) else {})
    for logical_id, resource in resources.items():
        if str(logical_id).startswith("Fn::"):
            return f"; what {logical_id} makes is not expanded here: {PROCESSED}"
        kind = resource.get("Type") if isinstance(resource, Mapping) else None
        if kind in _NESTED:
            return f"; {logical_id} has a template of its own: give that one, or a list of both"
    return ""


def _choose(
    candidates: list[Candidate], name: str | None, sources: list[Source]
) -> Callable[[], Definition]:
    files = ", ".join(source.name for source in sources)
    if not candidates:
        raise ValueError(f"{files}: there is no pipeline in it{_elsewhere(sources)}")
    known = [called for names, _ in candidates for called in names]
    chosen = [make for names, make in candidates if name is None or name in names]
    if not chosen:
        raise ValueError(
            f"name: {files} has no pipeline {str(name)[:60]!r}{nearest(str(name), known)}"
        )
    if len(chosen) > 1:
        listed = ", ".join(repr(names[0]) for names, _ in candidates)
        raise ValueError(
            f"{files}: there are {len(candidates)} pipelines in it, {listed}; choose one with"
            " name=..."
        )
    return chosen[0]
