"""A definition that CreatePipeline would refuse is refused, with every broken rule at once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from pipeline_definitions import Change, action, declaration, kind, load, names


def stages(given: dict[str, Any], *which: int) -> None:
    given["stages"] = [given["stages"][number] for number in which]


def rename(given: dict[str, Any], name: str, /, **members: Any) -> None:
    action(given, name).update(members)


def configure(given: dict[str, Any], name: str, **keys: str) -> None:
    action(given, name)["configuration"].update(keys)


def more_stages(given: dict[str, Any]) -> None:
    for number in range(60):
        stage = copy.deepcopy(given["stages"][1])
        stage["name"] = f"Approve{number}"
        stage["actions"] = [{"name": "Ok", "actionTypeId": kind("Approval", "Manual")}]
        given["stages"].append(stage)


def version_1(given: dict[str, Any], **members: Any) -> None:
    for key in ("variables",):
        given.pop(key)
    configure(given, "Announce", UserParameters="x")
    configure(given, "Tell", UserParameters="x")
    given.update({"pipelineType": "V1", **members})


RULES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "one stage": (
        lambda given: stages(given, 0),
        "Pipeline has only 1 stages. There should be a minimum of 2 stages in a pipeline",
    ),
    "too many stages": (
        more_stages,
        "Pipeline has too many stages. There can only be up to 50 stages in a pipeline",
    ),
    "no source first": (
        lambda given: stages(given, 1, 2),
        "Pipeline should start with a stage that only contains source actions",
    ),
    "a source later": (
        lambda given: given["stages"][1]["actions"].append(
            {
                "name": "Late",
                "actionTypeId": kind("Source", "S3"),
                "configuration": {"S3Bucket": "b", "S3ObjectKey": "k"},
            }
        ),
        "Source actions can only be included in the first stage of the pipeline",
    ),
    "a stage's name twice": (
        lambda given: given["stages"][2].update(name="Build"),
        "Stage name 'Build' is used more than once",
    ),
    "an action's name twice": (
        lambda given: rename(given, "Docs", name="Compile"),
        "Build/Compile: InvalidStageDeclarationException: an action's name is used once",
    ),
    "a name of other letters": (
        lambda given: rename(given, "Docs", name="Do cs"),
        "Build/Do cs: ValidationException: Value at 'pipeline.stages.2.member.actions.2.member"
        ".name' failed to satisfy constraint: Member must satisfy regular expression pattern",
    ),
    "a runOrder of 0": (
        lambda given: rename(given, "Docs", runOrder=0),
        "runOrder' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ),
    "an output twice": (
        lambda given: rename(given, "Docs", outputArtifacts=names("Site")),
        "Output Artifact Bundle name must be unique within the pipeline.",
    ),
    "an input that nobody makes": (
        lambda given: rename(given, "Announce", inputArtifacts=names("Sit", "Manual")),
        "Release/Announce: InvalidActionDeclarationException: Input Artifact Bundle Sit in action"
        " Announce is not declared as Output Artifact Bundle in any of the preceding actions",
    ),
    "an input of the same runOrder": (
        lambda given: rename(given, "Tell", runOrder=1),
        "Input Artifact Bundle Post in action Tell is not declared as Output Artifact Bundle",
    ),
    "too few inputs": (
        lambda given: rename(given, "Compile", inputArtifacts=[]),
        "Action Compile declares 0 input artifacts which is less than the minimum count (1)",
    ),
    "an unknown provider": (
        lambda given: rename(given, "Compile", actionTypeId=kind("Deploy", "CodeDeployToLambda")),
        "ActionType (Category: 'Deploy', Provider: 'CodeDeployToLambda', Owner: 'AWS', Version:"
        " '1')"
        " in action 'Compile' is not available in region 'US_EAST_1'",
    ),
    "another version of AWS's action": (
        lambda given: action(given, "Announce")["actionTypeId"].update(version="2"),
        "Owner: 'AWS', Version: '2') in action 'Announce' is not available in region 'US_EAST_1'",
    ),
    "an empty stage": (
        lambda given: given["stages"].append({"name": "Later", "actions": []}),
        "Later: InvalidStageDeclarationException: a stage has 1 to 50 actions, and this one has 0",
    ),
    "too many actions": (
        lambda given: given["stages"][2]["actions"].extend(
            {"name": f"Ok{number}", "actionTypeId": kind("Approval", "Manual")}
            for number in range(50)
        ),
        "a stage has 1 to 50 actions",
    ),
    "a topic that is no ARN": (
        lambda given: given["stages"][2]["actions"].append(
            {
                "name": "Ok",
                "actionTypeId": kind("Approval", "Manual"),
                "configuration": {"NotificationArn": "news"},
            }
        ),
        "The ARN news you specified for sending notifications for the approval action Ok contains a"
        " format error.",
    ),
    "a missing key": (
        lambda given: rename(given, "Compile", configuration={}),
        "Action configuration for action 'Compile' is missing required configuration 'ProjectName'",
    ),
    "an unknown key": (
        lambda given: configure(given, "Announce", Timeout="3"),
        "Action configuration for action 'Announce' contains unknown configuration 'Timeout'",
    ),
    "an empty value": (
        lambda given: configure(given, "Announce", UserParameters=""),
        "Map value must satisfy constraint: [Member must have length less than or equal to 50000,",
    ),
    "no store": (
        lambda given: given.pop("artifactStore"),
        "either artifactStore or artifactStores, and not both",
    ),
    "two regions and one store": (
        lambda given: rename(given, "Announce", region="eu-west-1"),
        "Use 'pipeline.artifactStores' instead of 'pipeline.artifactStore'",
    ),
    "a region without a store": (
        lambda given: (
            rename(given, "Announce", region="eu-west-1"),
            given.update(artifactStores={"us-east-1": given.pop("artifactStore")}),
        ),
        "The following region is missing in 'pipeline.artifactStores': eu-west-1.",
    ),
    "a namespace twice": (
        lambda given: rename(given, "Announce", namespace="Build"),
        "Namespaces must be unique across the pipeline definition. The following occur more than"
        " once in the pipeline. StageName=[Build], ActionName=[Compile], Namespace=[Build]",
    ),
    "a namespace that nobody has": (
        lambda given: configure(given, "Announce", UserParameters="#{Buld.Tag}"),
        "referencing a namespace that does not exist. StageName=[Release], ActionName=[Announce],"
        " ActionConfigurationKey=[UserParameters], VariableReferenceText=[#{Buld.Tag}]",
    ),
    "a namespace of a later action": (
        lambda given: configure(given, "Compile", EnvironmentVariables="#{Announced.post}"),
        "(Release/Announce has that namespace, and does not run before)",
    ),
    "a variable that is not declared": (
        lambda given: configure(given, "Announce", UserParameters="#{variables.Chanel}"),
        "InvalidStructureException: The referenced variables haven't been declared.",
    ),
    "a pipeline variable in a source": (
        lambda given: configure(given, "Site", S3ObjectKey="#{variables.Channel}.zip"),
        "Variables at the pipeline level cannot be used in source actions.",
    ),
    "a variable's name twice": (
        lambda given: given["variables"].append({"name": "Owner"}),
        "The following variable name is already in use: Owner",
    ),
    "variables in V1": (
        lambda given: given.update(pipelineType="V1"),
        "Pipeline variable can only be used with V2 pipelines",
    ),
    "QUEUED in V1": (
        lambda given: version_1(given, executionMode="QUEUED"),
        "QUEUED or PARALLEL mode can only be used with V2 pipelines",
    ),
    "a result and conditions on failure": (
        lambda given: given["stages"][2].update(
            onFailure={
                "result": "FAIL",
                "conditions": [
                    {
                        "result": "FAIL",
                        "rules": [
                            {
                                "name": "r",
                                "ruleTypeId": {"category": "Rule", "provider": "VariableCheck"},
                            }
                        ],
                    }
                ],
            }
        ),
        "cannot have a failure exit gate configured with both top level result and conditions:"
        " 'Release'",
    ),
    "ROLLBACK in PARALLEL": (
        lambda given: (
            given.update(executionMode="PARALLEL"),
            given["stages"][2].update(onFailure={"result": "ROLLBACK"}),
        ),
        "Failure conditions with rollback result type cannot be added to a PARALLEL pipeline.",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_what_create_pipeline_refuses_is_refused(name: str) -> None:
    change, text = RULES[name]
    given = declaration()
    change(given)

    with pytest.raises(ValueError, match="CreatePipeline would refuse this pipeline") as refused:
        load(given)

    assert text in str(refused.value)
    assert "&" not in str(refused.value)


def test_a_definition_that_keeps_the_rules_is_taken() -> None:
    assert load(declaration()).declaration == declaration()


def test_every_broken_rule_is_told_with_its_stage_and_action() -> None:
    given = declaration()
    rename(given, "Announce", inputArtifacts=names("Sit"))
    configure(given, "Compile", ProjectName="")
    given["stages"][2]["name"] = "Build"

    with pytest.raises(ValueError, match="would refuse") as refused:
        load(given)

    first, *lines = str(refused.value).splitlines()
    assert first == "the definition: CreatePipeline would refuse this pipeline, by 3 rules:"
    assert [line.split(":", 1)[0] for line in lines] == ["- Build/Compile", "- Build",
                                                         "- Build/Announce"]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given.update(stages=3),
        lambda given: given.update(stages={"a": 1}),
        lambda given: given.update(variables=[{"name": ["x"]}]),
        lambda given: given["stages"][0].update(actions=3),
        lambda given: rename(given, "Docs", namespace=["x"]),
        lambda given: rename(given, "Docs", region=["x"]),
        lambda given: rename(given, "Docs", inputArtifacts=3),
        lambda given: rename(given, "Docs", actionTypeId=3),
        lambda given: rename(given, "Docs", runOrder="first"),
    ],
)
def test_a_value_of_another_type_is_told_by_its_path(change: Change) -> None:
    given = declaration()
    change(given)

    with pytest.raises(ValueError, match="failed to satisfy constraint: Member must be a"):
        load(given)


def test_masked_secrets_of_get_pipeline_are_taken() -> None:
    given = declaration()
    rename(
        given,
        "Site",
        actionTypeId=kind("Source", "GitHub", "ThirdParty"),
        configuration={"Owner": "me", "Repo": "web", "Branch": "main", "OAuthToken": "****"},
    )

    assert load({"pipeline": given}).declaration == given


def test_a_misspelt_member_is_told_with_the_nearest_valid_one() -> None:
    given = declaration()
    given["stages"][1]["Blockers"] = []
    announce = action(given, "Announce")
    announce["runorder"] = 1
    announce["inputArtifact"] = announce.pop("inputArtifacts")
    announce["actionTypeId"]["catgory"] = "Invoke"
    announce["actionTypeId"]["__type"] = "ActionTypeId"
    given["artifactStore"]["xyz"] = "?"

    with pytest.raises(ValueError, match="would refuse this pipeline, by 5 rules") as refused:
        load(given)

    assert str(refused.value).splitlines()[1:] == [
        "- pipeline: ParamValidationError: Unknown parameter in artifactStore: 'xyz'; expected one"
        " of type, location, encryptionKey",
        "- Build: ParamValidationError: Unknown parameter: 'Blockers'; did you mean 'blockers'?",
        "- Release/Announce: ParamValidationError: Unknown parameter in actionTypeId: 'catgory';"
        " did you mean 'category'?",
        "- Release/Announce: ParamValidationError: Unknown parameter: 'runorder'; did you mean"
        " 'runOrder'?",
        "- Release/Announce: ParamValidationError: Unknown parameter: 'inputArtifact'; did you mean"
        " 'inputArtifacts'?",
    ]
