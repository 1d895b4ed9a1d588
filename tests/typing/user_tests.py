"""A user's test file: every fixture, annotated with types from `pytest_cpjob` alone."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given

from pytest_cpjob import (
    HOSTILE_ARTIFACTS,
    Artifact,
    ArtifactFactory,
    AWSSessionCredentials,
    Call,
    CodePipelineProvider,
    CodePipelineStub,
    ContractError,
    CpjobError,
    CredentialsFactory,
    Endpoint,
    FakerGenerator,
    GetJobDetailsResponse,
    GetThirdPartyJobDetailsResponse,
    Job,
    JobArtifact,
    JobDetailsFactory,
    JobFailure,
    JobSuccess,
    LambdaContext,
    LambdaEvent,
    LambdaEventFactory,
    PipelineContext,
    PipelineContextFactory,
    ThirdPartyJobDetailsFactory,
    ThirdPartyPipelineContext,
)
from pytest_cpjob.strategies import (
    FailureDetails,
    failure_details,
    job_details,
    lambda_events,
    pipeline_contexts,
    user_parameters,
)


@pytest.fixture
def docs_job(cpjob: CodePipelineStub) -> Job:
    """A fixture of the user's own on top of ours."""
    return cpjob.add_job(
        action_type="Build:Custom:Docs:1",
        configuration={"Theme": "dark"},
        input_artifacts={"Source": {"index.md": "# Hi"}, "Broken": HOSTILE_ARTIFACTS["corrupt"]},
        output_artifacts=["Site"],
        encryption_key=True,
    )


def title_of(event: LambdaEvent) -> str:
    data = event["CodePipeline.job"]["data"]
    parameters: str = data["actionConfiguration"]["configuration"].get("UserParameters", "")
    token: str | None = data.get("continuationToken")
    revisions: list[str | None] = [artifact["revision"] for artifact in data["inputArtifacts"]]
    return f"{parameters}{token}{len(revisions)}"


def bucket_of(artifact: Artifact) -> str:
    revision: str | None = artifact.get("revision")
    return f"{artifact['location']['s3Location']['bucketName']}@{revision}"


@pytest.mark.cpjob(allow=["no-result"])
def test_a_lambda_action(cpjob: CodePipelineStub) -> None:
    def handler(event: LambdaEvent, context: LambdaContext) -> None:
        remaining: int = context.get_remaining_time_in_millis()
        request_id: str = context.aws_request_id
        assert remaining > 0
        assert request_id
        cpjob.client().put_job_success_result(
            jobId=event["CodePipeline.job"]["id"], outputVariables={"pages": "1"}
        )

    job: Job = cpjob.add_lambda_job(user_parameters={"theme": "dark"}, function_name="docs")
    last: Job = job.invoke(handler)
    assert last.status == "Succeeded"
    assert isinstance(last.result, JobSuccess)
    assert last.result.output_variables == {"pages": "1"}
    assert job.continuation is None
    calls: list[Call] = cpjob.calls
    results: list[JobSuccess | JobFailure] = cpjob.results
    assert calls == []
    assert results == [last.result]


def test_a_worker(cpjob: CodePipelineStub, docs_job: Job) -> None:
    client: Any = cpjob.client()
    source: JobArtifact = docs_job.input_artifacts["Source"]
    content: bytes = source.content
    files: dict[str, bytes] = dict(source.files)
    assert content.startswith(b"PK")
    assert files == {"index.md": b"# Hi"}
    [polled] = client.poll_for_jobs(
        actionTypeId={"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
    )["jobs"]
    nonce: str | None = docs_job.nonce
    assert polled["nonce"] == nonce
    assert docs_job.details["jobDetails"]["id"] == docs_job.id
    cpjob.advance(60)
    cpjob.check()


def test_errors_are_caught_by_their_base(cpjob: CodePipelineStub) -> None:
    assert issubclass(ContractError, CpjobError)
    partner: Job = cpjob.add_third_party_job(client_token="ours")
    token: str | None = partner.client_token
    assert token == "ours"


def test_parsing_only(
    cpjob_details_factory: JobDetailsFactory,
    cpjob_third_party_details_factory: ThirdPartyJobDetailsFactory,
    cpjob_event_factory: LambdaEventFactory,
) -> None:
    details: GetJobDetailsResponse = cpjob_details_factory(
        action_type={"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"},
        encryption_key=True,
    )
    partners: GetThirdPartyJobDetailsResponse = cpjob_third_party_details_factory()
    event: LambdaEvent = cpjob_event_factory(user_parameters=["a", 1])
    account: str = details["jobDetails"]["accountId"]
    arn: str = details["jobDetails"]["data"]["pipelineContext"]["pipelineArn"]
    nonce: str = partners["jobDetails"]["nonce"]
    assert account in arn
    assert nonce
    assert title_of(event)


def test_parts(
    cpjob_artifact_factory: ArtifactFactory,
    cpjob_credentials_factory: CredentialsFactory,
    cpjob_pipeline_context_factory: PipelineContextFactory,
) -> None:
    artifact: Artifact = cpjob_artifact_factory(name="Site", revision=True)
    credentials: AWSSessionCredentials = cpjob_credentials_factory()
    context: PipelineContext = cpjob_pipeline_context_factory(pipeline_name="web")
    partners: ThirdPartyPipelineContext = cpjob_pipeline_context_factory(third_party=True)
    assert bucket_of(artifact)
    assert credentials["sessionToken"]
    assert context["pipelineExecutionId"]
    assert partners["action"]["actionExecutionId"]


def test_values(cpjob_faker: FakerGenerator) -> None:
    name: str = cpjob_faker.name()
    assert name
    assert cpjob_faker.job_id()
    assert CodePipelineProvider.__doc__


def test_another_process(cpjob: CodePipelineStub, cpjob_endpoint: Endpoint) -> None:
    url: str = cpjob_endpoint.url
    environment: dict[str, str] = dict(cpjob_endpoint.env)
    done = cpjob_endpoint.run([sys.executable, "-c", "print('hi')"])
    output: str = done.stdout
    assert environment["AWS_ENDPOINT_URL"] == url
    assert output == "hi\n"
    with cpjob_endpoint.start([sys.executable, "-c", "print('hi')"]) as process:
        code: int = process.wait(timeout=30)
        written: str = process.output
    assert (code, written) == (0, "hi\n")


@given(event=lambda_events(user_parameters=user_parameters()), details=failure_details())
def test_every_event_has_a_title(event: LambdaEvent, details: FailureDetails) -> None:
    message: str = details["message"]
    assert title_of(event)
    assert message


@given(job_details(pipeline_name="web"), pipeline_contexts(third_party=True))
def test_every_pipeline_has_a_name(
    details: GetJobDetailsResponse, context: ThirdPartyPipelineContext
) -> None:
    assert details["jobDetails"]["data"]["pipelineContext"]["pipelineName"] == "web"
    assert context["pipelineName"]


def test_outside_of_pytest() -> None:
    with CodePipelineStub(seed=7, allow=["no-result"], own_role=True) as cpjob:
        assert cpjob.jobs == []
