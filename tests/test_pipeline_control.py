"""Executions that wait: approvals, stops, retries, transitions, executions that meet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pipeline_definitions import declaration, kind
from pipeline_workers import announce, fail, performers, silent, succeed

from pytest_cpjob import (
    CodePipelineStub,
    CpjobError,
    Pipeline,
    PipelineExecution,
    StandIn,
    UnfakedCallError,
)

DAY = 24 * 3600


def with_approval(**changes: Any) -> dict[str, Any]:
    """A pipeline of Source, Approve and Release, whose one action is a Lambda function."""
    found = declaration()
    release = {
        "name": "Tell",
        "actionTypeId": kind("Invoke", "Lambda"),
        "configuration": {"FunctionName": "tell"},
    }
    approval = {
        "name": "Editor",
        "actionTypeId": kind("Approval", "Manual"),
        "configuration": {"CustomData": "good?"},
    }
    return {
        **{key: found[key] for key in ("name", "roleArn", "artifactStore")},
        "stages": [
            found["stages"][0],
            {"name": "Approve", "actions": [approval]},
            {"name": "Release", "actions": [release]},
        ],
        **changes,
    }


@pytest.fixture
def pipeline(cpjob: CodePipelineStub) -> Pipeline:
    return cpjob.add_pipeline(with_approval())


def states(cpjob: CodePipelineStub) -> dict[str, Any]:
    state = cpjob.client().get_pipeline_state(name="web")
    return {each["stageName"]: each for each in state["stageStates"]}


def token(cpjob: CodePipelineStub) -> str:
    found: str = states(cpjob)["Approve"]["actionStates"][0]["latestExecution"]["token"]
    return found


def answer(cpjob: CodePipelineStub, status: str, **changes: Any) -> Any:
    return cpjob.client().put_approval_result(
        **{
            "pipelineName": "web",
            "stageName": "Approve",
            "actionName": "Editor",
            "token": token(cpjob) if "token" not in changes else changes["token"],
            "result": {"status": status, "summary": changes.pop("summary", "fine")},
            **changes,
        }
    )


# -- approvals ---------------------------------------------------------------------------------


def test_run_approves_what_nobody_else_does(pipeline: Pipeline) -> None:
    assert pipeline.run({"Lambda": succeed}).status == "Succeeded"


def test_what_aws_would_not_take_is_refused(pipeline: Pipeline) -> None:
    execution = pipeline.start({"Lambda": succeed})

    with pytest.raises(ValueError, match="reason: Member must have length less than"):
        execution.stop(reason="x" * 201)
    with pytest.raises(ValueError, match="summary: Member must have length less than"):
        execution.approve("Editor", summary="x" * 513)

    assert execution.status == "InProgress"
    execution.approve("Editor", summary="x" * 512)


def test_an_approval_may_require_a_summary(cpjob: CodePipelineStub) -> None:
    given = with_approval()
    given["stages"][1]["actions"][0]["configuration"]["IsSummaryRequired"] = "true"
    pipeline = cpjob.add_pipeline(given)
    execution = pipeline.start({"Lambda": succeed})

    with pytest.raises(ValueError, match=r"summary: Approve/Editor requires one"):
        execution.approve("Editor")

    assert execution.approve("Editor", summary="fine").status == "Succeeded"
    assert pipeline.run({"Lambda": succeed}).status == "Succeeded"


def test_a_start_can_ask_for_a_revision(cpjob: CodePipelineStub, pipeline: Pipeline) -> None:
    pipeline.run({"Lambda": succeed})
    client = cpjob.client()
    revision = {"actionName": "Site", "revisionType": "S3_OBJECT_VERSION_ID"}

    started = client.start_pipeline_execution(
        name="web", sourceRevisions=[{**revision, "revisionValue": "v7"}]
    )

    [newest, older] = client.list_pipeline_executions(pipelineName="web")[
        "pipelineExecutionSummaries"
    ]
    assert newest["pipelineExecutionId"] == started["pipelineExecutionId"]
    assert newest["sourceRevisions"][0]["revisionId"] == "v7"
    assert older["sourceRevisions"][0]["revisionId"] != "v7"


def test_start_waits_for_an_approval(pipeline: Pipeline) -> None:
    execution = pipeline.start({"Lambda": succeed})

    assert execution.status == "InProgress"
    assert execution.actions["Editor"].status == "InProgress"
    assert execution.approve("Editor").status == "Succeeded"


def test_a_started_handler_is_continued_by_the_clock(
    cpjob: CodePipelineStub, pipeline: Pipeline
) -> None:
    invoked: list[float] = []

    def continued(event: dict[str, Any], context: object) -> None:
        job = event["CodePipeline.job"]
        invoked.append(cpjob.now)
        client = boto3.client("codepipeline", region_name="us-east-1")
        if len(invoked) < 3:
            client.put_job_success_result(jobId=job["id"], continuationToken="more")
        else:
            client.put_job_success_result(jobId=job["id"])

    execution = pipeline.start({"Lambda": continued}).approve("Editor")
    assert (invoked, execution.status) == ([0], "InProgress")
    assert len(execution.actions["Tell"].jobs) == 2
    cpjob.advance(29)
    assert len(invoked) == 1
    cpjob.advance(100)

    assert invoked == [0, 30, 60]
    assert execution.status == "Succeeded"


def test_an_approval_is_answered_by_its_token(cpjob: CodePipelineStub, pipeline: Pipeline) -> None:
    execution = pipeline.start({"Lambda": succeed})
    assert token(cpjob) == execution.actions["Editor"].id

    assert answer(cpjob, "Approved")["approvedAt"].year == 2026
    assert execution.status == "Succeeded"
    editor = states(cpjob)["Approve"]["actionStates"][0]["latestExecution"]
    assert editor["summary"] == "fine"
    assert editor["lastUpdatedBy"] == "arn:aws:iam::123456789012:user/reviewer"
    assert not editor.keys() & {"token", "externalExecutionId", "errorDetails"}


def test_a_rejection_fails_stage_and_execution(cpjob: CodePipelineStub, pipeline: Pipeline) -> None:
    execution = pipeline.start({"Lambda": succeed})

    answer(cpjob, "Rejected", summary="no")

    assert execution.status == "Failed"
    assert execution.actions["Tell"].status is None
    approve = states(cpjob)["Approve"]
    assert approve["latestExecution"]["status"] == "Failed"
    assert "errorDetails" not in approve["actionStates"][0]["latestExecution"]


def test_a_handler_may_answer_an_approval_of_another_pipeline(cpjob: CodePipelineStub) -> None:
    execution = cpjob.add_pipeline(with_approval()).start({"Lambda": succeed})

    def evaluate(event: dict[str, Any], context: object) -> None:
        client = boto3.client("codepipeline", region_name="us-east-1")
        client.put_approval_result(
            pipelineName="web",
            stageName="Approve",
            actionName="Editor",
            token=execution.actions["Editor"].id,
            result={"status": "Approved", "summary": "measured"},
        )
        succeed(event, context)

    cpjob.add_lambda_job(pipeline_name="models").invoke(evaluate)
    cpjob.advance(0)

    assert execution.status == "Succeeded"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"stageName": "Approval"}, "StageNotFoundException"),
        ({"actionName": "Edit"}, "ActionNotFoundException"),
        ({"pipelineName": "wep"}, "PipelineNotFoundException"),
        ({"token": "00000000-0000-0000-0000-000000000000"}, "InvalidApprovalTokenException"),
    ],
)
def test_an_answer_that_fits_no_approval_is_refused(
    cpjob: CodePipelineStub, pipeline: Pipeline, changes: dict[str, str], code: str
) -> None:
    pipeline.start({"Lambda": succeed})
    client = cpjob.client()

    with pytest.raises(client.exceptions.ClientError) as refused:
        answer(cpjob, "Approved", **changes)

    assert refused.value.response["Error"]["Code"] == code


def test_a_second_answer_is_refused(cpjob: CodePipelineStub, pipeline: Pipeline) -> None:
    execution = pipeline.start({"Lambda": succeed})
    used = token(cpjob)
    answer(cpjob, "Approved")
    client = cpjob.client()

    with pytest.raises(client.exceptions.ClientError, match="ApprovalAlreadyCompletedException"):
        answer(cpjob, "Approved", token=used)
    with pytest.raises(ValueError, match="Approve/Editor is not an approval that waits"):
        execution.approve("Editor")


def test_a_required_summary_keeps_the_approval_open(cpjob: CodePipelineStub) -> None:
    definition = with_approval()
    definition["stages"][1]["actions"][0]["configuration"] = {"IsSummaryRequired": "true"}
    execution = cpjob.add_pipeline(definition).start({"Lambda": succeed})
    client = cpjob.client()

    with pytest.raises(client.exceptions.ClientError, match="requires a summary"):
        answer(cpjob, "Approved", summary="")

    assert execution.actions["Editor"].status == "InProgress"


def test_an_approval_waits_seven_days(cpjob: CodePipelineStub, pipeline: Pipeline) -> None:
    execution = pipeline.start({"Lambda": succeed})

    cpjob.advance(7 * DAY - 1)
    assert execution.status == "InProgress"
    cpjob.advance(1)
    assert execution.status == "Failed"


# -- stop --------------------------------------------------------------------------------------


def test_stopping_lets_an_approval_be_answered_and_nothing_follow(
    cpjob: CodePipelineStub, pipeline: Pipeline
) -> None:
    execution = pipeline.start({"Lambda": succeed})

    execution.stop(reason="not on a Friday")
    assert (execution.status, execution.status_summary) == ("Stopping", "not on a Friday")
    assert states(cpjob)["Approve"]["latestExecution"]["status"] == "Stopping"
    execution.approve("Editor")

    assert execution.status == "Stopped"
    assert states(cpjob)["Approve"]["latestExecution"]["status"] == "Stopped"
    assert execution.actions["Tell"].status is None


def test_abandoning_ends_what_is_in_progress(cpjob: CodePipelineStub, pipeline: Pipeline) -> None:
    execution = pipeline.start({"Lambda": succeed})

    execution.stop(abandon=True)

    assert execution.status == "Stopped"
    assert execution.actions["Editor"].status == "Abandoned"


def test_a_second_stop_is_refused_and_an_abandon_is_not(pipeline: Pipeline) -> None:
    execution = pipeline.start({"Lambda": succeed}).stop()

    with pytest.raises(CpjobError, match="DuplicatedStopRequestException"):
        execution.stop()
    execution.stop(abandon=True)
    with pytest.raises(CpjobError, match="PipelineExecutionNotStoppableException"):
        execution.stop()


def test_a_result_of_an_abandoned_job_is_taken_and_revives_nothing(
    cpjob: CodePipelineStub, pipeline: Pipeline
) -> None:
    execution = pipeline.start({"Lambda": silent}).approve("Editor")
    job = execution.actions["Tell"].job
    assert job is not None

    execution.stop(abandon=True)
    cpjob.client().put_job_success_result(jobId=job.id)

    assert (execution.status, execution.actions["Tell"].status) == ("Stopped", "Abandoned")


def test_a_handler_stops_its_own_pipeline(cpjob: CodePipelineStub) -> None:
    def stop(event: dict[str, Any], context: object) -> None:
        client = boto3.client("codepipeline", region_name="us-east-1")
        state = client.get_pipeline_state(name="web")["stageStates"][2]
        client.stop_pipeline_execution(
            pipelineName="web",
            pipelineExecutionId=state["latestExecution"]["pipelineExecutionId"],
            reason="nothing to do",
        )
        announce(event, context)

    execution = cpjob.add_pipeline(declaration()).run(
        performers(Announce=stop), variables={"Owner": "docs"}
    )

    assert execution.status == "Stopped"
    assert execution.actions["Announce"].status == "Succeeded"
    assert execution.actions["Tell"].status is None


# -- deletion ----------------------------------------------------------------------------------


def names_listed(client: Any) -> list[str]:
    return [each["name"] for each in client.list_pipelines()["pipelines"]]


@pytest.mark.parametrize("in_moto", [False, True])
def test_a_deleted_pipeline_is_not_there_any_more(cpjob: CodePipelineStub, in_moto: bool) -> None:
    client = boto3.client("codepipeline", region_name="us-east-1")
    with mock_aws() if in_moto else nullcontext():
        pipeline = cpjob.add_pipeline(declaration())
        cpjob.add_pipeline(with_approval(name="other"))

        client.delete_pipeline(name="web")
        client.delete_pipeline(name="web")

        assert names_listed(client) == ["other"]
        for ask in (
            client.get_pipeline,
            client.get_pipeline_state,
            client.start_pipeline_execution,
        ):
            with pytest.raises(client.exceptions.PipelineNotFoundException):
                ask(name="web")
        client.delete_pipeline(name="other")
        assert names_listed(client) == []
        for use in (pipeline.run, lambda: pipeline.add_job("Announce")):
            with pytest.raises(
                CpjobError, match=r"'web' was deleted \(DeletePipeline\): add it again"
            ):
                use()
        cpjob.add_pipeline(declaration())
        assert names_listed(client) == ["web"]


def test_a_handler_deletes_its_own_pipeline(cpjob: CodePipelineStub) -> None:
    def delete(event: dict[str, Any], context: object) -> None:
        boto3.client("codepipeline", region_name="us-east-1").delete_pipeline(name="web")
        announce(event, context)

    execution = cpjob.add_pipeline(declaration()).run(
        performers(Announce=delete), variables={"Owner": "docs"}
    )

    assert execution.status == "Stopped"
    assert execution.actions["Announce"].status == "Abandoned"
    assert execution.actions["Tell"].status is None
    with pytest.raises(CpjobError, match="StageNotRetryableException"):
        execution.retry("Release")


def test_a_single_job_s_pipeline_is_deleted(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(pipeline_name="docs")
    client = cpjob.client()

    client.delete_pipeline(name="docs")
    assert names_listed(client) == []
    client.put_job_success_result(jobId=job.id)
    cpjob.add_lambda_job(pipeline_name="docs")

    assert job.result is None
    assert names_listed(client) == ["docs"]
    assert (
        len(client.list_pipeline_executions(pipelineName="docs")["pipelineExecutionSummaries"]) == 1
    )


@pytest.mark.cpjob(allow=["unfaked-call"])
def test_a_pipeline_that_the_test_does_not_have_is_not_ours_to_delete(
    cpjob: CodePipelineStub, pipeline: Pipeline
) -> None:
    with pytest.raises(UnfakedCallError, match=r"codepipeline\.DeletePipeline"):
        cpjob.client().delete_pipeline(name="another")


# -- retry -------------------------------------------------------------------------------------


def flaky(*outcomes: Callable[[dict[str, Any], object], None]) -> Callable[..., None]:
    """A handler that does another thing each time."""
    left = list(outcomes)
    return lambda event, context: left.pop(0)(event, context)


def run_flaky(cpjob: CodePipelineStub) -> PipelineExecution:
    pipeline = cpjob.add_pipeline(declaration())
    return pipeline.run(
        performers(Tell=flaky(fail, succeed)),
        variables={"Owner": "docs"},
    )


def test_a_retry_keeps_what_has_succeeded(cpjob: CodePipelineStub) -> None:
    execution = run_flaky(cpjob)
    failed = execution.actions["Tell"]
    job_before = failed.job
    assert job_before is not None

    assert execution.retry("Release").status == "Succeeded"

    told = execution.actions["Tell"]
    assert [each.status for each in told.attempts] == ["Failed", "Succeeded"]
    assert len(execution.actions["Announce"].attempts) == 1
    job = told.job
    assert job is not None
    assert job.id != job_before.id
    assert job.facts.action_execution_id != job_before.facts.action_execution_id
    assert job.input_artifacts["Post"].key == job_before.input_artifacts["Post"].key


def test_events_count_the_attempts_as_the_events_of_single_jobs_do(
    cpjob: CodePipelineStub,
) -> None:
    execution = run_flaky(cpjob)
    execution.retry("Release")
    noted = [
        (event["detail-type"].split()[1], event["detail"])
        for event in execution.events
        if event["detail"].get("stage") in (None, "Release")
        and event["detail"].get("action") in (None, "Tell")
    ]

    assert [(level, at["state"], at["pipeline-execution-attempt"]) for level, at in noted] == [
        ("Pipeline", "STARTED", 1.0),
        ("Stage", "STARTED", 0.0),
        ("Action", "STARTED", 1.0),
        ("Action", "FAILED", 1.0),
        ("Stage", "FAILED", 0.0),
        ("Pipeline", "FAILED", 1.0),
        ("Pipeline", "RESUMED", 2.0),
        ("Stage", "RESUMED", 1.0),
        ("Action", "STARTED", 2.0),
        ("Action", "SUCCEEDED", 2.0),
        ("Stage", "SUCCEEDED", 1.0),
        ("Pipeline", "SUCCEEDED", 2.0),
    ]
    attempts = execution.actions["Tell"].attempts
    told = [each.job.state_change_event()["detail"] for each in attempts if each.job is not None]
    started = [at for level, at in noted if (level, at["state"]) == ("Action", "STARTED")]
    assert [at["pipeline-execution-attempt"] for at in told] == [1.0, 2.0]
    assert told == started


def test_a_retry_of_all_actions_begins_the_stage_anew(cpjob: CodePipelineStub) -> None:
    execution = run_flaky(cpjob)
    key = execution.artifacts["Post"].key

    assert execution.retry("Release", "ALL_ACTIONS").status == "Succeeded"

    assert len(execution.actions["Announce"].attempts) == 2
    assert execution.artifacts["Post"].key != key


def test_a_retry_of_a_started_execution_goes_on_with_the_clock(cpjob: CodePipelineStub) -> None:
    execution = cpjob.add_pipeline(with_approval()).start({"Lambda": flaky(fail, succeed)})
    execution.approve("Editor")
    assert execution.status == "Failed"

    execution.retry("Release")
    assert execution.status == "InProgress"
    cpjob.advance(1)

    assert execution.status == "Succeeded"


@pytest.mark.parametrize("stage", ["Source", "Build"])
def test_only_the_stage_that_has_failed_is_retried(cpjob: CodePipelineStub, stage: str) -> None:
    execution = run_flaky(cpjob)

    with pytest.raises(CpjobError, match="StageNotRetryableException"):
        execution.retry(stage)


def test_a_stage_that_a_newer_execution_has_entered_is_not_retried(
    cpjob: CodePipelineStub,
) -> None:
    pipeline = cpjob.add_pipeline(with_approval())
    first = pipeline.run({"Lambda": fail})
    pipeline.run({"Lambda": fail})

    with pytest.raises(CpjobError, match="NotLatestPipelineExecutionException"):
        first.retry("Release")


def test_a_stage_or_a_mode_that_is_not_there_is_a_mistake(pipeline: Pipeline) -> None:
    execution = pipeline.run({"Lambda": fail})

    with pytest.raises(ValueError, match="the pipeline has no stage 'Relase'"):
        execution.retry("Relase")
    with pytest.raises(ValueError, match="mode: expected FAILED_ACTIONS or ALL_ACTIONS"):
        execution.retry("Release", "ALL")


# -- executions that meet ----------------------------------------------------------------------


def test_a_newer_execution_overtakes_one_that_waits(pipeline: Pipeline) -> None:
    first, second, third = (pipeline.start({"Lambda": succeed}) for _ in range(3))
    assert [each.status for each in (first, second, third)] == [
        "InProgress",
        "Superseded",
        "InProgress",
    ]

    first.approve("Editor")
    assert first.status == "Succeeded"
    assert third.approve("Editor").status == "Succeeded"
    assert pipeline.executions == [first, second, third]


def test_queued_executions_wait_for_their_turn(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(with_approval(pipelineType="V2", executionMode="QUEUED"))
    executions = [pipeline.start({"Lambda": succeed}) for _ in range(3)]

    for execution in executions:
        assert execution.approve("Editor").status == "Succeeded"


def test_parallel_executions_do_not_wait_and_are_not_shown(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(with_approval(pipelineType="V2", executionMode="PARALLEL"))
    first, second = (pipeline.start({"Lambda": succeed}) for _ in range(2))

    assert first.actions["Editor"].status == second.actions["Editor"].status == "InProgress"
    assert "latestExecution" not in states(cpjob)["Approve"]
    listed = cpjob.client().list_action_executions(pipelineName="web")
    tokens = {
        each["output"]["executionResult"]["externalExecutionId"]
        for each in listed["actionExecutionDetails"]
        if each["actionName"] == "Editor"
    }
    assert tokens == {first.actions["Editor"].id, second.actions["Editor"].id}


def test_an_execution_waits_before_a_disabled_transition(
    cpjob: CodePipelineStub, pipeline: Pipeline
) -> None:
    client = cpjob.client()
    where = {"pipelineName": "web", "stageName": "Release", "transitionType": "Inbound"}
    client.disable_stage_transition(**where, reason="Frozen until Monday.")

    execution = pipeline.run({"Lambda": succeed})
    release = states(cpjob)["Release"]
    assert execution.status == "InProgress"
    assert release["inboundExecution"]["pipelineExecutionId"] == execution.id
    assert release["inboundTransitionState"]["disabledReason"] == "Frozen until Monday."

    client.enable_stage_transition(**where)
    assert execution.status == "Succeeded"
    assert states(cpjob)["Release"]["inboundTransitionState"] == {"enabled": True}


def test_a_client_starts_an_execution_with_the_latest_performers(
    cpjob: CodePipelineStub, pipeline: Pipeline
) -> None:
    pipeline.run({"Lambda": succeed})
    client = cpjob.client()

    started = client.start_pipeline_execution(name="web", clientRequestToken="once")
    again = client.start_pipeline_execution(name="web", clientRequestToken="once")

    assert started["pipelineExecutionId"] == again["pipelineExecutionId"]
    assert [each.status for each in pipeline.executions] == ["Succeeded", "InProgress"]
    assert pipeline.executions[1].approve("Editor").status == "Succeeded"


def test_a_handler_starts_its_pipeline_anew(cpjob: CodePipelineStub) -> None:
    started: list[str] = []

    def start(event: dict[str, Any], context: object) -> None:
        if not started:
            client = boto3.client("codepipeline", region_name="us-east-1")
            started.append(client.start_pipeline_execution(name="web")["pipelineExecutionId"])
        succeed(event, context)

    pipeline = cpjob.add_pipeline(with_approval())
    pipeline.run({"Lambda": start, "Editor": StandIn()})

    assert [each.status for each in pipeline.executions] == ["Succeeded", "Succeeded"]
    assert pipeline.executions[1].id == started[0]
