"""A user's own botocore hooks: what is answered and recorded is what would have been sent."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from pytest_cpjob import CodePipelineStub


@pytest.fixture
def client() -> Any:
    return boto3.client("codepipeline", region_name="us-east-1")


def on(client: Any, event: str, handler: Any, *, last: bool = False) -> None:
    register = client.meta.events.register_last if last else client.meta.events.register
    register(event, handler)


def test_parameters_that_a_hook_replaces_are_those_that_are_answered(
    cpjob: CodePipelineStub, client: Any
) -> None:
    first, second = cpjob.add_lambda_job(), cpjob.add_lambda_job()
    on(client, "provide-client-params.codepipeline", lambda params, **_: {"jobId": second.id})

    client.put_job_success_result(jobId=first.id)

    assert (first.status, second.status) == ("InProgress", "Succeeded")
    (call,) = cpjob.calls
    assert (call.request, call.job_ids) == ({"jobId": second.id}, (second.id,))
    boto3.client("codepipeline", region_name="us-east-1").put_job_success_result(jobId=first.id)


@pytest.mark.parametrize("last", [False, True])
def test_parameters_that_a_hook_changes_in_place_are_those_that_are_answered(
    cpjob: CodePipelineStub, client: Any, *, last: bool
) -> None:
    job = cpjob.add_lambda_job()
    client.get_job_details(jobId=job.id)

    def add(params: dict[str, Any], **_: object) -> None:
        params["outputVariables"] = {"stage": "prod"}

    on(client, "before-parameter-build.codepipeline.PutJobSuccessResult", add, last=last)
    client.put_job_success_result(jobId=job.id)

    assert cpjob.results[0].output_variables == {"stage": "prod"}
    assert cpjob.calls[-1].request["outputVariables"] == {"stage": "prod"}


@pytest.mark.parametrize("last", [False, True])
def test_a_late_hook_before_the_call_is_asked_and_may_answer(
    cpjob: CodePipelineStub, client: Any, *, last: bool
) -> None:
    job = cpjob.add_lambda_job()
    client.get_job_details(jobId=job.id)

    class Response:
        status_code = 200

    answers: list[Any] = [(Response(), {"mine": True}), None]
    asked = []

    def answer(**context: object) -> Any:
        asked.append(context)
        return answers.pop(0)

    on(client, "before-call.codepipeline.GetJobDetails", answer, last=last)
    on(client, "before-call", lambda **_: None, last=True)

    assert client.get_job_details(jobId=job.id) == {"mine": True}
    assert client.get_job_details(jobId=job.id)["jobDetails"]["id"] == job.id
    assert len(asked) == 2
    assert [call.operation for call in cpjob.calls] == ["GetJobDetails"] * 3
    client.put_job_success_result(jobId=job.id)


def test_hooks_after_the_call_see_the_answer_and_may_change_it(
    cpjob: CodePipelineStub, client: Any
) -> None:
    job = cpjob.add_lambda_job()

    def change(http_response: Any, parsed: dict[str, Any], **_: object) -> None:
        assert http_response.status_code == 200
        parsed["jobDetails"]["id"] = "mine"

    on(client, "after-call.codepipeline.GetJobDetails", change)
    errors = []
    on(client, "after-call-error.codepipeline", lambda exception, **_: errors.append(exception))

    assert client.get_job_details(jobId=job.id)["jobDetails"]["id"] == "mine"
    lost = ReadTimeoutError(endpoint_url="https://codepipeline")
    cpjob.fail("PutJobSuccessResult", lost, after=True)
    with pytest.raises(ReadTimeoutError):
        client.put_job_success_result(jobId=job.id)
    assert errors == [lost]
    assert job.status == "Succeeded"


def test_who_wants_to_see_the_request_sees_it_once_signed_by_nobody_real(
    cpjob: CodePipelineStub, client: Any
) -> None:
    job = cpjob.add_lambda_job()
    seen = []

    def see(request: Any, operation_name: str, **_: object) -> None:
        request.headers["X-Trace"] = "1"
        seen.append((operation_name, request.method, request.url.partition("?")[0]))

    on(client, "request-created.codepipeline", see)
    client.put_job_success_result(jobId=job.id)

    assert seen == [
        ("PutJobSuccessResult", "POST", "https://codepipeline.us-east-1.amazonaws.com/")
    ]
    assert job.status == "Succeeded"


def test_what_a_hook_raises_leaves_the_job_as_it_was(cpjob: CodePipelineStub, client: Any) -> None:
    job = cpjob.add_lambda_job()

    def refuse(**_: object) -> None:
        raise RuntimeError("not today")

    on(client, "request-created.codepipeline.PutJobSuccessResult", refuse)
    with pytest.raises(RuntimeError):
        client.put_job_success_result(jobId=job.id)

    assert job.status == "InProgress"
    assert [call.error for call in cpjob.calls] == ["RuntimeError"]
    boto3.client("codepipeline", region_name="us-east-1").put_job_success_result(jobId=job.id)
