"""Test AWS CodePipeline custom actions for real: realistic jobs, and the service they talk to.

`pip install pytest-cpjob`, and the fixtures are there: `cpjob`, `cpjob_details_factory` and more.
Everything named here is imported at its first use, so that pytest's start stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_cpjob.artifacts.contents import Content, InputArtifact
    from pytest_cpjob.artifacts.hostile import HOSTILE_ARTIFACTS
    from pytest_cpjob.artifacts.job_artifacts import JobArtifact
    from pytest_cpjob.defaults import FindingName
    from pytest_cpjob.documents.factories import (
        JobDetailsFactory,
        LambdaEventFactory,
        ThirdPartyJobDetailsFactory,
    )
    from pytest_cpjob.documents.facts import JobFacts
    from pytest_cpjob.documents.faker_provider import CodePipelineProvider, FakerGenerator
    from pytest_cpjob.documents.job_arguments import ActionTypeArgument, EncryptionKeyArgument
    from pytest_cpjob.documents.part_factories import (
        ArtifactFactory,
        CredentialsFactory,
        PipelineContextFactory,
    )
    from pytest_cpjob.documents.type_defs import (
        ActionConfiguration,
        ActionContext,
        ActionTypeId,
        Artifact,
        ArtifactLocation,
        AWSSessionCredentials,
        EncryptionKey,
        GetJobDetailsResponse,
        GetThirdPartyJobDetailsResponse,
        JobData,
        JobDetails,
        LambdaArtifact,
        LambdaEvent,
        LambdaJob,
        LambdaJobData,
        LambdaSessionCredentials,
        PipelineContext,
        PollJob,
        S3ArtifactLocation,
        StageContext,
        ThirdPartyJobData,
        ThirdPartyJobDetails,
        ThirdPartyPipelineContext,
    )
    from pytest_cpjob.endpoint.processes import EndpointProcess
    from pytest_cpjob.endpoint.server import Endpoint
    from pytest_cpjob.errors import (
        ArtifactError,
        ContractError,
        CpjobError,
        HandlerError,
        IneffectivePolicyWarning,
        PipelineWarning,
        UnexpectedResult,
        UnfakedCallError,
        UnknownVariableWarning,
        WorkerError,
    )
    from pytest_cpjob.job import Job
    from pytest_cpjob.pipelines.executions import ActionExecution, PipelineExecution
    from pytest_cpjob.pipelines.pipeline import Pipeline
    from pytest_cpjob.pipelines.stand_ins import StandIn
    from pytest_cpjob.runners.lambda_runtime import LambdaContext
    from pytest_cpjob.service.call_log import Call
    from pytest_cpjob.service.results import CurrentRevision, JobFailure, JobSuccess
    from pytest_cpjob.stub import CodePipelineStub

__all__ = [
    "HOSTILE_ARTIFACTS",
    "AWSSessionCredentials",
    "ActionConfiguration",
    "ActionContext",
    "ActionExecution",
    "ActionTypeArgument",
    "ActionTypeId",
    "Artifact",
    "ArtifactError",
    "ArtifactFactory",
    "ArtifactLocation",
    "Call",
    "CodePipelineProvider",
    "CodePipelineStub",
    "Content",
    "ContractError",
    "CpjobError",
    "CredentialsFactory",
    "CurrentRevision",
    "EncryptionKey",
    "EncryptionKeyArgument",
    "Endpoint",
    "EndpointProcess",
    "FakerGenerator",
    "FindingName",
    "GetJobDetailsResponse",
    "GetThirdPartyJobDetailsResponse",
    "HandlerError",
    "IneffectivePolicyWarning",
    "InputArtifact",
    "Job",
    "JobArtifact",
    "JobData",
    "JobDetails",
    "JobDetailsFactory",
    "JobFacts",
    "JobFailure",
    "JobSuccess",
    "LambdaArtifact",
    "LambdaContext",
    "LambdaEvent",
    "LambdaEventFactory",
    "LambdaJob",
    "LambdaJobData",
    "LambdaSessionCredentials",
    "Pipeline",
    "PipelineContext",
    "PipelineContextFactory",
    "PipelineExecution",
    "PipelineWarning",
    "PollJob",
    "S3ArtifactLocation",
    "StageContext",
    "StandIn",
    "ThirdPartyJobData",
    "ThirdPartyJobDetails",
    "ThirdPartyJobDetailsFactory",
    "ThirdPartyPipelineContext",
    "UnexpectedResult",
    "UnfakedCallError",
    "UnknownVariableWarning",
    "WorkerError",
]

_HOMES = {
    "documents.factories": (
        "JobDetailsFactory",
        "LambdaEventFactory",
        "ThirdPartyJobDetailsFactory",
    ),
    "documents.part_factories": (
        "ArtifactFactory",
        "CredentialsFactory",
        "PipelineContextFactory",
    ),
    "documents.type_defs": (
        "ActionConfiguration",
        "ActionContext",
        "ArtifactLocation",
        "LambdaArtifact",
        "LambdaJob",
        "LambdaJobData",
        "LambdaSessionCredentials",
        "S3ArtifactLocation",
        "StageContext",
        "AWSSessionCredentials",
        "ActionTypeId",
        "Artifact",
        "EncryptionKey",
        "GetJobDetailsResponse",
        "GetThirdPartyJobDetailsResponse",
        "JobData",
        "JobDetails",
        "LambdaEvent",
        "PipelineContext",
        "PollJob",
        "ThirdPartyJobData",
        "ThirdPartyJobDetails",
        "ThirdPartyPipelineContext",
    ),
    "documents.facts": ("JobFacts",),
    "documents.job_arguments": ("ActionTypeArgument", "EncryptionKeyArgument"),
    "documents.faker_provider": ("CodePipelineProvider", "FakerGenerator"),
    "artifacts.contents": ("Content", "InputArtifact"),
    "artifacts.hostile": ("HOSTILE_ARTIFACTS",),
    "endpoint.server": ("Endpoint",),
    "endpoint.processes": ("EndpointProcess",),
    "errors": (
        "ArtifactError",
        "ContractError",
        "CpjobError",
        "HandlerError",
        "UnexpectedResult",
        "IneffectivePolicyWarning",
        "PipelineWarning",
        "UnfakedCallError",
        "UnknownVariableWarning",
        "WorkerError",
    ),
    "pipelines.pipeline": ("Pipeline",),
    "pipelines.executions": ("ActionExecution", "PipelineExecution"),
    "pipelines.stand_ins": ("StandIn",),
    "runners.lambda_runtime": ("LambdaContext",),
    "job": ("Job",),
    "artifacts.job_artifacts": ("JobArtifact",),
    "service.call_log": ("Call",),
    "service.results": ("CurrentRevision", "JobFailure", "JobSuccess"),
    "defaults": ("FindingName",),
    "stub": ("CodePipelineStub",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    # Not what is imported here, nor our modules: completion offers what users may rely on.
    return sorted(__all__)
