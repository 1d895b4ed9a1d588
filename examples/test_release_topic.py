"""The tests of `release_topic`, which cannot be imported at the top of this file: it calls AWS.

`invoke` takes the handler's name, as Lambda's settings do, and imports it where STS is answered and
the test's environment is set; `cold=True` imports it anew, whatever other tests have imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from pytest_cpjob import CodePipelineStub

HANDLER = "release_topic.lambda_handler"


@mock_aws
@pytest.mark.parametrize("stage", ["test", "production"])
def test_the_release_is_announced_on_the_stages_topic(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setenv("TOPIC", f"releases-{stage}")
    topic = boto3.client("sns").create_topic(Name=f"releases-{stage}")["TopicArn"]
    job = cpjob.add_lambda_job(user_parameters="Version 2 is out")

    job.invoke(HANDLER, cold=True)

    (published,) = [call.request for call in cpjob.calls if call.operation == "Publish"]
    assert published == {"TopicArn": topic, "Message": "Version 2 is out"}


@pytest.fixture
def nothing_imported() -> Iterator[None]:
    sys.modules.pop("release_topic", None)
    yield
    sys.modules.pop("release_topic", None)


@mock_aws
@pytest.mark.usefixtures("nothing_imported")
def test_sts_is_asked_once_for_all_invocations(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPIC", "releases")
    boto3.client("sns").create_topic(Name="releases")

    for _ in range(2):  # the second job meets the warm module
        cpjob.add_lambda_job().invoke(HANDLER)

    assert [call.operation for call in cpjob.calls if call.service == "sts"] == [
        "GetCallerIdentity"
    ]
    assert [job.status for job in cpjob.jobs] == ["Succeeded", "Succeeded"]


@mock_aws
def test_a_topic_that_is_not_there_fails_the_action(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPIC", "nowhere")
    job = cpjob.add_lambda_job()

    job.invoke(HANDLER, cold=True)

    assert "NotFound" in job.failure.message


@mock_aws
def test_without_its_environment_the_function_does_not_start(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOPIC", raising=False)

    with pytest.raises(KeyError, match="TOPIC"):
        cpjob.add_lambda_job().invoke(HANDLER, cold=True)


@mock_aws
@pytest.mark.cpjob_job_variants("aws-cn", "aws-us-gov")
def test_the_topic_is_of_the_partition_that_the_function_runs_in(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPIC", "releases")
    job = cpjob.add_lambda_job(user_parameters="Version 2 is out")
    boto3.client("sns", region_name=job.facts.region).create_topic(Name="releases")

    assert job.invoke(HANDLER, cold=True).status == "Succeeded"
