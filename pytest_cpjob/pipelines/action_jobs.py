"""What a definition says of the job of one action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.documents.functions import FunctionCode
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.job_builder import Declared
from pytest_cpjob.pipelines.definition import Definition, Function
from pytest_cpjob.pipelines.variables import Action, actions_of
from pytest_cpjob.service.jobs import Kind

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import Artifact

_ROLE: Final = ":role/"


def kind_of(action: Action, definition: Definition) -> Kind:
    """Return the kind of job that an action makes.

    Raises:
        CpjobError: it makes none.
    """
    kind = _kind(action)
    if kind is not None:
        return kind
    actions = actions_of(definition.declaration)
    listed = ", ".join(each.full_name for each in actions if _kind(each)) or "none"
    raise CpjobError(
        f"{action.full_name} is an action of AWS's own ({action.action_type.get('provider')}), for"
        f" which CodePipeline makes no job; this pipeline's actions with jobs: {listed}"
    )


def _kind(action: Action) -> Kind | None:
    owner, provider = action.action_type.get("owner"), action.action_type.get("provider")
    if owner == "Custom":
        return "custom"
    if owner == "ThirdParty":
        return "third-party"
    if provider == "Lambda" and action.action_type.get("category") == "Invoke":
        return "lambda"
    return None


def region_of(action: Action, definition: Definition) -> str:
    """Return the region in which an action runs."""
    return str(action.declared.get("region") or definition.region)


def store_of(region: str, definition: Definition) -> Mapping[str, Any]:
    """Return the artifact store of a region: its bucket and its key."""
    declaration = definition.declaration
    found: Mapping[str, Any] = (
        declaration["artifactStore"]
        if declaration.get("artifactStore")
        else declaration["artifactStores"][region]
    )
    return found


def key_of(region: str, definition: Definition) -> str | None:
    """Return the encryption key of a region's artifact store."""
    key: str | None = store_of(region, definition).get("encryptionKey", {}).get("id")
    return key


def arguments_of(action: Action, definition: Definition) -> dict[str, Any]:
    """Return the arguments of a job that do not change between executions."""
    region = region_of(action, definition)
    return {
        "account_id": definition.account_id,
        "region": region,
        "pipeline_name": str(definition.declaration["name"]),
        "stage_name": action.stage,
        "action_name": action.name,
        "action_type": dict(action.action_type),
        "artifact_bucket": store_of(region, definition)["location"],
        "encryption_key": key_of(region, definition),
    }


def declared_of(
    action: Action, definition: Definition, inputs: Sequence[Artifact], execution_id: str
) -> Declared:
    """Return what only a definition says of a job."""
    function = _function(action, definition) if _kind(action) == "lambda" else None
    role = str(action.declared.get("roleArn") or definition.declaration["roleArn"])
    minutes = action.declared.get("timeoutInMinutes")
    key = key_of(region_of(action, definition), definition)
    return Declared(
        inputs=inputs,
        execution_id=execution_id,
        permissions=None if function is None else function.permissions,
        role=role.rpartition("/")[2] if _ROLE in role else None,
        function=None if function is None else function.code,
        timeout=None if minutes is None else minutes * 60.0,
        makes_key=key is not None and ":key/" in key,
    )


def _function(action: Action, definition: Definition) -> Function:
    name, source = str(action.configuration.get("FunctionName")), definition.source
    missing = f"the definition ({source}) makes no function {name!r}"
    return definition.function_of(name) or Function(FunctionCode(name, source, missing=missing))
