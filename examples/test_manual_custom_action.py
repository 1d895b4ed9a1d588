"""`docs_worker` on the jobs of `manual_custom_action/`: a template with its own action type.

The type's queryable and secret properties come from the template; the secret's value is given.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_worker import DocsWorker

from pytest_cpjob import CodePipelineStub

TEMPLATE = Path(__file__).parent / "manual_custom_action" / "template.yaml"
TOKEN = {"secretsmanager:docs:SecretString:token": "a-token-of-the-docs"}


def test_the_worker_builds_the_manual(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(TEMPLATE, dynamic_references=TOKEN)
    job = pipeline.add_job("Build/Manual", input_artifacts={"Text": {"intro.md": "# Hello"}})

    cpjob.run_worker(DocsWorker("handbook", region="us-east-1").run)

    assert job.status == "Succeeded"
    assert b"# Hello" in job.output_artifacts["Manual"].files["intro.html"]


def test_an_artifact_that_was_renamed_in_one_place_is_found(
    cpjob: CodePipelineStub, tmp_path: Path
) -> None:
    text = TEMPLATE.read_text("utf-8")
    drifted = tmp_path / "template.yaml"
    drifted.write_text(
        text.replace("- Name: Text\n              O", "- Name: Texts\n              O")
    )

    with pytest.raises(ValueError, match="Input Artifact Bundle Texts in action Manual is not"):
        cpjob.add_pipeline(drifted, dynamic_references=TOKEN)


def test_a_property_that_the_type_does_not_have_is_found(
    cpjob: CodePipelineStub, tmp_path: Path
) -> None:
    text = TEMPLATE.read_text("utf-8")
    drifted = tmp_path / "template.yaml"
    drifted.write_text(text.replace("Project: !Ref Project", "Projekt: !Ref Project"))

    with pytest.raises(ValueError, match="is missing required configuration 'Project'"):
        cpjob.add_pipeline(drifted, dynamic_references=TOKEN)
