"""The tests of `promote_stacks/`: two plain templates that are deployed together.

One stack exports the function's name, the other's pipeline imports it. The code is in the template.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cpjob import CodePipelineStub, IneffectivePolicyWarning

FOLDER = Path(__file__).parent / "promote_stacks"
TEMPLATES = [FOLDER / "pipeline.yaml", FOLDER / "functions.yaml"]


@pytest.mark.parametrize("stage", ["test", "prod"])
def test_the_stage_is_promoted(cpjob: CodePipelineStub, stage: str) -> None:
    pipeline = cpjob.add_pipeline(TEMPLATES, parameters={"Stage": stage})

    job = pipeline.add_job("Promote/Promote").invoke()

    assert job.success.output_variables == {"promoted": stage}
    assert job.input_artifacts["Shop"].bucket == "shop-artifacts-eu"
    assert ("Promote/Approve" in pipeline.actions) == (stage == "prod")


def test_a_policy_limited_to_the_pipeline_is_found(cpjob: CodePipelineStub, tmp_path: Path) -> None:
    """It looks safer, and allows nothing: the operation takes no resource."""
    limited = "Resource: !Sub arn:aws:codepipeline:${AWS::Region}:${AWS::AccountId}:shop-test"
    functions = tmp_path / "functions.yaml"
    functions.write_text(TEMPLATES[1].read_text("utf-8").replace('Resource: "*"', limited))

    with pytest.warns(IneffectivePolicyWarning, match="PutJobSuccessResult take no resource"):
        cpjob.add_pipeline([TEMPLATES[0], functions])
