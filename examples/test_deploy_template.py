"""The tests of `deploy_template`: CloudFormation on moto, continuation tokens, every bad path.

moto is started by the stub, for the artifacts; CloudFormation is on it as well. A test that needs
something there before its job starts a `mock_aws` of its own.
"""

from __future__ import annotations

import json
from typing import Any

import boto3
import deploy_template
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from pytest_cpjob import (
    HOSTILE_ARTIFACTS,
    CodePipelineStub,
    Content,
    ContractError,
    JobFailure,
    JobSuccess,
)

TEMPLATE = json.dumps(
    {
        "Parameters": {"Topic": {"Type": "String", "Default": "news"}},
        "Resources": {
            "News": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Topic"}}}
        },
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["News", "TopicName"]}}},
    }
)
PARAMETERS = {"stack": "news", "artifact": "Source", "file": "template.json"}


def test_a_new_stack_is_created_and_its_outputs_are_handed_on(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(
        user_parameters={**PARAMETERS, "parameters": {"Topic": "headlines"}},
        input_artifacts={"Source": {"template.json": TEMPLATE}},
    )

    last = job.invoke(deploy_template.lambda_handler)

    assert job.result == JobSuccess(continuation_token='{"stack": "news"}')
    assert last == job.continuation
    assert last.success == JobSuccess(output_variables={"Name": "headlines"})


@mock_aws
def test_a_stack_that_is_there_is_updated(cpjob: CodePipelineStub) -> None:
    deploy_template.cloudformation.create_stack(StackName="news", TemplateBody=TEMPLATE)
    job = cpjob.add_lambda_job(
        user_parameters={**PARAMETERS, "parameters": {"Topic": "headlines"}},
        input_artifacts={"Source": {"template.json": TEMPLATE}},
    )

    last = job.invoke(deploy_template.lambda_handler)

    assert last.success == JobSuccess(output_variables={"Name": "headlines"})
    assert deploy_template.status_of("news") == "UPDATE_COMPLETE"


def test_a_stack_that_needs_no_update_is_done_at_once(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def update_stack(**arguments: Any) -> None:  # moto's updates again and again
        details = {"Code": "ValidationError", "Message": "No updates are to be performed."}
        raise ClientError({"Error": details}, "UpdateStack")

    first, second = (
        cpjob.add_lambda_job(
            user_parameters=PARAMETERS, input_artifacts={"Source": {"template.json": TEMPLATE}}
        )
        for _ in range(2)
    )
    first.invoke(deploy_template.lambda_handler)
    monkeypatch.setattr(deploy_template.cloudformation, "update_stack", update_stack)

    second.invoke(deploy_template.lambda_handler)

    assert second.continuation is None
    assert second.success == JobSuccess(output_variables={"Name": "news"})


def test_the_pipeline_waits_as_long_as_the_stack_takes(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto's stacks are done at once.
    looks = iter(["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
    monkeypatch.setattr(deploy_template, "status_of", lambda stack: next(looks))
    job = cpjob.add_lambda_job(
        user_parameters=PARAMETERS, input_artifacts={"Source": {"template.json": TEMPLATE}}
    )

    last = job.invoke("deploy_template.lambda_handler")

    assert last.status == "Succeeded"
    assert [each.status for each in cpjob.jobs] == ["Succeeded"] * 4
    assert len({each.id for each in cpjob.jobs}) == 4


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_that_is_rolled_back_fails_the_action(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(deploy_template, "status_of", lambda stack: status)
    job = cpjob.add_lambda_job(continuation_token='{"stack": "news"}')

    job.invoke(deploy_template.lambda_handler)

    assert job.failure == JobFailure("JobFailed", f"stack news is {status}")


@pytest.mark.parametrize(
    "user_parameters",
    [
        None,
        "no JSON",
        ["news"],
        {"stack": "news"},
        {**PARAMETERS, "artifact": "Templates"},
        {**PARAMETERS, "file": "other.json"},
        {**PARAMETERS, "file": "large.json"},
    ],
)
def test_what_the_pipelines_author_got_wrong_is_a_configuration_error(
    cpjob: CodePipelineStub, user_parameters: Any
) -> None:
    job = cpjob.add_lambda_job(
        user_parameters=user_parameters,
        input_artifacts={"Source": {"template.json": TEMPLATE, "large.json": " " * 60_000}},
    )

    job.invoke(deploy_template.lambda_handler)

    assert job.failure.type == "ConfigurationError"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no object"),
        pytest.param(b"", id="an empty object"),
        pytest.param({"template.json": "{"}, id="a broken template"),
        *(pytest.param(HOSTILE_ARTIFACTS[name], id=name) for name in ("truncated", "tar-gz")),
    ],
)
def test_an_artifact_that_cannot_be_deployed_fails_the_action(
    cpjob: CodePipelineStub, content: Content
) -> None:
    job = cpjob.add_lambda_job(user_parameters=PARAMETERS, input_artifacts={"Source": content})

    job.invoke(deploy_template.lambda_handler)

    assert job.failure.type == "JobFailed"


@pytest.mark.parametrize("operation", ["DescribeStacks", "CreateStack", "UpdateStack"])
def test_an_error_of_cloudformations_reaches_the_pipeline(
    cpjob: CodePipelineStub, operation: str
) -> None:
    job = cpjob.add_lambda_job(
        user_parameters=PARAMETERS, input_artifacts={"Source": {"template.json": TEMPLATE}}
    )
    if operation == "UpdateStack":
        deploy_template.cloudformation.create_stack(StackName="news", TemplateBody=TEMPLATE)
    cpjob.fail(operation, "ThrottlingException", service="cloudformation")

    last = job.invoke(deploy_template.lambda_handler)

    assert "ThrottlingException" in last.failure.message


@pytest.mark.cpjob_job_variants(without=["without-user-parameters", "continuation-token"])
def test_every_job_that_codepipeline_may_send_is_deployed(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(
        user_parameters=PARAMETERS, input_artifacts={"Source": {"template.json": TEMPLATE}}
    )

    last = job.invoke(deploy_template.lambda_handler)

    assert last.success == JobSuccess(output_variables={"Name": "news"})


@pytest.mark.cpjob_job_variants("without-user-parameters", "continuation-token")
def test_a_job_that_does_not_say_what_to_do_fails(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(
        user_parameters=PARAMETERS, input_artifacts={"Source": {"template.json": TEMPLATE}}
    )

    assert job.invoke(deploy_template.lambda_handler).status == "Failed"


@pytest.mark.cpjob_faults
def test_whatever_its_calls_meet_the_pipeline_hears_how_it_ended(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(
        user_parameters=PARAMETERS, input_artifacts={"Source": {"template.json": TEMPLATE}}
    )

    last = job.invoke(deploy_template.lambda_handler, retries=2)  # as Lambda does

    # An artifact that cannot be read fails the action, and a report that fails is sent again.
    assert last.status == ("Succeeded" if job.continuation else "Failed")


def test_reading_the_artifact_with_the_functions_own_role_is_caught(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy_template, "artifact_client", lambda credentials: boto3.client("s3"))
    job = cpjob.add_lambda_job(
        user_parameters=PARAMETERS, input_artifacts={"Source": {"template.json": TEMPLATE}}
    )

    job.invoke(deploy_template.lambda_handler)

    assert "AccessDenied" in job.failure.message
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("own-role",)
