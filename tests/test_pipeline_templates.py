"""CloudFormation templates: parameters, functions, conditions, and the names of what they make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_definitions import action, load

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, AllowedValues: [test, prod]}
  Owners: {Type: CommaDelimitedList, Default: "ann, bob"}
  Image: {Type: "AWS::SSM::Parameter::Value<String>", Default: /web/image}
Mappings:
  Sizes:
    test: {Count: 1}
    prod: {Count: 4}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsTest: !Not [!Condition IsProd]
  Never: !And [!Condition IsProd, !Condition IsTest]
  Always: !Or [!Condition IsProd, !Condition IsTest]
Resources:
  Artifacts:
    Type: AWS::S3::Bucket
  Key:
    Type: AWS::KMS::Key
  Role:
    Type: AWS::IAM::Role
    Properties: {Path: /service/, RoleName: web-pipeline}
  Build:
    Type: AWS::CodeBuild::Project
    Properties: {Name: !Sub "${AWS::StackName}-build"}
  Announce:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: !Join ["-", [announce, !Ref Stage]], Handler: index.handler}
  Unused:
    Type: AWS::Lambda::Function
    Condition: Never
    Properties: {FunctionName: unused}
  News:
    Type: AWS::SNS::Topic
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      Name: !Sub web-${Stage}
      RoleArn: !GetAtt Role.Arn
      RestartExecutionOnUpdate: true
      Tags: [{Key: a, Value: b}]
      ArtifactStore:
        Type: S3
        Location: !Ref Artifacts
        EncryptionKey: {Id: !GetAtt Key.Arn, Type: KMS}
      Stages:
        - Name: Source
          Actions:
            - Name: Site
              ActionTypeId: {Category: Source, Owner: AWS, Provider: S3, Version: 1}
              Configuration: {S3Bucket: sources, S3ObjectKey: a.zip, PollForSourceChanges: false}
              OutputArtifacts: [Name: Code]
        - Name: Build
          Actions:
            - Name: Compile
              ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: "1"}
              Configuration: {ProjectName: !Ref Build}
              InputArtifacts: [Name: Code]
              OutputArtifacts: [Name: Site]
            - !If
              - IsProd
              - Name: Approve
                RunOrder: "2"
                ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: 1}
                Configuration: {NotificationArn: !Ref News}
              - !Ref AWS::NoValue
        - Name: Release
          Actions:
            - Name: Announce
              ActionTypeId: {Category: Invoke, Owner: AWS, Provider: Lambda, Version: 1}
              Configuration:
                FunctionName: !Ref Announce
                UserParameters: USER_PARAMETERS
              InputArtifacts: [Name: Site]
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(user_parameters: str = "x", name: str = "web.yaml", template: str = TEMPLATE) -> str:
    Path(name).write_text(template.replace("USER_PARAMETERS", user_parameters), encoding="utf-8")
    return name


def user_parameters(written: str, **given: Any) -> str:
    parameters = {"Stage": "prod", **given.pop("parameters", {})}
    loaded = load(write(written), parameters=parameters, **given)
    return str(action(loaded.declaration, "Announce")["configuration"]["UserParameters"])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("!Ref Stage", "prod"),
        ('!Sub "{\\"stage\\": \\"${Stage}\\"}"', '{"stage": "prod"}'),
        ('!Sub ["${A}-${!B}-${AWS::Region}", {A: !Ref Stage}]', "prod-${B}-us-east-1"),
        ('!Join ["/", [a, !Ref Stage, 1, true]]', "a/prod/1/true"),
        ('!Join [",", !Ref Owners]', "ann,bob"),
        ("!Select [1, !Ref Owners]", "bob"),
        ('!Select ["0", !Split ["-", "one-two"]]', "one"),
        ("!FindInMap [Sizes, !Ref Stage, Count]", "4"),
        ("!FindInMap [Sizes, none, Count, {DefaultValue: 7}]", "7"),
        ("!If [IsProd, yes-it-is, !Ref Nowhere]", "yes-it-is"),
        ("!If [IsTest, a, b]", "b"),
        ("!If [Never, a, b]", "b"),
        ("!If [Always, a, b]", "a"),
        ("!Base64 text", "dGV4dA=="),
        ('!Select [0, !GetAZs ""]', "us-east-1a"),
        ("!GetAtt Role.Arn", "arn:aws:iam::123456789012:role/service/web-pipeline"),
        ("!GetAtt [Announce, Arn]", "arn:aws:lambda:us-east-1:123456789012:function:announce-prod"),
        ("!Select [0, !Split ['-', !GetAtt News.TopicName]]", "web"),
        ("!Sub ${Build.Arn}", "arn:aws:codebuild:us-east-1:123456789012:project/web-build"),
        ("!Sub ${AWS::Partition}:${AWS::AccountId}:${AWS::URLSuffix}",
         "aws:123456789012:amazonaws.com"),
        ("!ImportValue shared", "imported"),
        ("!ImportValue {Fn::Sub: 'sha${X}', X: y}", "?"),
        ('"{{resolve:ssm:/docs/key}}"', "from ssm"),
        ("!Sub '{{resolve:ssm:/docs/${Stage}}}!'", "of prod!"),
        ("!Ref Image", "image:7"),
        ("{Fn::ToJsonString: {a: [1, !Ref Stage]}}", '{"a":[1,"prod"]}'),
        ("!Sub {Fn::Length: 1}", "?"),
        ("1", "1"),
        ("true", "true"),
        ("012345678901", "012345678901"),
        ("2026-11-28", "2026-11-28"),
    ],
)  # fmt: skip
def test_functions_are_evaluated(written: str, expected: str) -> None:
    given: dict[str, Any] = {
        "parameters": {"Image": "image:7"},
        "imports": {"shared": "imported"},
        "dynamic_references": {"ssm:/docs/key": "from ssm", "ssm:/docs/prod": "of prod"},
    }
    if expected == "?":
        with pytest.raises(ValueError, match=r"web\.yaml"):
            user_parameters(written, **given)
    else:
        assert user_parameters(written, **given) == expected


def test_the_declaration_has_the_shape_of_the_api() -> None:
    declaration = load(write(), parameters={"Stage": "prod"}).declaration

    assert declaration["name"] == "web-prod"
    assert set(declaration) == {"name", "roleArn", "artifactStore", "stages"}
    source = action(declaration, "Site")
    assert source["actionTypeId"]["version"] == "1"
    assert source["configuration"]["PollForSourceChanges"] == "false"
    assert action(declaration, "Approve")["runOrder"] == 2
    store = declaration["artifactStore"]
    assert store["location"].startswith("web-artifacts-")
    assert store["encryptionKey"]["id"].startswith("arn:aws:kms:us-east-1:123456789012:key/")
    topic = action(declaration, "Approve")["configuration"]["NotificationArn"]
    assert topic.startswith("arn:aws:sns:us-east-1:123456789012:web-News-")


def test_a_condition_leaves_an_action_out() -> None:
    declaration = load(write(), parameters={"Stage": "test"}).declaration

    assert [each["name"] for each in declaration["stages"][1]["actions"]] == ["Compile"]


def test_a_function_whose_condition_does_not_hold_is_not_made() -> None:
    assert set(load(write(), parameters={"Stage": "test"}).functions) == {"announce-test"}


def test_json_with_tabs_is_read(tmp_path: Path) -> None:
    from pytest_cpjob.pipelines.yaml_loader import load_yaml

    document = load_yaml(TEMPLATE)
    Path("web.json").write_text(json.dumps(document, indent="\t"), encoding="utf-8")

    assert load("web.json", parameters={"Stage": "prod"}).declaration["name"] == "web-prod"
    assert load(document, parameters={"Stage": "prod"}).declaration["name"] == "web-prod"


def test_region_and_account_are_those_that_are_given() -> None:
    written = "!Sub ${AWS::Region}:${AWS::AccountId}:${AWS::Partition}"

    found = user_parameters(written, region="cn-north-1", account_id="210987654321")

    assert found == "cn-north-1:210987654321:aws-cn"


def test_everything_that_is_needed_and_unknown_is_told_at_once() -> None:

    with pytest.raises(ValueError, match="needs what its definition does not tell") as told:
        load(write("!Join ['', [!Ref Image, !ImportValue shared, '{{resolve:ssm:/k}}', "
                   "!GetAtt News.Age]]"))  # fmt: skip

    place = "stages[Release].actions[Announce].configuration.UserParameters"
    assert str(told.value).splitlines() == [
        "web.yaml: Resources.Pipeline: the pipeline needs what its definition does not tell:",
        "- parameter 'Stage' has no default, for name and 2 more; give it with"
        " parameters={'Stage': ...}",
        f"- parameter 'Image' is looked up in Parameter Store, for {place}; give it with"
        " parameters={'Image': ...}",
        f"- import 'shared', for {place}; give it with imports={{'shared': ...}}",
        f"- dynamic reference 'ssm:/k', for {place}; give it with"
        " dynamic_references={'ssm:/k': ...}",
        f"- attribute Age of News (AWS::SNS::Topic), for {place}; give it with"
        " parameters={'News.Age': ...}",
    ]


def test_a_role_that_is_not_known_is_not_needed() -> None:
    template = TEMPLATE.replace("RoleArn: !GetAtt Role.Arn", "RoleArn: !ImportValue the-role")

    loaded = load(write(template=template), parameters={"Stage": "prod"})

    assert loaded.declaration["roleArn"].startswith("arn:aws:iam::123456789012:role/")


def test_what_no_resource_type_tells_can_be_given() -> None:
    assert user_parameters("!GetAtt News.Age", parameters={"News.Age": "7"}) == "7"


def test_templates_that_are_deployed_together_know_each_others_exports() -> None:
    Path("shared.yaml").write_text(
        """
