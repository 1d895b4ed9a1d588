"""500 random pipelines, run and held against an oracle that knows nothing of how they are run."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from pipeline_definitions import kind, names
from pipeline_workers import fail

from pytest_cpjob import CodePipelineStub, PipelineExecution, StandIn

CHUNKS, PER_CHUNK = 10, 50

Definition = dict[str, Any]


def definition(random: Random, name: str) -> Definition:
    """A random valid pipeline: stages, run orders, artifacts and variables of earlier actions."""
    source = {
        "name": "Source0",
        "actionTypeId": kind("Source", "CodeCommit"),
        "configuration": {"RepositoryName": "site", "BranchName": "main"},
        "namespace": "N0",
        "outputArtifacts": names("A0"),
    }
    stages = [{"name": "S0", "actions": [source]}]
    artifacts, namespaces, count = ["A0"], [("N0", "CommitId")], 0
    for number in range(1, random.randint(2, 4)):
        actions = []
        for order in range(1, random.randint(2, 3)):
            made, variables = [], []
            for _ in range(random.randint(1, 3)):
                count += 1
                action = random_action(random, count, order, artifacts, namespaces)
                made += [each["name"] for each in action.get("outputArtifacts", ())]
                variables.append((action["namespace"], "Key"))
                actions.append(action)
            artifacts, namespaces = artifacts + made, namespaces + variables
        random.shuffle(actions)
        stages.append({"name": f"S{number}", "actions": actions})
    return {
        "name": name,
        "roleArn": "arn:aws:iam::123456789012:role/web",
        "artifactStore": {"type": "S3", "location": "web-artifacts"},
        "stages": stages,
    }


def random_action(
    random: Random,
    number: int,
    order: int,
    artifacts: list[str],
    namespaces: list[tuple[str, str]],
) -> dict[str, Any]:
    action: dict[str, Any] = {
        "name": f"Action{number}",
        "runOrder": order,
        "namespace": f"N{number}",
    }
    inputs = names(random.choice(artifacts))
    reference = "#{{{}.{}}}".format(*random.choice(namespaces))
    if random.random() < 0.5:
        action["actionTypeId"] = kind("Build", "CodeBuild")
        action["configuration"] = {"ProjectName": f"p-{reference}"}
        action["inputArtifacts"] = inputs
        if random.random() < 0.3:
            action["outputArtifacts"] = names(f"A{number}")
    else:
        action["actionTypeId"] = kind("Invoke", "Lambda")
        action["configuration"] = {"FunctionName": f"f{number}", "UserParameters": reference}
        action["inputArtifacts"] = inputs if random.random() < 0.3 else []
    return action


def actions_of(given: Definition) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for number, stage in enumerate(given["stages"]):
        for action in stage["actions"]:
            yield number, stage["name"], action


def performers(cpjob: CodePipelineStub, given: Definition, failing: str | None) -> dict[str, Any]:
    """Each action gives `Key`, its own name; one may fail."""
    client = cpjob.client()

    def handler(event: dict[str, Any], context: Any) -> None:
        name = context.function_name.replace("f", "Action")
        state = client.get_pipeline_state(name=given["name"])
        [latest] = [
            action["latestExecution"]["status"]
            for stage in state["stageStates"]
            for action in stage["actionStates"]
            if action["actionName"] == name
        ]
        assert latest == "InProgress"
        if name == failing:
            fail(event, context)
        else:
            client.put_job_success_result(
                jobId=event["CodePipeline.job"]["id"], outputVariables={"Key": name}
            )

    found: dict[str, Any] = {"Source0": StandIn(revision="c0")}
    for _, _, action in actions_of(given):
        if action["actionTypeId"]["provider"] == "CodeBuild":
            failure = "broken" if action["name"] == failing else None
            variables = {"Key": action["name"]}
            found[action["name"]] = StandIn(output_variables=variables, failure=failure)
        elif action["actionTypeId"]["provider"] == "Lambda":
            found[action["name"]] = handler
    return found


def expected_statuses(given: Definition, failing: str | None) -> dict[str, str | None]:
    """What the user guide says becomes of each action."""
    places = {action["name"]: (n, action.get("runOrder", 1)) for n, _, action in actions_of(given)}
    end = places[failing] if failing is not None else (99, 99)
    return {
        name: "Failed" if name == failing else "Succeeded" if place <= end else None
        for name, place in places.items()
    }


def check(cpjob: CodePipelineStub, given: Definition, failing: str | None) -> None:
    execution = cpjob.add_pipeline(given).run(performers(cpjob, given, failing))

    assert execution.status == ("Succeeded" if failing is None else "Failed")
    expected = expected_statuses(given, failing)
    assert {
        name.partition("/")[2]: each.status for name, each in execution.actions.items()
    } == expected
    check_order(given, execution)
    check_variables(given, execution)
    check_answers(cpjob, given, execution)


def check_order(given: Definition, execution: PipelineExecution) -> None:
    """Nothing starts before everything of an earlier run order has succeeded."""
    places = {action["name"]: (n, action.get("runOrder", 1)) for n, _, action in actions_of(given)}
    open_actions: set[str] = set()
    latest = (0, 0)
    for event in execution.events:
        if "Action" not in event["detail-type"]:
            continue
        name, state = event["detail"]["action"], event["detail"]["state"]
        if state == "STARTED":
            assert places[name] >= latest
            assert all(places[other] == places[name] for other in open_actions)
            latest = places[name]
            open_actions.add(name)
        else:
            open_actions.remove(name)
    assert open_actions == set()


def check_variables(given: Definition, execution: PipelineExecution) -> None:
    values = {"#{N0.CommitId}": "c0"}
    for _, _, action in actions_of(given):
        if "namespace" in action and action["name"] != "Source0":
            values[f"#{{{action['namespace']}.Key}}"] = action["name"]
    actions = execution.actions
    for _, _, action in actions_of(given):
        done = actions[action["name"]]
        if done.status is None:
            assert done.resolved_configuration == {}
            continue
        wanted = dict(action["configuration"])
        for text, value in values.items():
            wanted = {key: each.replace(text, value) for key, each in wanted.items()}
        assert done.resolved_configuration == wanted


def check_answers(cpjob: CodePipelineStub, given: Definition, execution: PipelineExecution) -> None:
    """The operations tell what the execution tells."""
    client = cpjob.client()
    details = client.list_action_executions(pipelineName=given["name"])["actionExecutionDetails"]
    started = {name: each for name, each in execution.actions.items() if each.status is not None}
    assert {f"{each['stageName']}/{each['actionName']}": each["status"] for each in details} == {
        name: each.status for name, each in started.items()
    }
    ids = [each["actionExecutionId"] for each in details]
    assert len(set(ids)) == len(ids) == len(started)
    keys = {
        artifact["name"]: artifact["s3location"]["key"]
        for each in details
        for artifact in each["output"]["outputArtifacts"]
    }
    assert keys == {name: each.key for name, each in execution.artifacts.items()}
    for each in details:
        for artifact in each["input"]["inputArtifacts"]:
            assert artifact["s3location"]["key"] == keys[artifact["name"]]
    state = client.get_pipeline_state(name=given["name"])
    actions = execution.actions
    for stage in state["stageStates"]:
        for action in stage["actionStates"]:
            run = actions[f"{stage['stageName']}/{action['actionName']}"]
            assert action.get("latestExecution", {}).get("status") == run.status
            assert action.get("latestExecution", {}).get("actionExecutionId") == run.id
        entered = "latestExecution" in stage
        names_in = [f"{stage['stageName']}/{each['actionName']}" for each in stage["actionStates"]]
        assert entered == any(name in started for name in names_in)
    summary = client.get_pipeline_execution(
        pipelineName=given["name"], pipelineExecutionId=execution.id
    )
    assert summary["pipelineExecution"]["status"] == execution.status


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_pipelines_run_as_the_user_guide_says(cpjob: CodePipelineStub, chunk: int) -> None:
    random = Random(f"pipelines {chunk}")
    for number in range(PER_CHUNK):
        given = definition(random, f"web-{number}")
        candidates = [action["name"] for _, _, action in actions_of(given)][1:]
        failing = random.choice(candidates) if random.random() < 0.4 else None
        check(cpjob, given, failing)
