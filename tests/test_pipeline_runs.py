"""A whole pipeline run in memory: order, artifacts, variables, failures."""

from __future__ import annotations

import re
from typing import Any

import boto3
import pytest
from pipeline_definitions import action, declaration, kind, names
from pipeline_workers import (
    announce,
    docs_poller,
    docs_worker,
    fail,
    performers,
    silent,
    succeed,
)

from pytest_cpjob import (
    CodePipelineStub,
    ContractError,
    JobFailure,
    PipelineExecution,
    StandIn,
    WorkerError,
)

UNRESOLVED = (
    "An action in this pipeline failed because one or more variables could not be resolved: Action"
    " name=Announce. This can result when a variable is referenced that does not exist. Validate"
    " the configuration for this action."
)


def run(cpjob: CodePipelineStub, given: dict[str, Any] | None = None) -> PipelineExecution:
    pipeline = cpjob.add_pipeline(declaration())
    return pipeline.run(performers(**(given or {})), variables={"Owner": "docs"})


def test_a_pipeline_runs_from_its_source_to_its_end(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob)

    assert execution.status == "Succeeded"
    assert [each.status for each in execution.actions.values()] == ["Succeeded"] * 5
    assert execution.variables == {"Channel": "stable", "Owner": "docs"}


def test_variables_are_put_in_right_before_an_action(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob)

    assert execution.actions["Announce"].resolved_configuration["UserParameters"] == (
        '{"tag": "v7", "by": "docs"}'
    )
    assert execution.actions["Tell"].resolved_configuration["UserParameters"] == (
        f"42 in stable by {execution.id}"
    )


def test_an_inserted_text_is_not_looked_at_again(cpjob: CodePipelineStub) -> None:
    execution = run(
        cpjob, {"Build/Compile": StandIn(output_variables={"Tag": "#{variables.Owner}"})}
    )

    assert "#{variables.Owner}" in str(execution.actions["Announce"].resolved_configuration)


def test_artifacts_go_from_object_to_object(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob, {"Site": StandIn(output_artifacts={"Code": {"index.md": "# Hi"}})})
    job = execution.actions["Announce"].job
    assert job is not None

    assert execution.artifacts["Code"].files == {"index.md": b"# Hi"}
    assert execution.artifacts["Manual"].content == b"made"
    assert job.input_artifacts["Manual"].uri == execution.artifacts["Manual"].uri
    assert execution.artifacts["Code"].key.endswith(".zip")
    assert not execution.artifacts["Site"].key.endswith(".zip")


def test_a_source_tells_its_revision_and_a_build_none(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob, {"Site": StandIn(revision="v-1")})
    docs, announced = execution.actions["Docs"].job, execution.actions["Announce"].job
    assert docs is not None
    assert announced is not None

    assert docs.input_artifacts["Code"].revision == "v-1"
    assert announced.input_artifacts["Site"].revision is None
    assert execution.actions["Build/Compile"].output_variables == {"Tag": "v7"}
    assert execution.actions["Source/Site"].output_variables["VersionId"] == "v-1"


def test_an_action_s_job_tells_its_success(cpjob: CodePipelineStub) -> None:
    job = run(cpjob).actions["Announce"].job
    assert job is not None

    assert job.success.output_variables == {"post": "42"}


def test_all_jobs_have_one_execution(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob)

    assert {job.facts.pipeline_execution_id for job in cpjob.jobs} == {execution.id}
    assert [job.facts.action_execution_id for job in cpjob.jobs] == [
        execution.actions[name].id for name in ("Docs", "Announce", "Tell")
    ]


def test_a_failed_action_fails_its_stage_and_nothing_follows(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob, {"Announce": fail})
    announced = execution.actions["Announce"]

    assert execution.status == "Failed"
    assert (announced.error_code, announced.error_message) == ("ConfigurationError", "no channel")
    assert execution.actions["Tell"].status is None


