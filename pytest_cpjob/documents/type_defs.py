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
    """The type of a job's action; model shape ActionTypeId.

    >>> cpjob_details_factory()["jobDetails"]["data"]["actionTypeId"]["provider"]
    'MyBuildTool'
    """

    category: ActionCategory
    owner: ActionOwner
    provider: str
    version: str


class ActionConfiguration(TypedDict):
    """What the pipeline's author configured for the action; model shape ActionConfiguration.

    >>> job = cpjob_event_factory(user_parameters="dark")["CodePipeline.job"]
    >>> job["data"]["actionConfiguration"]["configuration"]["UserParameters"]
    'dark'
    """

    configuration: dict[str, str]


class StageContext(TypedDict):
    """The stage that a job runs in; model shape StageContext.

    >>> cpjob_pipeline_context_factory(stage_name="Deploy")["stage"]
    {'name': 'Deploy'}
    """

    name: str


class ActionContext(TypedDict):
    """The action that a job runs; model shape ActionContext.

    >>> cpjob_pipeline_context_factory(action_name="Publish")["action"]["name"]
    'Publish'
    """

    name: str
    actionExecutionId: str


class ThirdPartyPipelineContext(TypedDict):
    """Where a partner's job comes from: a `PipelineContext` without the ARN and the execution.

    >>> sorted(cpjob_pipeline_context_factory(third_party=True))
    ['action', 'pipelineName', 'stage']
    """

    pipelineName: str
    stage: StageContext
    action: ActionContext


class PipelineContext(ThirdPartyPipelineContext):
    """Where a job comes from; model shape PipelineContext.

    >>> cpjob_pipeline_context_factory(pipeline_name="web")["pipelineArn"]
    'arn:aws:codepipeline:us-east-1:123456789012:web'
    """

    pipelineArn: str
    pipelineExecutionId: str


class S3ArtifactLocation(TypedDict):
    """An artifact's object; model shape S3ArtifactLocation.

    >>> place = cpjob_artifact_factory(bucket="artifacts", key="site.zip")["location"]["s3Location"]
    >>> place["bucketName"], place["objectKey"]
    ('artifacts', 'site.zip')
    """

    bucketName: str
    objectKey: str


class ArtifactLocation(TypedDict):
    """Where an artifact is; model shape ArtifactLocation.

    >>> cpjob_artifact_factory()["location"]["type"]
    'S3'
    """

    type: Literal["S3"]
    s3Location: S3ArtifactLocation


class _ArtifactAlways(TypedDict):
    name: str
    location: ArtifactLocation


class Artifact(_ArtifactAlways, total=False):
    """An input or output artifact as boto3 returns it; model shape Artifact.

    >>> cpjob_artifact_factory(name="Source", revision="3f1c2d")["revision"]
    '3f1c2d'
    """

    revision: str


class AWSSessionCredentials(TypedDict):
    """A job's own credentials for its artifacts; model shape AWSSessionCredentials.

    >>> sorted(cpjob_credentials_factory())
    ['accessKeyId', 'secretAccessKey', 'sessionToken']
    """

    accessKeyId: str
    secretAccessKey: str
    sessionToken: str


class LambdaSessionCredentials(AWSSessionCredentials):
    """A job's own credentials in a Lambda event, which says when they end.

    `expirationTime` is in milliseconds since 1970; every event captured since 2019 has it.

    >>> data = cpjob_event_factory()["CodePipeline.job"]["data"]
    >>> data["artifactCredentials"]["expirationTime"] > 0
    True
    """

    expirationTime: int


class EncryptionKey(TypedDict):
    """The customer-managed key of the artifacts; model shape EncryptionKey.

    >>> data = cpjob_details_factory(encryption_key=True)["jobDetails"]["data"]
    >>> data["encryptionKey"]["type"]
    'KMS'
    """

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
    """What a job is about; model shape JobData.

    >>> data = cpjob_details_factory(configuration={"Theme": "dark"})["jobDetails"]["data"]
    >>> data["actionConfiguration"]["configuration"]
    {'Theme': 'dark'}
    """

    continuationToken: str
    encryptionKey: EncryptionKey


class JobDetails(TypedDict):
    """A job as GetJobDetails returns it; model shape JobDetails.

    >>> sorted(cpjob_details_factory()["jobDetails"])
    ['accountId', 'data', 'id']
    """

    id: str
    data: JobData
    accountId: str


class GetJobDetailsResponse(TypedDict):
    """The answer of GetJobDetails; model shape GetJobDetailsOutput.

    >>> cpjob_details_factory(account_id="111122223333")["jobDetails"]["accountId"]
    '111122223333'
    """

    jobDetails: JobDetails


class PollJob(TypedDict):
    """A job as PollForJobs hands it out, an element of its `jobs`; model shape Job.

    >>> job = cpjob.add_job(action_type="Build:Custom:Docs:1")
    >>> docs = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
    >>> [polled] = cpjob.client().poll_for_jobs(actionTypeId=docs)["jobs"]
    >>> polled["nonce"] == job.nonce
    True
    """

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
    """What a partner's job is about; model shape ThirdPartyJobData.

    >>> details = cpjob_third_party_details_factory()["jobDetails"]
    >>> "pipelineArn" in details["data"]["pipelineContext"]
    False
    """

    continuationToken: str
    encryptionKey: EncryptionKey


class ThirdPartyJobDetails(TypedDict):
    """A partner's job as GetThirdPartyJobDetails returns it; model shape ThirdPartyJobDetails.

    >>> sorted(cpjob_third_party_details_factory()["jobDetails"])
    ['data', 'id', 'nonce']
    """

    id: str
    data: ThirdPartyJobData
    nonce: str


class GetThirdPartyJobDetailsResponse(TypedDict):
    """The answer of GetThirdPartyJobDetails; model shape GetThirdPartyJobDetailsOutput.

    >>> sorted(cpjob_third_party_details_factory())
    ['jobDetails']
    """

    jobDetails: ThirdPartyJobDetails


class LambdaArtifact(TypedDict):
    """An artifact in a Lambda event: raw JSON, so a missing revision is `None`.

    >>> job = cpjob_event_factory(output_artifacts=["Site"])["CodePipeline.job"]
    >>> job["data"]["outputArtifacts"][0]["revision"] is None
    True
    """

    name: str
    revision: str | None
    location: ArtifactLocation


class _LambdaJobDataAlways(TypedDict):
    actionConfiguration: ActionConfiguration
    inputArtifacts: list[LambdaArtifact]
    outputArtifacts: list[LambdaArtifact]
    artifactCredentials: LambdaSessionCredentials


class LambdaJobData(_LambdaJobDataAlways, total=False):
    """What a Lambda job is about: no action type and no pipeline context.

    >>> "pipelineContext" in cpjob_event_factory()["CodePipeline.job"]["data"]
    False
    """

    continuationToken: str
    encryptionKey: EncryptionKey


class LambdaJob(TypedDict):
    """The one member of a Lambda event.

    >>> cpjob_event_factory(account_id="111122223333")["CodePipeline.job"]["accountId"]
    '111122223333'
    """

    id: str
    accountId: str
    data: LambdaJobData


LambdaEvent = TypedDict("LambdaEvent", {"CodePipeline.job": LambdaJob})
"""The event of a Lambda action; page: the user guide, "Invoke an AWS Lambda function".

>>> list(cpjob_event_factory())
['CodePipeline.job']
"""
