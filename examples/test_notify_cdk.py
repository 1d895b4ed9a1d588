"""The tests of `notify_cdk/`: what `cdk synth` has written, with the function's asset beside it.

CDK gives the pipeline a KMS key, so that the job has one too, and each action a role of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, ContractError

TEMPLATE = Path(__file__).parent / "notify_cdk" / "cdk.out" / "Site.template.json"
COMMIT = {"Source_Site_NS.CommitId": "9c1185a5c5e9fc54612808977ee8f548b2258d31"}


def test_the_notice_is_written_with_the_pipelines_key(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_pipeline(TEMPLATE).add_job("Notify", variables=COMMIT).invoke()

    assert job.status == "Succeeded"
    notice = job.output_artifacts["Notice"]
    assert notice.content == b"Released: 9c1185a5c5e9fc54612808977ee8f548b2258d31"
    assert notice.kms_key_id == job.encryption_key


@pytest.mark.cpjob(allow=["raised"])
def test_a_grant_that_was_left_out_is_found(cpjob: CodePipelineStub, tmp_path: Path) -> None:
    """CDK grants it for a function of the stack, and not for one that is imported by its ARN."""
    document = json.loads(TEMPLATE.read_text("utf-8"))
    del document["Resources"]["NotifyServiceRoleDefaultPolicy9ABC"]
    file = tmp_path / TEMPLATE.name
    file.write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "asset.7c1f").symlink_to(TEMPLATE.parent / "asset.7c1f")
    job = cpjob.add_pipeline(file).add_job("Notify", variables=COMMIT)

    with pytest.raises(ClientError, match="codepipeline:PutJobSuccessResult"):
        job.invoke()

    with pytest.raises(ContractError, match=r"not-permitted .*: codepipeline\.PutJobSuccess"):
        cpjob.check()
