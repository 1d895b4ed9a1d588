"""How an action of an execution begins: variables put in, artifacts found, its job made."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pytest_cpjob.artifacts.store import ArtifactStore
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.harness import Harness
from pytest_cpjob.pipelines.action_jobs import (
    arguments_of,
    declared_of,
    kind_of,
    region_of,
    store_of,
)
from pytest_cpjob.pipelines.definition import Definition
from pytest_cpjob.pipelines.outcomes import note_begin
from pytest_cpjob.pipelines.performers import Performance
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, Failure
from pytest_cpjob.pipelines.variables import (
    BUILT_IN,
    EXECUTION_ID,
    PIPELINE_VARIABLES,
    Action,
    Reference,
    references_of,
    resolved,
)
from pytest_cpjob.settings import nearest

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import Artifact

_WITH_JOBS: Final = frozenset({"handler", "worker", "poller", "nobody"})
_CODE: Final = "ConfigurationError"


class Preparation:
    """Makes the attempts at a pipeline's actions.

    Args:
        performance_of: who performs an action of an execution.
    """

    def __init__(
        self,
        harness: Harness,
        definition: Definition,
        stream: Stream,
        performance_of: Callable[[ExecutionRecord, Action], Performance],
    ) -> None:
        self._harness = harness
        self._definition = definition
        self._stream = stream
        self._performance_of = performance_of

    def attempt(self, execution: ExecutionRecord, action: Action) -> ActionRun:
        """Return a new attempt at an action; one that cannot begin has its `failure`."""
        performance = self._performance_of(execution, action)
        number = len(execution.runs) + 1
        stream = self._stream.at("execution", execution.number, "attempt", number)
        now = self._harness.service.clock.now
        run = ActionRun(action, stream.values.execution_id(), number, now, now, performance.told)
        run.resolved = dict(action.configuration)
        run.failure = self._resolve(execution, run)
        if run.failure is None:
            self._place(execution, run, stream)
            if performance.kind in _WITH_JOBS:
                self._make_job(execution, run)
        return run

    # -- variables -------------------------------------------------------------------------------

    def _resolve(self, execution: ExecutionRecord, run: ActionRun) -> Failure | None:
        values = {
            (BUILT_IN, EXECUTION_ID): execution.id,
            **execution.produced(),
            **{(PIPELINE_VARIABLES, key): value for key, value in execution.variables.items()},
        }
        action = run.action
        run.unresolved = {
            each.text: _why_missing(execution, each)
            for each in references_of(action)
            if (each.namespace, each.key) not in values
        }
        if run.unresolved:
            return Failure(
                _CODE,
                "An action in this pipeline failed because one or more variables could not be"
                f" resolved: Action name={action.name}. This can result when a variable is"
                " referenced that does not exist. Validate the configuration for this action.",
            )
        run.resolved = {
            key: resolved(str(text), values) for key, text in action.configuration.items()
        }
        return None

    # -- artifacts -------------------------------------------------------------------------------

    def _place(self, execution: ExecutionRecord, run: ActionRun, stream: Stream) -> None:
        """Find the inputs' objects, and choose the outputs' keys: new ones for each attempt."""
        action = run.action
        bucket = store_of(region_of(action, self._definition), self._definition)["location"]
        made = execution.artifacts()
        run.inputs = tuple(
            self._brought_to(bucket, made[name][1], region_of(action, self._definition))
            for name in action.artifacts("inputArtifacts")
            if name in made
        )
        run.missing = {
            each.name: made[each.name][0].action.full_name
            for each in run.inputs
            if not self._exists(execution, each)
        }
        is_s3_source = (action.action_type.get("category"), action.action_type.get("provider")) == (
            "Source",
            "S3",
        )
        run.outputs = tuple(
            ArtifactFacts(
                name,
                bucket,
                stream.at("output", name).values.artifact_object_key(self._name, name)
                + (".zip" if is_s3_source else ""),
                None,
            )
            for name in action.artifacts("outputArtifacts")
        )

    @property
    def _name(self) -> str:
        return str(self._definition.declaration["name"])

    def _exists(self, execution: ExecutionRecord, artifact: ArtifactFacts) -> bool:
        place, store = (artifact.bucket, artifact.key), self._harness.store
        if place not in execution.objects:
            if artifact.bucket not in store.buckets or store.head(artifact) is None:
                return False
            execution.objects.add(place)
        return True

    def _brought_to(self, bucket: str, artifact: ArtifactFacts, region: str) -> ArtifactFacts:
        """Return an artifact in the bucket of its consumer's region, copied there if need be."""
        if artifact.bucket == bucket:
            return artifact
        copied = artifact._replace(bucket=bucket)
        store: ArtifactStore = self._harness.store
        if artifact.bucket in store.buckets:
            store.make_bucket(bucket, region)
            content = store.get(artifact)
            if content is not None and store.head(copied) is None:
                store.put(copied, io.BytesIO(content), None)
        return copied

    # -- the job ---------------------------------------------------------------------------------

    def _make_job(self, execution: ExecutionRecord, run: ActionRun) -> None:
        action, definition = run.action, self._definition
        inputs = [_document(each) for each in run.inputs]
        arguments = {
            **arguments_of(action, definition),
            "configuration": dict(run.resolved),
            "input_artifacts": {},
            "output_artifacts": [_document(each) for each in run.outputs],
        }
        declared = declared_of(action, definition, inputs, execution.id)
        declared.execution_retries = execution.retries
        try:
            job = self._harness.builder.add_declared(
                kind_of(action, definition), arguments, declared
            )
        except ValueError as error:
            run.failure = Failure(_CODE, str(error))
            return
        run.id = job.facts.action_execution_id
        run.inputs, run.outputs = job.facts.inputs, job.facts.outputs
        note_begin(run, job)


def _why_missing(execution: ExecutionRecord, wanted: Reference) -> str:
    """Return what the namespace's action has given instead of a variable."""
    makers = [each for each in execution.runs if each.action.namespace == wanted.namespace]
    if not makers:
        return f"no action of the namespace {wanted.namespace!r} has run"
    maker = makers[-1]
    given = f"{maker.action.full_name} ({maker.performer}) gave"
    if not maker.variables:
        return f"{given} no variables"
    return f"{given} no {wanted.key!r}{nearest(wanted.key, maker.variables)}"


def _document(artifact: ArtifactFacts) -> Artifact:
    found: Artifact = {
        "name": artifact.name,
        "location": {
            "type": "S3",
            "s3Location": {"bucketName": artifact.bucket, "objectKey": artifact.key},
        },
    }
    if artifact.revision is not None:
        found["revision"] = artifact.revision
    return found
