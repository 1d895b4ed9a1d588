"""The tests of `audit_terraform/`: the output of `terraform show -json`, and the function's code.

Region, account, role and the function's variables are those of the state.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, UnknownVariableWarning

STATE = Path(__file__).parent / "audit_terraform" / "state.json"


@mock_aws
def test_the_version_is_kept(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(STATE)

    job = pipeline.add_job("Release/Audit", variables={"Source.VersionId": "PXKlz"}).invoke()

    assert job.status == "Succeeded"
    assert pipeline.arn == "arn:aws:codepipeline:eu-central-1:210987654321:site"
    (kept,) = [call.request for call in cpjob.calls if call.operation == "PutParameter"]
    assert (kept["Name"], kept["Value"]) == ("/site/version", "PXKlz")


def test_a_variable_that_the_source_does_not_give_is_found(cpjob: CodePipelineStub) -> None:
    """The source was a repository once, and a bucket has no commit."""
    drifted = json.loads(STATE.read_text("utf-8").replace("Source.VersionId", "Source.CommitId"))

    with pytest.warns(UnknownVariableWarning, match=r"Source/Site \(S3\) gives no variable"):
        cpjob.add_pipeline(drifted)
