"""The four documents that AWS sends about one job: new plain dicts at each call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cpjob.aws.regions import partition_of
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
    _, account, region, pipeline, stage, action, _, _, _, _, _, _, execution, own_execution, _ = (
        facts
    )
    owner = f"arn:{partition_of(region)}:codepipeline:{region}:{account}"
    return {
        "pipelineName": pipeline,
        "stage": {"name": stage},
        "action": {"name": action, "actionExecutionId": own_execution},
        "pipelineArn": f"{owner}:{pipeline}",
        "pipelineExecutionId": execution,
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
    # Of a poll and of details a worker asks for many: one step takes all of the facts out.
    _, _, _, _, _, _, action_type, configuration, inputs, outputs, token, key, _, _, _ = facts
    data: JobData = {
        "actionTypeId": action_type.as_dict(),
        "actionConfiguration": {"configuration": {**configuration}},
        "pipelineContext": pipeline_context(facts),
        # Most jobs that are asked for again and again have none.
        "inputArtifacts": [artifact(one) for one in inputs] if inputs else [],
        "outputArtifacts": [artifact(one) for one in outputs] if outputs else [],
        "artifactCredentials": credentials.as_dict(),
    }
    if token is not None or key is not None:
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
