"""What a stand-in does in an execution: artifacts into the store, variables, or a failure."""

from __future__ import annotations

from pytest_cpjob.artifacts.contents import open_content
from pytest_cpjob.artifacts.store import ArtifactStore
from pytest_cpjob.documents.values import Draws
from pytest_cpjob.pipelines.action_jobs import key_of, region_of
from pytest_cpjob.pipelines.definition import Definition
from pytest_cpjob.pipelines.outcomes import note_source
from pytest_cpjob.pipelines.records import ActionRun, Failure
from pytest_cpjob.pipelines.stand_ins import StandIn, revision_of, variables_of
from pytest_cpjob.pipelines.variables import actions_of


def stand_in_for(
    run: ActionRun,
    stand_in: StandIn,
    definition: Definition,
    store: ArtifactStore,
    values: Draws,
    *,
    revision: str | None = None,
) -> Failure | None:
    """Hand on what a stand-in gives; return why the action fails, None if it succeeds.

    Args:
        revision: of a source, what whoever started the execution has asked for.
    """
    failure = _missing_input(run)
    if failure is not None:
        return failure
    reported = stand_in.job_failure
    if reported is not None:
        run.external_id = reported.external_execution_id
        return Failure(reported.type, reported.message)
    owner = (definition.region, definition.account_id)
    actions = actions_of(definition.declaration)
    run.revision = revision or revision_of(stand_in, run.action, values)
    run.outputs = tuple(each._replace(revision=run.revision) for each in run.outputs)
    run.variables = variables_of(stand_in, run.action, actions, run.revision, values, owner)
    note_source(run)
    _write(run, stand_in, definition, store)
    return None


def _missing_input(run: ActionRun) -> Failure | None:
    for artifact in run.inputs:
        if artifact.name in run.missing:
            return Failure(
                "ConfigurationError",
                f"Unable to access the artifact with Amazon S3 object key '{artifact.key}' located"
                f" in the Amazon S3 artifact bucket '{artifact.bucket}' (Status Code: 404; Error"
                f" Code: NoSuchKey): input artifact {artifact.name!r}, which"
                f" {run.missing[artifact.name]} has not uploaded",
            )
    return None


def _write(run: ActionRun, stand_in: StandIn, definition: Definition, store: ArtifactStore) -> None:
    region = region_of(run.action, definition)
    for artifact in run.outputs:
        field = f"output_artifacts[{artifact.name!r}]"
        with open_content(stand_in.content_of(artifact.name), field=field) as content:
            store.make_bucket(artifact.bucket, region)
            if content is not None:
                store.put(artifact, content, key_of(region, definition))