def test_parallel_actions_go_on_when_one_fails(cpjob: CodePipelineStub) -> None:
    definition = declaration()
    tell = action(definition, "Tell")
    tell.update(runOrder=1, inputArtifacts=[], configuration={"FunctionName": "tell"})

    execution = cpjob.add_pipeline(definition).run(
        performers(Announce=fail), variables={"Owner": "docs"}
    )

    assert execution.status == "Failed"
    assert execution.actions["Tell"].status == "Succeeded"


def test_a_stand_in_fails_with_a_text_or_a_failure(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob, {"Build/Compile": StandIn(failure="exit status 1")})
    assert execution.actions["Compile"].error_code == "JobFailed"
    assert execution.actions["Compile"].error_message == "exit status 1"

    failure = JobFailure("SystemUnavailable", "later")
    execution = run(cpjob, {"Build/Compile": StandIn(failure=failure)})
    assert execution.actions["Compile"].error_code == "SystemUnavailable"


def test_a_missing_object_fails_its_consumer(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob, {"Site": StandIn(output_artifacts={"Code": None})})
    compiled = execution.actions["Compile"]

    assert execution.actions["Source/Site"].status == "Succeeded"
    assert compiled.error_code == "ConfigurationError"
    assert "input artifact 'Code'" in str(compiled.error_message)
    assert "404" in str(compiled.error_message)
    assert "! Code has no object: Source/Site uploaded none" in execution.timeline


def test_a_variable_that_nobody_gave_fails_its_action(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob, {"Build/Compile": StandIn(output_variables={"Version": "7"})})
    announced = execution.actions["Announce"]

    assert announced.error_message == UNRESOLVED
    assert announced.job is None
    assert "#{Build.Tag}" in announced.resolved_configuration["UserParameters"]


def test_a_required_variable_is_missing(cpjob: CodePipelineStub) -> None:
    execution = cpjob.add_pipeline(declaration()).run(performers())

    assert execution.status == "Failed"
    assert execution.status_summary == (
        "Values for required variables haven't been provided: Owner"
    )
    assert execution.actions["Source/Site"].status is None


def test_a_handler_is_invoked_again_with_its_continuation_token(cpjob: CodePipelineStub) -> None:
    def continued(event: dict[str, Any], context: object) -> None:
        job = event["CodePipeline.job"]
        client = cpjob.client()
        if "continuationToken" in job["data"]:
            announce(event, context)
        else:
            client.put_job_success_result(jobId=job["id"], continuationToken="page 2")

    execution = run(cpjob, {"Announce": continued})
    jobs = execution.actions["Announce"].jobs

    assert len(jobs) == 2
    assert jobs[0].facts.action_execution_id == jobs[1].facts.action_execution_id
    assert execution.actions["Announce"].job == jobs[1]


@pytest.mark.cpjob(allow=["missing-output"])
def test_an_output_that_was_not_uploaded_is_told_where_it_is_missed(
    cpjob: CodePipelineStub,
) -> None:
    def forgetful(event: dict[str, Any], context: object) -> None:
        client = boto3.client("codepipeline", region_name="us-east-1")
        job_id = event["CodePipeline.job"]["id"]
        client.put_job_success_result(jobId=job_id, outputVariables={"post": "42"})

    execution = run(cpjob, {"Announce": forgetful})

    assert execution.actions["Announce"].status == "Succeeded"
    assert "! Post has no object: Release/Announce uploaded none" in execution.timeline


def test_a_poller_is_started_by_the_event(cpjob: CodePipelineStub) -> None:
    assert run(cpjob, {"Docs": docs_poller}).status == "Succeeded"


def test_an_exception_out_of_a_handler_leaves_the_run(cpjob: CodePipelineStub) -> None:
    def broken(event: dict[str, Any], context: object) -> None:
        raise LookupError("no such page")

    with pytest.raises(LookupError, match="no such page"):
        run(cpjob, {"Announce": broken})
    with pytest.raises(ContractError, match="raised"):
        cpjob.check()


