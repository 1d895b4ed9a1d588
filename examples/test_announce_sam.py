"""The tests of `announce_sam/`: a SAM template, and the function that it names.

The job, the function's variables and its role come from `template.yaml`; the test names no handler.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, ContractError, Pipeline

TEMPLATE = Path(__file__).parent / "announce_sam" / "template.yaml"
VERSION = {"Source.VersionId": "PXKlz"}


@pytest.fixture
def topic() -> Iterator[str]:
    with mock_aws():
        yield boto3.client("sns", "us-east-1").create_topic(Name="releases-prod")["TopicArn"]


@pytest.fixture
def pipeline(cpjob: CodePipelineStub) -> Pipeline:
    return cpjob.add_pipeline(TEMPLATE, parameters={"Stage": "prod"})


def drifted(folder: Path, before: str, after: str) -> Path:
    """Write the template with a mistake, beside the function's code."""
    text = TEMPLATE.read_text("utf-8")
    assert before in text
    (folder / "announce").symlink_to(TEMPLATE.parent / "announce")
    file = folder / "template.yaml"
    file.write_text(text.replace(before, after), encoding="utf-8")
    return file


def test_the_release_is_announced(cpjob: CodePipelineStub, pipeline: Pipeline, topic: str) -> None:
    job = pipeline.add_job("Release/Announce", variables=VERSION).invoke()

    assert job.status == "Succeeded"
    (published,) = [call.request for call in cpjob.calls if call.operation == "Publish"]
    assert published == {"TopicArn": topic, "Message": "Version PXKlz is in prod"}


@pytest.mark.usefixtures("topic")
def test_a_policy_that_was_left_out_is_found(cpjob: CodePipelineStub, tmp_path: Path) -> None:
    policy = """
        - SNSPublishMessagePolicy:
            TopicName: !GetAtt Releases.TopicName"""
    file = drifted(tmp_path, policy, "")
    pipeline = cpjob.add_pipeline(file, parameters={"Stage": "prod"})

    job = pipeline.add_job("Announce", variables=VERSION).invoke()

    assert job.status == "Failed"
    with pytest.raises(ContractError, match=r"not-permitted .*announce.app\.py:\d+.: sns\.Publish"):
        cpjob.check()
