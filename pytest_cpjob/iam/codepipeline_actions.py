"""CodePipeline's actions as IAM knows them, by the type of resource that they take.

Source: the service authorization reference, "Actions, resources, and condition keys for AWS
CodePipeline".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CODEPIPELINE_RESOURCES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "PollForJobs",
            "CreateCustomActionType",
            "DeleteCustomActionType",
            "UpdateActionType",
        ),
        "actiontype",
    ),
    **dict.fromkeys(
        (
            "GetPipeline",
            "GetPipelineState",
            "GetPipelineExecution",
            "ListPipelineExecutions",
            "ListActionExecutions",
            "ListRuleExecutions",
            "ListDeployActionExecutionTargets",
            "StartPipelineExecution",
            "StopPipelineExecution",
            "CreatePipeline",
            "UpdatePipeline",
            "DeletePipeline",
        ),
        "pipeline",
    ),
    **dict.fromkeys(
        (
            "RetryStageExecution",
            "RollbackStage",
            "OverrideStageCondition",
            "EnableStageTransition",
            "DisableStageTransition",
        ),
        "stage",
    ),
    **dict.fromkeys(("PutApprovalResult", "PutActionRevision"), "action"),
}
"""The resource type of CodePipeline's operations that take one."""

CODEPIPELINE_WITHOUT_RESOURCE: Final = frozenset(
    {
        "AcknowledgeJob",
        "AcknowledgeThirdPartyJob",
        "GetActionType",
        "GetJobDetails",
        "GetThirdPartyJobDetails",
        "ListActionTypes",
        "ListPipelines",
        "ListRuleTypes",
        "PollForThirdPartyJobs",
        "PutJobFailureResult",
        "PutJobSuccessResult",
        "PutThirdPartyJobFailureResult",
        "PutThirdPartyJobSuccessResult",
    }
)
"""Those that take none: only a statement on `*` allows them."""

CODEPIPELINE_OTHERS: Final = frozenset(
    {
        "DeleteWebhook",
        "DeregisterWebhookWithThirdParty",
        "ListTagsForResource",
        "ListWebhooks",
        "PutWebhook",
        "RegisterWebhookWithThirdParty",
        "TagResource",
        "UntagResource",
    }
)
"""The rest, of which handlers call hardly any: their resource counts as any."""
