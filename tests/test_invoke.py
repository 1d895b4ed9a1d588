"""Invoking a handler as Lambda does: its event, its context, its environment, and its retries."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, ContractError

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

Event = dict[str, Any]


def job_id_of(event: Event) -> str:
    job_id: str = event["CodePipeline.job"]["id"]
    return job_id


def succeed(event: Event, context: object) -> None:
    CLIENT.put_job_success_result(jobId=job_id_of(event))


def noting(seen: list[Any], look: Callable[[Event, Any], Any]) -> Callable[[Event, Any], None]:
    """A handler that notes what `look` gives, and succeeds."""

    def handler(event: Event, context: Any) -> None:
        seen.append(look(event, context))
        succeed(event, context)

    return handler


# -- the event -------------------------------------------------------------------------------------


@pytest.mark.cpjob(allow=["missing-output"])
def test_the_event_is_the_jobs_as_json_carries_it(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(user_parameters={"theme": "dark"}, output_artifacts=["Site"])
    seen: list[Event] = []

    assert job.invoke(noting(seen, lambda event, _: event)) == job

    assert seen == [job.event]
    data = seen[0]["CodePipeline.job"]["data"]
    assert json.loads(json.dumps(seen[0])) == seen[0]
    assert data["actionConfiguration"]["configuration"]["UserParameters"] == '{"theme": "dark"}'
    assert data["outputArtifacts"][0]["revision"] is None


def test_what_a_handler_does_to_its_event_does_not_reach_the_next_invocation(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(configuration={"Theme": "dark"})
    seen: list[Any] = []

    def spoils_its_event(event: Event, context: object) -> None:
        job_id = job_id_of(event)
        configuration = event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]
        seen.append(configuration.pop("Theme"))
        if len(seen) < 3:
            raise TimeoutError("try again")
        CLIENT.put_job_success_result(jobId=job_id)

    job.invoke(spoils_its_event, retries=2)

    assert seen == ["dark", "dark", "dark"]
    assert job.details["jobDetails"]["data"]["actionConfiguration"]["configuration"]["Theme"]


def test_an_event_of_the_tests_own_goes_through_json_too(cpjob: CodePipelineStub) -> None:
    seen: list[Any] = []
    given = {1: ("a", "b")}

    def handler(event: Event, context: object) -> None:
        seen.append(event)
        event.clear()

    cpjob.invoke(handler, given)
    cpjob.invoke(lambda event, _: seen.append(event), given)

    assert seen == [{}, {"1": ["a", "b"]}]
    assert given == {1: ("a", "b")}


def test_an_event_that_json_cannot_carry_is_refused(cpjob: CodePipelineStub) -> None:
    with pytest.raises(ValueError, match=r"^event: .* set is not JSON serializable; give dicts"):
        cpjob.invoke(lambda event, _: None, {"ids": {1, 2}})
    with pytest.raises(ValueError, match="this object cannot be written as such"):
        cpjob.invoke(lambda event, _: None, event=object())


# -- the context -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function_name",
    [
        "build-docs",
        "build-docs:live",
        "123456789012:function:build-docs",
        "arn:aws:lambda:us-east-1:123456789012:function:build-docs",
        "arn:aws:lambda:us-east-1:123456789012:function:build-docs:live",
    ],
)
def test_a_function_may_be_named_by_its_arn_or_with_an_alias(
    cpjob: CodePipelineStub, function_name: str
) -> None:
    context = cpjob.add_lambda_job(function_name=function_name, allow=["no-result"]).context

    assert context.function_name == "build-docs"
    assert context.invoked_function_arn.endswith(":123456789012:function:build-docs")


def test_the_context_is_lambdas(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(function_name="build-docs", region="eu-west-3")
    seen: list[Any] = []

    job.invoke(noting(seen, lambda _, context: context))

    (context,) = seen
    assert context.function_name == "build-docs"
    assert context.function_version == "$LATEST"
    assert (
        context.invoked_function_arn == "arn:aws:lambda:eu-west-3:123456789012:function:build-docs"
    )
    assert context.memory_limit_in_mb == "128"
    assert re.fullmatch(UUID, context.aws_request_id)
    assert context.log_group_name == "/aws/lambda/build-docs"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", context.log_stream_name)
    assert context.identity.cognito_identity_id is None
    assert context.client_context is None


def test_the_remaining_time_is_counted_on_the_job_clock(cpjob: CodePipelineStub) -> None:
    seen: list[int] = []

    def handler(event: Event, context: Any) -> None:
        for seconds in (0, 100.5, 799.499, 0.001):
            cpjob.advance(seconds)
            seen.append(context.get_remaining_time_in_millis())
        cpjob.client().put_job_success_result(jobId=job_id_of(event))

    cpjob.add_lambda_job().invoke(handler, timeout=900)

    assert seen == [900_000, 799_500, 1, 0]


def test_the_remaining_time_never_goes_below_none(cpjob: CodePipelineStub) -> None:
    context = cpjob.add_lambda_job(allow=["no-result"]).context

    cpjob.advance(1000)

    assert context.get_remaining_time_in_millis() == 0


def test_a_shorter_time_out_is_what_the_context_tells(cpjob: CodePipelineStub) -> None:
    seen: list[int] = []
    look = noting(seen, lambda _, context: context.get_remaining_time_in_millis())

    cpjob.advance(500)
    cpjob.add_lambda_job().invoke(look, timeout=30)
    cpjob.invoke(lambda _, context: seen.append(context.get_remaining_time_in_millis()), timeout=3)

    assert seen == [30_000, 3_000]


@pytest.mark.parametrize("timeout", [0, 0.5, -1, 901, float("nan"), "60", True])
def test_a_time_out_that_lambda_does_not_allow_is_refused(
    cpjob: CodePipelineStub, timeout: Any
) -> None:
    job = cpjob.add_lambda_job()

    with pytest.raises(ValueError, match=r"^timeout: Lambda allows 1 to 900 seconds, got "):
        job.invoke(succeed, timeout=timeout)
    with pytest.raises(ValueError, match=r"^timeout: Lambda allows 1 to 900 seconds, got "):
        cpjob.invoke(succeed, timeout=timeout)

    assert job.calls == []


def test_the_same_test_has_the_same_request_ids_again() -> None:
    def request_ids() -> list[str]:
        seen: list[str] = []
        with CodePipelineStub(seed="invocations") as cpjob:
            look = noting(seen, lambda _, context: context.aws_request_id)
            cpjob.add_lambda_job().invoke(look)
            cpjob.add_lambda_job().invoke(look)
            cpjob.invoke(lambda _, context: seen.append(context.aws_request_id))
            cpjob.invoke(lambda _, context: seen.append(context.aws_request_id))
        return seen

    first = request_ids()

    assert len(set(first)) == 4
    assert request_ids() == first


# -- the environment -------------------------------------------------------------------------------


def test_lambdas_own_variables_are_set_while_a_handler_runs_and_taken_back(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-gov-west-1")
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    before = dict(os.environ)
    seen: list[dict[str, str]] = []
    job = cpjob.add_lambda_job(function_name="build-docs", region="eu-west-3")

    job.invoke(noting(seen, lambda *_: dict(os.environ)))

    (during,) = seen
    context = job.context
    assert {name: during[name] for name in during if before.get(name) != during[name]} == {
        "AWS_REGION": "eu-west-3",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": "build-docs",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": context.log_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": context.log_stream_name,
        "_X_AMZN_TRACE_ID": during["_X_AMZN_TRACE_ID"],
    }
    assert dict(os.environ) == before


def test_variables_are_taken_back_from_a_handler_that_raises(cpjob: CodePipelineStub) -> None:
    before = dict(os.environ)

    def handler(event: Event, context: object) -> None:
        raise KeyError(os.environ["AWS_LAMBDA_FUNCTION_NAME"])

    with pytest.raises(KeyError, match="handler"):
        cpjob.invoke(handler)

    assert dict(os.environ) == before


def test_a_variable_that_the_handler_sets_itself_stays_as_it_would_in_lambda(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("THEME", raising=False)

    def handler(event: Event, context: object) -> None:
        monkeypatch.setenv("THEME", "dark")
        os.environ["AWS_REGION"] = "ap-south-1"

    cpjob.invoke(handler)

    assert (os.environ["THEME"], os.environ["AWS_REGION"]) == ("dark", "ap-south-1")


def test_a_client_made_in_the_handler_is_in_the_functions_region(cpjob: CodePipelineStub) -> None:
    seen: list[str] = []

    cpjob.add_lambda_job(region="eu-west-3").invoke(
        noting(seen, lambda *_: boto3.Session().client("codepipeline").meta.region_name)
    )

    assert seen == ["eu-west-3"]


# -- what it raises --------------------------------------------------------------------------------


class Broken(Exception):
    pass


@pytest.mark.cpjob(allow=["raised"])
@pytest.mark.parametrize("error", [Broken("no theme"), SystemExit(3), SystemExit()])
def test_what_a_handler_raises_reaches_the_test(
    cpjob: CodePipelineStub, error: BaseException
) -> None:
    job = cpjob.add_lambda_job()

    def handler(event: Event, context: object) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        job.invoke(handler)

    assert caught.value is error
    assert (job.status, job.result) == ("InProgress", None)


def test_an_exception_before_any_result_is_found_in_codepipelines_words(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(function_name="build-docs")
    with pytest.raises(Broken):
        job.invoke(_raising(Broken("no theme")))

    with pytest.raises(ContractError) as caught:
        cpjob.check()

    assert caught.value.names == ("raised",)
    assert "the handler raised Broken (no theme) before any result" in str(caught.value)
    assert "The AWS Lambda function build-docs failed to return a result." in str(caught.value)


def test_an_exception_after_the_result_is_found_because_lambda_would_run_it_again(
    cpjob: CodePipelineStub,
) -> None:
    def reports_and_raises(event: Event, context: object) -> None:
        succeed(event, context)
        raise Broken

    with pytest.raises(Broken):
        cpjob.add_lambda_job().invoke(reports_and_raises)

    with pytest.raises(ContractError, match="Lambda runs the same event again") as caught:
        cpjob.check()
    assert caught.value.names == ("raised-after-result",)


def _raising(error: Exception) -> Callable[[Event, Any], None]:
    def handler(event: Event, context: object) -> None:
        raise error

    return handler


def test_a_refused_call_that_leaves_the_handler_is_the_tests_to_judge(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(allow=["raised"])

    with pytest.raises(ClientError, match="output variables"):
        job.invoke(
            lambda event, _: CLIENT.put_job_success_result(
                jobId=job_id_of(event), continuationToken="t", outputVariables={"pages": "1"}
            )
        )


# -- a handler that does not report ----------------------------------------------------------------


def test_a_handler_that_reports_nothing_leaves_the_job_to_its_time_out(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job(function_name="build-docs")

    assert job.invoke(lambda event, context: {"statusCode": 200}) == job

    assert (job.status, job.result) == ("InProgress", None)
    cpjob.advance(1199)
    assert job.status == "InProgress"
    cpjob.advance(1)
    assert job.status == "TimedOut"
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("no-result",)
    assert "got no result before it timed out" in str(caught.value)
    assert '"The AWS Lambda function build-docs failed to return a result. ..."' in str(
        caught.value
    )
