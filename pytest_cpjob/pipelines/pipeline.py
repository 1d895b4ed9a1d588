"""A pipeline as its definition has it, and the jobs that it makes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.artifacts.contents import SAMPLE_SOURCE, InputContent
from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.documents.functions import FunctionCode
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.harness import Harness
from pytest_cpjob.job import Job
from pytest_cpjob.job_builder import Declared
from pytest_cpjob.pipelines.definition import Definition, Function
from pytest_cpjob.pipelines.named_actions import NamedActions
from pytest_cpjob.pipelines.resolving import configuration_of
from pytest_cpjob.pipelines.variables import Action, actions_of
from pytest_cpjob.service.jobs import Kind
from pytest_cpjob.service.results import JobSuccess

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import Artifact

_ROLE: Final = ":role/"


class Pipeline:
    """One pipeline of the author's own, returned by `CodePipelineStub.add_pipeline`.

    Attributes of its definition are read from here, and the jobs that it would make are added with
    `add_job`. All jobs of one `Pipeline` belong to one execution: they share its id, and one object
    for each artifact.
    """

    def __init__(self, harness: Harness, definition: Definition) -> None:
        self._harness = harness
        self._definition = definition
        self._actions = {each.full_name: each for each in actions_of(definition.declaration)}
        self._stream = harness.stream.at("pipeline", self.name)
        self._execution_id = self._stream.at("execution").values.execution_id()
        self._jobs: list[tuple[Action, Job]] = []
        self._register_action_types()
        harness.roles.made_up.update(definition.made_up)

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self._definition.declaration["name"])

    @property
    def arn(self) -> str:
        """The pipeline's ARN."""
        region, account = self._definition.region, self._definition.account_id
        return f"arn:{partition_of(region)}:codepipeline:{region}:{account}:{self.name}"

    @property
    def declaration(self) -> dict[str, Any]:
        """The definition as the API's PipelineDeclaration, a copy."""
        return copy.deepcopy(self._definition.declaration)

    @property
    def actions(self) -> NamedActions[dict[str, Any]]:
        """The actions as they are declared (ActionDeclaration), copies, by `Stage/Action`."""
        return NamedActions(
            {name: copy.deepcopy(dict(action.declared)) for name, action in self._actions.items()}
        )

    def add_job(
        self,
        action: str,
        *,
        input_artifacts: Mapping[str, InputContent] | None = None,
        variables: Mapping[str, str] | None = None,
        pipeline_variables: Mapping[str, str] | None = None,
        continuation_token: str | None = None,
        allow: Iterable[str] = (),
    ) -> Job:
        """Add the job that this pipeline makes for one of its actions.

        Args:
            action: `"Stage/Action"`, or the action's name where that is unique.
            input_artifacts: the content of inputs by name, as `add_job` of the stub takes it; the
                others are what an earlier job of this pipeline has uploaded, or small samples.
            variables: output variables of earlier actions, `"Namespace.Key"` to text; those that
                an earlier job of this pipeline has reported need not be given.
            pipeline_variables: values of the pipeline's own variables, by name.
            continuation_token: as if an earlier job had continued with it.
            allow: findings that are not reported of this job and of what continues it.

        Raises:
            ValueError: there is no such action, input or variable, or a variable that the action
                refers to has no value; the text lists the `variables=` to give.
            CpjobError: it is an action of AWS's own, for which no job is made.
        """
        __tracebackhide__ = True
        if not self._harness.is_active:
            raise CpjobError("the stub is not active: add jobs while it is")
        try:
            return self._add_job(
                self._action(action),
                _mapping("input_artifacts", input_artifacts),
                _mapping("variables", variables),
                _mapping("pipeline_variables", pipeline_variables),
                continuation_token,
                allow,
            )
        except (ValueError, CpjobError) as error:
            # What is wrong is what the test gave: no frame of ours would help to find it.
            raise error.with_traceback(None) from None

    def _add_job(
        self,
        found: Action,
        input_artifacts: Mapping[str, InputContent],
        variables: Mapping[str, str],
        pipeline_variables: Mapping[str, str],
        continuation_token: str | None,
        allow: Iterable[str],
    ) -> Job:
        kind = self._kind(found)
        configuration = configuration_of(
            found,
            self._definition.declaration,
            execution_id=self._execution_id,
            variables=variables,
            pipeline_variables=pipeline_variables,
            produced=self._produced(),
        )
        inputs = [self._artifact(name, found) for name in found.artifacts("inputArtifacts")]
        region = self._region_of(found)
        key = self._store_of(region).get("encryptionKey", {}).get("id")
        arguments: dict[str, Any] = {
            "account_id": self._definition.account_id,
            "region": region,
            "pipeline_name": self.name,
            "stage_name": found.stage,
            "action_name": found.name,
            "action_type": dict(found.action_type),
            "configuration": configuration,
            "input_artifacts": self._contents(found, inputs, input_artifacts),
            "output_artifacts": [
                self._artifact(name, found) for name in found.artifacts("outputArtifacts")
            ],
            "artifact_bucket": self._store_of(region)["location"],
            "encryption_key": key,
            "continuation_token": continuation_token,
            "allow": allow,
        }
        record = self._harness.builder.add_declared(
            kind, arguments, self._declared(found, inputs, key)
        )
        job = Job(self._harness, record)
        self._jobs.append((found, job))
        return job

    # -- what the definition says of one action ----------------------------------------------------

    def _action(self, name: str) -> Action:
        return self._actions[NamedActions(self._actions).full_name(name)]

    def _kind(self, action: Action) -> Kind:
        """Return the kind of job that an action makes.

        Raises:
            CpjobError: it makes none.
        """
        owner, provider = action.action_type.get("owner"), action.action_type.get("provider")
        if owner == "Custom":
            return "custom"
        if owner == "ThirdParty":
            return "third-party"
        if provider == "Lambda" and action.action_type.get("category") == "Invoke":
            return "lambda"
        with_jobs = [
            name
            for name, each in self._actions.items()
            if each.action_type.get("owner") != "AWS"
            or each.action_type.get("provider") == "Lambda"
        ]
        listed = ", ".join(with_jobs) or "none"
        raise CpjobError(
            f"{action.full_name} is an action of AWS's own ({provider}), for which CodePipeline"
            f" makes no job; this pipeline's actions with jobs: {listed}"
        )

    def _declared(self, action: Action, inputs: list[Artifact], key: str | None) -> Declared:
        function = self._function(action) if self._kind(action) == "lambda" else None
        role = str(action.declared.get("roleArn") or self._definition.declaration["roleArn"])
        minutes = action.declared.get("timeoutInMinutes")
        return Declared(
            inputs=inputs,
            execution_id=self._execution_id,
            permissions=None if function is None else function.permissions,
            role=role.rpartition("/")[2] if _ROLE in role else None,
            function=None if function is None else function.code,
            timeout=None if minutes is None else minutes * 60.0,
            makes_key=key is not None and ":key/" in key,
        )

    def _function(self, action: Action) -> Function:
        name = str(action.configuration.get("FunctionName"))
        source = self._definition.source
        missing = f"the definition ({source}) makes no function {name!r}"
        return self._definition.function_of(name) or Function(
            FunctionCode(name, source, missing=missing)
        )

    def _region_of(self, action: Action) -> str:
        return str(action.declared.get("region") or self._definition.region)

    def _store_of(self, region: str) -> Mapping[str, Any]:
        """Return the artifact store of a region: its bucket and its key."""
        declaration = self._definition.declaration
        found: Mapping[str, Any] = (
            declaration["artifactStore"]
            if declaration.get("artifactStore")
            else declaration["artifactStores"][region]
        )
        return found

    # -- artifacts -------------------------------------------------------------------------------

    def _artifact(self, name: str, user: Action) -> Artifact:
        """Return an artifact as this execution has it: its object is where its maker puts it.

        Source: an S3 source keeps `.zip`, and its revision is the object's version; a repository's
        is the commit. Of what an action has built no revision is known.
        """
        maker = next(
            (each for each in self._actions.values() if name in each.artifacts("outputArtifacts")),
            user,
        )
        values = self._stream.at("artifact", name).values
        key = values.artifact_object_key(self.name, name)
        revision = None
        if maker.action_type.get("category") == "Source" and maker is not user:
            from_s3 = maker.action_type.get("provider") == "S3"
            key = f"{key}.zip" if from_s3 else key
            revision = values.s3_version_id() if from_s3 else values.commit_id()
        bucket = self._store_of(self._region_of(user))["location"]
        artifact: Artifact = {
            "name": name,
            "location": {"type": "S3", "s3Location": {"bucketName": bucket, "objectKey": key}},
        }
        if revision is not None:
            artifact["revision"] = revision
        return artifact

    def _contents(
        self, action: Action, inputs: list[Artifact], given: Mapping[str, InputContent]
    ) -> dict[str, InputContent]:
        """Return what is put into the bucket: what is given, and samples of what is not there."""
        names = [artifact["name"] for artifact in inputs]
        for name in given:
            if name not in names:
                listed = ", ".join(map(repr, names)) or "none"
                raise ValueError(
                    f"input_artifacts: {action.full_name} has no input artifact {str(name)[:60]!r};"
                    f" its inputs: {listed}"
                )
        return {
            artifact["name"]: given.get(artifact["name"], SAMPLE_SOURCE)
            for artifact in inputs
            if artifact["name"] in given or not self._exists(artifact)
        }

    def _exists(self, artifact: Artifact) -> bool:
        place = artifact["location"]["s3Location"]
        facts = ArtifactFacts(artifact["name"], place["bucketName"], place["objectKey"], None)
        store = self._harness.store
        return facts.bucket in store.buckets and store.head(facts) is not None

    # -- what went before ------------------------------------------------------------------------

    def _produced(self) -> dict[tuple[str, str], str]:
        """Return the output variables that jobs of this pipeline have reported, by namespace."""
        found = {}
        for action, job in self._jobs:
            record = job._record
            while record.continuation is not None:
                record = record.continuation
            if action.namespace is not None and isinstance(record.result, JobSuccess):
                for key, value in record.result.output_variables.items():
                    found[action.namespace, key] = value
        return found

    def _register_action_types(self) -> None:
        types = self._harness.service.types
        for each in self._definition.action_types:
            known = [found.action_type for found in types.all("Custom") if found.declared]
            if each.action_type not in known:
                self._harness.service.add_action_type(
                    dict(
                        zip(
                            ("category", "owner", "provider", "version"),
                            each.action_type,
                            strict=True,
                        )
                    ),
                    each.properties,
                    each.inputs,
                    each.outputs,
                )

    def __repr__(self) -> str:
        return f"<Pipeline {self.name} of {self._definition.source}, {len(self._actions)} actions>"


def _mapping(argument: str, given: object) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{argument}: expected a dict, got {given!r:.60}")
    return given
