"""What a definition alone shows, and no job of it: told as warnings when a pipeline is added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pytest_cpjob.iam.codepipeline_actions import CODEPIPELINE_WITHOUT_RESOURCE
from pytest_cpjob.iam.denials import impossible_arn, misspelt
from pytest_cpjob.iam.policies import NO_RESOURCE, Permissions, Statement
from pytest_cpjob.pipelines.definition import Definition
from pytest_cpjob.pipelines.providers import provider_of
from pytest_cpjob.pipelines.variables import Action, Reference, actions_of, references_of
from pytest_cpjob.settings import nearest

_STACK_MODES = frozenset(
    {"CREATE_UPDATE", "CHANGE_SET_EXECUTE", "CHANGE_SET_REPLACE", "REPLACE_ON_FAILURE"}
)
"""The action modes in which CloudFormation gives its stack's outputs as variables."""
_OF_JOBS = CODEPIPELINE_WITHOUT_RESOURCE - {
    "GetActionType",
    "ListActionTypes",
    "ListPipelines",
    "ListRuleTypes",
}
"""Operations that are granted on an ARN by mistake; the lists are so in AWS's own samples."""


class Caution(NamedTuple):
    """One warning: its name, as `allow=[...]` takes it, and its text."""

    name: str
    text: str


def cautions_of(definition: Definition) -> Iterator[Caution]:
    """Return what to warn of, each once."""
    seen = set()
    for caution in (*_unknown_variables(definition), *_ineffective_policies(definition)):
        if caution not in seen:
            seen.add(caution)
            yield caution


def _unknown_variables(definition: Definition) -> Iterator[Caution]:
    actions = actions_of(definition.declaration)
    givers = {each.namespace: each for each in actions if each.namespace is not None}
    for action in actions:
        for found in references_of(action):
            giver = givers.get(found.namespace)
            why = "" if giver is None else _why_unknown(found, giver)
            if why:
                yield Caution(
                    "unknown-variable",
                    f"{definition.source}: {action.full_name} uses {found.text} in"
                    f" {found.configuration_key}, and {why}: CodePipeline fails the action, since"
                    " the variable cannot be resolved",
                )


def _why_unknown(found: Reference, giver: Action) -> str:
    provider = provider_of(giver.action_type)
    kind = giver.action_type
    if provider is not None and provider.variables is not None:
        if found.key in provider.variables:
            return ""
        known = nearest(found.key, sorted(provider.variables)) if provider.variables else ""
        name = kind.get("provider")
        return f"{giver.full_name} ({name}) gives no variable {found.key!r}{known}"
    if (kind.get("owner"), kind.get("provider")) == ("AWS", "CloudFormation"):
        mode = giver.configuration.get("ActionMode")
        if giver.configuration.get("OutputFileName"):
            return f"{giver.full_name} has an OutputFileName, which keeps its namespace empty"
        if mode is not None and mode not in _STACK_MODES:
            return f"{giver.full_name} gives no variables in ActionMode {mode}"
    return ""


def _ineffective_policies(definition: Definition) -> Iterator[Caution]:
    for action in actions_of(definition.declaration):
        if action.action_type.get("provider") != "Lambda":
            continue
        function = definition.function_of(str(action.configuration.get("FunctionName")))
        if function is not None and function.permissions is not None:
            yield from _ineffective(function.permissions)


def _ineffective(permissions: Permissions) -> Iterator[Caution]:
    for statement in permissions.statements:
        if statement.effect == "Allow":
            why = "; ".join(_why_ineffective(statement))
            if why:
                yield Caution("ineffective-policy", f"{statement.where}: {why}")


def _why_ineffective(statement: Statement) -> Iterator[str]:
    if not statement.not_actions:
        yield from filter(None, map(misspelt, statement.actions))
        yield from _without_resource(statement)
    if not statement.not_resources:
        yield from filter(None, map(impossible_arn, statement.resources))


def _without_resource(statement: Statement) -> Iterator[str]:
    if statement.names_resource(NO_RESOURCE, for_sure=False):
        return
    named = {each.lower() for each in statement.actions}
    found = [each for each in sorted(_OF_JOBS) if f"codepipeline:{each}".lower() in named]
    if found:
        take = "takes" if len(found) == 1 else "take"
        shown = ", ".join(each[:100] for each in statement.resources)
        yield (
            f'{" and ".join(found)} {take} no resource, so only "*" allows it, and Resource is'
            f" {shown}"
        )
