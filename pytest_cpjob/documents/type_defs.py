"""The documents as TypedDicts, as boto3 returns them and as Lambda receives them.

Members that AWS always sends are required. Optional members stand in a subclass with `total=False`,
because `typing` has no `NotRequired` on Python 3.10.

They are not taken from types-boto3-codepipeline, because there all members of a response are
optional (the model does not say which are always present), the Lambda event is missing as it is
not an API shape, and tests would need that package of stubs at run time. Where the two describe
the same document, either is assignable to the other: `tests/typing/assignable.py`.
"""

from __future__ import annotations

from typing import Literal, TypedDict

ActionCategory = Literal["Approval", "Build", "Compute", "Deploy", "Invoke", "Source", "Test"]
ActionOwner = Literal["AWS", "Custom", "ThirdParty"]


class ActionTypeId(TypedDict):
    """The type of a job's action; model shape ActionTypeId."""

    category: ActionCategory
    owner: ActionOwner
    provider: str
    version: str


class ActionConfiguration(TypedDict):
    """What the pipeline's author configured for the action; model shape ActionConfiguration."""

    configuration: dict[str, str]


class StageContext(TypedDict):
    """The stage that a job runs in; model shape StageContext."""

    name: str


class ActionContext(TypedDict):
    """The action that a job runs; model shape ActionContext."""

    name: str
    actionExecutionId: str


class ThirdPartyPipelineContext(TypedDict):
    """Where a partner's job comes from: a `PipelineContext` without the ARN and the execution."""

    pipelineName: str
    stage: StageContext
    action: ActionContext


class PipelineContext(ThirdPartyPipelineContext):
    """Where a job comes from; model shape PipelineContext."""

    pipelineArn: str
    pipelineExecutionId: str


class S3ArtifactLocation(TypedDict):
    """An artifact's object; model shape S3ArtifactLocation."""

    bucketName: str
    objectKey: str


class ArtifactLocation(TypedDict):
    """Where an artifact is; model shape ArtifactLocation."""

    type: Literal["S3"]
    s3Location: S3ArtifactLocation


class _ArtifactAlways(TypedDict):
    name: str
    location: ArtifactLocation


class Artifact(_ArtifactAlways, total=False):
    """An input or output artifact as boto3 returns it; model shape Artifact."""

    revision: str


class AWSSessionCredentials(TypedDict):
    """A job's own credentials for its artifacts; model shape AWSSessionCredentials."""

    accessKeyId: str
    secretAccessKey: str
    sessionToken: str


class LambdaSessionCredentials(AWSSessionCredentials):
    """A job's own credentials in a Lambda event, which says when they end.

    `expirationTime` is in milliseconds since 1970; every event captured since 2019 has it.
    """

    expirationTime: int


class EncryptionKey(TypedDict):
    """The customer-managed key of the artifacts; model shape EncryptionKey."""

    id: str
    type: Literal["KMS"]


class _JobDataAlways(TypedDict):
    actionTypeId: ActionTypeId
    actionConfiguration: ActionConfiguration
    pipelineContext: PipelineContext
    inputArtifacts: list[Artifact]
    outputArtifacts: list[Artifact]
    artifactCredentials: AWSSessionCredentials


class JobData(_JobDataAlways, total=False):
    """What a job is about; model shape JobData."""

    continuationToken: str
    encryptionKey: EncryptionKey


class JobDetails(TypedDict):
    """A job as GetJobDetails returns it; model shape JobDetails."""

    id: str
    data: JobData
    accountId: str


class GetJobDetailsResponse(TypedDict):
    """The answer of GetJobDetails; model shape GetJobDetailsOutput."""

    jobDetails: JobDetails


class PollJob(TypedDict):
    """A job as PollForJobs hands it out, an element of its `jobs`; model shape Job."""

    id: str
    data: JobData
    nonce: str
    accountId: str


class _ThirdPartyJobDataAlways(TypedDict):
    actionTypeId: ActionTypeId
    actionConfiguration: ActionConfiguration
    pipelineContext: ThirdPartyPipelineContext
    inputArtifacts: list[Artifact]
    outputArtifacts: list[Artifact]
    artifactCredentials: AWSSessionCredentials


class ThirdPartyJobData(_ThirdPartyJobDataAlways, total=False):
    """What a partner's job is about; model shape ThirdPartyJobData."""

    continuationToken: str
    encryptionKey: EncryptionKey


class ThirdPartyJobDetails(TypedDict):
    """A partner's job as GetThirdPartyJobDetails returns it; model shape ThirdPartyJobDetails."""

    id: str
    data: ThirdPartyJobData
    nonce: str


class GetThirdPartyJobDetailsResponse(TypedDict):
    """The answer of GetThirdPartyJobDetails; model shape GetThirdPartyJobDetailsOutput."""

    jobDetails: ThirdPartyJobDetails


class LambdaArtifact(TypedDict):
    """An artifact in a Lambda event: raw JSON, so a missing revision is `None`."""

    name: str
    revision: str | None
    location: ArtifactLocation


class _LambdaJobDataAlways(TypedDict):
    actionConfiguration: ActionConfiguration
    inputArtifacts: list[LambdaArtifact]
    outputArtifacts: list[LambdaArtifact]
    artifactCredentials: LambdaSessionCredentials


class LambdaJobData(_LambdaJobDataAlways, total=False):
    """What a Lambda job is about: no action type and no pipeline context."""

    continuationToken: str
    encryptionKey: EncryptionKey


class LambdaJob(TypedDict):
    """The one member of a Lambda event."""

    id: str
    accountId: str
    data: LambdaJobData


LambdaEvent = TypedDict("LambdaEvent", {"CodePipeline.job": LambdaJob})
