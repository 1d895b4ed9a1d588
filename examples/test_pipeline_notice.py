"""The tests of `pipeline_notice`: a Lambda action without artifacts."""

from __future__ import annotations

import json
from typing import Any

import pipeline_notice
import pytest

from pytest_cpjob import (
    CodePipelineStub,
    ContractError,
    JobDetailsFactory,
    JobSuccess,
)


def test_the_notice_names_the_pipeline_and_its_stage(
    cpjob: CodePipelineStub, capsys: pytest.CaptureFixture[str]
) -> None:
    job = cpjob.add_lambda_job(
        pipeline_name="web", stage_name="Production", user_parameters={"channel": "#releases"}
    )

    job.invoke(pipeline_notice.lambda_handler)

    assert job.success == JobSuccess(summary="#releases: web has reached Production")
    assert capsys.readouterr().out == "#releases: web has reached Production\n"


@pytest.mark.parametrize("user_parameters", [None, "#releases", [], {}, {"channel": 7}])
def test_unusable_user_parameters_are_a_configuration_error(
    cpjob: CodePipelineStub, user_parameters: Any
) -> None:
    job = cpjob.add_lambda_job(user_parameters=user_parameters)

    job.invoke(pipeline_notice.lambda_handler)

    assert job.failure.type == "ConfigurationError"


def test_the_pipeline_hears_when_codepipeline_gives_no_details(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(user_parameters={"channel": "#releases"})
    cpjob.fail("GetJobDetails", "ThrottlingException")

    job.invoke(pipeline_notice.lambda_handler)

    assert job.status == "Failed"
    assert [(call.operation, call.error) for call in job.calls] == [
        ("GetJobDetails", "ThrottlingException"),
        ("PutJobFailureResult", None),
    ]


def test_the_wording_needs_data_and_no_service(cpjob_details_factory: JobDetailsFactory) -> None:
    details = cpjob_details_factory(pipeline_name="web", stage_name="Production")["jobDetails"]

    assert pipeline_notice.notice_of(details) == "web has reached Production"


def test_a_handler_that_only_returns_is_caught(cpjob: CodePipelineStub) -> None:
    def answers_as_an_api_would(event: Any, context: Any) -> dict[str, int]:
        return {"statusCode": 200}

    job = cpjob.add_lambda_job(user_parameters={"channel": "#releases"})
    job.invoke(answers_as_an_api_would)

    assert job.status == "InProgress"
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("no-result",)


def test_a_handler_that_prints_its_event_is_caught(cpjob: CodePipelineStub) -> None:
    def logs_everything(event: Any, context: Any) -> None:
        print(json.dumps(event))
        pipeline_notice.lambda_handler(event, context)

    job = cpjob.add_lambda_job(user_parameters={"channel": "#releases"})
    job.invoke(logs_everything)

    assert job.status == "Succeeded"
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert set(caught.value.names) == {"leaked-secret"}  # the event carries credentials
