"""SAM's functions as the CloudFormation resources that they become.

Source: SAM's specification, and the policy templates of aws-sam-translator. Only functions with
their roles and aliases are written out: they are what a pipeline's actions refer to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_cpjob.iam.patterns import UNKNOWN

FUNCTION: Final = "AWS::Serverless::Function"
_BASIC_ROLE: Final = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
_OTHER_TYPES: Final = {
    "AWS::Serverless::SimpleTable": "AWS::DynamoDB::Table",
    "AWS::Serverless::StateMachine": "AWS::StepFunctions::StateMachine",
}

_POLLED: Final = frozenset(
    {"DocumentDB", "DynamoDB", "Kinesis", "MQ", "MSK", "SQS", "SelfManagedKafka"}
)
"""Events for which SAM lets the role read their source."""
_ADDED: Final = {"Effect": "Allow", "NotAction": "codepipeline:*", "Resource": UNKNOWN}
"""What SAM adds to a role for its sources, destinations and connectors, nothing of CodePipeline."""

_ARN: Final = "arn:${AWS::Partition}:"
_HERE: Final = "${AWS::Region}:${AWS::AccountId}:"
_BUCKET: Final = (_ARN + "s3:::${BucketName}", _ARN + "s3:::${BucketName}/*")
_TABLE: Final = (
    _ARN + "dynamodb:" + _HERE + "table/${TableName}",
    _ARN + "dynamodb:" + _HERE + "table/${TableName}/index/*",
)
_S3_READ: Final = (
    "s3:GetObject",
    "s3:ListBucket",
    "s3:GetBucketLocation",
    "s3:GetObjectVersion",
    "s3:GetLifecycleConfiguration",
)
POLICY_TEMPLATES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "CodePipelineLambdaExecutionPolicy": (
        ("codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"),
        ("*",),
    ),
    "CodePipelineReadOnlyPolicy": (
        ("codepipeline:ListPipelineExecutions",),
        (_ARN + "codepipeline:" + _HERE + "${PipelineName}",),
    ),
    "CloudFormationDescribeStacksPolicy": (
        ("cloudformation:DescribeStacks",),
        (_ARN + "cloudformation:" + _HERE + "stack/*",),
    ),
    "CloudWatchPutMetricPolicy": (("cloudwatch:PutMetricData",), ("*",)),
    "DynamoDBCrudPolicy": (
        (
            "dynamodb:GetItem",
            "dynamodb:DeleteItem",
            "dynamodb:PutItem",
            "dynamodb:Scan",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:BatchGetItem",
            "dynamodb:DescribeTable",
            "dynamodb:ConditionCheckItem",
        ),
        _TABLE,
    ),
    "DynamoDBReadPolicy": (
        (
            "dynamodb:GetItem",
            "dynamodb:Scan",
            "dynamodb:Query",
            "dynamodb:BatchGetItem",
            "dynamodb:DescribeTable",
        ),
        _TABLE,
    ),
    "KMSDecryptPolicy": (
        ("kms:Decrypt",),
        (_ARN + "kms:" + _HERE + "key/${KeyId}",),
    ),
    "LambdaInvokePolicy": (
        ("lambda:InvokeFunction",),
        (_ARN + "lambda:" + _HERE + "function:${FunctionName}*",),
    ),
    "S3CrudPolicy": (
        (
            *_S3_READ,
            "s3:PutObject",
            "s3:PutObjectAcl",
            "s3:PutLifecycleConfiguration",
            "s3:DeleteObject",
        ),
        _BUCKET,
    ),
    "S3ReadPolicy": (_S3_READ, _BUCKET),
    "SNSPublishMessagePolicy": (
        ("sns:Publish",),
        (_ARN + "sns:" + _HERE + "${TopicName}",),
    ),
    "SQSSendMessagePolicy": (
        ("sqs:SendMessage*",),
        (_ARN + "sqs:" + _HERE + "${QueueName}",),
    ),
}
"""What SAM's policy templates allow: actions, and resources in terms of their parameters."""


def uses_sam(document: Mapping[str, Any]) -> bool:
    """Tell whether a template is SAM's."""
    resources = document.get("Resources")
    return isinstance(resources, Mapping) and any(
        isinstance(resource, Mapping) and str(resource.get("Type")).startswith("AWS::Serverless::")
        for resource in resources.values()
    )


