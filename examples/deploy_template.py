"""A Lambda action that deploys a CloudFormation template out of its input artifact.

The shape of the Python sample in AWS's guide ("Invoke an AWS Lambda function in a pipeline"): the
clients for CloudFormation and CodePipeline are made when the module is imported, the one for S3
inside, from the job's own credentials. A stack takes longer than a function may, so the result
carries a continuation token, and CodePipeline invokes the function again until the stack is done.
Lambda may run the same event twice, so each step can be taken again.

UserParameters: `{"stack": "news", "artifact": "Source", "file": "template.json"}`, and optionally
`"parameters": {"Topic": "news"}`.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

cloudformation = boto3.client("cloudformation")
codepipeline = boto3.client("codepipeline")

LARGEST_TEMPLATE: Final = 51_200
"""Bytes that CloudFormation takes as a TemplateBody."""


class ConfigurationError(Exception):
    """The pipeline's author has to change something."""


class StackFailed(Exception):
    """The stack came to a bad end."""


class Deployment(NamedTuple):
    """What the action was configured to do."""

    stack: str
    artifact: str
    file: str
    parameters: Mapping[str, str]


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Start the deployment or look after it, and report where it stands."""
    job = event["CodePipeline.job"]
    try:
        result = advance(job["id"], job["data"])
    except ConfigurationError as error:
        fail(job["id"], "ConfigurationError", error)
    except Exception as error:
        fail(job["id"], "JobFailed", error)
    else:
        report(codepipeline.put_job_success_result, jobId=job["id"], **result)


def advance(job_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Do the next step of a job, and give what its success result says."""
    if "continuationToken" in data:
        return look_after(json.loads(data["continuationToken"])["stack"])
    deployment = deployment_of(data["actionConfiguration"]["configuration"])
    template = template_of(data, deployment)
    if start(deployment, template, job_id):
        return {"continuationToken": json.dumps({"stack": deployment.stack})}
    return {"outputVariables": outputs_of(deployment.stack)}


def deployment_of(configuration: Mapping[str, str]) -> Deployment:
    """Read UserParameters.

    Raises:
        ConfigurationError: they are missing, are no JSON, or do not say what is needed.
    """
    try:
        given = json.loads(configuration["UserParameters"])
        return Deployment(
            given["stack"], given["artifact"], given["file"], given.get("parameters", {})
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ConfigurationError(
            f"UserParameters must be JSON with stack, artifact and file: {error!r}"
        ) from error


def template_of(data: Mapping[str, Any], deployment: Deployment) -> str:
    """Read the template out of the input artifact.

    Raises:
        ConfigurationError: there is no such artifact, no such file in it, or it is too large.
    """
    artifacts = {artifact["name"]: artifact for artifact in data["inputArtifacts"]}
    if deployment.artifact not in artifacts:
        raise ConfigurationError(
            f"there is no input artifact {deployment.artifact!r}, only {sorted(artifacts)}"
        )
    location = artifacts[deployment.artifact]["location"]["s3Location"]
    s3 = artifact_client(data["artifactCredentials"])
    body = s3.get_object(Bucket=location["bucketName"], Key=location["objectKey"])["Body"]
    with body, zipfile.ZipFile(io.BytesIO(body.read())) as archive:
        if deployment.file not in archive.namelist():
            raise ConfigurationError(f"{deployment.artifact} has no file {deployment.file!r}")
        if archive.getinfo(deployment.file).file_size > LARGEST_TEMPLATE:
            raise ConfigurationError(f"{deployment.file} is larger than {LARGEST_TEMPLATE} bytes")
        return archive.read(deployment.file).decode("utf-8")


def artifact_client(credentials: Mapping[str, str]) -> Any:
    """Make the one client that may open the job's artifacts; KMS wants signature version 4."""
    session = boto3.session.Session(
        aws_access_key_id=credentials["accessKeyId"],
        aws_secret_access_key=credentials["secretAccessKey"],
        aws_session_token=credentials["sessionToken"],
    )
    return session.client("s3", config=Config(signature_version="s3v4"))


def start(deployment: Deployment, template: str, token: str) -> bool:
    """Create or update the stack; False when it is as the template wants it already.

    CloudFormation takes a request that it has seen with the same token for that request.
    """
    arguments = {
        "StackName": deployment.stack,
        "TemplateBody": template,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in deployment.parameters.items()
        ],
        "ClientRequestToken": token,
    }
    try:
        cloudformation.create_stack(**arguments)
    except cloudformation.exceptions.AlreadyExistsException:
        return update(arguments)
    return True


def update(arguments: Mapping[str, Any]) -> bool:
    """Update the stack; CloudFormation has no error code of its own for what needs none."""
    try:
        cloudformation.update_stack(**arguments)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return False
        raise
    return True


def look_after(stack: str) -> dict[str, Any]:
    """Give the result of a stack that was started: done, or the token again.

    Raises:
        StackFailed: it is neither done nor in progress.
    """
    status = status_of(stack)
    if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return {"outputVariables": outputs_of(stack)}
    if status.endswith("_IN_PROGRESS") and "ROLLBACK" not in status:
        return {"continuationToken": json.dumps({"stack": stack})}
    raise StackFailed(f"stack {stack} is {status}")


def status_of(stack: str) -> str:
    """Give the stack's status, such as CREATE_IN_PROGRESS."""
    return str(describe(stack)["StackStatus"])


def outputs_of(stack: str) -> dict[str, str]:
    """Give the stack's outputs, for the actions that follow."""
    outputs = describe(stack).get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def describe(stack: str) -> dict[str, Any]:
    """Ask CloudFormation for the stack."""
    found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return found


def fail(job_id: str, kind: str, error: Exception) -> None:
    """Report a failure: a message of 1 to 5,000 characters, whatever the error has to say."""
    message = str(error)[:5000] or type(error).__name__
    report(
        codepipeline.put_job_failure_result,
        jobId=job_id,
        failureDetails={"type": kind, "message": message},
    )


def report(put: Callable[..., Any], **result: Any) -> None:
    """Report a result; one whose answer was lost is sent again, and refused if it had arrived."""
    try:
        try:
            put(**result)
        except HTTPClientError:
            put(**result)
    except codepipeline.exceptions.InvalidJobStateException:
        print(f"job {result['jobId']} has its result already")
