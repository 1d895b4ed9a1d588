"""Fifteen mistakes that handler authors make, under four tools: who notices.

The rows are the ranked mistakes of public handlers; `docs/comparison.md` prints this table. A tool
notices when a test that asks for no more than that the handler runs to its end and, where the tool
can tell, that a result was reported, does not pass.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.stub import Stubber

from pytest_cpjob import CodePipelineStub, ContractError

DOCS = Path(__file__).parent.parent / "docs" / "comparison.md"
REGION = {"region_name": "us-east-1"}
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

Handler = Callable[[Any, Any, Any, Callable[..., Any]], Any]
"""Takes event, context, codepipeline, s3: `s3()` is the own role's client, `s3(keys)` a job's."""


def job_of(event: Any) -> Any:
    return event["CodePipeline.job"]


def succeed(event: Any, codepipeline: Any, **more: Any) -> None:
    codepipeline.put_job_success_result(jobId=job_of(event)["id"], **more)


def place(artifact: Any) -> dict[str, str]:
    at = artifact["location"]["s3Location"]
    return {"Bucket": at["bucketName"], "Key": at["objectKey"]}


def never_reports(event: Any, context: Any, codepipeline: Any, s3: Any) -> Any:
    return {"statusCode": 200}


def uses_its_own_role(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    source = job_of(event)["data"]["inputArtifacts"][0]
    s3().get_object(**place(source))["Body"].read()
    succeed(event, codepipeline)


def logs_the_event(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    print(json.dumps(event))
    succeed(event, codepipeline)


def raises_after_reporting(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        details = {"type": "JobFailed", "message": str(error)}
        codepipeline.put_job_failure_result(jobId=job_of(event)["id"], failureDetails=details)
        raise


def may_not_report(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    """IAM: the function's role lacks codepipeline:PutJobSuccessResult."""
    succeed(event, codepipeline)