def expanded(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a SAM template with its functions, roles and aliases written out."""
    shared = document.get("Globals") or {}
    common = shared.get("Function") if isinstance(shared, Mapping) else None
    connected = any(
        isinstance(each, Mapping) and each.get("Type") == "AWS::Serverless::Connector"
        for each in document["Resources"].values()
    )
    resources: dict[str, Any] = {}
    for logical_id, resource in document["Resources"].items():
        kind = resource.get("Type") if isinstance(resource, Mapping) else None
        if kind == FUNCTION:
            resources.update(
                _function(str(logical_id), resource, common or {}, connected=connected)
            )
        elif kind in _OTHER_TYPES:
            resources[logical_id] = {**resource, "Type": _OTHER_TYPES[kind]}
        else:
            resources[logical_id] = resource
    return {**document, "Resources": resources}


def _function(
    logical_id: str, resource: Mapping[str, Any], common: Mapping[str, Any], *, connected: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    properties = _merged(common, resource.get("Properties") or {})
    made = {key: resource[key] for key in ("Condition", "Metadata") if key in resource}
    code: Any = {"CodeUri": properties.pop("CodeUri", None)}
    if "InlineCode" in properties:
        code = {"ZipFile": properties.pop("InlineCode")}
    policies = properties.pop("Policies", None)
    if "Role" not in properties:
        properties["Role"] = {"Fn::GetAtt": [f"{logical_id}Role", "Arn"]}
        yield (
            f"{logical_id}Role",
            _role(
                policies, properties, made, adds=connected or _adds_policies(resource, properties)
            ),
        )
    alias = properties.pop("AutoPublishAlias", None)
    yield (
        logical_id,
        {**made, "Type": "AWS::Lambda::Function", "Properties": {**properties, "Code": code}},
    )
    if alias is not None:
        alias_properties = {"FunctionName": {"Ref": logical_id}, "Name": alias}
        name = f"{logical_id}Alias{alias}" if isinstance(alias, str) else f"{logical_id}Alias"
        yield name, {**made, "Type": "AWS::Lambda::Alias", "Properties": alias_properties}
        referred = {**made, "Type": "AWS::Lambda::Alias", "Properties": alias_properties}
        yield f"{logical_id}.Alias", referred


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's properties with the shared ones: maps and lists are put together."""
    merged = dict(common)
    for key, value in own.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping) and key != "CodeUri":
            merged[key] = _merged(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            merged[key] = [*before, *value]
        else:
            merged[key] = value
    return merged


def _adds_policies(resource: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """Tell whether SAM adds to a function's role what its policies do not say."""
    events = properties.get("Events")
    kinds = {
        each.get("Type")
        for each in (events.values() if isinstance(events, Mapping) else ())
        if isinstance(each, Mapping)
    }
    beside = "Connectors" in resource or "DeadLetterQueue" in properties
    return beside or "EventInvokeConfig" in properties or bool(kinds & _POLLED)


def _role(
    policies: Any, properties: Mapping[str, Any], made: Mapping[str, Any], *, adds: bool
) -> dict[str, Any]:
    managed: list[Any] = [_BASIC_ROLE]
    if properties.get("VpcConfig"):
        managed.append("AWSLambdaVPCAccessExecutionRole")
    if str(properties.get("Tracing")) == "Active":
        managed.append("AWSXRayDaemonWriteAccess")
    inline: list[dict[str, Any]] = []
    listed = policies if isinstance(policies, list) else [policies]
    for number, policy in enumerate(each for each in listed if each is not None):
        if isinstance(policy, Mapping) and "Statement" in policy:
            inline.append({"PolicyName": f"Policy{number}", "PolicyDocument": dict(policy)})
        elif isinstance(policy, Mapping) and len(policy) == 1 and not _is_function(policy):
            [(name, arguments)] = policy.items()
            document = _from_template(str(name), arguments)
            inline.append({"PolicyName": str(name), "PolicyDocument": document})
        else:
            managed.append(policy)
    if adds:
        inline.append({"PolicyName": "Added", "PolicyDocument": {"Statement": [_ADDED]}})
    role: dict[str, Any] = {"ManagedPolicyArns": managed, "Policies": inline}
    if "PermissionsBoundary" in properties:
        role["PermissionsBoundary"] = properties["PermissionsBoundary"]
    return {**made, "Type": "AWS::IAM::Role", "Properties": role}


def _is_function(value: Mapping[str, Any]) -> bool:
    [name] = value
    return name == "Ref" or str(name).startswith("Fn::")


def _from_template(name: str, arguments: Any) -> dict[str, Any]:
    """Return a policy template's document; of one that is not known, it may allow anything."""
    known = POLICY_TEMPLATES.get(name)
    if known is None:
        statement: dict[str, Any] = {"Effect": "Allow", "Action": UNKNOWN, "Resource": UNKNOWN}
    else:
        actions, resources = known
        given = dict(arguments) if isinstance(arguments, Mapping) else {}
        statement = {
            "Effect": "Allow",
            "Action": list(actions),
            "Resource": [each if each == "*" else {"Fn::Sub": [each, given]} for each in resources],
        }
    return {"Version": "2012-10-17", "Statement": [statement]}
