"""Action types: an author's own registration code runs, and what it registered is enforced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from pytest_cpjob import CodePipelineStub

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
ERRORS = CLIENT.exceptions
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
NAMED = {key: value for key, value in DOCS.items() if key != "owner"}
THEME = {"name": "Theme", "required": True, "key": True, "secret": False}
TOKEN = {"name": "Token", "required": False, "key": False, "secret": True}
PROJECT = {"name": "Project", "required": True, "key": True, "secret": False, "queryable": True}
REGISTRATION: dict[str, Any] = {
    **NAMED,
    "settings": {"entityUrlTemplate": "https://docs.example.com/{Config:Theme}/"},
    "configurationProperties": [
        {**THEME, "description": "How it looks", "type": "String"},
        TOKEN,
    ],
    "inputArtifactDetails": {"minimumCount": 1, "maximumCount": 2},
    "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
}


def create(**members: object) -> dict[str, Any]:
    counts = {"minimumCount": 0, "maximumCount": 5}
    least = {**NAMED, "inputArtifactDetails": counts, "outputArtifactDetails": counts}
    answer: dict[str, Any] = CLIENT.create_custom_action_type(**{**least, **members})
    del answer["ResponseMetadata"]
    return answer


def known(**members: object) -> list[str]:
    pages = CLIENT.get_paginator("list_action_types").paginate(**members)
    return [":".join(found["id"].values()) for page in pages for found in page["actionTypes"]]


def check_output(operation: str, answer: dict[str, Any]) -> None:
    """Hold an answer against the model: every required member, no unknown one, right types."""
    shape = CLIENT.meta.service_model.operation_model(operation).output_shape
    members = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    report = ParamValidator().validate(members, shape)
    assert not report.has_errors(), report.generate_report()


# -- CreateCustomActionType and DeleteCustomActionType ---------------------------------------------


def test_a_registered_type_is_described_as_aws_does(cpjob: CodePipelineStub) -> None:
    answer = create(**REGISTRATION)

    assert answer == {
        "actionType": {
            "id": DOCS,
            "settings": REGISTRATION["settings"],
            "actionConfigurationProperties": REGISTRATION["configurationProperties"],
            "inputArtifactDetails": REGISTRATION["inputArtifactDetails"],
            "outputArtifactDetails": REGISTRATION["outputArtifactDetails"],
        }
    }
    check_output("CreateCustomActionType", answer)
    (listed,) = CLIENT.list_action_types()["actionTypes"]
    # "The AWS API does not return Type" (terraform-provider-aws, of ListActionTypes).
    without_type = [
        {name: value for name, value in each.items() if name != "type"}
        for each in REGISTRATION["configurationProperties"]
    ]
    assert listed == {**answer["actionType"], "actionConfigurationProperties": without_type}


def test_tags_come_back(cpjob: CodePipelineStub) -> None:
    tags = [{"key": "team", "value": "docs"}, {"key": "empty", "value": ""}]

    answer = create(tags=tags)

    assert answer["tags"] == tags
    check_output("CreateCustomActionType", answer)


def test_what_an_answer_gave_is_the_callers_own(cpjob: CodePipelineStub) -> None:
    answer = create(**REGISTRATION)["actionType"]
    answer["settings"].clear()
    answer["actionConfigurationProperties"][0]["required"] = False
    answer["id"].clear()

    assert CLIENT.list_action_types()["actionTypes"][0]["settings"] == REGISTRATION["settings"]
    with pytest.raises(ValueError, match="requires 'Theme'"):
        cpjob.add_job(action_type=DOCS, input_artifacts=["Source"])


def test_the_identical_definition_again_is_a_success(cpjob: CodePipelineStub) -> None:
    assert create(**REGISTRATION) == create(**REGISTRATION)
    assert known() == ["Build:Custom:Docs:1"]


def test_another_definition_of_a_type_that_is_there_is_refused(cpjob: CodePipelineStub) -> None:
    create(**REGISTRATION)

    with pytest.raises(ERRORS.ActionTypeAlreadyExistsException, match="Build:Custom:Docs:1"):
        create(**{**REGISTRATION, "settings": {}})

    assert CLIENT.list_action_types()["actionTypes"][0]["settings"] == REGISTRATION["settings"]


def test_that_refusal_can_be_set_up_as_a_fault(cpjob: CodePipelineStub) -> None:
    cpjob.fail("CreateCustomActionType", "ActionTypeAlreadyExistsException")

    with pytest.raises(ERRORS.ActionTypeAlreadyExistsException):
        create(**REGISTRATION)


def test_settings_are_listed_where_none_were_given(cpjob: CodePipelineStub) -> None:
    assert "settings" not in create()["actionType"]

    assert CLIENT.list_action_types()["actionTypes"][0]["settings"] == {}


def test_a_deleted_type_is_restored_by_the_identical_definition_only(
    cpjob: CodePipelineStub,
) -> None:
    create(**REGISTRATION)
    CLIENT.delete_custom_action_type(**NAMED)
    assert known() == []

    with pytest.raises(ERRORS.ValidationException, match="never been used before"):
        create(**{**REGISTRATION, "settings": {}})
    create(**REGISTRATION)

    assert known() == ["Build:Custom:Docs:1"]
    assert CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"] == []


def test_a_new_version_of_a_deleted_type_may_be_anything(cpjob: CodePipelineStub) -> None:
    create(**REGISTRATION)
    CLIENT.delete_custom_action_type(**NAMED)

    create(version="2")

    assert known() == ["Build:Custom:Docs:2"]


def test_deleting_answers_nothing_whether_or_not_there_was_the_type(
    cpjob: CodePipelineStub,
) -> None:
    create()

    answers = [CLIENT.delete_custom_action_type(**NAMED) for _ in range(2)]

    assert [list(answer) for answer in answers] == [["ResponseMetadata"]] * 2
    assert known() == []


def test_a_type_that_a_job_brought_in_can_still_be_registered(cpjob: CodePipelineStub) -> None:
    cpjob.add_job(action_type=DOCS, configuration={"Anything": "goes"})

    create(configurationProperties=[THEME])

    with pytest.raises(ValueError, match="requires 'Theme'"):
        cpjob.add_job(action_type=DOCS)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"configurationProperties": [THEME, THEME]}, "unique"),
        ({"configurationProperties": [PROJECT, {**PROJECT, "name": "Other"}]}, "Only one"),
        ({"configurationProperties": [{**PROJECT, "required": False}]}, "required and not secret"),
        ({"configurationProperties": [{**PROJECT, "secret": True}]}, "required and not secret"),
        ({"inputArtifactDetails": {"minimumCount": 3, "maximumCount": 2}}, "inputArtifactDetails"),
        ({"outputArtifactDetails": {"minimumCount": 1, "maximumCount": 0}}, "outputArtifactD"),
    ],
    ids=["twice", "two queryable", "not required", "secret", "inputs", "outputs"],
)
def test_a_definition_that_the_model_forbids_in_prose_is_refused(
    cpjob: CodePipelineStub, members: dict[str, Any], said: str
) -> None:
    with pytest.raises(ERRORS.ValidationException, match=said):
        create(**members)

    assert known() == []


# -- limits ----------------------------------------------------------------------------------------


def test_fifty_custom_types_are_the_limit(cpjob: CodePipelineStub) -> None:
    for number in range(49):
        create(version=str(number))
    CLIENT.delete_custom_action_type(**{**NAMED, "version": "0"})
    for version in ("49", "50"):
        create(version=version)

    with pytest.raises(ERRORS.LimitExceededException):
        create(version="51")
    with pytest.raises(ValueError, match="at most 50"):
        cpjob.add_action_type("Build:Custom:Other:1")
    CLIENT.delete_custom_action_type(**{**NAMED, "version": "50"})
    create(version="51")

    assert len(known()) == 50


def test_only_the_accounts_own_registrations_count(cpjob: CodePipelineStub) -> None:
    for number in range(10):
        cpjob.add_action_type(f"Build:ThirdParty:Acme:{number}")
        cpjob.add_job(action_type=f"Test:Custom:Unasked:{number}")
    for number in range(50):
        create(version=str(number))

    cpjob.add_action_type("Build:ThirdParty:Acme:10")
    cpjob.add_job(action_type="Test:Custom:Unasked:10")

    assert len(known()) == 72


def test_fifty_tags_are_the_limit(cpjob: CodePipelineStub) -> None:
    tags = [{"key": f"k{number}", "value": ""} for number in range(51)]

    with pytest.raises(ERRORS.TooManyTagsException):
        create(tags=tags)
    create(tags=tags[:50])


@pytest.mark.parametrize("keys", [["team", "team"], ["aws:team"], ["AWS:team"]])
def test_tags_that_aws_does_not_take_are_refused(cpjob: CodePipelineStub, keys: list[str]) -> None:
    with pytest.raises(ERRORS.InvalidTagsException):
        create(tags=[{"key": key, "value": "docs"} for key in keys])

    assert known() == []


# -- ListActionTypes and GetActionType -------------------------------------------------------------


def test_a_paginator_gives_every_type_once_over_several_pages(cpjob: CodePipelineStub) -> None:
    added = {f"Build:Custom:Docs:{number}" for number in range(50)}
    added |= {f"Build:ThirdParty:Acme:{number}" for number in range(10)}
    for name in added:
        cpjob.add_action_type(name)

    pages = list(CLIENT.get_paginator("list_action_types").paginate())

    assert len(pages) == 3
    assert ["nextToken" in page for page in pages] == [True, True, False]
    for page in pages:
        check_output("ListActionTypes", page)
    assert len(known()) == 60
    assert set(known()) == added


def test_the_owner_filter_goes_on_over_the_pages(cpjob: CodePipelineStub) -> None:
    for number in range(30):
        cpjob.add_action_type(f"Build:Custom:Docs:{number}")
        cpjob.add_action_type(f"Build:ThirdParty:Acme:{number}")
    cpjob.add_lambda_job()

    assert {name.split(":")[1] for name in known(actionOwnerFilter="Custom")} == {"Custom"}
    assert len(known(actionOwnerFilter="ThirdParty")) == 30
    assert known(actionOwnerFilter="AWS") == ["Invoke:AWS:Lambda:1"]
    assert len(known()) == 61


def test_types_deleted_between_two_pages_hide_no_other(cpjob: CodePipelineStub) -> None:
    for number in range(40):
        create(version=str(number))

    for page in CLIENT.get_paginator("list_action_types").paginate(actionOwnerFilter="Custom"):
        for found in page["actionTypes"]:
            named = {key: value for key, value in found["id"].items() if key != "owner"}
            CLIENT.delete_custom_action_type(**named)

    assert known() == []


@pytest.mark.parametrize("token", ["nope", "ZnJvbToyNQ==", "YWZ0ZXI6RG9jcw==", "ü", "=" * 2048])
def test_a_token_that_no_page_gave_is_refused(cpjob: CodePipelineStub, token: str) -> None:
    with pytest.raises(ERRORS.InvalidNextTokenException):
        CLIENT.list_action_types(nextToken=token)


def test_a_partners_type_has_a_declaration(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type(
        "Deploy:ThirdParty:Acme:1",
        properties={
            "Token": {"secret": True, "description": "Acme's"},
            "Site": {"required": True, "key": True, "queryable": True},
        },
        inputs=(1, 1),
        outputs=(0, 0),
    )

    answer = CLIENT.get_action_type(
        category="Deploy", owner="ThirdParty", provider="Acme", version="1"
    )

    check_output("GetActionType", answer)
    declared = answer["actionType"]
    assert declared["id"] == {
        "category": "Deploy",
        "owner": "ThirdParty",
        "provider": "Acme",
        "version": "1",
    }
    assert declared["inputArtifactDetails"] == {"minimumCount": 1, "maximumCount": 1}
    assert declared["outputArtifactDetails"] == {"minimumCount": 0, "maximumCount": 0}
    assert declared["executor"]["jobTimeout"] == 12 * 3600
    assert {p["name"]: (p["optional"], p["key"], p["noEcho"]) for p in declared["properties"]} == {
        "Token": (True, False, True),
        "Site": (False, True, False),
    }


@pytest.mark.parametrize(
    ("owner", "provider", "error"),
    [
        ("ThirdParty", "Nobody", "ActionTypeNotFoundException"),
        ("AWS", "Lambda", "ActionTypeNotFoundException"),
        ("Custom", "Docs", "ValidationException"),
    ],
)
def test_other_types_have_no_declaration(
    cpjob: CodePipelineStub, owner: str, provider: str, error: str
) -> None:
    cpjob.add_action_type("Invoke:Custom:Docs:1")
    cpjob.add_lambda_job()

    with pytest.raises(getattr(ERRORS, error)):
        CLIENT.get_action_type(category="Invoke", owner=owner, provider=provider, version="1")


# -- what add_job makes of a type ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "configuration: Build:Custom:Docs:1 requires 'Theme', got []"),
        (
            {"configuration": {"Theme": "dark", "Thene": "dark"}},
            "configuration['Thene']: Build:Custom:Docs:1 has no such property, only"
            " ['Theme', 'Token']",
        ),
        (
            {"configuration": {"Theme": "dark"}, "input_artifacts": None},
            "input_artifacts: Build:Custom:Docs:1 takes 1 to 2, got 0",
        ),
        (
            {"configuration": {"Theme": "dark"}, "input_artifacts": ["A", "B", "C"]},
            "input_artifacts: Build:Custom:Docs:1 takes 1 to 2, got 3",
        ),
        (
            {"configuration": {"Theme": "dark"}, "output_artifacts": ["Site", "Log"]},
            "output_artifacts: Build:Custom:Docs:1 takes 0 to 1, got 2",
        ),
    ],
    ids=["required", "unknown", "too few inputs", "too many inputs", "too many outputs"],
)
def test_a_job_that_a_pipeline_could_not_have_made_is_refused(
    cpjob: CodePipelineStub, arguments: dict[str, Any], said: str
) -> None:
    create(**REGISTRATION)

    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        cpjob.add_job(action_type=DOCS, **{"input_artifacts": ["Source"], **arguments})

    assert cpjob.jobs == []


def test_a_job_that_keeps_to_its_type_is_taken(cpjob: CodePipelineStub) -> None:
    create(**REGISTRATION)

    job = cpjob.add_job(
        action_type=DOCS,
        configuration={"Theme": "dark", "Token": "hunter2hunter2"},
        input_artifacts=["Source", "Assets"],
        output_artifacts=["Site"],
    )

    assert job.status == "Queued"


@pytest.mark.parametrize("value", ["x" * 51, "a b", "", "ä"])
def test_a_queryable_value_is_short_and_plain(cpjob: CodePipelineStub, value: str) -> None:
    create(configurationProperties=[PROJECT])
    cpjob.add_job(action_type=DOCS, configuration={"Project": "x" * 50})

    with pytest.raises(ValueError, match="configuration\\['Project'\\]"):
        cpjob.add_job(action_type=DOCS, configuration={"Project": value})


def test_a_partners_type_is_enforced_as_well(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:ThirdParty:Acme:1", properties={"Site": {"required": True}})

    with pytest.raises(ValueError, match="requires 'Site'"):
        cpjob.add_third_party_job(action_type="Build:ThirdParty:Acme:1")


def test_a_job_of_an_unknown_type_registers_it_silently(cpjob: CodePipelineStub) -> None:
    cpjob.add_job(action_type=DOCS, configuration={"Anything": "goes"})

    assert known() == ["Build:Custom:Docs:1"]
    assert len(CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [{"input_artifacts": {"Source": Path("not-there")}}, {"input_artifacts": list("ABCDEF")}],
    ids=["missing file", "six inputs"],
)
def test_a_job_that_is_refused_registers_nothing(
    cpjob: CodePipelineStub, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="input_artifacts"):
        cpjob.add_job(action_type=DOCS, **arguments)

    assert (known(), cpjob.jobs) == ([], [])


def test_there_is_no_new_job_of_a_deleted_type(cpjob: CodePipelineStub) -> None:
    create()
    CLIENT.delete_custom_action_type(**NAMED)

    with pytest.raises(ValueError, match="action_type: Build:Custom:Docs:1 was deleted"):
        cpjob.add_job(action_type=DOCS)


# -- the short way ---------------------------------------------------------------------------------


def test_the_short_way_registers_what_the_long_one_does(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type(
        "Build:Custom:Docs:1",
        properties={
            "Theme": {"required": True, "key": True, "description": "How it looks"},
            "Token": {"secret": True, "type": "String"},
        },
        inputs=(1, 2),
        outputs=(0, 1),
    )

    (found,) = CLIENT.list_action_types()["actionTypes"]
    assert found == {
        "id": DOCS,
        "actionConfigurationProperties": [
            {**THEME, "description": "How it looks"},
            TOKEN,
        ],
        "settings": {},
        "inputArtifactDetails": {"minimumCount": 1, "maximumCount": 2},
        "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
    }
    with pytest.raises(ValueError, match=r"^action_type: .* already exists"):
        cpjob.add_action_type(DOCS)


def test_a_member_of_a_property_that_is_none_is_absent(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type(DOCS, properties={"Theme": {"description": None, "required": None}})

    (found,) = CLIENT.list_action_types()["actionTypes"]
    assert found["actionConfigurationProperties"] == [{**THEME, "required": False, "key": False}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"action_type": "Build:AWS:Docs:1"}, "action_type: AWS's own types"),
        ({"action_type": "Build:Custom:Docs"}, "action_type: Member must have four parts"),
        ({"action_type": "Bild:Custom:Docs:1"}, "action_type.category: Member must satisfy enum"),
        (
            {"properties": {"Theme": {"requierd": True}}},
            "properties['Theme']: unknown member 'requierd', expected",
        ),
        (
            {"properties": {"Theme": {5: 1, "x": 1}}},
            "properties['Theme']: unknown member 5, expected",
        ),
        ({"properties": {"Theme": None}}, "properties['Theme']: expected a dict"),
        ({"properties": ["Theme"]}, "properties: expected a dict such as"),
        ({"properties": "Theme"}, "properties: expected a dict such as"),
        ({"properties": {"Theme": {"secret": "yes"}}}, "properties['Theme'].secret: Member must"),
        ({"properties": {"Theme": {"type": "Colour"}}}, "properties['Theme'].type: Member must"),
        ({"properties": {"": {}}}, "properties[''].name: Member must have length"),
        (
            {"properties": {str(number): {} for number in range(11)}},
            "properties: Member must have length less than or equal to 10",
        ),
        (
            {"properties": {"P": {"queryable": True}}},
            "properties: A queryable configuration property must",
        ),
        (
            {"properties": {name: {"queryable": True, "required": True} for name in "PQ"}},
            "properties: Only one configuration property can be queryable",
        ),
        ({"inputs": (0, 6)}, "inputs.maximumCount: Member must have value less than or equal to 5"),
        ({"outputs": (-1, 2)}, "outputs.minimumCount: Member must have value greater than"),
        ({"outputs": (2, 1)}, "outputs: the minimum is above the maximum; got (2, 1)"),
        ({"inputs": 5}, "inputs: expected minimum and maximum"),
    ],
)
def test_the_short_way_refuses_what_aws_would_not_register(
    cpjob: CodePipelineStub, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        cpjob.add_action_type(**{"action_type": "Build:Custom:Docs:1", **arguments})

    assert known() == []
