"""What IAM calls an operation, and the resource that it is about.

Source: the service authorization reference, "Actions, resources, and condition keys". Where a
call's action is not certain, nothing is said of it; where its resource is not, it may be any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from pytest_cpjob.iam.codepipeline_actions import (
    CODEPIPELINE_RESOURCES,
    CODEPIPELINE_WITHOUT_RESOURCE,
)
from pytest_cpjob.iam.patterns import UNKNOWN
from pytest_cpjob.iam.policies import ANYTHING, NO_RESOURCE, Resource

_PREFIXES: Final[Mapping[str, str]] = {
    **{
        name: name
        for name in (
            "appconfig",
            "athena",
            "cloudformation",
            "cloudfront",
            "cloudtrail",
            "cloudwatch",
            "codebuild",
            "codecommit",
            "codedeploy",
            "codepipeline",
            "dynamodb",
            "ec2",
            "ecr",
            "ecs",
            "eks",
            "events",
            "firehose",
            "glue",
            "iam",
            "kinesis",
            "kms",
            "lambda",
            "logs",
            "organizations",
            "rds",
            "route53",
            "s3",
            "sagemaker",
            "secretsmanager",
            "servicecatalog",
            "sns",
            "sqs",
            "ssm",
            "sts",
        )
    },
    "stepfunctions": "states",
}
"""IAM's prefix by botocore's name of the service, where an action is named as the operation is."""

_RENAMED: Final[Mapping[tuple[str, str], str]] = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("lambda", "InvokeAsync"): "InvokeFunction",
    ("sns", "PublishBatch"): "Publish",
    ("sqs", "SendMessageBatch"): "SendMessage",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
    ("kms", "ReEncrypt"): "",
    ("dynamodb", "ExecuteStatement"): "",
    ("dynamodb", "BatchExecuteStatement"): "",
    ("dynamodb", "ExecuteTransaction"): "",
    ("dynamodb", "TransactGetItems"): "GetItem",
    ("dynamodb", "TransactWriteItems"): "",
    ("secretsmanager", "BatchGetSecretValue"): "",
    # Anybody may ask who they are: "No permissions are required to perform this operation."
    ("sts", "GetCallerIdentity"): "",
    ("sts", "GetSessionToken"): "",
    ("sts", "AssumeRoleWithWebIdentity"): "",
    ("sts", "AssumeRoleWithSAML"): "",
}
"""Operations whose action has another name; none where several or no actions are asked for."""

_OBJECTS: Final[Mapping[str, str]] = {
    "GetObject": "GetObject",
    "HeadObject": "GetObject",
    "PutObject": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "ListParts": "ListMultipartUploadParts",
    "DeleteObject": "DeleteObject",
    "GetObjectTagging": "GetObjectTagging",
    "PutObjectTagging": "PutObjectTagging",
    "GetObjectAcl": "GetObjectAcl",
    "PutObjectAcl": "PutObjectAcl",
    "RestoreObject": "RestoreObject",
}
_BUCKETS: Final[Mapping[str, str]] = {
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketLocation": "GetBucketLocation",
    "GetBucketPolicy": "GetBucketPolicy",
    "PutBucketPolicy": "PutBucketPolicy",
    "GetBucketVersioning": "GetBucketVersioning",
    "PutBucketVersioning": "PutBucketVersioning",
    "CreateBucket": "CreateBucket",
    "DeleteBucket": "DeleteBucket",
}
_VERSIONED: Final = frozenset({"GetObject", "DeleteObject", "GetObjectTagging", "GetObjectAcl"})


class Permission(NamedTuple):
    """One thing that a call needs: an action on a resource."""

    action: str
    resource: Resource


class Place(NamedTuple):
    """Whose resources a call's are.

    Attributes:
        loose_owner: `region:account` of an ARN, wildcards for what nobody chose.
        loosely: puts wildcards for names that were made up.
    """

    partition: str
    region: str
    account_id: str
    loose_owner: tuple[str, str]
    loosely: Callable[[str], str] = lambda name: name

    def arn(self, service: str, resource: str) -> Resource:
        """Return a resource of this region and account."""
        region, account = self.loose_owner
        return Resource(
            f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}",
            f"arn:{self.partition}:{service}:{region}:{account}:{self.loosely(resource)}",
        )

    def given(self, arn: str) -> Resource:
        """Return a resource that a request names by its ARN."""
        parts = arn.split(":", 5)
        if len(parts) == 6:
            for place, (mine, loose) in enumerate(
                zip((self.region, self.account_id), self.loose_owner, strict=True), start=3
            ):
                parts[place] = loose if parts[place] == mine else parts[place]
            parts[5] = self.loosely(parts[5])
        return Resource(arn, ":".join(parts))

    def bucket(self, bucket: object, key: object = None) -> Resource:
        """Return a bucket or an object of S3, whose ARNs have neither region nor account."""
        if str(bucket).startswith("arn:"):
            return ANYTHING
        path = str(bucket) if key is None else f"{bucket}/{key}"
        loosely = self.loosely(str(bucket))
        loose_path = loosely if key is None else f"{loosely}/{key}"
        prefix = f"arn:{self.partition}:s3:::"
        return Resource(prefix + path, prefix + loose_path)


def permissions_for(
    service: str, operation: str, request: Mapping[str, Any], place: Place
) -> tuple[Permission, ...]:
    """Return what a call needs; nothing where that is not certain.

    Args:
        service: botocore's name of the service.
        operation: the API's name of the operation.
        request: its parameters.
        place: the caller's region and account.
    """
    prefix = _PREFIXES.get(service)
    if prefix is None:
        return ()
    if service == "s3":
        return tuple(_s3(operation, request, place))
    action = _RENAMED.get((service, operation), operation)
    if not action:
        return ()
    resources = _RESOURCES.get(service, _any_resource)(operation, request, place)
    return tuple(Permission(f"{prefix}:{action}", resource) for resource in resources)


def _any_resource(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    yield ANYTHING


def _codepipeline(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    kind = CODEPIPELINE_RESOURCES.get(operation)
    if operation in CODEPIPELINE_WITHOUT_RESOURCE:
        yield NO_RESOURCE
    elif kind is None:
        yield ANYTHING
    elif kind == "actiontype":
        of = request.get("actionTypeId") or request.get("actionType", {}).get("id") or request
        parts = [str(of.get(part, UNKNOWN)) for part in ("category", "provider", "version")]
        owner = str(of.get("owner", "Custom"))
        yield place.arn("codepipeline", f"actiontype:{'/'.join((owner, *parts))}")
    else:
        pipeline = request.get("pipelineName") or request.get("name")
        pipeline = pipeline or request.get("pipeline", {}).get("name", UNKNOWN)
        names = [pipeline, request.get("stageName", UNKNOWN), request.get("actionName", UNKNOWN)]
        depth = ("pipeline", "stage", "action").index(kind) + 1
        yield place.arn("codepipeline", "/".join(map(str, names[:depth])))


def _ssm(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    names = request.get("Names") or [request.get("Name") or request.get("Path")]
    if "Parameter" not in operation or names == [None] or operation == "DescribeParameters":
        yield ANYTHING
        return
    for name in names:
        if str(name).startswith("arn:"):
            yield place.given(str(name))
        else:
            bare = str(name).partition(":")[0].lstrip("/")
            yield place.arn("ssm", f"parameter/{bare}")


def _sns(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    arn = request.get("TopicArn") or request.get("TargetArn")
    yield place.given(str(arn)) if arn and ":sns:" in str(arn) else ANYTHING


def _sqs(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    path = urlsplit(str(request.get("QueueUrl", ""))).path.strip("/").split("/")
    name = request.get("QueueName") or (path[-1] if len(path) == 2 else None)
    own = len(path) != 2 or path[0] == place.account_id
    yield place.arn("sqs", str(name)) if name and own else ANYTHING


def _kms(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    key = str(request.get("KeyId", ""))
    if key.startswith("arn:") and ":key/" in key:
        yield place.given(key)
    elif re.fullmatch(r"[0-9a-f-]{36}|mrk-[0-9a-f]{32}", key):
        yield place.arn("kms", f"key/{key}")
    else:  # an alias stands for a key that the call does not name, as a ciphertext does
        yield ANYTHING


def _dynamodb(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    name = request.get("TableName")
    if not isinstance(name, str):
        yield ANYTHING
    elif name.startswith("arn:"):
        yield place.given(name)
    else:
        index = request.get("IndexName")
        yield place.arn("dynamodb", f"table/{name}" + (f"/index/{index}" if index else ""))


def _lambda(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    name = str(request.get("FunctionName", ""))
    if name.startswith("arn:"):
        yield place.given(name)
    elif not name or ":" in name or request.get("Qualifier"):
        yield ANYTHING
    else:
        yield place.arn("lambda", f"function:{name}")


def _secretsmanager(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    secret = str(request.get("SecretId", ""))
    if secret.startswith("arn:"):
        yield Resource(secret + UNKNOWN, f"{place.given(secret).loosely}*")
    elif secret:
        exact = place.arn("secretsmanager", f"secret:{secret}")
        # Behind the name stand six characters that Secrets Manager chose.
        yield Resource(f"{exact.text}-{UNKNOWN}", f"{exact.loosely}*")
    else:
        yield ANYTHING


def _stepfunctions(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    arn = request.get("stateMachineArn")
    yield place.given(str(arn)) if arn and operation == "StartExecution" else ANYTHING


def _sts(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Resource]:
    arn = request.get("RoleArn")
    yield place.given(str(arn)) if arn else ANYTHING


_RESOURCES: Final[Mapping[str, Callable[[str, Mapping[str, Any], Place], Iterator[Resource]]]] = {
    "codepipeline": _codepipeline,
    "dynamodb": _dynamodb,
    "kms": _kms,
    "lambda": _lambda,
    "secretsmanager": _secretsmanager,
    "sns": _sns,
    "sqs": _sqs,
    "ssm": _ssm,
    "stepfunctions": _stepfunctions,
    "sts": _sts,
}


def _s3(operation: str, request: Mapping[str, Any], place: Place) -> Iterator[Permission]:
    bucket, key = request.get("Bucket"), request.get("Key")
    if operation == "ListBuckets":
        yield Permission("s3:ListAllMyBuckets", ANYTHING)
    if operation == "DeleteObjects":
        for each in request.get("Delete", {}).get("Objects", ()):
            yield Permission("s3:DeleteObject", place.bucket(bucket, each.get("Key")))
    if operation in _BUCKETS:
        yield Permission(f"s3:{_BUCKETS[operation]}", place.bucket(bucket))
    if operation in _OBJECTS:
        action = _OBJECTS[operation]
        if request.get("VersionId") and action in _VERSIONED:
            action = f"{action}Version".replace("TaggingVersion", "VersionTagging")
            action = action.replace("AclVersion", "VersionAcl")
        yield Permission(f"s3:{action}", place.bucket(bucket, key))
    yield from _s3_source(request.get("CopySource"), place)


def _s3_source(source: object, place: Place) -> Iterator[Permission]:
    if isinstance(source, Mapping):
        action = "s3:GetObjectVersion" if source.get("VersionId") else "s3:GetObject"
        yield Permission(action, place.bucket(source.get("Bucket"), source.get("Key")))
    elif isinstance(source, str):
        path, _, version = unquote(source).lstrip("/").partition("?versionId=")
        bucket, _, key = path.partition("/")
        yield Permission(
            "s3:GetObjectVersion" if version else "s3:GetObject", place.bucket(bucket, key)
        )
