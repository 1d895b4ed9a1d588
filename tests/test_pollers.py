"""Pollers that live in Lambda, and the events of EventBridge that start them."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import datetime
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub, ContractError, Job

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
CLIENT = boto3.client("codepipeline", region_name="us-east-1")
FIRST_DAY = r"2026-01-01T\d{2}:\d{2}:\d{2}Z"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

Event = dict[str, Any]


def poller(event: Event, context: object) -> dict[str, int]:
    """What both public pollers do: look whether the event is for them, and poll until idle."""
    if event["source"] == "aws.codepipeline":
        detail = event["detail"]
        if detail["state"] != "STARTED" or detail["type"]["provider"] != "Docs":
            return {"done": 0}
    done = 0
    while jobs := CLIENT.poll_for_jobs(actionTypeId=DOCS, maxBatchSize=10)["jobs"]:
        for job in jobs:
            CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            CLIENT.put_job_success_result(jobId=job["id"])
            done += 1
    return {"done": done}


def echo(event: Any, context: object) -> Any:
    return event


# -- invoking what is no action --------------------------------------------------------------------


def test_a_poller_is_invoked_by_its_schedule_and_gives_its_answer(cpjob: CodePipelineStub) -> None:
    jobs = [cpjob.add_job(action_type=DOCS) for _ in range(3)]

    assert cpjob.invoke(poller) == {"done": 3}
    assert cpjob.invoke(poller) == {"done": 0}
    assert {job.status for job in jobs} == {"Succeeded"}


def test_a_poller_is_invoked_by_its_actions_start(cpjob: CodePipelineStub) -> None:
    job, other = (cpjob.add_job(action_type=kind) for kind in (DOCS, "Test:Custom:Other:1"))

    assert cpjob.invoke(poller, other.state_change_event()) == {"done": 0}
    assert cpjob.invoke(poller, job.state_change_event("SUCCEEDED")) == {"done": 0}
    assert job.status == "Queued"
    assert cpjob.invoke(poller, job.state_change_event()) == {"done": 1}
    assert (job.status, other.status) == ("Succeeded", "Queued")


@pytest.mark.parametrize("answer", [None, 0, "done", {"statusCode": 200}, [1, 2]])
def test_the_answer_is_what_the_function_returned(cpjob: CodePipelineStub, answer: object) -> None:
    assert cpjob.invoke(lambda event, context: answer) is answer


@pytest.mark.parametrize("event", [{}, {"jobs": [1, 2]}, [], "text", 0, False])
def test_any_event_can_be_given(cpjob: CodePipelineStub, event: object) -> None:
    assert cpjob.invoke(echo, event) == event


def test_without_an_event_it_is_the_schedules(cpjob: CodePipelineStub) -> None:
    expected = cpjob.scheduled_event()

    for given in (cpjob.invoke(echo), cpjob.invoke(echo, None)):
        assert given == {**expected, "id": given["id"]}


def test_the_function_has_its_own_name_and_the_stubs_region_and_account() -> None:
    seen: list[Any] = []

    def look(event: Event, context: Any) -> None:
        seen.append((context, os.environ["AWS_LAMBDA_FUNCTION_NAME"], os.environ["AWS_REGION"]))

    with CodePipelineStub(region="eu-west-3", account_id="210987654321") as cpjob:
        cpjob.invoke(look)
        cpjob.invoke(look)

    (first, name, region), (second, _, _) = seen
    assert (name, region) == ("look", "eu-west-3")
    assert first.invoked_function_arn == "arn:aws:lambda:eu-west-3:210987654321:function:look"
    assert re.fullmatch(UUID, first.aws_request_id)
    assert first.aws_request_id != second.aws_request_id
    assert first.get_remaining_time_in_millis() == 900_000


def test_its_sleeps_move_the_job_clock_and_jobs_it_waits_for_come_again(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_job(action_type=DOCS)
    cpjob.client().poll_for_jobs(actionTypeId=DOCS)

    def waits_for_redelivery(event: Event, context: object) -> dict[str, int]:
        assert poller(event, context) == {"done": 0}
        time.sleep(300)
        return poller(event, context)

    assert cpjob.invoke(waits_for_redelivery) == {"done": 1}
    assert job.status == "Succeeded"
    assert cpjob.now == 300


def test_a_poller_is_held_to_the_contract_of_workers(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(action_type=DOCS)

    def acknowledges_only(event: Event, context: object) -> None:
        for polled in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
            CLIENT.acknowledge_job(jobId=polled["id"], nonce=polled["nonce"])

    cpjob.invoke(acknowledges_only)

    with pytest.raises(ContractError, match=job.id) as caught:
        cpjob.check()
    assert caught.value.names == ("no-result",)


def test_what_it_raises_reaches_the_test_and_is_nobodys_finding(cpjob: CodePipelineStub) -> None:
    cpjob.add_lambda_job()

    with pytest.raises(CLIENT.exceptions.ActionTypeNotFoundException):
        cpjob.invoke(poller)


# -- the schedule's event --------------------------------------------------------------------------


@pytest.mark.cpjob(region="cn-north-1", account_id="210987654321")
def test_the_schedules_event_is_eventbridges(cpjob: CodePipelineStub) -> None:
    event = cpjob.scheduled_event()

    assert event == {
        "version": "0",
        "id": event["id"],
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "210987654321",
        "time": event["time"],
        "region": "cn-north-1",
        "resources": ["arn:aws-cn:events:cn-north-1:210987654321:rule/every-minute"],
        "detail": {},
    }
    assert re.fullmatch(UUID, event["id"])
    assert re.fullmatch(FIRST_DAY, event["time"])


def test_a_state_has_one_event_fresh_each_time(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(input_artifacts=["Source"])

    first = job.state_change_event()
    whole = json.dumps(first)
    first["detail"].clear()
    first.clear()

    assert json.dumps(job.state_change_event()) == whole


def test_each_scheduled_event_has_an_id_of_its_own(cpjob: CodePipelineStub) -> None:
    ids = []
    cpjob.invoke(lambda event, _: ids.append(event["id"]))
    cpjob.invoke(lambda event, _: ids.append(event["id"]))
    another = cpjob.scheduled_event()

    assert len({*ids, another["id"]}) == 3
    assert another == {**cpjob.scheduled_event(), "id": another["id"]}


# -- the event of an action's state ----------------------------------------------------------------


@pytest.fixture
def docs_job(cpjob: CodePipelineStub) -> Job:
    """A job with artifacts both ways."""
    return cpjob.add_job(
        action_type="Build:Custom:Docs:7",
        pipeline_name="website",
        stage_name="Build",
        action_name="Docs",
        input_artifacts={"Source": {"index.md": "# Hi"}, "Theme": {"dark.css": ""}},
        output_artifacts=["Site"],
    )


def place_of(job: Job, name: str) -> dict[str, Any]:
    """Where the event says an artifact is."""
    data = job.details["jobDetails"]["data"]
    (artifact,) = (
        each for each in [*data["inputArtifacts"], *data["outputArtifacts"]] if each["name"] == name
    )
    at = artifact["location"]["s3Location"]
    return {"name": name, "s3location": {"bucket": at["bucketName"], "key": at["objectKey"]}}


def test_the_start_of_an_action_is_told_with_its_inputs(docs_job: Job) -> None:
    event = docs_job.state_change_event()
    detail = event["detail"]

    assert detail == {
        "pipeline": "website",
        "execution-id": detail["execution-id"],
        "start-time": f"{event['time'][:-1]}.000Z",
        "stage": "Build",
        "action-execution-id": detail["action-execution-id"],
        "action": "Docs",
        "state": "STARTED",
        "region": "us-east-1",
        "type": {"owner": "Custom", "provider": "Docs", "category": "Build", "version": "7"},
        "version": 1.0,
        "pipeline-execution-attempt": 1.0,
        "input-artifacts": [place_of(docs_job, "Source"), place_of(docs_job, "Theme")],
    }
    assert event == {
        "version": "0",
        "id": event["id"],
        "detail-type": "CodePipeline Action Execution State Change",
        "source": "aws.codepipeline",
        "account": "123456789012",
        "time": event["time"],
        "region": "us-east-1",
        "resources": ["arn:aws:codepipeline:us-east-1:123456789012:website"],
        "detail": detail,
    }
    assert re.fullmatch(UUID, event["id"])
    assert re.fullmatch(FIRST_DAY, event["time"])
    # EventBridge writes both as numbers with a decimal point.
    assert json.dumps([detail["version"], detail["pipeline-execution-attempt"]]) == "[1.0, 1.0]"


def test_the_event_is_of_the_pipeline_and_execution_that_the_job_is_of(docs_job: Job) -> None:
    context = docs_job.details["jobDetails"]["data"]["pipelineContext"]
    event = docs_job.state_change_event()

    assert event["detail"]["execution-id"] == context["pipelineExecutionId"]
    assert event["detail"]["action-execution-id"] == context["action"]["actionExecutionId"]
    assert event["resources"] == [context["pipelineArn"]]


def test_the_success_of_an_action_is_told_with_its_outputs(docs_job: Job) -> None:
    detail = docs_job.state_change_event("SUCCEEDED")["detail"]

    assert detail["state"] == "SUCCEEDED"
    assert detail["output-artifacts"] == [place_of(docs_job, "Site")]
    assert "input-artifacts" not in detail


@pytest.mark.parametrize("state", ["FAILED", "ABANDONED"])
def test_an_action_that_came_to_nothing_is_told_without_artifacts(
    docs_job: Job, state: str
) -> None:
    detail = docs_job.state_change_event(state)["detail"]

    assert detail["state"] == state
    assert not [name for name in detail if name.endswith("artifacts")]


def test_time_is_the_job_clocks_and_the_start_is_the_actions(
    cpjob: CodePipelineStub, docs_job: Job
) -> None:
    before = docs_job.state_change_event()
    cpjob.advance(90.25)
    after = docs_job.state_change_event("SUCCEEDED")

    assert after["detail"]["start-time"] == before["detail"]["start-time"]
    began, ended = (datetime.strptime(e["time"], "%Y-%m-%dT%H:%M:%SZ") for e in (before, after))
    assert (ended - began).total_seconds() == 90


def test_an_ended_custom_action_is_told_with_its_workers_own_result(
    cpjob: CodePipelineStub, docs_job: Job
) -> None:
    client = cpjob.client()
    client.poll_for_jobs(actionTypeId=docs_job.details["jobDetails"]["data"]["actionTypeId"])
    client.acknowledge_job(jobId=docs_job.id, nonce=docs_job.nonce)
    client.put_job_failure_result(
        jobId=docs_job.id,
        failureDetails={
            "type": "ConfigurationError",
            "message": "no theme",
            "externalExecutionId": "build-7",
        },
    )

    assert "execution-result" not in docs_job.state_change_event()["detail"]
    assert docs_job.state_change_event("FAILED")["detail"]["execution-result"] == {
        "external-execution-id": "build-7",
        "external-execution-summary": "no theme",
        "error-code": "ConfigurationError",
    }


def test_an_ended_lambda_action_is_told_with_its_function(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(function_name="build-docs", region="eu-west-1")
    cpjob.client().put_job_success_result(
        jobId=job.id, executionDetails={"summary": "done", "externalExecutionId": "mine"}
    )

    assert job.state_change_event("SUCCEEDED")["detail"]["execution-result"] == {
        "external-execution-id": "build-docs",
        "external-execution-url": "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
        "#logStream:group=%252Faws%252Flambda%252Fbuild-docs",
    }


@pytest.mark.parametrize(
    ("of", "state", "members", "attempt"),
    [
        ("stage", "RESUMED", {"stage": "Build", "state": "RESUMED"}, 0.0),
        ("pipeline", "SUPERSEDED", {"state": "SUPERSEDED"}, 1.0),
    ],
)
def test_stages_and_pipelines_have_events_too(
    docs_job: Job, of: Any, state: str, members: dict[str, str], attempt: float
) -> None:
    event = docs_job.state_change_event(state, of=of)

    assert event["detail-type"] == f"CodePipeline {of.title()} Execution State Change"
    assert event["detail"] == {
        "pipeline": "website",
        "execution-id": docs_job.facts.pipeline_execution_id,
        "start-time": event["detail"]["start-time"],
        **members,
        "version": 1.0,
        "pipeline-execution-attempt": attempt,
    }
    with pytest.raises(ValueError, match=r"^state: expected one of STARTED, "):
        docs_job.state_change_event("ABANDONED", of=of)


def test_what_has_no_events_is_refused(docs_job: Job) -> None:
    with pytest.raises(ValueError, match=r"^of: expected one of .*, got 'job'$"):
        docs_job.state_change_event(of="job")


def test_an_action_without_artifacts_has_none_in_its_events(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job()

    for state in ("STARTED", "SUCCEEDED"):
        assert not [name for name in job.state_change_event(state)["detail"] if "artifact" in name]


def test_each_state_is_an_event_of_its_own(docs_job: Job) -> None:
    ids = {
        docs_job.state_change_event(state)["id"]
        for state in ("STARTED", "SUCCEEDED", "FAILED", "ABANDONED")
    }

    assert len(ids) == 4


@pytest.mark.parametrize("state", ["Started", "started", "RUNNING", "", None])
def test_a_state_that_eventbridge_does_not_know_is_refused(docs_job: Job, state: Any) -> None:
    with pytest.raises(ValueError, match=r"^state: expected one of STARTED, SUCCEEDED, FAILED, "):
        docs_job.state_change_event(state)


def test_every_kind_of_job_has_the_event(cpjob: CodePipelineStub) -> None:
    jobs = [
        cpjob.add_job(),
        cpjob.add_lambda_job(region="us-gov-west-1"),
        cpjob.add_third_party_job(),
    ]

    events = [job.state_change_event() for job in jobs]

    assert [event["detail"]["type"]["owner"] for event in events] == ["Custom", "AWS", "ThirdParty"]
    assert events[1]["resources"][0].startswith("arn:aws-us-gov:codepipeline:us-gov-west-1:")
    assert cpjob.calls == []


def test_asking_for_the_event_delivers_nothing(cpjob: CodePipelineStub) -> None:
    """An event that nobody polls after leaves no finding, and no job that owes a result."""
    job = cpjob.add_lambda_job()

    job.state_change_event()
    cpjob.check()

    assert job.status == "InProgress"
