"""An input artifact's revision and key, per kind of source; an output's revision."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_cpjob import CodePipelineStub, InputArtifact

COMMIT = r"[0-9a-f]{40}"
VERSION = r"[A-Za-z0-9._]{32}"
SOURCE = {"index.md": "# Hi"}


def revision_of(cpjob: CodePipelineStub, given: Any) -> str | None:
    job = cpjob.add_job(input_artifacts={"Source": given})
    (artifact,) = job.details["jobDetails"]["data"]["inputArtifacts"]
    assert artifact.get("revision") == job.input_artifacts["Source"].revision
    return artifact.get("revision")


def test_a_content_alone_is_of_a_git_source(cpjob: CodePipelineStub) -> None:
    for given in (SOURCE, InputArtifact(SOURCE), InputArtifact(SOURCE, key="web/Source/a1B2c3D")):
        assert re.fullmatch(COMMIT, str(revision_of(cpjob, given)))


def test_a_key_with_an_extension_is_of_an_s3_source(cpjob: CodePipelineStub) -> None:
    key = "web/Source/a1B2c3D.tar.gz"

    job = cpjob.add_lambda_job(
        input_artifacts={"Source": InputArtifact(SOURCE, key=key)}, allow=["no-result"]
    )

    (artifact,) = job.event["CodePipeline.job"]["data"]["inputArtifacts"]
    assert artifact["location"]["s3Location"]["objectKey"] == key
    assert re.fullmatch(VERSION, str(artifact["revision"]))
    assert job.input_artifacts["Source"].files["index.md"] == b"# Hi"


def test_the_revision_is_what_the_test_says(cpjob: CodePipelineStub) -> None:
    assert revision_of(cpjob, InputArtifact(SOURCE, revision="v7")) == "v7"
    assert revision_of(cpjob, InputArtifact(SOURCE, revision=False)) is None
    commit = revision_of(cpjob, InputArtifact(SOURCE, revision=True, key="a/b/c.zip"))
    assert re.fullmatch(COMMIT, str(commit))


def test_other_values_stay_what_they_are_without_it(cpjob: CodePipelineStub) -> None:
    with_it = {"Source": InputArtifact(SOURCE, key="a/b/c.zip"), "Theme": SOURCE}
    job_id = "11111111-2222-4333-8444-555555555555"
    here = cpjob.add_job(job_id=job_id, input_artifacts=with_it).facts
    with_it = {"Source": SOURCE, "Theme": SOURCE}
    there = cpjob.add_job(
        job_id=job_id.replace("1", "2"), input_artifacts=with_it, pipeline_name=here.pipeline_name
    )

    assert here.inputs[1].bucket == there.facts.inputs[1].bucket
    assert here.inputs[1].revision is not None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            InputArtifact(SOURCE, key=""),
            "input_artifacts['Source'].key: S3 requires 1 to 1024 bytes",
        ),
        (InputArtifact(SOURCE, revision=""), "input_artifacts['Source'].revision: Member must"),
        (
            InputArtifact(SOURCE, revision="x" * 1501),
            "input_artifacts['Source'].revision: Member must have length",
        ),
        (InputArtifact(5), "input_artifacts['Source']: "),
    ],
)
def test_what_a_source_could_not_give_is_refused(
    cpjob: CodePipelineStub, given: InputArtifact, says: str
) -> None:
    with pytest.raises(ValueError, match=r"^input_artifacts\['Source'\]") as caught:
        cpjob.add_job(input_artifacts={"Source": given})

    assert str(caught.value).startswith(says)
    assert cpjob.jobs == []


def test_an_output_has_the_revision_that_the_test_says(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(
        output_artifacts=["Log", {"name": "Site", "revision": "v7"}], allow=["no-result"]
    )

    outputs = job.event["CodePipeline.job"]["data"]["outputArtifacts"]
    assert [one["revision"] for one in outputs] == [None, "v7"]
    assert job.output_artifacts["Site"].revision == "v7"


@pytest.mark.cpjob_faults("missing-object")
def test_a_sweep_changes_the_content_and_keeps_the_key(cpjob: CodePipelineStub) -> None:
    given = InputArtifact(SOURCE, key="web/Source/a1B2c3D.zip", revision="v7")

    artifact = cpjob.add_job(input_artifacts={"Source": given}).input_artifacts["Source"]

    assert (artifact.key, artifact.revision, artifact.exists) == (given.key, "v7", False)
