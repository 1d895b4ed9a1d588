"""One right handler, one right worker, and the fifteen mistakes that public handlers make.

Each mistake is the right handler with one thing wrong. They are ranked as they were found in some
45 public handlers, workers and issue threads.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import boto3
from botocore.exceptions import ClientError

REGION = "us-east-1"
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}


def place(artifact: dict[str, Any]) -> dict[str, str]:
    location = artifact["location"]["s3Location"]
    return {"Bucket": location["bucketName"], "Key": location["objectKey"]}


def zipped(files: dict[str, str]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return body.getvalue()


def reporting_on(resource: str) -> dict[str, Any]:
    """The policy of a role that may poll and report."""
    operations = ("PollForJobs", "AcknowledgeJob", "PutJobSuccessResult", "PutJobFailureResult")
    actions = [f"codepipeline:{operation}" for operation in operations]
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


class Builder:
    """The right handler: a theme from UserParameters, a zip in, a zip out, one result."""

    role_policy = reporting_on("*")

    def __init__(self) -> None:
        self.codepipeline = boto3.client("codepipeline", region_name=REGION)

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        job = event["CodePipeline.job"]
        try:
            self.build(job["data"])
        except Exception as error:
            self.fail(job["id"], error)
        else:
            self.succeed(job, context)

    def build(self, data: dict[str, Any]) -> None:
        theme, s3 = self.theme(data), self.s3(data)
        body = s3.get_object(**place(data["inputArtifacts"][0]))["Body"].read()
        page = zipped({"index.html": f"<h1 class={theme}>{self.title(body)}</h1>"})
        s3.put_object(**place(data["outputArtifacts"][0]), **self.encryption(data), Body=page)

    def theme(self, data: dict[str, Any]) -> str:
        parameters = data["actionConfiguration"]["configuration"].get("UserParameters", "{}")
        return str(json.loads(parameters).get("theme", "light"))

    def s3(self, data: dict[str, Any]) -> Any:
        keys = data["artifactCredentials"]
        session = boto3.Session(
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            aws_session_token=keys["sessionToken"],
            region_name=REGION,
        )
        return session.client("s3")

    def title(self, body: bytes) -> str:
        return zipfile.ZipFile(io.BytesIO(body)).read("index.md").decode().lstrip("# ")

    def encryption(self, data: dict[str, Any]) -> dict[str, str]:
        if "encryptionKey" not in data:
            return {"ServerSideEncryption": "aws:kms"}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": data["encryptionKey"]["id"]}

    def succeed(self, job: dict[str, Any], context: Any) -> None:
        self.codepipeline.put_job_success_result(
            jobId=job["id"],
            executionDetails={"externalExecutionId": self.execution_id(context)},
        )

    def execution_id(self, context: Any) -> str:
        return str(context.aws_request_id)

    def fail(self, job_id: str, error: Exception) -> None:
        details = {"type": "JobFailed", "message": str(error)[:5000] or type(error).__name__}
        self.codepipeline.put_job_failure_result(jobId=job_id, failureDetails=details)


class Continuing(Builder):
    """The right handler of an action in two steps."""

    def succeed(self, job: dict[str, Any], context: Any) -> None:
        if "continuationToken" in job["data"]:
            super().succeed(job, context)
        else:
            self.codepipeline.put_job_success_result(jobId=job["id"], continuationToken="step 2")


class Worker(Builder):
    """The right worker: one round of poll, acknowledge, build, report."""

    def work_once(self) -> None:
        for job in self.codepipeline.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
            try:
                self.codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            except ClientError:
                continue  # another worker's
            try:
                self.build(job["data"])
            except Exception as error:
                self.fail(job["id"], error)
            else:
                self.codepipeline.put_job_success_result(jobId=job["id"])


# -- the mistakes, by rank -------------------------------------------------------------------------


class ReportsNoFailure(Builder):
    def fail(self, job_id: str, error: Exception) -> None:
        """Log it, and leave CodePipeline waiting."""


class OwnRole(Builder):
    def s3(self, data: dict[str, Any]) -> Any:
        return boto3.client("s3", region_name=REGION)


class LogsTheEvent(Builder):
    def __call__(self, event: dict[str, Any], context: Any) -> None:
        print(json.dumps(event))
        super().__call__(event, context)


class RaisesAgain(Builder):
    def fail(self, job_id: str, error: Exception) -> None:
        super().fail(job_id, error)
        raise error


class MayNotReport(Builder):
    """Its code is right; the policy of its role is limited to its pipeline, and allows nothing."""

    role_policy = reporting_on(f"arn:aws:codepipeline:{REGION}:123456789012:web")


class NoFailureDetails(Builder):
    def fail(self, job_id: str, error: Exception) -> None:
        self.codepipeline.put_job_failure_result(jobId=job_id)


class InvokeId(Builder):
    def execution_id(self, context: Any) -> str:
        invoke_id: str = context.invokeid  # Node.js had it once; Python's context never did
        return invoke_id


class GoesOn(Builder):
    def fail(self, job_id: str, error: Exception) -> None:
        super().fail(job_id, error)
        self.codepipeline.put_job_success_result(jobId=job_id)


class NoKey(Builder):
    def encryption(self, data: dict[str, Any]) -> dict[str, str]:
        return {"ServerSideEncryption": "aws:kms"}


class NeedsUserParameters(Builder):
    def theme(self, data: dict[str, Any]) -> str:
        return str(json.loads(data["actionConfiguration"]["configuration"]["UserParameters"]))


class NeedsPipelineContext(Builder):
    def theme(self, data: dict[str, Any]) -> str:
        return str(data["pipelineContext"]["pipelineName"])


class ReadsNoZip(Builder):
    def title(self, body: bytes) -> str:
        return body.decode("ascii").lstrip("# ")


class FailsOthersJobs(Worker):
    def work_once(self) -> None:
        for job in self.codepipeline.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
            try:
                self.codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                self.build(job["data"])
                self.codepipeline.put_job_success_result(jobId=job["id"])
            except Exception as error:
                self.fail(job["id"], error)


class ContinuesForEver(Continuing):
    def succeed(self, job: dict[str, Any], context: Any) -> None:
        self.codepipeline.put_job_success_result(jobId=job["id"], continuationToken="step 2")


class TestedWithAnyId(Builder):
    """Its code is right; its test's event has a job id that AWS could not send."""