def test_an_action_without_a_result_times_out(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob, {"Announce": silent})

    assert execution.status == "Failed"
    told = (
        "The AWS Lambda function announce failed to return a result. Check the function to verify"
        " that it has permission to call the PutJobSuccessResult action and that it made a call to"
        " PutJobSuccessResult."
    )
    assert execution.actions["Announce"].error_message == told
    state = cpjob.client().get_pipeline_state(name="web")
    [latest] = [
        each["latestExecution"]
        for stage in state["stageStates"]
        for each in stage["actionStates"]
        if each["actionName"] == "Announce"
    ]
    assert latest["errorDetails"] == {"code": "JobFailed", "message": told}
    assert cpjob.now == 20 * 60 + 5
    with pytest.raises(ContractError, match="no-result"):
        cpjob.check()


def test_parallel_handlers_run_in_an_order_that_the_seed_decides() -> None:
    def order(seed: int) -> tuple[str, ...]:
        ran: list[str] = []
        with CodePipelineStub(seed=seed) as cpjob:

            def note(event: dict[str, Any], context: Any) -> None:
                ran.append(context.function_name)
                succeed(event, context)

            parallel = {
                "name": "web",
                "roleArn": "arn:aws:iam::123456789012:role/web",
                "artifactStore": {"type": "S3", "location": "web-artifacts"},
                "stages": [
                    declaration()["stages"][0],
                    {
                        "name": "Release",
                        "actions": [
                            {
                                "name": name,
                                "actionTypeId": kind("Invoke", "Lambda"),
                                "configuration": {"FunctionName": name},
                                "inputArtifacts": names("Code"),
                            }
                            for name in ("a", "b", "c")
                        ],
                    },
                ],
            }
            cpjob.add_pipeline(parallel).run({"Lambda": note})
        return tuple(ran)

    orders = {seed: order(seed) for seed in range(8)}
    assert order(1) == orders[1]
    assert len(set(orders.values())) > 2


def test_workers_of_one_run_order_run_side_by_side(cpjob: CodePipelineStub) -> None:
    definition = declaration()
    definition["stages"][1]["actions"].append(
        {
            "name": "Manual",
            "runOrder": 2,
            "actionTypeId": kind("Build", "Printer", "Custom"),
            "configuration": {},
            "inputArtifacts": names("Code"),
        }
    )

    def printer() -> None:
        client = cpjob.client()
        for job in client.poll_for_jobs(actionTypeId=kind("Build", "Printer", "Custom"))["jobs"]:
            client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            client.put_job_success_result(jobId=job["id"])

    execution = cpjob.add_pipeline(definition).run(
        performers(Manual=printer, Docs=docs_worker), variables={"Owner": "docs"}
    )

    assert execution.actions["Build/Manual"].status == "Succeeded"
    assert execution.actions["Build/Docs"].status == "Succeeded"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no_such_module.main", "no module 'no_such_module' found for the worker"),
        ("pipeline_workers.no_such", "module 'pipeline_workers' has no function 'no_such'"),
    ],
)
def test_a_worker_is_named_as_a_handler_is(cpjob: CodePipelineStub, name: str, told: str) -> None:
    with pytest.raises(WorkerError, match=told):
        run(cpjob, {"Docs": name})


