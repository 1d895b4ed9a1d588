"""What an execution says of itself: what it waits for, what has failed, what was not given."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_definitions import action, declaration, kind, load
from pipeline_workers import fail, performers

from pytest_cpjob import CodePipelineStub, StandIn


def approved() -> dict[str, Any]:
    given = declaration()
    approval = {"name": "Editor", "actionTypeId": kind("Approval", "Manual")}
    given["stages"].insert(2, {"name": "Approve", "actions": [approval]})
    return given


def told(execution: object) -> str:
    assert repr(execution) == f"<PipelineExecution of web, {execution}>"
    return str(execution)


def test_what_it_waits_for_and_how_it_ended(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(approved())
    client = cpjob.client()

    first = pipeline.start(performers(), variables={"Owner": "me"})
    assert told(first) == "InProgress: waits for approval of 'Approve/Editor'"
    second = pipeline.start(performers(), variables={"Owner": "me"})
    assert told(second) == (
        f"InProgress: waits before stage 'Approve', in which execution {first.id} is"
    )
    assert told(first.approve("Editor")) == "Succeeded"
    second.stop(abandon=True, reason="not today")
    assert told(second) == "Stopped: not today"
    rejected = pipeline.start(performers(), variables={"Owner": "me"})
    rejected.approve("Editor", "Rejected", summary="too long")
    assert told(rejected) == "Failed: Approve/Editor: rejected: too long"
    assert told(pipeline.run(performers())) == (
        "Failed: Values for required variables haven't been provided: Owner"
    )
    client.disable_stage_transition(
        pipelineName="web", stageName="Build", transitionType="Inbound", reason="closed"
    )
    closed = pipeline.start(performers(), variables={"Owner": "me"})
    assert told(closed) == ("InProgress: waits before stage 'Build', whose transition is disabled")


def test_what_failed_and_what_goes_on(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(declaration())

    failed = pipeline.run(performers(Announce=fail), variables={"Owner": "me"})
    assert told(failed) == "Failed: Release/Announce: ConfigurationError: no channel"
    assert repr(failed.actions["Announce"]) == (
        "<ActionExecution Release/Announce Failed: ConfigurationError: no channel>"
    )

    def continued(event: dict[str, Any], context: object) -> None:
        job = event["CodePipeline.job"]
        token = {} if "continuationToken" in job["data"] else {"continuationToken": "more"}
        cpjob.client().put_job_success_result(jobId=job["id"], **token)

    going = pipeline.start(performers(Announce=continued), variables={"Owner": "me"})
    began = going.actions["Announce"].jobs[-1]
    assert told(going) == (
        "InProgress: waits for 'Release/Announce', which continues at"
        f" +{began._record.created_at + 30:.10g}s"
    )
    going.stop(abandon=True)


def test_a_variable_that_nobody_gave_is_told_where_it_is_missed(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(declaration())
    given = performers(**{"Build/Compile": StandIn(output_variables={"Tga": "v7"})})

    execution = pipeline.run(given, variables={"Owner": "me"})

    why = "Build/Compile (stand-in) gave no 'Tag'; did you mean 'Tga'?"
    assert f"#{{Build.Tag}}: {why}" in str(execution)
    timeline = " ".join(execution.timeline.split())
    assert f"! #{{Build.Tag}}: {why}" in timeline
    assert str(execution.actions["Announce"].error_message).endswith("for this action.")


NO_ECHO = {
    "Parameters": {
        "Token": {"Type": "String", "NoEcho": True},
        "Channel": {"Type": "String", "NoEcho": "true", "Default": "sesame-open-2"},
    },
    "Resources": {},
}


def test_values_that_a_template_hides_are_masked(cpjob: CodePipelineStub) -> None:
    given = declaration()
    action(given, "Tell")["configuration"]["UserParameters"] = {
        "Fn::Sub": '{"token": "${Token}", "channel": "${Channel}",'
        ' "key": "{{resolve:secretsmanager:k}}"}'
    }
    properties = capital(given)
    template = {
        **NO_ECHO,
        "Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}},
    }
    pipeline = cpjob.add_pipeline(
        template,
        parameters={"Token": 'sesame-"open"-1'},
        dynamic_references={"secretsmanager:k": "sesame-open-3"},
    )

    def leak(event: dict[str, Any], context: object) -> None:
        job = event["CodePipeline.job"]
        parameters = job["data"]["actionConfiguration"]["configuration"]["UserParameters"]
        details = {"type": "JobFailed", "message": parameters}
        cpjob.client().put_job_failure_result(jobId=job["id"], failureDetails=details)

    execution = pipeline.run(performers(Tell=leak), variables={"Owner": "me"})

    shown = [
        str(execution),
        execution.timeline,
        execution._repr_html_(),
        repr(execution.actions["Tell"].resolved_configuration),
        str(execution.actions["Tell"].error_message),
    ]
    assert not [each for each in shown if "sesame" in each]
    assert "<masked>" in shown[0]


def capital(value: Any) -> Any:
    """Return a declaration as a template has it."""
    if isinstance(value, list):
        return [capital(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name[0].upper() + name[1:]: item if name == "configuration" else capital(item)
        for name, item in value.items()
    }


LOOP = {"Fn::ForEach::Loop": ["Name", ["a"], {"P${Name}": {}}]}
PROCESSED = "aws cloudformation get-template --template-stage Processed"


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        (LOOP, f"there is no pipeline in it; what Fn::ForEach::Loop makes .*{PROCESSED}"),
        (
            {"Nested": {"Type": "AWS::CloudFormation::Stack"}},
            "there is no pipeline in it; Nested has a template of its own: give that one, or a"
            " list of both",
        ),
        (
            {
                **LOOP,
                "P": {
                    "Type": "AWS::CodePipeline::Pipeline",
                    "Properties": {"Stages": [], "Name": {"Ref": "Pa"}},
                },
            },
            f"no parameter or resource 'Pa'; Fn::ForEach::Loop may make it, .*{PROCESSED}",
        ),
        (
            {
                "P": {
                    "Type": "AWS::CodePipeline::Pipeline",
                    "Properties": {"Name": "p", "Stages": [LOOP]},
                },
            },
            f"Fn::ForEach::Loop is not expanded here, .*{PROCESSED}",
        ),
    ],
    ids=["loop", "nested", "made by a loop", "loop in the pipeline"],
)
def test_what_only_cloudformation_expands_is_told_with_a_way_out(
    resources: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        load({"Resources": resources})
