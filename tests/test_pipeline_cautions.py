"""What only the definition shows: `unknown-variable` and `ineffective-policy`, as warnings."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import pytest
from pipeline_definitions import action, declaration, kind

from pytest_cpjob import (
    CodePipelineStub,
    IneffectivePolicyWarning,
    PipelineWarning,
    UnknownVariableWarning,
)


def warned(definition: Any, **options: Any) -> list[tuple[type[Warning], str]]:
    with CodePipelineStub(**options) as cpjob, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cpjob.add_pipeline(definition)
    assert all(each.filename == __file__ for each in caught)
    return [(each.category, str(each.message)) for each in caught]


def using(text: str, **source: Any) -> dict[str, Any]:
    given = declaration()
    action(given, "Site").update(source)
    action(given, "Announce")["configuration"]["UserParameters"] = text
    return given


def test_a_variable_that_the_provider_does_not_give_is_told() -> None:
    given = using("#{Src.ETag} #{Src.CommitId}")

    assert warned(given) == [
        (
            UnknownVariableWarning,
            "unknown-variable: the definition: Release/Announce uses #{Src.CommitId} in"
            " UserParameters, and Source/Site (S3) gives no variable 'CommitId'; expected"
            " one of BucketName, ETag, ObjectKey, VersionId: CodePipeline fails the action, since"
            ' the variable cannot be resolved; to allow it: allow=["unknown-variable"]',
        )
    ]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("#{Src.VersionId}#{Src.ObjectKey}", {}),
        (
            "#{Src.CommitId}#{Src.FullRepositoryName}",
            {"actionTypeId": kind("Source", "CodeStarSourceConnection"), "configuration": {}},
        ),
        ("#{Build.Whatever}", {}),
        ("#{codepipeline.PipelineExecutionId}#{variables.Channel}", {}),
    ],
)
def test_variables_that_may_be_there_are_not(text: str, source: dict[str, Any]) -> None:
    assert warned(using(text, **source)) == []


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        ({"OutputFileName": "out.json"}, "has an OutputFileName, which keeps its namespace empty"),
        ({"ActionMode": "DELETE_ONLY"}, "gives no variables in ActionMode DELETE_ONLY"),
        ({}, ""),
    ],
)
def test_a_stack_gives_its_outputs_but_for_some_cases(
    configuration: dict[str, str], why: str
) -> None:
    given = using("#{Build.Url}")
    action(given, "Compile").update(
        actionTypeId=kind("Deploy", "CloudFormation"),
        configuration={"ActionMode": "CREATE_UPDATE", "StackName": "s", **configuration},
        outputArtifacts=[],
    )
    action(given, "Announce")["inputArtifacts"] = [{"name": "Manual"}]

    found = warned(given)

    assert bool(found) == bool(why)
    assert all(why in text for _, text in found)


def with_role(*statements: dict[str, Any]) -> list[dict[str, Any]]:
    given = declaration()
    return [
        given,
        {
            "Resources": {
                "Role": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {
                        "Policies": [
                            {"PolicyName": "p", "PolicyDocument": {"Statement": list(statements)}}
                        ]
                    },
                },
                "Announce": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {
                        "FunctionName": "announce",
                        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    },
                },
            }
        },
    ]


def allow(action_: Any, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action_, "Resource": resource}


ARN = "arn:aws:codepipeline:us-east-1:123456789012"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            allow("codepipeline:PutJobSuccessResult", f"{ARN}:web"),
            f'PutJobSuccessResult takes no resource, so only "*" allows it, and Resource is {ARN}',
        ),
        (
            allow("codepipeline:GetPipelineState", f"{ARN}:pipeline/web"),
            f"no pipeline has an ARN with 'pipeline/' in it, so {ARN}:pipeline/web matches nothing:"
            f" write {ARN}:web",
        ),
        (
            allow("codepipeline:StopCodePipelineExecution", "*"),
            "there is no action 'codepipeline:StopCodePipelineExecution'; did you mean"
            " codepipeline:StopPipelineExecution?",
        ),
        (allow("codepipeline:PutJob*", "*"), ""),
        (allow("codepipeline:*", f"{ARN}:web"), ""),
        (allow("codepipeline:ListPipelines", f"{ARN}:*"), ""),
        (allow(["s3:GetObjekt"], "*"), ""),
        ({**allow("codepipeline:PutJobSuccessResult", f"{ARN}:web"), "Effect": "Deny"}, ""),
    ],
)
def test_a_statement_that_matches_nothing_is_told(statement: dict[str, Any], why: str) -> None:
    found = warned(with_template_of(statement))

    if not why:
        assert found == []
        return
    [(category, text)] = found
    assert category is IneffectivePolicyWarning
    assert why in text
    assert (
        "the definition: Resources.Role.Properties.Policies[0].PolicyDocument.Statement[0]" in text
    )
    assert text.endswith('to allow it: allow=["ineffective-policy"]')


def with_template_of(statement: dict[str, Any]) -> list[dict[str, Any]]:
    from test_not_permitted import declaration_as_template

    return [declaration_as_template(), with_role(statement)[1]]


def test_allowed_warnings_are_not_told() -> None:
    given = using("#{Src.CommitId}")

    assert warned(given, allow=["unknown-variable"]) == []
    assert len(warned(given, allow=["ineffective-policy"])) == 1
    assert issubclass(UnknownVariableWarning, PipelineWarning)


UNUSED = """
import sys
from pytest_cpjob import CodePipelineStub
import boto3

with CodePipelineStub() as cpjob:
    def handler(event, context):
        boto3.client("codepipeline", "us-east-1").put_job_success_result(
            jobId=event["CodePipeline.job"]["id"]
        )
    cpjob.add_lambda_job().invoke(handler)
found = [name for name in sys.modules
         if name.startswith(("pytest_cpjob.pipelines", "pytest_cpjob.iam", "yaml"))]
assert not found, found
"""


def test_nothing_of_it_is_imported_for_tests_that_do_not_use_it() -> None:
    subprocess.run([sys.executable, "-c", UNUSED], check=True, timeout=120)
