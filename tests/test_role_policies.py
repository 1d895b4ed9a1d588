"""What policies allow: three answers, and the resources that CodePipeline's operations take."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_cpjob.aws.codepipeline_model import operations
from pytest_cpjob.iam.codepipeline_actions import (
    CODEPIPELINE_OTHERS,
    CODEPIPELINE_RESOURCES,
    CODEPIPELINE_WITHOUT_RESOURCE,
)
from pytest_cpjob.iam.managed_policies import managed_policy
from pytest_cpjob.iam.operations import Place, permissions_for
from pytest_cpjob.iam.patterns import ONE_PART, UNKNOWN, matches, may_match
from pytest_cpjob.iam.policies import NO_RESOURCE, Permissions, Resource, read_policies

OBJECT = Resource.exactly("arn:aws:s3:::site/index.html")
PLACE = Place("aws", "us-east-1", "123456789012", ("us-east-1", "123456789012"))


def role(*statements: dict[str, Any], **more: Any) -> Permissions:
    read = read_policies({"Statement": list(statements)}, "policy") if statements else ()
    return Permissions("the role", read, **more)


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


READ = "s3:GetObject"
TOLD: list[tuple[Permissions, str]] = [
    (role(), "denied"),
    (role(allow(READ)), "allowed"),
    (role(allow("S3:getobject")), "allowed"),
    (role(allow("s3:Get*")), "allowed"),
    (role(allow("s3:GetObjec?")), "allowed"),
    (role(allow("*")), "allowed"),
    (role(allow("s3:PutObject")), "denied"),
    (
        role(allow([READ, "s3:PutObject"], ["arn:aws:s3:::logs/*", "arn:aws:s3:::site/*"])),
        "allowed",
    ),
    (role(allow(READ, "arn:aws:s3:::site")), "denied"),
    (role(allow(READ, "arn:aws:s3:::SITE/*")), "denied"),
    (role(allow(READ, "arn:aws:s3:::site/*", Condition={"Bool": {"a": "b"}})), "can't tell"),
    (role(allow(READ, f"arn:aws:s3:::{UNKNOWN}/*")), "can't tell"),
    (role(allow(READ, f"arn:aws:s3:::logs-{UNKNOWN}/*")), "denied"),
    (role(allow(READ, "arn:aws:s3:::${aws:username}/*")), "can't tell"),
    (role(allow(UNKNOWN)), "can't tell"),
    (role(unknown=("a managed policy",)), "can't tell"),
    (role(allow(READ), unknown=("a managed policy",)), "allowed"),
    (role(allow(READ), deny(READ)), "denied"),
    (role(allow(READ), deny("s3:*", "arn:aws:s3:::logs/*")), "allowed"),
    (role(allow(READ), deny("*", Condition={"Bool": {"a": "b"}})), "can't tell"),
    (role(deny("*", Condition={"Bool": {"a": "b"}})), "denied"),
    (role(allow(READ), deny(READ, UNKNOWN), deny(READ)), "denied"),
    (role({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}), "denied"),
    (role({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), "allowed"),
    (role({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::site/*"}), "denied"),
    (role({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::logs/*"}), "allowed"),
    (role({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}, allow(READ)), "allowed"),
    (role(allow(READ), boundary=role(allow("s3:*"))), "allowed"),
    (role(allow(READ), boundary=role(allow("codepipeline:*"))), "denied"),
    (role(allow(READ), boundary=role(unknown=("one",))), "can't tell"),
    (role(allow("sns:*"), boundary=role(unknown=("one",))), "denied"),
]


@pytest.mark.parametrize(("permissions", "answer"), TOLD, ids=range(len(TOLD)))
def test_an_action_is_allowed_denied_or_nobody_can_tell(
    permissions: Permissions, answer: str
) -> None:
    assert permissions.judge(READ, OBJECT).answer == answer


@pytest.mark.parametrize(
    ("resource", "answer"),
    [
        ("*", "allowed"),
        ("arn:aws:codepipeline:us-east-1:123456789012:*", "denied"),
        ("arn:aws:codepipeline:us-east-1:123456789012:web", "denied"),
        ("arn:aws:codepipeline:*:*:job/*", "denied"),
        (f"arn:aws:codepipeline:{UNKNOWN}", "denied"),
        (UNKNOWN, "can't tell"),
        (["arn:aws:codepipeline:us-east-1:123456789012:web", "*"], "allowed"),
    ],
)
def test_an_operation_without_a_resource_is_allowed_by_a_star_only(
    resource: Any, answer: str
) -> None:
    permissions = role(allow("codepipeline:PutJobSuccessResult", resource))

    assert permissions.judge("codepipeline:PutJobSuccessResult", NO_RESOURCE).answer == answer


def test_every_operation_of_codepipeline_is_known() -> None:
    tables = [set(CODEPIPELINE_RESOURCES), CODEPIPELINE_WITHOUT_RESOURCE, CODEPIPELINE_OTHERS]

    assert set(operations()) <= set().union(*tables)
    assert sum(map(len, tables)) == len(set().union(*tables))


@pytest.mark.parametrize(
    ("service", "operation", "request_", "needed"),
    [
        ("codepipeline", "PutJobFailureResult", {}, ["codepipeline:PutJobFailureResult *"]),
        (
            "codepipeline",
            "PollForJobs",
            {
                "actionTypeId": {
                    "category": "Build",
                    "owner": "Custom",
                    "provider": "Docs",
                    "version": "1",
                }
            },
            ["codepipeline:PollForJobs {cp}:actiontype:Custom/Build/Docs/1"],
        ),
        (
            "codepipeline",
            "GetPipelineState",
            {"name": "web"},
            ["codepipeline:GetPipelineState {cp}:web"],
        ),
        (
            "codepipeline",
            "StopPipelineExecution",
            {"pipelineName": "web"},
            ["codepipeline:StopPipelineExecution {cp}:web"],
        ),
        (
            "codepipeline",
            "RetryStageExecution",
            {"pipelineName": "web", "stageName": "S"},
            ["codepipeline:RetryStageExecution {cp}:web/S"],
        ),
        (
            "codepipeline",
            "PutApprovalResult",
            {"pipelineName": "web", "stageName": "S", "actionName": "A"},
            ["codepipeline:PutApprovalResult {cp}:web/S/A"],
        ),
        ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, ["s3:GetObject arn:aws:s3:::b/k"]),
        (
            "s3",
            "GetObject",
            {"Bucket": "b", "Key": "k", "VersionId": "1"},
            ["s3:GetObjectVersion arn:aws:s3:::b/k"],
        ),
        ("s3", "ListObjectsV2", {"Bucket": "b"}, ["s3:ListBucket arn:aws:s3:::b"]),
        (
            "s3",
            "CopyObject",
            {"Bucket": "b", "Key": "k", "CopySource": "a/x%20y"},
            ["s3:PutObject arn:aws:s3:::b/k", "s3:GetObject arn:aws:s3:::a/x y"],
        ),
        (
            "s3",
            "DeleteObjects",
            {"Bucket": "b", "Delete": {"Objects": [{"Key": "1"}, {"Key": "2"}]}},
            ["s3:DeleteObject arn:aws:s3:::b/1", "s3:DeleteObject arn:aws:s3:::b/2"],
        ),
        ("s3", "PutBucketEncryption", {"Bucket": "b"}, []),
        (
            "ssm",
            "GetParameter",
            {"Name": "/a/b"},
            ["ssm:GetParameter arn:aws:ssm:{here}:parameter/a/b"],
        ),
        (
            "ssm",
            "GetParameters",
            {"Names": ["a", "b"]},
            [
                "ssm:GetParameters arn:aws:ssm:{here}:parameter/a",
                "ssm:GetParameters arn:aws:ssm:{here}:parameter/b",
            ],
        ),
        ("ssm", "SendCommand", {}, ["ssm:SendCommand ..."]),
        (
            "sns",
            "Publish",
            {"TopicArn": "arn:aws:sns:us-east-1:1:t"},
            ["sns:Publish arn:aws:sns:us-east-1:1:t"],
        ),
        ("sns", "Publish", {"PhoneNumber": "1"}, ["sns:Publish ..."]),
        (
            "sqs",
            "SendMessage",
            {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/q"},
            ["sqs:SendMessage arn:aws:sqs:{here}:q"],
        ),
        ("kms", "Decrypt", {}, ["kms:Decrypt ..."]),
        ("kms", "GenerateDataKey", {"KeyId": "alias/a"}, ["kms:GenerateDataKey ..."]),
        (
            "dynamodb",
            "Query",
            {"TableName": "t", "IndexName": "i"},
            ["dynamodb:Query arn:aws:dynamodb:{here}:table/t/index/i"],
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": "f"},
            ["lambda:InvokeFunction arn:aws:lambda:{here}:function:f"],
        ),
        (
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": "s"},
            ["secretsmanager:GetSecretValue arn:aws:secretsmanager:{here}:secret:s-..."],
        ),
        (
            "stepfunctions",
            "StartExecution",
            {"stateMachineArn": "arn:aws:states:us-east-1:1:stateMachine:m"},
            ["states:StartExecution arn:aws:states:us-east-1:1:stateMachine:m"],
        ),
        ("sts", "GetCallerIdentity", {}, []),
        ("codebuild", "BatchGetBuilds", {}, ["codebuild:BatchGetBuilds ..."]),
        ("apigateway", "GetRestApis", {}, []),
    ],
)
def test_a_call_needs_actions_on_resources(
    service: str, operation: str, request_: dict[str, Any], needed: list[str]
) -> None:
    here = "us-east-1:123456789012"
    expected = [
        each.replace("{cp}", f"arn:aws:codepipeline:{here}").replace("{here}", here)
        for each in needed
    ]

    found = permissions_for(service, operation, request_, PLACE)

    assert [f"{each.action} {each.resource}" for each in found] == expected


def test_what_nobody_chose_is_not_held_against_a_policy() -> None:
    place = PLACE._replace(
        loose_owner=(ONE_PART, ONE_PART),
        loosely=lambda name: name.replace("web-News-ABC", f"{ONE_PART}-News-???"),
    )
    [needed] = permissions_for(
        "sns", "Publish", {"TopicArn": "arn:aws:sns:us-east-1:123456789012:web-News-ABC"}, place
    )

    for resource, answer in (
        ("arn:aws:sns:us-east-1:123456789012:web-News-ABC", "allowed"),
        ("arn:aws:sns:eu-west-1:210987654321:web-News-*", "can't tell"),
        ("arn:aws:sns:eu-west-1:210987654321:*-News-*", "can't tell"),
        ("arn:aws:sns:eu-west-1:210987654321:prod-*", "can't tell"),
        ("arn:aws:sns:eu-west-1:210987654321:web-Other-123", "denied"),
        ("arn:aws:sqs:*:*:*", "denied"),
    ):
        permissions = role(allow("sns:Publish", resource))
        assert permissions.judge(needed.action, needed.resource).answer == answer, resource


@pytest.mark.parametrize(
    ("service", "operation", "request_", "resource"),
    [
        (
            "ssm",
            "GetParameter",
            {"Name": "/other/key"},
            "arn:aws:ssm:us-east-1:123456789012:parameter/app/*",
        ),
        (
            "codepipeline",
            "StartPipelineExecution",
            {"name": "shop"},
            "arn:aws:codepipeline:us-east-1:123456789012:web-*",
        ),
        (
            "s3",
            "GetObject",
            {"Bucket": "web-files-abc", "Key": "out/x"},
            "arn:aws:s3:::web-files-abc/in/*",
        ),
    ],
)
def test_a_wildcard_for_what_nobody_chose_ends_where_a_part_of_the_arn_does(
    service: str, operation: str, request_: dict[str, Any], resource: str
) -> None:
    place = PLACE._replace(
        loose_owner=(ONE_PART, ONE_PART),
        loosely=lambda name: name.replace("web-files-abc", f"{ONE_PART}-files-???"),
    )
    [needed] = permissions_for(service, operation, request_, place)

    permissions = role(allow(needed.action, resource))

    assert permissions.judge(needed.action, needed.resource).answer == "denied"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("x", "role_policy: expected a policy document such as .*, got str"),
        ({}, "role_policy: a policy document needs a Statement"),
        (
            {"Statements": []},
            "a policy document has no 'Statements', only Version, Id and Statement",
        ),
        ({"Statement": 3}, "role_policy.Statement: expected a list of statements, got 3"),
        ([{"Statement": [3]}], r"role_policy\[0\].Statement\[0\]: expected a statement's object"),
        ({"Version": "2012", "Statement": []}, "Version: expected '2012-10-17' or '2008-10-17', "),
        ({"Statement": allow("*", Condition=3)}, "Condition: expected an object, got 3"),
        ({"Statement": {"Effect": "allow"}}, "Effect: expected Allow or Deny, got 'allow'"),
        ({"Statement": {"Effect": "Allow"}}, "expected either Action or NotAction"),
        ({"Statement": allow("*", NotAction="s3:*")}, "expected either Action or NotAction"),
        ({"Statement": allow(3)}, "Action: expected text or a list of texts, got 3"),
        (
            {"Statement": allow("PutObject")},
            "'PutObject' has no service; write 'service:Operation'",
        ),
        ({"Statement": []}, "role_policy.Statement: it is empty, and a policy needs a statement"),
        (
            {"Statement": allow([])},
            r"Statement.Action: it is empty: Policy statement must contain actions\.",
        ),
        (
            {"Statement": [allow("*"), {**allow("*"), "Resource": []}]},
            r"Statement\[1\].Resource: it is empty: Policy statement must contain resources\.",
        ),
        ({"Statement": allow("*", Resources="*")}, "a statement has no 'Resources', only Action, "),
    ],
)
def test_a_malformed_policy_is_told_by_its_place(given: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        read_policies(given, "role_policy")


def test_a_policy_may_stand_in_its_envelope() -> None:
    document = {"PolicyName": "p", "PolicyDocument": {"Statement": allow("*")}}

    [statement] = read_policies(document, "role_policy")

    assert statement.where == "role_policy.PolicyDocument.Statement"


@pytest.mark.parametrize(
    ("name", "action", "answer"),
    [
        ("AWSCodePipelineCustomActionAccess", "codepipeline:PutJobSuccessResult", "allowed"),
        ("AWSCodePipelineCustomActionAccess", "s3:GetObject", "denied"),
        (
            "arn:aws:iam::aws:policy/AWSCodePipeline_FullAccess",
            "codepipeline:PutJobFailureResult",
            "allowed",
        ),
        ("AWSCodePipeline_FullAccess", "s3:GetObject", "can't tell"),
        ("AWSCodePipeline_ReadOnlyAccess", "codepipeline:PutJobSuccessResult", "denied"),
        (
            "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
            "codepipeline:PutJobSuccessResult",
            "denied",
        ),
        ("AdministratorAccess", "iam:PassRole", "allowed"),
        ("PowerUserAccess", "codepipeline:PutJobSuccessResult", "allowed"),
        ("PowerUserAccess", "iam:PassRole", "can't tell"),
    ],
)
def test_aws_managed_policies_are_known(name: str, action: str, answer: str) -> None:
    statements = managed_policy(name)
    assert statements is not None

    assert Permissions("role", statements).judge(action, NO_RESOURCE).answer == answer


def test_other_managed_policies_are_not() -> None:
    assert managed_policy("arn:aws:iam::aws:policy/AmazonS3FullAccess") is None


@pytest.mark.parametrize(
    ("pattern", "text", "overlap"),
    [
        ("a*", "*b", True),
        ("a*c", "ab?", True),
        ("a?c", "a??c", False),
        ("*-x", "y-*", True),
        ("abc", "a*d", False),
        ("a*b*c", "a?c", True),
        ("", "*", True),
        ("a", "", False),
        ("**", "", True),
        ("*a*" * 30, "a" * 40 + "*", True),
        ("*a" * 30 + "b", "a" * 60 + "?", True),
    ],
)
def test_patterns_overlap(pattern: str, text: str, overlap: bool) -> None:
    assert may_match(pattern, text) is overlap
    assert may_match(text, pattern) is overlap


def test_a_pattern_of_many_stars_is_matched_in_no_time() -> None:
    assert not matches("*a" * 12 + "b", "a" * 40)
