"""What CreatePipeline refuses a declaration for, every rule that is broken at once.

The texts are AWS's where they are known (`docs/behaviour.md` lists their sources); each is shown
beside its error code, and nothing may depend on it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pytest_cpjob.aws.codepipeline_model import violations
from pytest_cpjob.aws.constraints import TypeMismatch
from pytest_cpjob.documents.refusals import shortened
from pytest_cpjob.pipelines.definition import CustomActionType, Declaration
from pytest_cpjob.pipelines.member_rules import unknown_members
from pytest_cpjob.pipelines.providers import V2_ONLY, Provider, provider_of
from pytest_cpjob.pipelines.rule_context import (
    ACTION,
    STAGE,
    STRUCTURE,
    VALIDATION,
    Broken,
    Context,
    is_source,
)
from pytest_cpjob.pipelines.variable_rules import namespaces, references, variables
from pytest_cpjob.pipelines.variables import Action, actions_of

_MOST_STAGES: Final = 50
_MOST_ACTIONS: Final = 50
"""Of a stage."""
_TOPIC: Final = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+")


def check_declaration(
    declaration: Declaration,
    source: str,
    *,
    region: str,
    action_types: tuple[CustomActionType, ...] = (),
) -> None:
    """Refuse a declaration that CreatePipeline would refuse.

    Raises:
        ValueError: listing every broken rule, with the stage and the action.
    """
    against_model = violations("PipelineDeclaration", declaration, "pipeline")
    found = [
        *unknown_members(declaration),
        *(_of_model(declaration, *each) for each in against_model),
    ]
    if not any(isinstance(each, TypeMismatch) for each in against_model):
        # Of what has not even the shape of a declaration, no other rule can tell anything.
        context = Context(
            declaration,
            actions_of(declaration),
            region,
            {each.action_type: each for each in action_types},
        )
        found += [each for rule in _RULES for each in rule(context)]
    broken = list(dict.fromkeys(found))
    if broken:
        count = "1 rule" if len(broken) == 1 else f"{len(broken)} rules"
        listed = "\n".join(f"- {place}: {code}: {text}" for place, code, text in broken)
        raise ValueError(
            f"{source}: CreatePipeline would refuse this pipeline, by {count}:\n{listed}"
        )


def _of_model(declaration: Declaration, path: str, constraint: str) -> Broken:
    text = f"Value at '{path}' failed to satisfy constraint: {constraint}"
    shown = _shown(_value_at(declaration, path))
    return Broken(_named(declaration, path), VALIDATION, f"{text}{shown}")


def _value_at(declaration: Declaration, path: str) -> Any:
    """Return what stands at a path of the model's, such as `pipeline.stages.1.member.name`."""
    value: Any = declaration
    for step in path.split(".")[1:]:
        if step.isdigit() and isinstance(value, list):
            value = value[int(step) - 1]
        elif step != "member":
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _shown(value: Any) -> str:
    """Show what breaks a rule; of a configuration, which may hold secrets, its empty keys only."""
    if isinstance(value, Mapping):
        empty = [str(key) for key, item in value.items() if item == ""]
        return f" ({', '.join(empty)} is empty)" if empty else ""
    return "" if value is None or isinstance(value, list) else f" (got {shortened(value)})"


def _named(declaration: Declaration, path: str) -> str:
    """Return the stage and the action that a path of the model's is about."""
    steps = path.split(".")
    numbers = [int(step) for step in steps if step.isdigit()]
    if len(steps) < 3 or steps[1] != "stages" or not numbers:
        return "pipeline"
    stage = declaration["stages"][numbers[0] - 1]
    name = str(stage.get("name")) if isinstance(stage, Mapping) else f"stage {numbers[0]}"
    if len(numbers) > 1 and "actions" in steps and isinstance(stage, Mapping):
        action = stage["actions"][numbers[1] - 1]
        shown = action.get("name") if isinstance(action, Mapping) else numbers[1]
        return f"{name}/{shown}"
    return name


