"""The artifacts of the jobs that a test adds by a pipeline's definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pytest_cpjob.artifacts.contents import SAMPLE_SOURCE, InputContent
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.harness import Harness
from pytest_cpjob.pipelines.action_jobs import region_of, store_of
from pytest_cpjob.pipelines.definition import Definition
from pytest_cpjob.pipelines.variables import Action

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import Artifact
    from pytest_cpjob.documents.values import Draws

_TAR_ENDINGS: Final = (".tar.gz", ".tgz", ".tar")


class JobArtifacts:
    """Where the artifacts of one pipeline's added jobs are, and what is put there.

    Args:
        actions: the pipeline's, by full name.
    """

    def __init__(
        self,
        harness: Harness,
        definition: Definition,
        stream: Stream,
        actions: Mapping[str, Action],
    ) -> None:
        self._harness = harness
        self._definition = definition
        self._stream = stream
        self._actions = actions

    def place_of(self, name: str, user: Action) -> Artifact:
        """Return an artifact as this execution has it: its object is where its maker puts it.

        Source: an S3 source keeps its object's extension, `.zip` as a rule. Of what an action has
        built no revision is known.
        """
        maker = next(
            (each for each in self._actions.values() if name in each.artifacts("outputArtifacts")),
            user,
        )
        values = self._stream.at("artifact", name).values
        key = values.artifact_object_key(str(self._definition.declaration["name"]), name)
        revision = None
        if maker.action_type.get("category") == "Source" and maker is not user:
            key += _source_extension(maker)
            revision = _source_revision(maker, values)
        bucket = store_of(region_of(user, self._definition), self._definition)["location"]
        artifact: Artifact = {
            "name": name,
            "location": {"type": "S3", "s3Location": {"bucketName": bucket, "objectKey": key}},
        }
        if revision is not None:
            artifact["revision"] = revision
        return artifact

    def contents(
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


def _source_extension(source: Action) -> str:
    """Return what the keys of a source's artifacts end in."""
    if source.action_type.get("provider") != "S3":
        return ""
    key = str(source.configuration.get("S3ObjectKey"))
    return next((each for each in _TAR_ENDINGS if key.endswith(each)), ".zip")


def _source_revision(source: Action, values: Draws) -> str:
    """Return the id of a version: the object's of S3, an image's digest of ECR, else a commit's."""
    provider = source.action_type.get("provider")
    if provider == "S3":
        return values.s3_version_id()
    return values.image_digest() if provider == "ECR" else values.commit_id()
