"""Hypothesis strategies for one job's facts: a test fixes some, the others are arbitrary."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypedDict, TypeVar

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.defaults import BUILT_IN_ACCOUNT, BUILT_IN_REGION
from pytest_cpjob.documents.factories import DEFAULT_INPUTS, DEFAULT_OUTPUTS
from pytest_cpjob.documents.facts import LAMBDA, ActionType, ArtifactFacts, Credentials, JobFacts
from pytest_cpjob.documents.job_arguments import (
    ActionTypeArgument,
    ArtifactsArgument,
    EncryptionKeyArgument,
    Kind,
    UserParameters,
    job_facts,
    text,
)
from pytest_cpjob.documents.part_factories import ArtifactFactory
from pytest_cpjob.documents.timestamps import first_expiration
from pytest_cpjob.documents.type_defs import Artifact

# Imported first of those that need Hypothesis: its error says how to install it.
from pytest_cpjob.strategies.values import (
    any_account,
    any_action_type,
    any_bucket,
    any_configuration,
    any_continuation_token,
    any_encryption_key,
    any_extension,
    any_function_name,
    any_input_name,
    any_of_shape,
    any_output_name,
    any_region,
    any_revision,
    any_stream,
    any_user_parameters,
)

# isort: split
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

_T = TypeVar("_T")
_Fixed: TypeAlias = "_T | SearchStrategy[_T] | None"
Arguments: TypeAlias = Mapping[str, Any]
"""A factory argument that a test fixes, to a value or to a strategy of values."""

_MOST_ARTIFACTS: Final = 5


class ContextArguments(TypedDict, total=False):
    """What `cpjob_pipeline_context_factory` takes."""

    pipeline_name: _Fixed[str]
    stage_name: _Fixed[str]
    action_name: _Fixed[str]
    region: _Fixed[str]
    account_id: _Fixed[str]


class JobArguments(ContextArguments, total=False):
    """What the factories of whole documents share."""

    job_id: _Fixed[str]
    action_type: _Fixed[ActionTypeArgument]
    configuration: _Fixed[Mapping[str, str]]
    input_artifacts: _Fixed[ArtifactsArgument]
    output_artifacts: _Fixed[ArtifactsArgument]
    artifact_bucket: _Fixed[str]
    encryption_key: _Fixed[EncryptionKeyArgument]
    continuation_token: _Fixed[str]


class LambdaArguments(JobArguments, total=False):
    """What `cpjob_event_factory` and `cpjob_details_factory` take."""

    user_parameters: _Fixed[UserParameters]
    function_name: _Fixed[str]


class PartnerArguments(JobArguments, total=False):
    """What `cpjob_third_party_details_factory` takes."""

    client_id: _Fixed[str]
    client_token: _Fixed[str]


class ArtifactArguments(TypedDict, total=False):
    """What `cpjob_artifact_factory` takes."""

    name: _Fixed[str]
    revision: _Fixed[Literal[True] | str]
    bucket: _Fixed[str]
    key: _Fixed[str]


class AnyJob(NamedTuple):
    """One job: what its documents are rendered from."""

    facts: JobFacts
    credentials: Credentials
    expiration_time: int


@cache
def _or_none(values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.none() | values


class _Choice:
    """The arguments of one example: those that are fixed, and those drawn so far."""

    def __init__(self, draw: DrawFn, fixed: Arguments) -> None:
        self.draw = draw
        self.chosen: dict[str, Any] = {
            name: draw(value) if isinstance(value, SearchStrategy) else value
            for name, value in fixed.items()
        }

    def leave_open(self, name: str, values: SearchStrategy[Any]) -> None:
        """Draw what is not fixed; `None` comes first and means the same as to the factory."""
        if name not in self.chosen:
            self.chosen[name] = self.draw(_or_none(values))

    def get(self, name: str) -> Any:
        return self.chosen.get(name)


@st.composite
def any_job(draw: DrawFn, kind: Kind, fixed: Arguments) -> AnyJob:
    """Generate jobs of one kind."""
    choice = _Choice(draw, fixed)
    chosen, stream = choice.chosen, draw(any_stream())
    for name, shape_name in (("client_id", "ClientId"), ("client_token", "ClientToken")):
        text(name, shape_name, chosen.pop(name, None), "")
    _choose_context(choice)
    _choose_action(choice, kind)
    choice.leave_open("artifact_bucket", any_bucket())
    _choose_key(choice)
    choice.leave_open("continuation_token", any_continuation_token())
    _choose_artifacts(choice)
    facts = job_facts(
        stream,
        kind=kind,
        default_inputs=DEFAULT_INPUTS,
        default_outputs=DEFAULT_OUTPUTS,
        **chosen,
    )
    if "input_artifacts" not in fixed:
        facts = facts._replace(inputs=tuple(_as_input(draw, one) for one in facts.inputs))
    credentials = Credentials.draw(stream.at("credentials").random)
    return AnyJob(facts, credentials, first_expiration(stream.at("clock")))


@st.composite
def any_context(draw: DrawFn, fixed: Arguments) -> JobFacts:
    """Generate jobs of which only the pipeline context varies."""
    choice = _Choice(draw, fixed)
    _choose_context(choice)
    return job_facts(draw(any_stream()), kind="custom", **choice.chosen)


@st.composite
def any_artifact(draw: DrawFn, fixed: Arguments) -> Artifact:
    """Generate single artifacts."""
    choice = _Choice(draw, fixed)
    choice.leave_open("name", any_input_name())
    choice.leave_open("revision", any_revision())
    choice.leave_open("bucket", any_bucket())
    factory = ArtifactFactory(
        draw(any_stream()),
        itertools.count(),
        region=draw(any_region()),
        account_id=BUILT_IN_ACCOUNT,
    )
    artifact = factory(**choice.chosen)
    if "key" not in fixed:
        artifact["location"]["s3Location"]["objectKey"] += draw(any_extension())
    return artifact


def _choose_context(choice: _Choice) -> None:
    """Choose region and account: those of a fixed key, as an alias works only in its own."""
    chosen, key = choice.chosen, choice.get("encryption_key")
    parts = key.split(":") if isinstance(key, str) else []
    if len(parts) > 5:
        chosen.setdefault("region", parts[3])
        chosen.setdefault("account_id", parts[4])
    choice.leave_open("region", any_region())
    choice.leave_open("account_id", any_account())
    for name, built_in in (("region", BUILT_IN_REGION), ("account_id", BUILT_IN_ACCOUNT)):
        if chosen[name] is None:
            chosen[name] = built_in
    choice.leave_open("pipeline_name", any_of_shape("PipelineName"))
    choice.leave_open("stage_name", any_of_shape("StageName"))
    choice.leave_open("action_name", any_of_shape("ActionName"))


def _choose_action(choice: _Choice, kind: Kind) -> None:
    invokes = kind == "lambda" or any(
        choice.get(name) is not None for name in ("user_parameters", "function_name")
    )
    if not invokes:
        choice.leave_open("action_type", _types(kind, "configuration" in choice.chosen))
        given = choice.get("action_type")
        invokes = given is not None and ActionType.parse(given) == LAMBDA
    if not invokes:
        choice.leave_open("configuration", any_configuration())
    elif "configuration" not in choice.chosen:
        choice.leave_open("function_name", any_function_name())
        choice.leave_open("user_parameters", any_user_parameters())


@cache
def _types(kind: Kind, is_configured: bool) -> SearchStrategy[ActionType]:
    types = any_action_type("ThirdParty" if kind == "third-party" else "Custom")
    return types | st.just(LAMBDA) if kind == "any" and not is_configured else types


def _choose_key(choice: _Choice) -> None:
    chosen = choice.chosen
    if "encryption_key" in chosen:
        return
    choice.leave_open("encryption_key", any_encryption_key())
    if isinstance(chosen["encryption_key"], str):
        place = {name: chosen[name] for name in ("region", "account_id")}
        chosen["encryption_key"] = chosen["encryption_key"].format(
            partition=partition_of(chosen["region"]), **place
        )


@cache
def _artifact_names(name: SearchStrategy[str]) -> SearchStrategy[list[str]]:
    return st.lists(name, max_size=_MOST_ARTIFACTS, unique=True)


def _choose_artifacts(choice: _Choice) -> None:
    """Choose the names of artifacts that are not fixed, without duplicates."""
    chosen = choice.chosen
    sides = {
        "input_artifacts": (DEFAULT_INPUTS, any_input_name()),
        "output_artifacts": (DEFAULT_OUTPUTS, any_output_name()),
    }
    taken: list[object] = []
    for side, (default, _) in sides.items():
        listed = chosen.get(side, ())
        if listed is None:
            listed = default
        if isinstance(listed, (list, tuple)):
            taken += [one.get("name") if isinstance(one, Mapping) else one for one in listed]
    for side, (_, name) in sides.items():
        if side not in chosen:
            drawn = choice.draw(_artifact_names(name))
            chosen[side] = [one for one in drawn if one not in taken]
            taken += drawn


def _as_input(draw: DrawFn, artifact: ArtifactFacts) -> ArtifactFacts:
    """Vary what an input artifact gets from its source: the revision and the extension."""
    return artifact._replace(
        key=artifact.key + draw(any_extension()),
        revision=draw(_or_none(any_revision())),
    )