def test_each_region_has_its_copy_of_an_artifact(cpjob: CodePipelineStub) -> None:
    definition = declaration()
    store = definition.pop("artifactStore")
    definition["artifactStores"] = {
        "us-east-1": store,
        "eu-west-1": {"type": "S3", "location": "web-artifacts-eu"},
    }
    tell = action(definition, "Tell")
    tell["region"] = "eu-west-1"

    execution = cpjob.add_pipeline(definition).run(performers(), variables={"Owner": "docs"})
    job = execution.actions["Tell"].job
    assert job is not None

    assert execution.status == "Succeeded"
    assert job.input_artifacts["Post"].bucket == "web-artifacts-eu"
    assert job.input_artifacts["Post"].content == b"made"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"Announc": announce}, "did you mean 'Announce'"),
        ({"Announce": 7}, "performers['Announce']: expected a handler"),
        ({"Announce": StandIn}, "performers['Announce']: got the class StandIn: write StandIn()"),
        ({"Announce": docs_worker}, "a handler(event, context), got pipeline_workers.docs_worker"),
        ({"Docs": lambda job: None}, "performers['Docs']: expected a worker's main function, whi"),
        ({"Docs": "main"}, "performers['Docs']: expected 'package.module.function', got 'main'"),
        ({"Build/Compile": announce}, "Build/Compile is an action of AWS's own (CodeBuild)"),
        (
            {"Site": StandIn(output_artifacts={"Cod": None})},
            "no output artifact 'Cod'; its outputs: 'Code'",
        ),
    ],
)
def test_a_performer_that_cannot_be_is_refused(
    cpjob: CodePipelineStub, given: dict[str, Any], told: str
) -> None:
    pipeline = cpjob.add_pipeline(declaration())

    with pytest.raises(ValueError, match=re.escape(told)):
        pipeline.run({**performers(), **given})

    assert cpjob.jobs == []


def test_everything_that_nobody_performs_is_told_before_anything_runs(
    cpjob: CodePipelineStub,
) -> None:
    pipeline = cpjob.add_pipeline(declaration())

    with pytest.raises(ValueError, match="performers: ") as refused:
        pipeline.run({"Site": StandIn()})

    assert str(refused.value).splitlines()[:4] == [
        "performers: nobody performs these actions:",
        "- Build/Docs: a worker of Custom actions: no rule of the definition starts one in Lambda",
        "- Release/Announce: function 'announce', which the definition does not make",
        "- Release/Tell: function 'tell', which the definition does not make",
    ]


@pytest.mark.parametrize(
    "key", ["Release/Announce", "Announce", "announce", "Invoke:AWS:Lambda:1", "Lambda"]
)
def test_performers_are_named_in_many_ways(cpjob: CodePipelineStub, key: str) -> None:
    given = performers()
    del given["Announce"]

    execution = cpjob.add_pipeline(declaration()).run(
        {**given, key: announce}, variables={"Owner": "docs"}
    )

    assert execution.status == "Succeeded"


def test_the_nearest_name_wins(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob, {"Lambda": fail, "Release/Announce": announce})

    assert execution.status == "Succeeded"


def test_an_unknown_action_of_an_execution_lists_near_ones(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob)

    with pytest.raises(KeyError, match="did you mean 'Announce'"):
        execution.actions["Anounce"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"output_artifacts": ["Site"]}, "output_artifacts: expected a dict"),
        ({"output_variables": {"a b": "1"}}, "output_variables"),
        ({"failure": 3}, "failure: expected a text or a JobFailure"),
        ({"failure": ""}, "failure: Member must have length greater than or equal to 1"),
        ({"output_artifacts": {"Site": 3}}, r"output_artifacts\['Site'\]: expected a dict of path"),
    ],
)
def test_a_stand_in_that_cannot_be_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        StandIn(**arguments)


def test_a_handler_is_named_as_in_lambda_s_settings(cpjob: CodePipelineStub) -> None:
    assert run(cpjob, {"Announce": "pipeline_workers.announce"}).status == "Succeeded"


POLLER = """
import boto3
def handler(event, context):
    client = boto3.client("codepipeline")
    kind = event["detail"]["type"]
    for job in client.poll_for_jobs(actionTypeId=kind)["jobs"]:
        client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        client.put_job_success_result(jobId=job["id"])
"""


