"""What CloudFormation calls the things that a pipeline refers to: their names, ARNs, attributes.

Source: CloudFormation's resource reference, "Return values" of each type. A name that the template
leaves open is made up as CloudFormation does: stack, logical id, twelve random characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.iam.patterns import ONE_PART

Properties = Callable[[str], Any]
"""Gives one rendered property of a resource, None if it has none."""


class Owner(NamedTuple):
    """Where a stack is.

    Attributes:
        stack: its name.
        stream: where generated names come from.
        made_up: what was generated so far, and the pattern of what AWS would generate.
    """

    partition: str
    region: str
    account_id: str
    stack: str
    stream: Stream
    made_up: dict[str, str]

    def arn(self, service: str, resource: object, *, region: str | None = None) -> list[object]:
        """Return the pieces of an ARN."""
        region = self.region if region is None else region
        return [f"arn:{self.partition}:{service}:{region}:{self.account_id}:", resource]

    def generated(self, logical_id: str, *, lower: bool = False, most: int = 64) -> str:
        """Return the name that CloudFormation would make up."""
        values = self.stream.at("name", logical_id).values
        random = values.generator.random
        letters = "abcdefghijklmnopqrstuvwxyz0123456789"
        end = "".join(random.choice(letters) for _ in range(12))
        room = most - len(end) - 1
        name = f"{self.stack}-{logical_id}"[:room].rstrip("-")
        generated = f"{name}-{end}".lower() if lower else f"{name}-{end.upper()}"
        ending = f"-{logical_id}-????????????"
        self.made_up[generated] = f"{ONE_PART}{ending.lower() if lower else ending}"
        return generated

    def uuid(self, logical_id: str) -> str:
        """Return an id that AWS would draw."""
        drawn = self.stream.at("id", logical_id).values.execution_id()
        self.made_up[drawn] = ONE_PART
        return drawn


class Kind(NamedTuple):
    """How one type of resource is named.

    Attributes:
        name: the property that names it, None where AWS draws an id.
        service: of its ARN; empty where it has none that is used here.
        path: of its ARN, before the name.
        ref_is_arn: `Ref` gives the ARN instead of the name.
        arn_attribute: the attribute that gives its ARN.
        name_attribute: the attribute that gives its name.
        regional: its ARN has a region.
        lower: generated names are in lower case.
    """

    name: str | None
    service: str = ""
    path: str = ""
    ref_is_arn: bool = False
    arn_attribute: str = "Arn"
    name_attribute: str = ""
    regional: bool = True
    lower: bool = False


_CONNECTION: Final = Kind(
    None, "codeconnections", "connection/", ref_is_arn=True, arn_attribute="ConnectionArn"
)
KINDS: Final[Mapping[str, Kind]] = {
    "AWS::CloudFormation::Stack": Kind("", "cloudformation", "stack/", ref_is_arn=True),
    "AWS::CodeBuild::Project": Kind("Name", "codebuild", "project/"),
    "AWS::CodeCommit::Repository": Kind("RepositoryName", "codecommit", name_attribute="Name"),
    "AWS::CodeConnections::Connection": _CONNECTION,
    "AWS::CodeDeploy::Application": Kind("ApplicationName", "codedeploy", "application:"),
    "AWS::CodeDeploy::DeploymentGroup": Kind("DeploymentGroupName"),
    "AWS::CodePipeline::Pipeline": Kind("Name", "codepipeline"),
    "AWS::CodeStarConnections::Connection": _CONNECTION._replace(service="codestar-connections"),
    "AWS::DynamoDB::Table": Kind("TableName", "dynamodb", "table/"),
    "AWS::ECR::Repository": Kind("RepositoryName", "ecr", "repository/", lower=True),
    "AWS::ECS::Cluster": Kind("ClusterName", "ecs", "cluster/"),
    "AWS::ECS::Service": Kind(
        "ServiceName", "ecs", "service/", ref_is_arn=True, name_attribute="Name"
    ),
    "AWS::Events::Rule": Kind("Name", "events", "rule/"),
    "AWS::IAM::ManagedPolicy": Kind(
        "ManagedPolicyName",
        "iam",
        "policy/",
        ref_is_arn=True,
        arn_attribute="PolicyArn",
        regional=False,
    ),
    "AWS::IAM::Role": Kind("RoleName", "iam", "role/", regional=False),
    "AWS::KMS::Alias": Kind("AliasName", "kms"),
    "AWS::KMS::Key": Kind(None, "kms", "key/", name_attribute="KeyId"),
    "AWS::Lambda::Function": Kind("FunctionName", "lambda", "function:"),
    "AWS::Logs::LogGroup": Kind("LogGroupName", "logs", "log-group:"),
    "AWS::S3::Bucket": Kind("BucketName", lower=True),
    "AWS::SNS::Topic": Kind(
        "TopicName",
        "sns",
        ref_is_arn=True,
        arn_attribute="TopicArn",
        name_attribute="TopicName",
    ),
    "AWS::SQS::Queue": Kind("QueueName", "sqs", name_attribute="QueueName"),
    "AWS::SSM::Parameter": Kind("Name", "ssm", "parameter"),
    "AWS::SecretsManager::Secret": Kind("Name", "secretsmanager", "secret:", ref_is_arn=True),
    "AWS::StepFunctions::StateMachine": Kind(
        "StateMachineName", "states", "stateMachine:", ref_is_arn=True, name_attribute="Name"
    ),
}
"""The types that are known; of any other, `Ref` is a generated name."""

UNNAMED: Final = Kind("")


def reference(kind_of: str, logical_id: str, properties: Properties, owner: Owner) -> list[object]:
    """Return what `Ref` of a resource gives, in pieces."""
    kind = KINDS.get(kind_of, UNNAMED)
    if kind_of == "AWS::Lambda::Alias":
        return [*owner.arn("lambda", "function:"), properties("FunctionName"), ":",
                properties("Name")]  # fmt: skip
    if kind_of == "AWS::Lambda::Version":
        return [*owner.arn("lambda", "function:"), properties("FunctionName"), ":1"]
    if kind_of == "AWS::SQS::Queue":
        name = physical_name(kind, logical_id, properties, owner)
        return [f"https://sqs.{owner.region}.amazonaws.com/{owner.account_id}/", name]
    if kind_of == "AWS::CodeCommit::Repository":
        return [owner.uuid(logical_id)]
    if kind.ref_is_arn:
        return _arn(kind, logical_id, properties, owner)
    return [physical_name(kind, logical_id, properties, owner)]


def attribute(
    kind_of: str, logical_id: str, name: str, properties: Properties, owner: Owner
) -> list[object] | None:
    """Return an attribute of a resource, in pieces; None for one that is not known."""
    kind = KINDS.get(kind_of)
    if kind_of == "AWS::S3::Bucket":
        return _bucket_attribute(name, logical_id, properties, owner)
    if kind is None:
        return None
    if name == kind.arn_attribute or (name == "Arn" and kind.service):
        if kind_of == "AWS::Logs::LogGroup":
            return [*_arn(kind, logical_id, properties, owner), ":*"]
        return _arn(kind, logical_id, properties, owner) if kind.service else None
    if name and name == kind.name_attribute:
        return [physical_name(kind, logical_id, properties, owner)]
    if kind_of == "AWS::SSM::Parameter" and name in ("Value", "Type"):
        return [properties(name)]
    if kind_of == "AWS::SQS::Queue" and name == "QueueUrl":
        return reference(kind_of, logical_id, properties, owner)
    if kind_of == "AWS::ECR::Repository" and name == "RepositoryUri":
        registry = f"{owner.account_id}.dkr.ecr.{owner.region}.amazonaws.com/"
        return [registry, physical_name(kind, logical_id, properties, owner)]
    if kind_of == "AWS::CodePipeline::Pipeline" and name == "Version":
        return ["1"]
    return None


def physical_name(kind: Kind, logical_id: str, properties: Properties, owner: Owner) -> object:
    """Return a resource's name: the template's, or one that is made up."""
    if kind.name is None:
        return owner.uuid(logical_id)
    given = properties(kind.name) if kind.name else None
    if given is not None:
        return given
    return owner.generated(logical_id, lower=kind.lower, most=63 if kind.lower else 64)


def _arn(kind: Kind, logical_id: str, properties: Properties, owner: Owner) -> list[object]:
    name = physical_name(kind, logical_id, properties, owner)
    path = kind.path
    if kind.service == "iam":
        inner = properties("Path")
        path = f"{path}{inner.strip('/')}/".replace("//", "/") if isinstance(inner, str) else path
    elif kind.service == "ssm" and not str(name).startswith("/"):
        path = f"{path}/"
    ending = f"-{owner.uuid(logical_id)[:6]}" if kind.service == "secretsmanager" else ""
    return [
        *owner.arn(kind.service, path, region=None if kind.regional else ""),
        name,
        ending,
    ]


def _bucket_attribute(
    name: str, logical_id: str, properties: Properties, owner: Owner
) -> list[object] | None:
    bucket = physical_name(KINDS["AWS::S3::Bucket"], logical_id, properties, owner)
    shapes: Mapping[str, list[object]] = {
        "Arn": [f"arn:{owner.partition}:s3:::", bucket],
        "DomainName": [bucket, ".s3.amazonaws.com"],
        "RegionalDomainName": [bucket, f".s3.{owner.region}.amazonaws.com"],
        "DualStackDomainName": [bucket, f".s3.dualstack.{owner.region}.amazonaws.com"],
        "WebsiteURL": ["http://", bucket, f".s3-website-{owner.region}.amazonaws.com"],
    }
    return shapes.get(name)