def _stages(context: Context) -> Iterator[Broken]:
    count = len(context.stages)
    if count < 2:
        text = (
            f"Pipeline has only {count} stages. There should be a minimum of 2 stages in a pipeline"
        )
        yield Broken("pipeline", STRUCTURE, text)
    if count > _MOST_STAGES:
        text = "Pipeline has too many stages. There can only be up to 50 stages in a pipeline"
        yield Broken("pipeline", STRUCTURE, text)
    for stage in context.stages:
        actions = len(stage.get("actions") or ())
        if not 1 <= actions <= _MOST_ACTIONS:
            text = f"a stage has 1 to {_MOST_ACTIONS} actions, and this one has {actions}"
            yield Broken(str(stage.get("name")), STAGE, text)
    for name, times in Counter(str(each.get("name")) for each in context.stages).items():
        if times > 1:
            yield Broken(name, STAGE, f"Stage name '{name}' is used more than once")
    for full_name, times in Counter(each.full_name for each in context.actions).items():
        if times > 1:
            yield Broken(full_name, STAGE, "an action's name is used once in a stage")


def _sources(context: Context) -> Iterator[Broken]:
    first = [each for each in context.actions if each.stage_number == 0]
    if not first or any(not is_source(each) for each in first):
        text = "Pipeline should start with a stage that only contains source actions"
        yield Broken(str(context.stages[0].get("name")) if context.stages else "pipeline",
                     STRUCTURE, text)  # fmt: skip
    for each in context.actions:
        if each.stage_number > 0 and is_source(each):
            text = "Source actions can only be included in the first stage of the pipeline"
            yield Broken(each.full_name, STRUCTURE, text)
    if context.actions and all(map(is_source, context.actions)):
        text = "Pipeline should contain at least 1 action whose category is not Source"
        yield Broken("pipeline", STRUCTURE, text)


def _artifacts(context: Context) -> Iterator[Broken]:
    makers: dict[str, Action] = {}
    for each in context.actions:
        for name in each.artifacts("outputArtifacts"):
            if name in makers:
                text = (
                    "Output Artifact Bundle name must be unique within the pipeline."
                    f" {name} has been used more than once."
                )
                yield Broken(each.full_name, ACTION, text)
            makers.setdefault(name, each)
    for each in context.actions:
        for name in each.artifacts("inputArtifacts"):
            maker = makers.get(name)
            if maker is None or not maker.runs_before(each):
                text = (
                    f"Input Artifact Bundle {name} in action {each.name} is not declared as Output"
                    " Artifact Bundle in any of the preceding actions"
                )
                yield Broken(each.full_name, ACTION, text)


def _providers(context: Context) -> Iterator[Broken]:
    for each in context.actions:
        kind = each.action_type
        unknown = provider_of(kind) is None or kind.get("version") != "1"
        if kind.get("owner") == "AWS" and unknown:
            region = context.region.upper().replace("-", "_")
            text = (
                f"ActionType (Category: '{kind.get('category')}', Provider:"
                f" '{kind.get('provider')}', Owner: 'AWS', Version: '{kind.get('version')}') in"
                f" action '{each.name}' is not available in region '{region}'"
            )
            yield Broken(each.full_name, ACTION, text)
        provider = _provider(context, each)
        if provider is not None:
            yield from _counts(each, provider)
            yield from _configuration(each, provider)


def _provider(context: Context, action: Action) -> Provider | None:
    kind = action.action_type
    custom = context.custom_types.get(
        tuple(str(kind.get(part)) for part in ("category", "owner", "provider", "version"))
    )
    if custom is None:
        return provider_of(kind)
    required = tuple(name for name, flags in custom.properties.items() if flags.get("required"))
    return Provider(custom.inputs, custom.outputs, required, tuple(custom.properties))


def _counts(action: Action, provider: Provider) -> Iterator[Broken]:
    for direction, (least, most) in (("input", provider.inputs), ("output", provider.outputs)):
        count = len(action.artifacts(f"{direction}Artifacts"))
        declares = f"Action {action.name} declares {count} {direction} artifacts which is"
        if count < least:
            text = f"{declares} less than the minimum count ({least})"
            yield Broken(action.full_name, ACTION, text)
        if count > most:
            text = f"{declares} more than the maximum count ({most})"
            yield Broken(action.full_name, ACTION, text)


