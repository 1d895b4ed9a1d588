"""What the operations on pipelines answer: of whole runs, of single jobs, over HTTP."""

from __future__ import annotations

import json
import urllib.request
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pipeline_definitions import declaration, kind, names
from pipeline_workers import announce, fail, performers, silent, succeed

from pytest_cpjob import CodePipelineStub, Endpoint, PipelineExecution, StandIn

LOGS = (
    "https://console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    "#logStream:group=%252Faws%252Flambda%252F"
)
FUNCTIONS = "https://console.aws.amazon.com/lambda/home?region=us-east-1#/functions/"
S3 = "https://console.aws.amazon.com/s3/home?region=us-east-1#"
BEGINNING = 1767225600.0


def run(cpjob: CodePipelineStub, **given: Any) -> PipelineExecution:
    pipeline = cpjob.add_pipeline(declaration())
    return pipeline.run(
        performers(Site=StandIn(revision="v-1"), **given), variables={"Owner": "docs"}
    )


def asked(cpjob: CodePipelineStub, operation: str, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = getattr(cpjob.client(), operation)(**request)
    del answer["ResponseMetadata"]
    shifted: dict[str, Any] = from_beginning(cpjob, answer)
    return shifted


def from_beginning(cpjob: CodePipelineStub, value: Any) -> Any:
    """Return an answer with its times as if the job clock had begun at BEGINNING."""
    drawn = timedelta(seconds=cpjob._harness.service.clock.start / 1000 - BEGINNING)
    if isinstance(value, dict):
        return {key: from_beginning(cpjob, item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_beginning(cpjob, item) for item in value]
    return value - drawn if isinstance(value, datetime) else value


def plain(value: Any) -> Any:
    """Return an answer with its times as AWS writes them: seconds, with three decimals."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return round(value.timestamp(), 3) if hasattr(value, "timestamp") else value


# -- whole runs --------------------------------------------------------------------------------


def test_the_state_of_a_source_and_a_lambda_action(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob)

    state = plain(asked(cpjob, "get_pipeline_state", name="web"))

    assert {key: state[key] for key in state if key != "stageStates"} == {
        "created": BEGINNING,
        "updated": BEGINNING,
        "pipelineName": "web",
        "pipelineVersion": 1,
    }
    assert state["stageStates"][0] == {
        "stageName": "Source",
        "inboundExecutions": [],
        "inboundTransitionState": {"enabled": True},
        "latestExecution": {"pipelineExecutionId": execution.id, "status": "Succeeded"},
        "actionStates": [
            {
                "actionName": "Site",
                "currentRevision": {"revisionId": "v-1"},
                "entityUrl": S3,
                "latestExecution": {
                    "actionExecutionId": execution.actions["Source/Site"].id,
                    "externalExecutionId": "v-1",
                    "lastStatusChange": BEGINNING,
                    "status": "Succeeded",
                    "summary": "Amazon S3 version id: v-1",
                },
            }
        ],
    }
    assert state["stageStates"][2]["actionStates"][0] == {
        "actionName": "Announce",
        "entityUrl": f"{FUNCTIONS}announce",
        "latestExecution": {
            "actionExecutionId": execution.actions["Announce"].id,
            "externalExecutionId": "announce",
            "externalExecutionUrl": f"{LOGS}announce",
            "lastStatusChange": BEGINNING + 5,
            "status": "Succeeded",
        },
    }


def test_what_was_never_entered_has_no_latest_execution(cpjob: CodePipelineStub) -> None:
    cpjob.add_pipeline(declaration())

    state = asked(cpjob, "get_pipeline_state", name="web")

    assert all("latestExecution" not in stage for stage in state["stageStates"])
    assert all(
        "latestExecution" not in each
        for stage in state["stageStates"]
        for each in stage["actionStates"]
    )


def test_a_custom_action_shows_what_its_worker_reported(cpjob: CodePipelineStub) -> None:
    run(cpjob)

    state = asked(cpjob, "get_pipeline_state", name="web")
    latest = state["stageStates"][1]["actionStates"][1]["latestExecution"]

    assert latest["summary"] == "2 pages"
    assert latest["externalExecutionId"] == "docs-1"
    assert latest["percentComplete"] == 100


def test_the_failure_of_a_handler_in_state_and_history(cpjob: CodePipelineStub) -> None:
    run(cpjob, Announce=fail)

    state = asked(cpjob, "get_pipeline_state", name="web")
    latest = state["stageStates"][2]["actionStates"][0]["latestExecution"]
    details = asked(cpjob, "list_action_executions", pipelineName="web")["actionExecutionDetails"]

    assert latest["errorDetails"] == {"code": "ConfigurationError", "message": "no channel"}
    assert "summary" not in latest
    assert details[0]["output"] == {
        "outputArtifacts": [],
        "outputVariables": {},
        "executionResult": {
            "externalExecutionId": "announce",
            "externalExecutionSummary": "no channel",
            "externalExecutionUrl": f"{LOGS}announce",
            "errorDetails": {"code": "ConfigurationError"},
        },
    }


def test_the_history_of_an_action(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob)

    details = plain(asked(cpjob, "list_action_executions", pipelineName="web"))

    found = details["actionExecutionDetails"]
    assert [each["actionName"] for each in found] == ["Tell", "Announce", "Docs", "Compile", "Site"]
    artifacts = execution.artifacts
    bucket = "web-artifacts"
    assert found[1] == {
        "pipelineExecutionId": execution.id,
        "actionExecutionId": execution.actions["Announce"].id,
        "pipelineVersion": 1,
        "stageName": "Release",
        "actionName": "Announce",
        "startTime": BEGINNING + 5,
        "lastUpdateTime": BEGINNING + 5,
        "status": "Succeeded",
        "input": {
            "actionTypeId": kind("Invoke", "Lambda"),
            "configuration": {
                "FunctionName": "announce",
                "UserParameters": '{"tag": "#{Build.Tag}", "by": "#{variables.Owner}"}',
            },
            "resolvedConfiguration": {
                "FunctionName": "announce",
                "UserParameters": '{"tag": "v7", "by": "docs"}',
            },
            "region": "us-east-1",
            "namespace": "Announced",
            "inputArtifacts": [
                {"name": name, "s3location": {"bucket": bucket, "key": artifacts[name].key}}
                for name in ("Site", "Manual")
            ],
        },
        "output": {
            "outputArtifacts": [
                {"name": "Post", "s3location": {"bucket": bucket, "key": artifacts["Post"].key}}
            ],
            "outputVariables": {"post": "42"},
            "executionResult": {
                "externalExecutionId": "announce",
                "externalExecutionUrl": f"{LOGS}announce",
            },
        },
    }


def test_a_handler_sees_itself_in_progress(cpjob: CodePipelineStub) -> None:
    seen: dict[str, Any] = {}

    def look(event: dict[str, Any], context: object) -> None:
        client = boto3.client("codepipeline", region_name="us-east-1")
        seen["state"] = client.get_pipeline_state(name="web")["stageStates"][2]
        listed = client.list_action_executions(pipelineName="web", maxResults=1)
        seen["history"] = listed["actionExecutionDetails"]
        announce(event, context)

    execution = run(cpjob, Announce=look)

    assert seen["state"]["latestExecution"] == {
        "pipelineExecutionId": execution.id,
        "status": "InProgress",
    }
    announced, told = seen["state"]["actionStates"]
    assert announced["latestExecution"]["status"] == "InProgress"
    assert "latestExecution" not in told
    [detail] = seen["history"]
    assert detail["status"] == "InProgress"
    assert detail["output"] == {"outputArtifacts": [], "outputVariables": {}}


def test_an_execution_and_its_summary(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob)
    trigger = {
        "triggerType": "StartPipelineExecution",
        "triggerDetail": "arn:aws:iam::123456789012:user/tester",
    }

    found = asked(
        cpjob, "get_pipeline_execution", pipelineName="web", pipelineExecutionId=execution.id
    )
    summaries = plain(asked(cpjob, "list_pipeline_executions", pipelineName="web"))

    assert found["pipelineExecution"] == {
        "pipelineName": "web",
        "pipelineVersion": 1,
        "pipelineExecutionId": execution.id,
        "status": "Succeeded",
        "artifactRevisions": [
            {
                "name": "Code",
                "revisionId": "v-1",
                "revisionSummary": "Amazon S3 version id: v-1",
            }
        ],
        "variables": [
            {"name": "Channel", "resolvedValue": "stable"},
            {"name": "Owner", "resolvedValue": "docs"},
        ],
        "trigger": trigger,
        "executionMode": "SUPERSEDED",
    }
    assert summaries["pipelineExecutionSummaries"] == [
        {
            "pipelineExecutionId": execution.id,
            "status": "Succeeded",
            "startTime": BEGINNING,
            "lastUpdateTime": BEGINNING + 5,
            "sourceRevisions": [
                {
                    "actionName": "Site",
                    "revisionId": "v-1",
                    "revisionSummary": "Amazon S3 version id: v-1",
                }
            ],
            "trigger": trigger,
            "executionMode": "SUPERSEDED",
        }
    ]


@pytest.mark.cpjob(allow=["no-result"])
def test_a_stopped_execution_tells_its_reason(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(declaration())
    execution = pipeline.start(performers(Announce=silent), variables={"Owner": "docs"})
    execution.stop(abandon=True, reason="enough")

    [summary] = asked(cpjob, "list_pipeline_executions", pipelineName="web")[
        "pipelineExecutionSummaries"
    ]

    assert summary["stopTrigger"] == {"reason": "enough"}
    assert summary["status"] == "Stopped"


def test_a_pipeline_is_shown_with_what_aws_adds(cpjob: CodePipelineStub) -> None:
    cpjob.add_pipeline(declaration())

    shown = asked(cpjob, "get_pipeline", name="web")
    listed = asked(cpjob, "list_pipelines")["pipelines"]

    site = shown["pipeline"]["stages"][0]["actions"][0]
    assert (site["runOrder"], site["inputArtifacts"]) == (1, [])
    assert shown["pipeline"]["version"] == 1
    assert shown["metadata"]["pipelineArn"] == "arn:aws:codepipeline:us-east-1:123456789012:web"
    assert [(each["name"], each["pipelineType"]) for each in listed] == [("web", "V2")]


def test_lists_come_in_pages(cpjob: CodePipelineStub) -> None:
    run(cpjob)
    client = cpjob.client()

    pages = client.get_paginator("list_action_executions").paginate(
        pipelineName="web", PaginationConfig={"PageSize": 2}
    )
    sizes = [len(page["actionExecutionDetails"]) for page in pages]

    assert sizes == [2, 2, 1]
    with pytest.raises(client.exceptions.InvalidNextTokenException):
        client.list_action_executions(pipelineName="web", nextToken="another")


def test_lists_are_filtered(cpjob: CodePipelineStub) -> None:
    first = run(cpjob, Announce=fail).retry("Release")
    second = cpjob.client().start_pipeline_execution(name="web")["pipelineExecutionId"]

    def listed(**wanted: Any) -> list[Any]:
        found = asked(cpjob, "list_action_executions", pipelineName="web", filter=wanted)
        return [
            (each["pipelineExecutionId"], each["actionName"])
            for each in found["actionExecutionDetails"]
        ]

    def latest(which: str) -> list[Any]:
        return listed(
            latestInPipelineExecution={"pipelineExecutionId": first.id, "startTimeRange": which}
        )

    assert {each for each, _ in listed(pipelineExecutionId=first.id)} == {first.id}
    assert [name for _, name in latest("All")].count("Announce") == 2
    assert [name for _, name in latest("Latest")].count("Announce") == 1
    executions = asked(
        cpjob,
        "list_pipeline_executions",
        pipelineName="web",
        filter={"succeededInStage": {"stageName": "Build"}},
    )["pipelineExecutionSummaries"]
    assert [each["pipelineExecutionId"] for each in executions] == [first.id]
    assert second != first.id


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"),
    [
        (
            "get_pipeline",
            {"name": "wep"},
            "PipelineNotFoundException",
            "Account '123456789012' does not have a pipeline with name 'wep'",
        ),
        (
            "list_action_executions",
            {"pipelineName": "wep"},
            "PipelineNotFoundException",
            "The account with AWS account ID '123456789012' does not include a pipeline named"
            " 'wep'",
        ),
        ("get_pipeline", {"name": "web", "version": 2}, "PipelineVersionNotFoundException", ""),
        (
            "get_pipeline_execution",
            {"pipelineName": "web", "pipelineExecutionId": "1" * 8 + "-1111-1111-1111-" + "1" * 12},
            "PipelineExecutionNotFoundException",
            "",
        ),
        (
            "start_pipeline_execution",
            {"name": "web", "variables": [{"name": "Owner", "value": "a"}] * 2},
            "ValidationException",
            "Variable names must be unique. The following variable name is already in use: Owner",
        ),
        (
            "list_action_executions",
            {
                "pipelineName": "web",
                "filter": {
                    "latestInPipelineExecution": {
                        "pipelineExecutionId": "1" * 8 + "-1111-1111-1111-" + "1" * 12,
                        "startTimeRange": "Last",
                    }
                },
            },
            "ValidationException",
            "Member must satisfy enum value set: [",
        ),
    ],
)
def test_errors_have_aws_s_codes_and_texts(
    cpjob: CodePipelineStub, operation: str, request_: dict[str, Any], code: str, message: str
) -> None:
    cpjob.add_pipeline(declaration())
    client = cpjob.client()

    with pytest.raises(client.exceptions.ClientError) as refused:
        getattr(client, operation)(**request_)

    error = refused.value.response["Error"]
    assert error["Code"] == code
    assert message in error["Message"]


def test_secret_properties_are_masked(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type(
        "Build:Custom:Docs:1", properties={"Theme": {"required": True, "secret": True}}
    )
    execution = run(cpjob)

    shown = json.dumps(asked(cpjob, "get_pipeline", name="web"), default=str)
    listed = json.dumps(asked(cpjob, "list_action_executions", pipelineName="web"), default=str)

    assert execution.status == "Succeeded"
    assert '"Theme": "****"' in shown
    assert '"Theme": "****"' in listed
    assert "dark" not in shown + listed


# -- single jobs -------------------------------------------------------------------------------


def test_a_single_job_is_in_a_pipeline_of_two_stages(cpjob: CodePipelineStub) -> None:
    seen: dict[str, Any] = {}

    def look(event: dict[str, Any], context: object) -> None:
        client = boto3.client("codepipeline", region_name="us-east-1")
        seen.update(client.get_pipeline_state(name="docs"))
        succeed(event, context)

    job = cpjob.add_lambda_job(
        pipeline_name="docs", stage_name="Build", action_name="Make", input_artifacts=["Source"]
    )
    job.invoke(look)

    source, build = seen["stageStates"]
    assert source["latestExecution"]["status"] == "Succeeded"
    assert build["latestExecution"] == {
        "pipelineExecutionId": job.facts.pipeline_execution_id,
        "status": "InProgress",
    }
    assert build["actionStates"][0]["latestExecution"]["status"] == "InProgress"
    after = asked(cpjob, "get_pipeline_state", name="docs")["stageStates"][1]
    assert after["latestExecution"]["status"] == "Succeeded"
    shown = asked(cpjob, "get_pipeline", name="docs")["pipeline"]
    assert shown["stages"][0]["actions"][0]["outputArtifacts"] == names("Source")


def test_a_custom_approval_is_answered_by_its_worker_only(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(
        action_type="Approval:Custom:Board:1", pipeline_name="docs", stage_name="Approve"
    )
    client = cpjob.client()

    state = client.get_pipeline_state(name="docs")["stageStates"][1]["actionStates"][0]
    assert "token" not in state["latestExecution"]
    with pytest.raises(client.exceptions.InvalidApprovalTokenException):
        client.put_approval_result(
            pipelineName="docs",
            stageName="Approve",
            actionName=job.facts.action_name,
            token=job.facts.action_execution_id,
            result={"status": "Approved", "summary": ""},
        )


def test_a_single_job_s_execution_is_stopped(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(pipeline_name="docs")
    execution_id = job.facts.pipeline_execution_id
    client = cpjob.client()

    client.stop_pipeline_execution(pipelineName="docs", pipelineExecutionId=execution_id)
    job.invoke(succeed)

    found = client.get_pipeline_execution(pipelineName="docs", pipelineExecutionId=execution_id)
    assert found["pipelineExecution"]["status"] == "Stopped"


def test_jobs_of_a_definition_are_in_its_pipeline(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(declaration())
    job = pipeline.add_job(
        "Announce", variables={"Build.Tag": "v7"}, pipeline_variables={"Owner": "docs"}
    )

    states = asked(cpjob, "get_pipeline_state", name="web")["stageStates"]

    assert [each["latestExecution"]["status"] for each in states] == [
        "Succeeded",
        "Succeeded",
        "InProgress",
    ]
    assert states[2]["latestExecution"]["pipelineExecutionId"] == job.facts.pipeline_execution_id


# -- beside others -----------------------------------------------------------------------------


def test_a_pipeline_of_moto_s_stays_moto_s(cpjob: CodePipelineStub) -> None:
    with mock_aws():
        boto3.client("iam", region_name="us-east-1").create_role(
            RoleName="web-pipeline",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "codepipeline.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ]
                }
            ),
        )
        client = boto3.client("codepipeline", region_name="us-east-1")
        definition = declaration()
        for each in ("variables", "pipelineType"):
            del definition[each]
        definition["name"] = "motos"
        client.create_pipeline(pipeline=definition)
        cpjob.add_pipeline(declaration())

        assert client.get_pipeline(name="motos")["pipeline"]["name"] == "motos"
        assert client.get_pipeline(name="web")["pipeline"]["pipelineType"] == "V2"


def test_other_processes_ask_over_http(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    execution = run(cpjob)
    request = urllib.request.Request(
        cpjob_endpoint.url,
        json.dumps({"name": "web"}).encode(),
        {
            "X-Amz-Target": "CodePipeline_20150709.GetPipelineState",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/"
            "codepipeline/aws4_request, SignedHeaders=host, Signature=0",
        },
    )

    with urllib.request.urlopen(request) as answer:
        state = json.load(answer)

    assert state["stageStates"][0]["latestExecution"]["pipelineExecutionId"] == execution.id
    in_process = cpjob.client().get_pipeline_state(name="web")
    del in_process["ResponseMetadata"]
    assert state == plain(in_process)
