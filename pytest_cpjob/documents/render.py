"""The four documents that AWS sends about one job: new plain dicts at each call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cpjob.documents.facts import ArtifactFacts, Credentials, JobFacts

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import (
        ActionContext,
        Artifact,
        ArtifactLocation,
        GetJobDetailsResponse,
        GetThirdPartyJobDetailsResponse,
        JobData,
        LambdaArtifact,
        LambdaEvent,
        LambdaJobData,
        PipelineContext,
        PollJob,
        ThirdPartyJobData,
        ThirdPartyPipelineContext,
    )


def job_details(facts: JobFacts, credentials: Credentials) -> GetJobDetailsResponse:
    """Return what GetJobDetails answers; model shape GetJobDetailsOutput."""
    return {
        "jobDetails": {
            "id": facts.id,
            "data": _job_data(facts, credentials),
            "accountId": facts.account_id,
        }
    }


def poll_job(facts: JobFacts, credentials: Credentials, nonce: str) -> PollJob:
    """Return one element of PollForJobs' `jobs`; model shape Job."""
    return {
        "id": facts.id,
        "data": _job_data(facts, credentials),
        "nonce": nonce,
        "accountId": facts.account_id,
    }


def third_party_job_details(
    facts: JobFacts, credentials: Credentials, nonce: str
) -> GetThirdPartyJobDetailsResponse:
    """Return what GetThirdPartyJobDetails answers; model shape GetThirdPartyJobDetailsOutput.

    It has the nonce, but neither the account nor the pipeline's ARN and execution id.
    """
    data: ThirdPartyJobData = {
        "actionTypeId": facts.action_type.as_dict(),
        "actionConfiguration": {"configuration": dict(facts.configuration)},
        "pipelineContext": third_party_pipeline_context(facts),
        "inputArtifacts": [artifact(one) for one in facts.inputs],
        "outputArtifacts": [artifact(one) for one in facts.outputs],
        "artifactCredentials": credentials.as_dict(),
    }
    _add_optional(data, facts)
    return {"jobDetails": {"id": facts.id, "data": data, "nonce": nonce}}


def lambda_event(facts: JobFacts, credentials: Credentials, expiration_time: int) -> LambdaEvent:
    """Return the event with which CodePipeline invokes a Lambda function.

    It has neither action type nor pipeline context; a missing revision is `None`.
    `expiration_time` is the credentials' end in milliseconds since 1970, which only the event has.
    """
    data: LambdaJobData = {
        "actionConfiguration": {"configuration": dict(facts.configuration)},
        "inputArtifacts": [_lambda_artifact(one) for one in facts.inputs],
        "outputArtifacts": [_lambda_artifact(one) for one in facts.outputs],
        "artifactCredentials": {**credentials.as_dict(), "expirationTime": expiration_time},
    }
    _add_optional(data, facts)
    return {"CodePipeline.job": {"id": facts.id, "accountId": facts.account_id, "data": data}}


def artifact(facts: ArtifactFacts) -> Artifact:
    """Return one artifact as boto3 returns it, without `revision` if there is none."""
    rendered: Artifact = {"name": facts.name, "location": _location(facts)}
    if facts.revision is not None:
        rendered["revision"] = facts.revision
    return rendered


def pipeline_context(facts: JobFacts) -> PipelineContext:
    """Return where a job comes from; model shape PipelineContext."""
    return {
        "pipelineName": facts.pipeline_name,
        "stage": {"name": facts.stage_name},
        "action": _action_context(facts),
        "pipelineArn": facts.pipeline_arn,
        "pipelineExecutionId": facts.pipeline_execution_id,
    }


def third_party_pipeline_context(facts: JobFacts) -> ThirdPartyPipelineContext:
    """Return where a partner's job comes from: without the pipeline's ARN and execution id."""
    return {
        "pipelineName": facts.pipeline_name,
        "stage": {"name": facts.stage_name},
        "action": _action_context(facts),
    }


def _action_context(facts: JobFacts) -> ActionContext:
    return {"name": facts.action_name, "actionExecutionId": facts.action_execution_id}


def _job_data(facts: JobFacts, credentials: Credentials) -> JobData:
    data: JobData = {
        "actionTypeId": facts.action_type.as_dict(),
        "actionConfiguration": {"configuration": dict(facts.configuration)},
        "pipelineContext": pipeline_context(facts),
        "inputArtifacts": [artifact(one) for one in facts.inputs],
        "outputArtifacts": [artifact(one) for one in facts.outputs],
        "artifactCredentials": credentials.as_dict(),
    }
    _add_optional(data, facts)
    return data


def _add_optional(data: JobData | ThirdPartyJobData | LambdaJobData, facts: JobFacts) -> None:
    if facts.continuation_token is not None:
        data["continuationToken"] = facts.continuation_token
    if facts.encryption_key is not None:
        data["encryptionKey"] = {"id": facts.encryption_key, "type": "KMS"}


def _location(facts: ArtifactFacts) -> ArtifactLocation:
    return {
        "type": "S3",
        "s3Location": {"bucketName": facts.bucket, "objectKey": facts.key},
    }


def _lambda_artifact(facts: ArtifactFacts) -> LambdaArtifact:
    return {"name": facts.name, "revision": facts.revision, "location": _location(facts)}
