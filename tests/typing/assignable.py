"""Our TypedDicts where types-boto3 has their equals: each is assignable, both ways.

The other documents differ on purpose. In types-boto3 every member of a response is `NotRequired`,
because the model says so; ours are required where AWS always sends them.
"""

from __future__ import annotations

from types_boto3_codepipeline import type_defs as aws
from types_boto3_codepipeline.client import CodePipelineClient

from pytest_cpjob import (
    ActionTypeId,
    AWSSessionCredentials,
    EncryptionKey,
    PollJob,
    S3ArtifactLocation,
)
from pytest_cpjob.strategies import FailureDetails


def ours_are_theirs(
    action_type: ActionTypeId,
    credentials: AWSSessionCredentials,
    key: EncryptionKey,
    s3_location: S3ArtifactLocation,
    failure: FailureDetails,
) -> None:
    one: aws.ActionTypeIdTypeDef = action_type
    two: aws.AWSSessionCredentialsTypeDef = credentials
    three: aws.EncryptionKeyTypeDef = key
    four: aws.S3ArtifactLocationTypeDef = s3_location
    five: aws.FailureDetailsTypeDef = failure
    print(one, two, three, four, five)


def theirs_are_ours(
    action_type: aws.ActionTypeIdTypeDef,
    credentials: aws.AWSSessionCredentialsTypeDef,
    key: aws.EncryptionKeyTypeDef,
    s3_location: aws.S3ArtifactLocationTypeDef,
    failure: aws.FailureDetailsTypeDef,
) -> None:
    one: ActionTypeId = action_type
    two: AWSSessionCredentials = credentials
    three: EncryptionKey = key
    four: S3ArtifactLocation = s3_location
    five: FailureDetails = failure
    print(one, two, three, four, five)


def a_typed_client_takes_parts_of_our_documents(
    client: CodePipelineClient, job: PollJob, failure: FailureDetails
) -> None:
    client.poll_for_jobs(actionTypeId=job["data"]["actionTypeId"])
    client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
    client.put_job_failure_result(jobId=job["id"], failureDetails=failure)
