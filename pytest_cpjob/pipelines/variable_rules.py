"""What CreatePipeline refuses a declaration for that concerns namespaces and variables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_cpjob.pipelines.rule_context import ACTION, STRUCTURE, Broken, Context, is_source
from pytest_cpjob.pipelines.variables import (
    BUILT_IN,
    EXECUTION_ID,
    PIPELINE_VARIABLES,
    Action,
    Reference,
    malformed_references_of,
    references_of,
)

_REFERENCE_FORMAT: Final = (
    "Valid format for a pipeline execution variable reference is a namespace and a key separated by"
    " a period (.). The following pipeline execution variables are referencing a namespace that"
    " does not exist."
)


def namespaces(context: Context) -> Iterator[Broken]:
    """Return the broken rules of namespaces."""
    artifacts = {name for each in context.actions for name in each.artifacts("outputArtifacts")}
    variables = context.declaration.get("variables")
    by_namespace: dict[str, list[Action]] = {}
    for each in context.actions:
        if each.namespace is not None:
            by_namespace.setdefault(str(each.namespace), []).append(each)
    for namespace, users in by_namespace.items():
        if len(users) > 1 or (namespace == PIPELINE_VARIABLES and variables):
            listed = "\n".join(
                f"StageName=[{user.stage}], ActionName=[{user.name}], Namespace=[{namespace}]"
                for user in users
            )
            text = (
                "Namespaces must be unique across the pipeline definition. The following occur more"
                f" than once in the pipeline. {_one_line(listed)}"
            )
            yield Broken(users[-1].full_name, ACTION, text)
        if namespace in artifacts:
            text = f"namespace {namespace!r} is the name of an artifact"
            yield Broken(users[0].full_name, ACTION, text)
        if namespace == BUILT_IN:
            text = f"namespace {BUILT_IN!r} is CodePipeline's own"
            yield Broken(users[0].full_name, ACTION, text)


def _one_line(text: str) -> str:
    return text.replace("\n", " ")


def references(context: Context) -> Iterator[Broken]:
    """Return the broken rules of references to variables."""
    givers = {each.namespace: each for each in context.actions if each.namespace is not None}
    declared = context.declaration.get("variables") or ()
    names = {each.get("name") for each in declared if isinstance(each, Mapping)}
    for action in context.actions:
        for found in malformed_references_of(action):
            yield Broken(action.full_name, ACTION, f"{_REFERENCE_FORMAT} {found.told}")
        for found in references_of(action):
            yield from _reference(found, givers, names if declared else None)


def _reference(
    found: Reference, givers: Mapping[str, Action], names: set[Any] | None
) -> Iterator[Broken]:
    place = found.action.full_name
    if found.namespace == BUILT_IN and found.key == EXECUTION_ID:
        return
    if found.namespace == PIPELINE_VARIABLES and found.namespace not in givers:
        if names is None or found.key not in names:
            text = f"The referenced variables haven't been declared. {found.told}"
            yield Broken(place, STRUCTURE, text)
        elif is_source(found.action):
            text = f"Variables at the pipeline level cannot be used in source actions. {found.told}"
            yield Broken(place, STRUCTURE, text)
        return
    giver = givers.get(found.namespace)
    if giver is None or not giver.runs_before(found.action):
        text = f"{_REFERENCE_FORMAT} {found.told}"
        if giver is not None:
            text = f"{text} ({giver.full_name} has that namespace, and does not run before)"
        yield Broken(place, ACTION, text)


def variables(context: Context) -> Iterator[Broken]:
    """Return the broken rules of the pipeline's own variables."""
    declared = context.declaration.get("variables") or ()
    counted = Counter(each.get("name") for each in declared if isinstance(each, Mapping))
    for name, times in counted.items():
        if times > 1:
            text = (
                "Variable names must be unique. The following variable name is already in use:"
                f" {name}"
            )
            yield Broken("pipeline", STRUCTURE, text)
