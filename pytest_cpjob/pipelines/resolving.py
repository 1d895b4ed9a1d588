"""An action's configuration with its variables resolved, as its job carries it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cpjob.documents.refusals import check
from pytest_cpjob.pipelines.variables import (
    BUILT_IN,
    EXECUTION_ID,
    PIPELINE_VARIABLES,
    Action,
    actions_of,
    references_of,
    resolved,
)
from pytest_cpjob.settings import nearest

Values = dict[tuple[str, str], str]


def configuration_of(
    action: Action,
    declaration: Mapping[str, Any],
    *,
    execution_id: str,
    variables: Mapping[str, str],
    pipeline_variables: Mapping[str, str],
    produced: Mapping[tuple[str, str], str],
) -> dict[str, str]:
    """Return an action's configuration for its job.

    Args:
        variables: by `"Namespace.Key"`.
        pipeline_variables: by name.
        produced: what earlier actions of this execution have reported.

    Raises:
        ValueError: a variable that is referred to has no value, or one that is given cannot be.
    """
    values: Values = {(BUILT_IN, EXECUTION_ID): execution_id, **produced}
    values.update(_of_pipeline(declaration, pipeline_variables))
    values.update(_of_actions(declaration, variables))
    missing = {
        found.text: found
        for found in references_of(action)
        if (found.namespace, found.key) not in values
    }
    if missing:
        lines = [
            f"- {text} in {found.configuration_key}:"
            f" {_way_out(found.namespace, found.key, declaration)}"
            for text, found in missing.items()
        ]
        raise ValueError(
            f"{action.full_name} refers to variables that have no value:\n" + "\n".join(lines)
        )
    return {key: resolved(text, values) for key, text in action.configuration.items()}


def _way_out(namespace: str, key: str, declaration: Mapping[str, Any]) -> str:
    if namespace == PIPELINE_VARIABLES and declaration.get("variables"):
        return f"give it with pipeline_variables={{{key!r}: ...}}"
    return f"give it with variables={{'{namespace}.{key}': ...}}"


def check_variables(
    declaration: Mapping[str, Any], given: Mapping[str, str], argument: str
) -> None:
    """Refuse values of pipeline variables that the pipeline does not have.

    Raises:
        ValueError: naming the argument and the nearest variable.
    """
    declared = [str(each.get("name")) for each in declaration.get("variables") or ()]
    for name, value in given.items():
        if name not in declared:
            hint = nearest(str(name), declared) if declared else "; it declares none"
            raise ValueError(f"{argument}: the pipeline has no variable {str(name)[:60]!r}{hint}")
        _check_text(f"{argument}[{name!r}]", value)
        check(f"{argument}[{name!r}]", "PipelineVariableValue", value)


def _of_pipeline(declaration: Mapping[str, Any], given: Mapping[str, str]) -> Values:
    check_variables(declaration, given, "pipeline_variables")
    declared = {str(each.get("name")): each for each in declaration.get("variables") or ()}
    defaults = {
        name: each["defaultValue"]
        for name, each in declared.items()
        if each.get("defaultValue") is not None
    }
    return {(PIPELINE_VARIABLES, name): value for name, value in {**defaults, **given}.items()}


def _of_actions(declaration: Mapping[str, Any], given: Mapping[str, str]) -> Values:
    namespaces = [each.namespace for each in actions_of(declaration) if each.namespace is not None]
    values: Values = {}
    for name, value in given.items():
        namespace, dot, key = str(name).partition(".")
        if not dot:
            raise ValueError(f"variables: expected 'Namespace.Key', got {str(name)[:60]!r}")
        if namespace not in namespaces:
            hint = nearest(namespace, namespaces) if namespaces else "; no action has a namespace"
            raise ValueError(f"variables: no action has the namespace {namespace[:60]!r}{hint}")
        _check_text(f"variables[{name!r}]", value)
        values[namespace, key] = value
    return values


def _check_text(argument: str, value: object) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{argument}: variables are text, got {value!r:.60}")
