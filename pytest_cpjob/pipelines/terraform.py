"""`terraform show -json`: a state or a plan as definitions.

Source: Terraform's "JSON output format", and the provider's resource schemas. In a plan, values
that are known only after the apply are missing; what they refer to is in the plan's configuration,
so that a function finds its role even so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from pytest_cpjob.documents.functions import FunctionCode
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.pipelines.cloudformation import configuration_texts, with_code
from pytest_cpjob.pipelines.definition import (
    CustomActionType,
    Declaration,
    Definition,
    Function,
    needed,
)
from pytest_cpjob.pipelines.sources import Source
from pytest_cpjob.pipelines.templates import Given
from pytest_cpjob.pipelines.terraform_resources import Resource, Resources, step_of
from pytest_cpjob.pipelines.terraform_roles import TerraformRoles
from pytest_cpjob.pipelines.unresolved import Unresolved

_ARN: Final = re.compile(r"arn:(?P<p>[a-z-]+):codepipeline:(?P<r>[a-z0-9-]+):(?P<a>[0-9]{12}):")


def is_terraform(document: Mapping[str, Any]) -> bool:
    """Tell whether a document is the output of `terraform show -json`."""
    return any(
        isinstance(document.get(key), Mapping) and "root_module" in document[key]
        for key in ("values", "planned_values")
    )


class Infrastructure:
    """The resources of one state or plan."""

    def __init__(
        self, source: Source, given: Given, partition: str, region: str, account_id: str,
        stream: Stream,
    ) -> None:  # fmt: skip
        self._document = source.document
        self._resources = Resources(
            source, given, {"p": partition, "r": region, "a": account_id}, stream
        )
        self._roles = TerraformRoles(self._resources)
        self._folder = source.folder

    def candidates(self) -> Iterator[tuple[tuple[str, ...], Callable[[], Definition]]]:
        """Return each pipeline: what it may be called, and what makes its definition."""
        for each in self._resources.of_kind("aws_codepipeline"):
            name = self._resources.value(each, "name")
            called = [name] if isinstance(name, str) else []
            yield (*called, each.address), partial(self._definition, each)

    def _definition(self, pipeline: Resource) -> Definition:
        source = f"{self._resources.name}: {pipeline.address}"
        owner = dict(self._resources.place)
        found = _ARN.match(str(pipeline.values.get("arn") or ""))
        if found is not None:
            owner = {key: found[key] for key in ("p", "r", "a")}
        self._resources.place = owner
        role = f"arn:{owner['p']}:iam::{owner['a']}:role/{pipeline.values.get('name', 'pipeline')}"
        return Definition(
            source=source,
            declaration=needed(self._declaration(pipeline), source, role),
            region=owner["r"],
            account_id=owner["a"],
            functions=dict(self._functions()),
            action_types=tuple(self._action_types()),
            made_up=self._resources.made_up,
        )

    # -- the pipeline ------------------------------------------------------------------------------

    def _declaration(self, pipeline: Resource) -> Declaration:
        def at(*path: str | int) -> Any:
            return self._resources.value(pipeline, *path)

        declaration: Declaration = {
            "name": at("name"),
            "roleArn": at("role_arn") or Unresolved(),
            "stages": [self._stage(pipeline, number) for number in _numbers(at("stage"))],
        }
        for member, name in (
            ("pipelineType", "pipeline_type"),
            ("executionMode", "execution_mode"),
        ):
            if at(name):
                declaration[member] = at(name)
        stores = {
            at("artifact_store", number, "region") or self._resources.place["r"]: self._store(
                pipeline, number
            )
            for number in _numbers(at("artifact_store"))
        }
        if len(stores) == 1:
            declaration["artifactStore"] = next(iter(stores.values()))
        else:
            declaration["artifactStores"] = stores
        variables = [
            _present(
                {
                    "name": at("variable", number, "name"),
                    "defaultValue": at("variable", number, "default_value"),
                    "description": at("variable", number, "description"),
                }
            )
            for number in _numbers(at("variable"))
        ]
        if variables:
            declaration["variables"] = variables
        return declaration

    def _store(self, pipeline: Resource, number: int) -> dict[str, Any]:
        def at(*path: str | int) -> Any:
            return self._resources.value(pipeline, "artifact_store", number, *path)

        store = {"type": at("type") or "S3", "location": at("location")}
        if _numbers(at("encryption_key")):
            store["encryptionKey"] = {
                "id": at("encryption_key", 0, "id"),
                "type": at("encryption_key", 0, "type") or "KMS",
            }
        return store

    def _stage(self, pipeline: Resource, number: int) -> dict[str, Any]:
        return {
            "name": self._resources.value(pipeline, "stage", number, "name"),
            "actions": [
                self._action(pipeline, number, each)
                for each in _numbers(self._resources.value(pipeline, "stage", number, "action"))
            ],
        }

    def _action(self, pipeline: Resource, stage: int, number: int) -> dict[str, Any]:
        def at(*path: str | int) -> Any:
            return self._resources.value(pipeline, "stage", stage, "action", number, *path)

        configuration = at("configuration")
        if isinstance(configuration, Mapping):
            where = f"{pipeline.address}.stage[{stage}].action[{number}].configuration"
            configuration = {
                **configuration,
                **{
                    key: self._resources.given(f"{where}.{key}")
                    for key in self._later(pipeline, stage, number)
                },
            }
        action = {
            "name": at("name"),
            "actionTypeId": {key: at(key) for key in ("category", "owner", "provider", "version")},
            "runOrder": at("run_order"),
            "configuration": configuration_texts(
                _present(configuration) if isinstance(configuration, dict) else configuration,
                f"{self._resources.name}: {pipeline.address}.stage[{stage}].action[{number}]",
            ),
            "outputArtifacts": [{"name": each} for each in at("output_artifacts") or ()],
            "inputArtifacts": [{"name": each} for each in at("input_artifacts") or ()],
            "roleArn": at("role_arn"),
            "region": at("region"),
            "namespace": at("namespace"),
            "timeoutInMinutes": at("timeout_in_minutes"),
        }
        return _present(action)

    def _later(self, pipeline: Resource, stage: int, number: int) -> list[str]:
        """Return the configuration's keys whose values are known after the apply only."""
        changes = self._document.get("resource_changes") or ()
        unknown: Any = next(
            (
                each.get("change", {}).get("after_unknown", {})
                for each in changes
                if isinstance(each, Mapping) and each.get("address") == pipeline.address
            ),
            {},
        )
        for step in ("stage", stage, "action", number, "configuration"):
            unknown = step_of(unknown, step)
        if not isinstance(unknown, Mapping):
            return []
        return [key for key, is_unknown in unknown.items() if is_unknown]

    # -- what stands around it ---------------------------------------------------------------------

    def _functions(self) -> Iterator[tuple[str, Callable[[], Function]]]:
        for each in self._resources.of_kind("aws_lambda_function"):
            name = self._resources.value(each, "function_name")
            if isinstance(name, str):
                yield name, partial(self._function, each, name)

    def _function(self, resource: Resource, name: str) -> Function:
        blocks = resource.values.get("environment") or [{}]
        variables = (blocks[0] or {}).get("variables") or {}
        timeout = resource.values.get("timeout")
        code = FunctionCode(
            name,
            f"{self._resources.name}: {resource.address}",
            environment={key: item for key, item in variables.items() if isinstance(item, str)},
            timeout=float(timeout) if isinstance(timeout, (int, float)) else None,
        )
        return Function(
            self._code(resource, code),
            self._roles.permissions(self._resources.value(resource, "role")),
        )

    def _code(self, resource: Resource, function: FunctionCode) -> FunctionCode:
        handler, runtime = resource.values.get("handler"), resource.values.get("runtime")
        place = function.place
        if isinstance(runtime, str) and not runtime.startswith("python"):
            return function._replace(missing=f"{place} runs on {runtime}, and only Python is run")
        if not isinstance(handler, str):
            return function._replace(missing=f"{place} has no handler")
        written = resource.values.get("filename")
        return with_code(function._replace(handler=handler), written, self._folder)

    def _action_types(self) -> Iterator[CustomActionType]:
        for each in self._resources.of_kind("aws_codepipeline_custom_action_type"):
            values = each.values
            yield CustomActionType(
                str(values.get("category")),
                str(values.get("provider_name")),
                str(values.get("version")),
                properties={
                    str(item["name"]): {
                        key: flag
                        for key, flag in item.items()
                        if key != "name" and flag is not None
                    }
                    for item in values.get("configuration_property") or ()
                },
                inputs=_counts(values.get("input_artifact_details")),
                outputs=_counts(values.get("output_artifact_details")),
            )


def _numbers(blocks: Any) -> range:
    return range(len(blocks)) if isinstance(blocks, list) else range(0)


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value is not None}


def _counts(details: Any) -> tuple[int, int]:
    first = details[0] if isinstance(details, list) and details else {}
    return int(first.get("minimum_count", 0)), int(first.get("maximum_count", 5))
