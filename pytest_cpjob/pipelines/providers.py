"""AWS's own action providers: artifact counts, required configuration, output variables.

Source: CodePipeline user guide, "CodePipeline pipeline structure reference" and "Variables
reference"; required keys as CreatePipeline's refusals name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Provider(NamedTuple):
    """What an action of a provider takes and gives.

    Attributes:
        inputs, outputs: the least and the most artifacts.
        required: configuration keys.
        only: the only configuration keys there are, None where that is not known.
        variables: the output variables, None where its user decides on them.
    """

    inputs: tuple[int, int] = (0, 5)
    outputs: tuple[int, int] = (0, 5)
    required: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    variables: frozenset[str] | None = frozenset()


_SOURCE: Final = Provider((0, 0), (0, 1))
_DEPLOY: Final = Provider((1, 1), (0, 0))
_ANY: Final = Provider((0, 10), (0, 10), variables=None)
_COMMIT: Final = frozenset(
    {
        "AuthorDate",
        "BranchName",
        "CommitId",
        "CommitMessage",
        "CommitterDate",
        "RepositoryName",
    }
)

PROVIDERS: Final[Mapping[tuple[str, str], Provider]] = {
    ("Source", "S3"): _SOURCE._replace(
        required=("S3Bucket", "S3ObjectKey"),
        variables=frozenset({"BucketName", "ETag", "ObjectKey", "VersionId"}),
    ),
    ("Source", "CodeCommit"): _SOURCE._replace(
        required=("RepositoryName", "BranchName"), variables=_COMMIT
    ),
    ("Source", "ECR"): _SOURCE._replace(
        required=("RepositoryName",),
        variables=frozenset(
            {"ImageDigest", "ImageTag", "ImageURI", "RegistryId", "RepositoryName"}
        ),
    ),
    ("Source", "CodeStarSourceConnection"): _SOURCE._replace(
        variables=frozenset(
            {
                "AuthorDate",
                "BranchName",
                "CommitId",
                "CommitMessage",
                "ConnectionArn",
                "FullRepositoryName",
            }
        ),
    ),
    ("Build", "CodeBuild"): Provider((1, 5), (0, 5), ("ProjectName",), variables=None),
    ("Build", "ECRBuildAndPublish"): _ANY,
    ("Test", "CodeBuild"): Provider((1, 5), (0, 5), ("ProjectName",), variables=None),
    ("Test", "DeviceFarm"): Provider((1, 1), (0, 0)),
    ("Approval", "Manual"): Provider((0, 0), (0, 0)),
    ("Deploy", "S3"): _DEPLOY._replace(required=("BucketName", "Extract")),
    ("Deploy", "CodeDeploy"): _DEPLOY._replace(required=("ApplicationName", "DeploymentGroupName")),
    ("Deploy", "CodeDeployToECS"): Provider((1, 5), (0, 0)),
    ("Deploy", "ElasticBeanstalk"): _DEPLOY,
    ("Deploy", "OpsWorks"): _DEPLOY,
    ("Deploy", "ECS"): _DEPLOY._replace(required=("ClusterName", "ServiceName")),
    ("Deploy", "ServiceCatalog"): _DEPLOY,
    ("Deploy", "AppConfig"): _DEPLOY,
    ("Deploy", "EC2"): _ANY,
    ("Deploy", "EKS"): _ANY,
    ("Deploy", "Lambda"): _ANY,
    ("Deploy", "CloudFormation"): Provider(
        (0, 10), (0, 1), ("ActionMode", "StackName"), variables=None
    ),
    ("Deploy", "CloudFormationStackSet"): Provider(
        (1, 10), (0, 0), variables=frozenset({"OperationId", "StackSetId"})
    ),
    ("Deploy", "CloudFormationStackInstances"): Provider(
        (0, 10), (0, 0), variables=frozenset({"OperationId", "StackSetId"})
    ),
    ("Invoke", "Lambda"): Provider(
        (0, 5), (0, 5), ("FunctionName",), ("FunctionName", "UserParameters"), variables=None
    ),
    ("Invoke", "StepFunctions"): Provider((0, 1), (0, 1), ("StateMachineArn",), variables=None),
    ("Invoke", "CodePipeline"): Provider((0, 0), (0, 0), ("PipelineName",), variables=None),
    ("Invoke", "InspectorScan"): _ANY,
    ("Compute", "Commands"): _ANY,
}
"""By category and provider. `Jenkins` and other custom types are as their authors declare them."""

GITHUB: Final = _SOURCE._replace(variables=_COMMIT | {"CommitUrl"})
"""Version 1 of the GitHub source, whose owner is ThirdParty."""

V2_ONLY: Final = frozenset({"Commands", "ECRBuildAndPublish", "EKS"})
"""Providers that pipelines of type V1 do not have."""


def provider_of(action_type: Mapping[str, object]) -> Provider | None:
    """Return what is known of an action's provider, None for an author's or a partner's."""
    category, provider = str(action_type.get("category")), str(action_type.get("provider"))
    if action_type.get("owner") == "AWS":
        return PROVIDERS.get((category, provider))
    if (action_type.get("owner"), category, provider) == ("ThirdParty", "Source", "GitHub"):
        return GITHUB
    return None