Resources:
  Tools: {Type: AWS::S3::Bucket, Properties: {BucketName: the-tools}}
Outputs:
  Tools: {Value: !GetAtt Tools.Arn, Export: {Name: !Sub "${AWS::Region}-tools"}}
""",
        encoding="utf-8",
    )
    web = write('!ImportValue {Fn::Sub: "${AWS::Region}-tools"}')

    loaded = load([web, "shared.yaml"], parameters={"Stage": "prod"})

    configuration = action(loaded.declaration, "Announce")["configuration"]
    assert configuration["UserParameters"] == "arn:aws:s3:::the-tools"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"parameters": {"Stag": "x"}}, "parameters: web.yaml has no parameter 'Stag'; did you"),
        ({"parameters": {"Stage": "x"}}, r"parameters\['Stage'\]: web.yaml allows 'test', 'prod'"),
        ({"name": "wbe-prod"}, "name: web.yaml has no pipeline 'wbe-prod'; did you mean 'web-pr"),
        ({"region": "mars"}, "region: 'mars'"),
        ({"account_id": "1"}, "account_id: "),
        ({"parameters": ["Stage"]}, "parameters: expected a dict"),
    ],
)
def test_a_wrong_argument_is_told_by_its_name(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        load(write(), **{"parameters": {"Stage": "prod"}, **arguments})


@pytest.mark.parametrize("rule", ["AllowedValues: [aaaa]", "AllowedPattern: '[a-z]+'"])
def test_a_secret_parameter_is_not_shown(rule: str) -> None:
    template = TEMPLATE.replace(
        "Parameters:", f"Parameters:\n  Token: {{Type: String, NoEcho: true, {rule}}}", 1
    )

    with pytest.raises(ValueError, match=r"parameters\['Token'\]: .* got another one") as told:
        load(
            write("!Ref Token", template=template),
            parameters={"Stage": "prod", "Token": "HUNTER-2-HUNTER"},
        )

    assert "HUNTER" not in str(told.value)


@pytest.mark.parametrize("name", ["web-prod", "Pipeline"])
def test_a_pipeline_is_chosen_by_its_name_or_logical_id(name: str) -> None:
    assert load(write(), name=name, parameters={"Stage": "prod"}).declaration["name"] == "web-prod"


def test_of_two_pipelines_one_must_be_chosen() -> None:
    second = TEMPLATE.split("Resources:\n")[1].split("  Pipeline:\n")[1]
    template = TEMPLATE + "  Other:\n" + second.replace("Name: !Sub web-${Stage}", "Name: other")

    with pytest.raises(
        ValueError, match="there are 2 pipelines in it, 'web-prod', 'other'; choose"
    ):
        load(write(template=template), parameters={"Stage": "prod"})
    loaded = load(write(template=template), name="Other", parameters={"Stage": "prod"})
    assert loaded.declaration["name"] == "other"


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("!Sub web-${Stage}", "!Ref Stages", "Resources.Pipeline.Properties.Name: there is no"
         " parameter or resource 'Stages'; did you mean 'Stage'"),
        ("!Sub web-${Stage}", "!GetAtt Rule.Arn", "there is no resource 'Rule'; did you mean 'R"),
        ("!Sub web-${Stage}", "!Join [a]", r"expected \[separator, list\], got"),
        ("!Sub web-${Stage}", "!If [IsLive, a, b]", "there is no condition 'IsLive'"),
        ("!Sub web-${Stage}", "!FindInMap [Sizes, a, b]", "Mappings has no value at 'Sizes', 'a'"),
        ("!Sub web-${Stage}", "!Select [9, !Ref Owners]", "there is no item 9 in a list of 2"),
        ("!Sub web-${Stage}", "!Ref AWS::Nothing", "there is no pseudo parameter 'AWS::Nothing'"),
        ("!Sub web-${Stage}", "!Ref Pipeline", "circular reference: Pipeline -> Pipeline"),
        ("IsTest: !Not [!Condition IsProd]", "IsTest: !Not [!Condition Always]",
         "circular reference: IsTest -> Always -> IsTest|Always -> IsTest -> Always"),
        ('RunOrder: "2"', "RunOrder: two", "RunOrder: expected a whole number, got 'two'"),
        ("{ProjectName: !Ref Build}", "{ProjectName: [1]}", "ProjectName: CodePipeline takes text"),
        ("Type: AWS::SNS::Topic", "Kind: AWS::SNS::Topic", "Resources.News: a resource needs a Ty"),
        ("Mappings:", "Mappings: 3\nX:", "Mappings: expected an object, got 3"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_template_is_told_in_one_line_with_its_place(
    before: str, after: str, text: str
) -> None:
    assert before in TEMPLATE
    name = write(template=TEMPLATE.replace(before, after, 1))
    with pytest.raises(ValueError, match=text) as told:
        load(name, parameters={"Stage": "prod"})
    assert str(told.value).startswith("web.yaml: ")
    assert "\n" not in str(told.value)


def test_names_that_refer_to_each_other_are_told() -> None:
    template = TEMPLATE.replace(
        "Type: AWS::SNS::Topic",
        "Type: AWS::SNS::Topic\n    Properties: {TopicName: !Ref Other}\n"
        "  Other: {Type: AWS::S3::Bucket, Properties: {BucketName: !GetAtt News.TopicName}}",
    )
    with pytest.raises(ValueError, match="circular reference: News -> Other -> News"):
        load(write(template=template), parameters={"Stage": "prod"})


def test_stores_of_several_regions_are_a_map() -> None:
    template = TEMPLATE.replace(
        """      ArtifactStore:
        Type: S3
        Location: !Ref Artifacts
        EncryptionKey: {Id: !GetAtt Key.Arn, Type: KMS}
