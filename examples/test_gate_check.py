"""The tests of `gate_check`, whose pipeline is known from `aws codepipeline get-pipeline` only.

Such an answer has neither code nor roles: the test names the handler.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gate_check import lambda_handler

from pytest_cpjob import CodePipelineStub, JobFailure, Pipeline

DEPLOYED = Path(__file__).parent / "gate_get_pipeline" / "pipeline.json"


@pytest.fixture
def pipeline(cpjob: CodePipelineStub) -> Pipeline:
    return cpjob.add_pipeline(DEPLOYED)


def test_the_main_branch_passes(pipeline: Pipeline) -> None:
    job = pipeline.add_job("Check", variables={"Repo.BranchName": "main"}).invoke(lambda_handler)

    assert job.status == "Succeeded"


def test_another_branch_fails_unless_it_is_allowed(pipeline: Pipeline) -> None:
    feature = {"Repo.BranchName": "feature/x"}

    refused = pipeline.add_job("Check", variables=feature).invoke(lambda_handler)
    passed = pipeline.add_job(
        "Check", variables=feature, pipeline_variables={"Allowed": "feature/x"}
    ).invoke(lambda_handler)

    assert refused.result == JobFailure("JobFailed", "feature/x is not one of ['main']")
    assert passed.status == "Succeeded"


def test_a_quote_in_a_variable_breaks_the_parameters(pipeline: Pipeline) -> None:
    """Nothing is escaped in AWS either: a branch may be named so."""
    job = pipeline.add_job("Check", variables={"Repo.BranchName": 'say-"hi"'})

    assert job.invoke(lambda_handler).status == "Failed"


def test_a_renamed_variable_is_found(cpjob: CodePipelineStub) -> None:
    drifted = json.loads(
        DEPLOYED.read_text("utf-8").replace("variables.Allowed", "variables.Allow")
    )

    with pytest.raises(ValueError, match="The referenced variables haven't been declared"):
        cpjob.add_pipeline(drifted)