def malformed_failure(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    try:
        codepipeline.put_job_failure_result(jobId=job_of(event)["id"], failureDetails="broken")
    except Exception as error:
        print("cannot report", type(error).__name__)


def invoke_id_of_old(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    details = {"externalExecutionId": context.invokeid}
    succeed(event, codepipeline, executionDetails=details)


def reports_twice(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    details = {"type": "ConfigurationError", "message": "no theme"}
    codepipeline.put_job_failure_result(jobId=job_of(event)["id"], failureDetails=details)
    try:
        succeed(event, codepipeline)
    except Exception as error:
        print("cannot report", type(error).__name__)


def uploads_without_the_key(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    data = job_of(event)["data"]
    client = s3(data["artifactCredentials"])
    client.put_object(**place(data["outputArtifacts"][0]), Body=b"site")
    succeed(event, codepipeline)


def assumes_user_parameters(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    json.loads(job_of(event)["data"]["actionConfiguration"]["configuration"]["UserParameters"])
    succeed(event, codepipeline)


def assumes_a_pipeline_context(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    job_of(event)["data"]["pipelineContext"]["pipelineName"]
    succeed(event, codepipeline)


def takes_the_zip_for_a_file(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    data = job_of(event)["data"]
    body = s3(data["artifactCredentials"]).get_object(**place(data["inputArtifacts"][0]))["Body"]
    json.loads(body.read().decode("utf-8", "replace"))
    succeed(event, codepipeline)


def succeeds_without_its_output(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    succeed(event, codepipeline)


def never_ends_its_token(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    succeed(event, codepipeline, continuationToken="again")


def outputs_no_string(event: Any, context: Any, codepipeline: Any, s3: Any) -> None:
    try:
        succeed(event, codepipeline, outputVariables={"pages": 1})
    except Exception as error:
        print("cannot report", type(error).__name__)


# What each tool notices: unittest.mock, Stubber, moto alone, pytest-cpjob.
MISTAKES: dict[str, tuple[str, Handler, str]] = {
    "no-report": ("some path never reports a result", never_reports, "yes yes yes yes"),
    "own-role": ("the own role opens artifacts", uses_its_own_role, "no no no yes"),
    "logs-event": ("the whole event is logged", logs_the_event, "no no no yes"),
    "raise-after": ("it raises after it reported", raises_after_reporting, "yes yes yes yes"),
    "iam": ("its role may not report", may_not_report, "no no no no"),
    "failure-details": ("failureDetails is malformed", malformed_failure, "no yes no yes"),
    "invokeid": ("it reads `context.invokeid`", invoke_id_of_old, "no yes yes yes"),
    "twice": ("it reports twice", reports_twice, "no no no yes"),
    "no-key": ("it uploads without the KMS key", uploads_without_the_key, "no no no yes"),
    "user-parameters": ("it assumes UserParameters", assumes_user_parameters, "no no no yes"),
    "context": ("it assumes a pipelineContext", assumes_a_pipeline_context, "no no no yes"),
    "raw-file": ("it takes the zip for a file", takes_the_zip_for_a_file, "no no no yes"),
    "no-output": ("success, and no output uploaded", succeeds_without_its_output, "no no no yes"),
    "token": ("its continuation never ends", never_ends_its_token, "no no no yes"),
    "variables": ("an output variable is no string", outputs_no_string, "no yes no yes"),
}
TOOLS = ("unittest.mock", "Stubber", "moto", "pytest-cpjob")


def handwritten_event() -> Any:
    """An event as people write it: what the handler at hand reads, and no more is checked."""

    def at(name: str) -> Any:
        return {
            "name": name,
            "location": {"s3Location": {"bucketName": "bucket", "objectKey": name}},
        }

    data = {
        "actionConfiguration": {"configuration": {"UserParameters": "{}"}},
        "pipelineContext": {"pipelineName": "web"},
        "inputArtifacts": [at("in")],
        "outputArtifacts": [at("out")],
        "artifactCredentials": {"accessKeyId": "a", "secretAccessKey": "b", "sessionToken": "c"},
    }
    return {"CodePipeline.job": {"id": "11111111-abcd-1111-abcd-111111abcdef", "data": data}}


class Context:
    """A context as people write it for the strict tools."""

    aws_request_id = "1"


def under_mock(handler: Handler) -> None:
    s3 = MagicMock()
    s3.get_object.return_value = {"Body": io.BytesIO(b"{}")}
    codepipeline = MagicMock()
    handler(handwritten_event(), MagicMock(), codepipeline, lambda keys=None: s3)
    assert codepipeline.method_calls, "nothing was reported"


def under_stubber(handler: Handler) -> None:
    """Answers set up for both results, as a test does that is not to fail by itself."""
    clients = boto3.client("codepipeline", **REGION), boto3.client("s3", **REGION)
    codepipeline, s3 = map(Stubber, clients)
    for _ in range(2):
        codepipeline.add_response("put_job_success_result", {})
    if handler in (raises_after_reporting, reports_twice, malformed_failure):
        codepipeline = Stubber(clients[0])
        codepipeline.add_response("put_job_failure_result", {})
        codepipeline.add_response("put_job_success_result", {})
    if handler is uploads_without_the_key:
        s3.add_response("put_object", {})
    else:
        s3.add_response("get_object", {"Body": io.BytesIO(b"{}")})
    with codepipeline, s3:
        handler(handwritten_event(), Context(), clients[0], lambda keys=None: clients[1])
    assert len(codepipeline._queue) < 2, "nothing was reported"


def under_moto(handler: Handler) -> None:
    """S3 is moto's; moto does not have the job operations, so these are mocked beside it."""
    from moto import mock_aws

    with mock_aws():
        s3 = boto3.client("s3", **REGION)
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="in", Body=b"{}")
        codepipeline = MagicMock()
        handler(handwritten_event(), Context(), codepipeline, lambda keys=None: s3)
        assert codepipeline.method_calls, "nothing was reported"


def under_us(handler: Handler) -> None:
    def as_lambda(event: Any, context: Any) -> Any:
        def s3(keys: Any = None) -> Any:
            if keys is None:
                return boto3.client("s3", **REGION)
            session = boto3.Session(
                keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
            )
            return session.client("s3", **REGION)

        return handler(event, context, boto3.client("codepipeline", **REGION), s3)

    wants_output = handler in (uploads_without_the_key, succeeds_without_its_output)
    with CodePipelineStub() as cpjob:
        cpjob.add_lambda_job(
            input_artifacts={"Source": {"config.json": "{}"}},
            output_artifacts=["Site"] if wants_output else [],
            encryption_key=KEY if wants_output else None,
        ).invoke(as_lambda)


RUN = dict(zip(TOOLS, (under_mock, under_stubber, under_moto, under_us), strict=True))


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_who_notices(mistake: str, tool: str) -> None:
    _, handler, expected = MISTAKES[mistake]
    notices = expected.split()[TOOLS.index(tool)] == "yes"
    if notices:
        with pytest.raises((Exception, ContractError)):
            RUN[tool](handler)
    else:
        RUN[tool](handler)


def test_we_notice_fourteen_of_fifteen() -> None:
    noticed = [expected.split()[3] for _, _, expected in MISTAKES.values()]
    assert (len(noticed), noticed.count("yes")) == (15, 14)


def table() -> str:
    """The table that the docs print."""
    lines = ["| mistake | " + " | ".join(TOOLS) + " |", "|---|" + "---|" * len(TOOLS)]
    for what, _, expected in MISTAKES.values():
        lines.append(f"| {what} | " + " | ".join(expected.split()) + " |")
    return "\n".join(lines)


def test_the_docs_print_this_table() -> None:
    printed = re.search(
        r"^\| mistake .*?(?=\n\n)", DOCS.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert printed is not None
    assert printed[0] == table()


def test_the_zip_is_a_zip(cpjob: CodePipelineStub) -> None:
    """What the raw-file handler is given here is what CodePipeline gives."""
    job = cpjob.add_lambda_job(input_artifacts={"Source": {"config.json": "{}"}})
    assert zipfile.is_zipfile(io.BytesIO(job.input_artifacts["Source"].content))
