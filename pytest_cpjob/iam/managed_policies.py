"""AWS's own managed policies that functions of pipelines have, as far as they are certain.

Source: the AWS managed policy reference. Any other one is unknown, and may allow anything.
"""

from __future__ import annotations

from typing import Any, Final

from pytest_cpjob.iam.patterns import UNKNOWN
from pytest_cpjob.iam.policies import Statement, read_policies

_JOB_WORKERS: Final = (
    "codepipeline:AcknowledgeJob",
    "codepipeline:GetJobDetails",
    "codepipeline:PollForJobs",
    "codepipeline:PutJobFailureResult",
    "codepipeline:PutJobSuccessResult",
)
_READERS: Final = (
    "codepipeline:GetPipeline",
    "codepipeline:GetPipelineState",
    "codepipeline:GetPipelineExecution",
    "codepipeline:ListPipelineExecutions",
    "codepipeline:ListPipelines",
)
_LOGS: Final = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_INTERFACES: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
_TRACES: Final = (
    "xray:GetSamplingRules",
    "xray:GetSamplingStatisticSummaries",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)


def _allow(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


_OTHER_SERVICES: Final = {
    # What they allow beside CodePipeline's actions changes, and is not certain.
    "Effect": "Allow",
    "NotAction": "codepipeline:*",
    "Resource": UNKNOWN,
}
_FULL: Final = [_allow("codepipeline:*"), _OTHER_SERVICES]
_APPROVER: Final = [_allow(*_READERS, "codepipeline:PutApprovalResult")]

_POLICIES: Final[dict[str, list[dict[str, Any]]]] = {
    "AWSCodePipelineCustomActionAccess": [_allow(*_JOB_WORKERS)],
    "AWSCodePipeline_FullAccess": _FULL,
    "AWSCodePipelineFullAccess": _FULL,
    "AWSCodePipeline_ReadOnlyAccess": [
        _allow("codepipeline:Get*", "codepipeline:List*"),
        _OTHER_SERVICES,
    ],
    "AWSCodePipelineApproverAccess": _APPROVER,
    "AWSLambdaBasicExecutionRole": [_allow(*_LOGS)],
    "AWSLambdaVPCAccessExecutionRole": [_allow(*_LOGS, *_INTERFACES)],
    "AWSXRayDaemonWriteAccess": [_allow(*_TRACES)],
    "AWSXrayWriteOnlyAccess": [_allow(*_TRACES)],
    "AdministratorAccess": [_allow("*")],
    "PowerUserAccess": [
        {
            "Effect": "Allow",
            "NotAction": ["iam:*", "organizations:*", "account:*"],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": ["iam:*", "organizations:*", "account:*"],
            "Resource": UNKNOWN,
        },
    ],
}


def managed_policy(name: str) -> tuple[Statement, ...] | None:
    """Return the statements of an AWS managed policy, None if it is not one of the known.

    Args:
        name: its name, or its ARN, path included.
    """
    short = name.rpartition("/")[2]
    statements = _POLICIES.get(short)
    if statements is None:
        return None
    return read_policies({"Statement": statements}, f"AWS's managed policy {short}")