def template(rule: dict[str, Any]) -> dict[str, Any]:
    """A template with a custom action, and a rule that starts its poller in Lambda."""

    def named(name: str, category: str, provider: str, owner: str, **more: Any) -> dict[str, Any]:
        type_id = {"Category": category, "Provider": provider, "Owner": owner, "Version": "1"}
        return {"Name": name, "ActionTypeId": type_id, **more}

    site = named(
        "Site",
        "Source",
        "S3",
        "AWS",
        Configuration={"S3Bucket": "b", "S3ObjectKey": "k.zip"},
        OutputArtifacts=[{"Name": "Code"}],
    )
    print_it = named("Print", "Build", "Printer", "Custom", InputArtifacts=[{"Name": "Code"}])
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Poller": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Handler": "index.handler",
                    "Runtime": "python3.12",
                    "InlineCode": POLLER,
                    "Events": {"Started": rule},
                },
            },
            "Web": {
                "Type": "AWS::CodePipeline::Pipeline",
                "Properties": {
                    "Name": "web",
                    "RoleArn": "arn:aws:iam::123456789012:role/web",
                    "ArtifactStore": {"Type": "S3", "Location": "web-artifacts"},
                    "Stages": [
                        {"Name": "Source", "Actions": [site]},
                        {"Name": "Build", "Actions": [print_it]},
                    ],
                },
            },
        },
    }


def started(**detail: Any) -> dict[str, Any]:
    pattern = {"source": ["aws.codepipeline"], "detail": {"state": ["STARTED"], **detail}}
    return {"Type": "EventBridgeRule", "Properties": {"Pattern": pattern}}


def test_a_rule_of_the_template_starts_the_poller(cpjob: CodePipelineStub) -> None:
    rule = started(type={"provider": ["Printer"], "owner": ["Custom"]})

    execution = cpjob.add_pipeline(template(rule)).run()

    assert execution.status == "Succeeded"
    assert "index.handler of " in execution.timeline


@pytest.mark.parametrize(
    "rule",
    [
        started(type={"provider": ["Plotter"]}),
        started(pipeline=["another"]),
        {"Type": "Schedule", "Properties": {"Schedule": "rate(1 minute)"}},
    ],
)
def test_a_rule_for_other_events_starts_nothing(
    cpjob: CodePipelineStub, rule: dict[str, Any]
) -> None:
    pipeline = cpjob.add_pipeline(template(rule))

    with pytest.raises(ValueError, match="Build/Print: a worker of Custom actions: no rule"):
        pipeline.run()


def test_the_timeline_tells_who_did_what_with_which_values(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob, {"Tell": fail})
    lines = [line.strip() for line in execution.timeline.splitlines()]

    assert lines[0] == f"web, execution {execution.id}: Failed"
    assert "+5s Announce (pipeline_workers.announce): Succeeded" in lines
    assert "#{Build.Tag} = 'v7'" in lines
    assert "sets post = '42'" in lines
    assert "! ConfigurationError: no channel" in lines
    assert all(len(line) <= 80 for line in lines)


def test_events_are_in_the_order_of_time(cpjob: CodePipelineStub) -> None:
    execution = run(cpjob)
    started = [
        (
            event["detail-type"].split()[1],
            event["detail"].get("action", event["detail"].get("stage", "")),
        )
        for event in execution.events
        if event["detail"]["state"] == "STARTED"
    ]

    assert started[:4] == [
        ("Pipeline", ""),
        ("Stage", "Source"),
        ("Action", "Site"),
        ("Stage", "Build"),
    ]
    assert execution.events[-1]["detail"]["state"] == "SUCCEEDED"
    assert [event["time"] for event in execution.events] == sorted(
        event["time"] for event in execution.events
    )


def test_a_failed_action_is_marked_in_the_picture(cpjob: CodePipelineStub) -> None:
    definition = declaration()
    action(definition, "Announce")["name"] = "Announce"
    execution = run(cpjob, {"Announce": fail})

    assert 'a3["Announce<br/>Failed: ConfigurationError"]' in execution.mermaid()
    assert "class a3 Failed" in execution.mermaid()
    assert "✘ Announce" in execution._repr_html_()
    assert "no channel" in execution._repr_html_()