def _configuration(action: Action, provider: Provider) -> Iterator[Broken]:
    begins = f"Action configuration for action '{action.name}'"
    for key in provider.required:
        if key not in action.configuration:
            text = f"{begins} is missing required configuration '{key}'"
            yield Broken(action.full_name, ACTION, text)
    for key in action.configuration:
        if provider.only is not None and key not in provider.only:
            text = f"{begins} contains unknown configuration '{key}'"
            yield Broken(action.full_name, ACTION, text)


def _approvals(context: Context) -> Iterator[Broken]:
    for each in context.actions:
        topic = each.configuration.get("NotificationArn")
        is_approval = each.action_type.get("category") == "Approval"
        if is_approval and topic is not None and not _TOPIC.fullmatch(topic):
            text = (
                f"The ARN {topic} you specified for sending notifications for the approval action"
                f" {each.name} contains a format error."
            )
            yield Broken(each.full_name, ACTION, text)


def _stores(context: Context) -> Iterator[Broken]:
    one, several = (context.declaration.get(key) for key in ("artifactStore", "artifactStores"))
    regions = {each.declared.get("region") or context.region: each for each in context.actions}
    if (one is None) == (several is None):
        text = "either artifactStore or artifactStores, and not both"
        yield Broken("pipeline", VALIDATION, text)
    elif several is None and set(regions) - {context.region}:
        text = (
            "Your pipeline contains actions in more than one region. Use 'pipeline.artifactStores'"
            " instead of 'pipeline.artifactStore' to declare an artifact store, such as an artifact"
            " bucket, for each region where you have an action."
        )
        yield Broken("pipeline", STRUCTURE, text)
    elif isinstance(several, Mapping):
        for region in sorted({context.region, *regions} - set(several)):
            text = (
                "Your pipeline must have an artifact store, such as an artifact bucket, for each"
                " region where you have an action. The following region is missing in"
                f" 'pipeline.artifactStores': {region}."
            )
            yield Broken("pipeline", STRUCTURE, text)
    for each in context.actions:
        other = each.declared.get("region") not in (None, context.region)
        is_aws = each.action_type.get("owner") == "AWS"
        if other and (is_source(each) or not is_aws):
            text = "source, partner and custom actions run in the pipeline's own region"
            yield Broken(each.full_name, ACTION, text)


def _versions(context: Context) -> Iterator[Broken]:
    if context.is_v2:
        return
    declaration = context.declaration
    if declaration.get("variables"):
        text = "Pipeline variable can only be used with V2 pipelines"
        yield Broken("pipeline", STRUCTURE, text)
    if declaration.get("executionMode") in ("QUEUED", "PARALLEL"):
        text = "QUEUED or PARALLEL mode can only be used with V2 pipelines"
        yield Broken("pipeline", STRUCTURE, text)
    if declaration.get("triggers"):
        text = "Triggers on tag can only be used with V2 pipelines"
        yield Broken("pipeline", STRUCTURE, text)
    for stage in context.stages:
        if any(stage.get(key) for key in ("beforeEntry", "onSuccess", "onFailure")):
            text = "Stage level conditions can only be used with V2 pipelines."
            yield Broken(str(stage.get("name")), STAGE, text)
    for each in context.actions:
        provider = str(each.action_type.get("provider"))
        if provider in V2_ONLY and each.action_type.get("owner") == "AWS":
            text = f"{provider} Action can only be used with V2 pipelines."
            yield Broken(each.full_name, ACTION, text)


def _failure(context: Context) -> Iterator[Broken]:
    for stage in context.stages:
        exit_gate = stage.get("onFailure")
        if not isinstance(exit_gate, Mapping):
            continue
        name, result = stage.get("name"), exit_gate.get("result")
        if result and exit_gate.get("conditions"):
            text = (
                "The following stage cannot have a failure exit gate configured with both top level"
                f" result and conditions: '{name}'"
            )
            yield Broken(str(name), STAGE, text)
        if result == "ROLLBACK" and context.declaration.get("executionMode") == "PARALLEL":
            text = (
                "Failure conditions with rollback result type cannot be added to a PARALLEL"
                " pipeline."
            )
            yield Broken(str(name), STAGE, text)


_RULES: Final[tuple[Callable[[Context], Iterator[Broken]], ...]] = (
    _stages,
    _sources,
    _artifacts,
    _providers,
    _approvals,
    _stores,
    namespaces,
    references,
    variables,
    _versions,
    _failure,
)
