"""`terraform show -json`: a state or a plan as definitions.

Source: Terraform's "JSON output format", and the provider's resource schemas. In a plan, values
that are known only after the apply are missing; what they refer to is in the plan's configuration,
so that a function finds its role even so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from pytest_cpjob.documents.functions import FunctionCode
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.iam.managed_policies import managed_policy
from pytest_cpjob.iam.policies import Permissions, Statement, read_policies
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
_ARN: Final = re.compile(r"arn:(?P<p>[a-z-]+):codepipeline:(?P<r>[a-z0-9-]+):(?P<a>[0-9]{12}):")


class _Resource(NamedTuple):
    address: str
    kind: str
    values: Mapping[str, Any]
    expressions: Mapping[str, Any]
    module: str


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
        document = source.document
        self._source, self._given, self._stream = source, given, stream
        self._place = {"p": partition, "r": region, "a": account_id}
        self.made_up: dict[str, str] = {}
        state = document.get("planned_values") or document.get("values") or {}
        configuration = document.get("configuration") or {}
        self._resources = list(
            _resources(state.get("root_module"), configuration.get("root_module") or {}, "")
        )
        self._by_address = {each.address: each for each in self._resources}

    def candidates(self) -> Iterator[tuple[tuple[str, ...], Callable[[], Definition]]]:
        """Return each pipeline: what it may be called, and what makes its definition."""
        for each in self._of_kind("aws_codepipeline"):
            name = self._value(each, "name")
            called = [name] if isinstance(name, str) else []
            yield (*called, each.address), partial(self._definition, each)

    def _of_kind(self, kind: str) -> Iterator[_Resource]:
        return (each for each in self._resources if each.kind == kind)

    def _definition(self, pipeline: _Resource) -> Definition:
        source = f"{self._source.name}: {pipeline.address}"
        owner = dict(self._place)
        found = _ARN.match(str(pipeline.values.get("arn") or ""))
        if found is not None:
            owner = {key: found[key] for key in ("p", "r", "a")}
        self._place = owner
        role = f"arn:{owner['p']}:iam::{owner['a']}:role/{pipeline.values.get('name', 'pipeline')}"
        return Definition(
            source=source,
            declaration=needed(self._declaration(pipeline), source, role),
            region=owner["r"],
            account_id=owner["a"],
            functions=dict(self._functions()),
            action_types=tuple(self._action_types()),
            made_up=self.made_up,
        )

    # -- values ------------------------------------------------------------------------------------

    def _value(self, resource: _Resource, *path: str | int) -> Any:
        """Return a value, or what the plan's configuration says that it will be; None for none."""
        address = resource.address + "".join(
            f".{step}" if isinstance(step, str) else f"[{step}]" for step in path
        )
        if address in self._given.parameters:
            return self._given.parameters[address]
        value: Any = resource.values
        for step in path:
            value = _step(value, step)
        if value is not None and value != "":
            return value
        expression: Any = resource.expressions
        for step in path:
            expression = _step(expression, step)
        references = expression.get("references") if isinstance(expression, Mapping) else None
        if not references:
            return None
        return self._referred(resource, address, references)

    def _referred(self, resource: _Resource, address: str, references: list[str]) -> Any:
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
            value = None if found is None else self._attribute(found, attribute)
            if value is not None:
                return value
        return _known_later(address)

    def _attribute(self, resource: _Resource, name: str) -> Any:
        """Return an attribute as it is, or as it will be."""
        full = f"{resource.address}.{name}"
        if full in self._given.parameters:
            return self._given.parameters[full]
        value = resource.values.get(name)
        if value is not None:
            return value
        same = _SAME_AS.get((resource.kind, name))
        if same is not None:
            return self._attribute(resource, same)
        if name == "arn" and resource.kind in _ARNS:
            named = {key: item for key, item in resource.values.items() if isinstance(item, str)}
            try:
                return _ARNS[resource.kind].format(**self._place, **named)
            except KeyError:
                return None
        if resource.kind == "aws_kms_key" and name in ("arn", "id", "key_id"):
            drawn = self._stream.at(resource.address).values.execution_id()
            self.made_up[drawn] = "*"
            arn = "arn:{p}:kms:{r}:{a}:key/".format(**self._place)
            return f"{arn}{drawn}" if name == "arn" else drawn
        return None

    # -- the pipeline ------------------------------------------------------------------------------

    def _declaration(self, pipeline: _Resource) -> Declaration:
        def at(*path: str | int) -> Any:
            return self._value(pipeline, *path)

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
            at("artifact_store", number, "region") or self._place["r"]: self._store(
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

    def _store(self, pipeline: _Resource, number: int) -> dict[str, Any]:
        def at(*path: str | int) -> Any:
            return self._value(pipeline, "artifact_store", number, *path)

        store = {"type": at("type") or "S3", "location": at("location")}
        if _numbers(at("encryption_key")):
            store["encryptionKey"] = {
                "id": at("encryption_key", 0, "id"),
                "type": at("encryption_key", 0, "type") or "KMS",
            }
        return store

    def _stage(self, pipeline: _Resource, number: int) -> dict[str, Any]:
        return {
            "name": self._value(pipeline, "stage", number, "name"),
            "actions": [
                self._action(pipeline, number, each)
                for each in _numbers(self._value(pipeline, "stage", number, "action"))
            ],
        }

    def _action(self, pipeline: _Resource, stage: int, number: int) -> dict[str, Any]:
        def at(*path: str | int) -> Any:
            return self._value(pipeline, "stage", stage, "action", number, *path)

        configuration = at("configuration")
        if isinstance(configuration, Mapping):
            where = f"{pipeline.address}.stage[{stage}].action[{number}].configuration"
            configuration = {
                **configuration,
                **{
                    key: self._given.parameters.get(
                        f"{where}.{key}", _known_later(f"{where}.{key}")
                    )
                    for key in self._later(pipeline, stage, number)
                },
            }
        action = {
            "name": at("name"),
            "actionTypeId": {key: at(key) for key in ("category", "owner", "provider", "version")},
            "runOrder": at("run_order"),
            "configuration": configuration_texts(
                _present(configuration) if isinstance(configuration, dict) else configuration,
                f"{self._source.name}: {pipeline.address}.stage[{stage}].action[{number}]",
            ),
            "outputArtifacts": [{"name": each} for each in at("output_artifacts") or ()],
            "inputArtifacts": [{"name": each} for each in at("input_artifacts") or ()],
            "roleArn": at("role_arn"),
            "region": at("region"),
            "namespace": at("namespace"),
            "timeoutInMinutes": at("timeout_in_minutes"),
        }
        return _present(action)

    def _later(self, pipeline: _Resource, stage: int, number: int) -> list[str]:
        """Return the configuration's keys whose values are known after the apply only."""
        changes = self._source.document.get("resource_changes") or ()
        unknown: Any = next(
            (
                each.get("change", {}).get("after_unknown", {})
                for each in changes
                if isinstance(each, Mapping) and each.get("address") == pipeline.address
            ),
            {},
        )
        for step in ("stage", stage, "action", number, "configuration"):
            unknown = _step(unknown, step)
        if not isinstance(unknown, Mapping):
            return []
        return [key for key, is_unknown in unknown.items() if is_unknown]

    # -- what stands around it ---------------------------------------------------------------------

    def _functions(self) -> Iterator[tuple[str, Callable[[], Function]]]:
        for each in self._of_kind("aws_lambda_function"):
            name = self._value(each, "function_name")
            if isinstance(name, str):
                yield name, partial(self._function, each, name)

    def _function(self, resource: _Resource, name: str) -> Function:
        blocks = resource.values.get("environment") or [{}]
        variables = (blocks[0] or {}).get("variables") or {}
        timeout = resource.values.get("timeout")
        code = FunctionCode(
            name,
            f"{self._source.name}: {resource.address}",
            environment={key: item for key, item in variables.items() if isinstance(item, str)},
            timeout=float(timeout) if isinstance(timeout, (int, float)) else None,
        )
        return Function(
            self._code(resource, code), self._permissions(self._value(resource, "role"))
        )

    def _code(self, resource: _Resource, function: FunctionCode) -> FunctionCode:
        handler, runtime = resource.values.get("handler"), resource.values.get("runtime")
        place = function.place
        if isinstance(runtime, str) and not runtime.startswith("python"):
            return function._replace(missing=f"{place} runs on {runtime}, and only Python is run")
        if not isinstance(handler, str):
            return function._replace(missing=f"{place} has no handler")
        written = resource.values.get("filename")
        return with_code(function._replace(handler=handler), written, self._source.folder)

    def _permissions(self, arn: Any) -> Permissions | None:
        for role in self._of_kind("aws_iam_role"):
            if arn is not None and arn == self._attribute(role, "arn"):
                return self._role(role)
        return None

    def _role(self, role: _Resource) -> Permissions:
        name = self._value(role, "name")
        statements: list[Statement] = []
        unknown: list[str] = []
        for number, inline in enumerate(role.values.get("inline_policy") or ()):
            self._add(inline.get("policy"), role, f"inline_policy[{number}]", statements, unknown)
        for each in self._of_kind("aws_iam_role_policy"):
            if self._value(each, "role") in (name, self._attribute(role, "id")):
                self._add(self._value(each, "policy"), each, "policy", statements, unknown)
        attached = list(role.values.get("managed_policy_arns") or ())
        for each in self._of_kind("aws_iam_role_policy_attachment"):
            if self._value(each, "role") == name:
                attached.append(self._value(each, "policy_arn"))
        for arn in attached:
            self._add_managed(arn, role, statements, unknown)
        boundary = role.values.get("permissions_boundary")
        limit = None
        if boundary:
            inner: list[Statement] = []
            not_known: list[str] = []
            self._add_managed(boundary, role, inner, not_known)
            limit = Permissions(f"{role.address}.permissions_boundary", tuple(inner),
                                tuple(not_known))  # fmt: skip
        return Permissions(f"role {name}", tuple(statements), tuple(unknown), limit)

    def _add_managed(
        self, arn: Any, role: _Resource, statements: list[Statement], unknown: list[str]
    ) -> None:
        for policy in self._of_kind("aws_iam_policy"):
            if arn is not None and arn == self._attribute(policy, "arn"):
                self._add(self._value(policy, "policy"), policy, "policy", statements, unknown)
                return
        known = managed_policy(arn) if isinstance(arn, str) and ":iam::aws:" in arn else None
        if known is None:
            unknown.append(f"{role.address}: {arn!r:.80}")
        else:
            statements.extend(known)

    def _add(
        self, text: Any, resource: _Resource, member: str,
        statements: list[Statement], unknown: list[str],
    ) -> None:  # fmt: skip
        where = f"{self._source.name}: {resource.address}.{member}"
        if not isinstance(text, str):
            unknown.append(where)
            return
        try:
            document = json.loads(text)
        except ValueError:
            raise ValueError(f"{where}: a policy that is not JSON") from None
        statements.extend(read_policies(document, where))

    def _action_types(self) -> Iterator[CustomActionType]:
        for each in self._of_kind("aws_codepipeline_custom_action_type"):
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


def _resources(module: Any, configuration: Any, path: str) -> Iterator[_Resource]:
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
            yield _Resource(
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


def _known_later(address: str) -> Unresolved:
    what = f"{address} is known after the apply only"
    return Unresolved(Need(what, f"parameters={{{address!r}: ...}}"))


def _step(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else None
    return value.get(step) if isinstance(value, Mapping) else None


def _numbers(blocks: Any) -> range:
    return range(len(blocks)) if isinstance(blocks, list) else range(0)


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value is not None}


def _counts(details: Any) -> tuple[int, int]:
    first = details[0] if isinstance(details, list) and details else {}
    return int(first.get("minimum_count", 0)), int(first.get("maximum_count", 5))