""",
        """      ArtifactStores:
        - {Region: us-east-1, ArtifactStore: {Type: S3, Location: one}}
        - {Region: eu-west-1, ArtifactStore: {Type: S3, Location: two}}
""",
    )
    assert load(write(template=template), parameters={"Stage": "prod"}).declaration[
        "artifactStores"
    ] == {
        "us-east-1": {"type": "S3", "location": "one"},
        "eu-west-1": {"type": "S3", "location": "two"},
    }


def test_the_same_names_are_made_up_again() -> None:
    name = write()
    one, other = (load(name, parameters={"Stage": "prod"}).declaration for _ in range(2))
    assert one == other


def test_an_attribute_is_not_the_property_of_the_same_name() -> None:
    template = TEMPLATE.replace(
        "Type: AWS::SNS::Topic", "Type: AWS::SNS::Topic\n    Properties: {TopicName: news}"
    )

    loaded = load(write("!GetAtt News.TopicName", template=template), parameters={"Stage": "prod"})

    configuration = action(loaded.declaration, "Announce")["configuration"]
    assert configuration["UserParameters"] == "news"


def test_resources_that_depend_on_each_other_are_told() -> None:
    template = TEMPLATE.replace(
        "Type: AWS::SNS::Topic",
        "Type: AWS::SNS::Topic\n    Properties: {DisplayName: !Sub 'for ${Other}'}\n"
        "  Other: {Type: AWS::S3::Bucket, DependsOn: [News]}",
    )
    with pytest.raises(ValueError, match="Circular dependency between resources: ") as told:
        load(write("!Ref News", template=template), parameters={"Stage": "prod"})

    assert str(told.value) == (
        "web.yaml: Resources.Pipeline: Circular dependency between resources: [News, Other]"
    )


def test_a_branch_that_is_not_taken_makes_no_circle() -> None:
    template = TEMPLATE.replace(
        "Type: AWS::SNS::Topic",
        "Type: AWS::SNS::Topic\n    Properties: {DisplayName: !If [Never, !Ref Other, x]}\n"
        "  Other: {Type: AWS::S3::Bucket, DependsOn: News}",
    )
    assert load(write("!Ref Other", template=template), parameters={"Stage": "prod"})
