"""Every error that the model gives an operation is reached, and through a real client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, Job
from pytest_cpjob.service.job_service import JobService

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
SERVED = JobService(account_id="123456789012").operations
UNKNOWN = "11111111-2222-4333-8444-555555555555"
FAILURE = {"type": "JobFailed", "message": "out of paper"}
LIMIT = 122_880

Doing = Callable[[CodePipelineStub], object]
TYPE = {"category": "Build", "provider": "Docs", "version": "1"}
COUNTS = {
    "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 5},
    "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 5},
}
PARTNER = {"clientToken": "any"}


def polled(owner: str) -> dict[str, Any]:
    return {"actionTypeId": {**TYPE, "owner": owner}}


def timed_out(job: Job, cpjob: CodePipelineStub) -> dict[str, Any]:
    """The members that name a job whose time is over; a partner's with its token."""
    cpjob.advance(24 * 3600)
    return own(job)


def own(job: Job) -> dict[str, Any]:
    return {"jobId": job.id, **({"clientToken": job.client_token} if job.client_token else {})}


def at_the_limit(cpjob: CodePipelineStub) -> None:
    for number in range(50):
        cpjob.add_action_type(f"Build:Custom:Docs:{number}")
    CLIENT.create_custom_action_type(**{**TYPE, "version": "50"}, **COUNTS)


def oversized(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    CLIENT.put_job_success_result(jobId=job.id, outputVariables={"v": "x" * LIMIT})


REACHED: dict[tuple[str, str], Doing] = {
    ("PollForJobs", "ValidationException"): lambda _: CLIENT.poll_for_jobs(**polled("AWS")),
    ("PollForJobs", "ActionTypeNotFoundException"): lambda _: CLIENT.poll_for_jobs(
        **polled("Custom")
    ),
    ("AcknowledgeJob", "ValidationException"): lambda _: CLIENT.acknowledge_job(
        jobId="job-1", nonce="1"
    ),
    ("AcknowledgeJob", "InvalidNonceException"): lambda cpjob: CLIENT.acknowledge_job(
        jobId=cpjob.add_job().id, nonce="1"
    ),
    ("AcknowledgeJob", "JobNotFoundException"): lambda _: CLIENT.acknowledge_job(
        jobId=UNKNOWN, nonce="1"
    ),
    ("GetJobDetails", "ValidationException"): lambda _: CLIENT.get_job_details(jobId="job-1"),
    ("GetJobDetails", "JobNotFoundException"): lambda _: CLIENT.get_job_details(jobId=UNKNOWN),
    ("PutJobSuccessResult", "ValidationException"): lambda _: CLIENT.put_job_success_result(
        jobId=UNKNOWN, outputVariables={"a b": "1"}
    ),
    ("PutJobSuccessResult", "JobNotFoundException"): lambda _: CLIENT.put_job_success_result(
        jobId=UNKNOWN
    ),
    ("PutJobSuccessResult", "InvalidJobStateException"): lambda cpjob: (
        CLIENT.put_job_success_result(**timed_out(cpjob.add_job(), cpjob))
    ),
    ("PutJobSuccessResult", "OutputVariablesSizeExceededException"): oversized,
    ("PutJobFailureResult", "ValidationException"): lambda _: CLIENT.put_job_failure_result(
        jobId=UNKNOWN, failureDetails={**FAILURE, "type": "Oops"}
    ),
    ("PutJobFailureResult", "JobNotFoundException"): lambda _: CLIENT.put_job_failure_result(
        jobId=UNKNOWN, failureDetails=FAILURE
    ),
    ("PutJobFailureResult", "InvalidJobStateException"): lambda cpjob: (
        CLIENT.put_job_failure_result(
            **timed_out(cpjob.add_lambda_job(), cpjob), failureDetails=FAILURE
        )
    ),
    ("PollForThirdPartyJobs", "ActionTypeNotFoundException"): lambda _: (
        CLIENT.poll_for_third_party_jobs(**polled("ThirdParty"))
    ),
    ("PollForThirdPartyJobs", "ValidationException"): lambda _: CLIENT.poll_for_third_party_jobs(
        **polled("Custom")
    ),
    ("GetThirdPartyJobDetails", "JobNotFoundException"): lambda _: (
        CLIENT.get_third_party_job_details(jobId=UNKNOWN, **PARTNER)
    ),
    ("GetThirdPartyJobDetails", "ValidationException"): lambda _: (
        CLIENT.get_third_party_job_details(jobId="j" * 513, **PARTNER)
    ),
    ("GetThirdPartyJobDetails", "InvalidClientTokenException"): lambda cpjob: (
        CLIENT.get_third_party_job_details(jobId=cpjob.add_third_party_job().id, **PARTNER)
    ),
    ("GetThirdPartyJobDetails", "InvalidJobException"): lambda cpjob: (
        CLIENT.get_third_party_job_details(**timed_out(cpjob.add_third_party_job(), cpjob))
    ),
    ("AcknowledgeThirdPartyJob", "ValidationException"): lambda _: (
        CLIENT.acknowledge_third_party_job(jobId=UNKNOWN, nonce="1" * 51, **PARTNER)
    ),
    ("AcknowledgeThirdPartyJob", "InvalidNonceException"): lambda cpjob: (
        CLIENT.acknowledge_third_party_job(**own(cpjob.add_third_party_job()), nonce="1")
    ),
    ("AcknowledgeThirdPartyJob", "JobNotFoundException"): lambda _: (
        CLIENT.acknowledge_third_party_job(jobId=UNKNOWN, nonce="1", **PARTNER)
    ),
    ("AcknowledgeThirdPartyJob", "InvalidClientTokenException"): lambda cpjob: (
        CLIENT.acknowledge_third_party_job(
            jobId=cpjob.add_third_party_job().id, nonce="1", **PARTNER
        )
    ),
    ("PutThirdPartyJobSuccessResult", "ValidationException"): lambda _: (
        CLIENT.put_third_party_job_success_result(
            jobId=UNKNOWN, continuationToken="t" * 2049, **PARTNER
        )
    ),
    ("PutThirdPartyJobSuccessResult", "JobNotFoundException"): lambda _: (
        CLIENT.put_third_party_job_success_result(jobId=UNKNOWN, **PARTNER)
    ),
    ("PutThirdPartyJobSuccessResult", "InvalidJobStateException"): lambda cpjob: (
        CLIENT.put_third_party_job_success_result(**timed_out(cpjob.add_third_party_job(), cpjob))
    ),
    ("PutThirdPartyJobSuccessResult", "InvalidClientTokenException"): lambda cpjob: (
        CLIENT.put_third_party_job_success_result(jobId=cpjob.add_third_party_job().id, **PARTNER)
    ),
    ("PutThirdPartyJobFailureResult", "ValidationException"): lambda _: (
        CLIENT.put_third_party_job_failure_result(
            jobId=UNKNOWN, failureDetails={**FAILURE, "message": "m" * 5001}, **PARTNER
        )
    ),
    ("PutThirdPartyJobFailureResult", "JobNotFoundException"): lambda _: (
        CLIENT.put_third_party_job_failure_result(jobId=UNKNOWN, failureDetails=FAILURE, **PARTNER)
    ),
    ("PutThirdPartyJobFailureResult", "InvalidJobStateException"): lambda cpjob: (
        CLIENT.put_third_party_job_failure_result(
            **timed_out(cpjob.add_third_party_job(), cpjob), failureDetails=FAILURE
        )
    ),
    ("PutThirdPartyJobFailureResult", "InvalidClientTokenException"): lambda cpjob: (
        CLIENT.put_third_party_job_failure_result(
            jobId=cpjob.add_third_party_job().id, failureDetails=FAILURE, **PARTNER
        )
    ),
    ("CreateCustomActionType", "ValidationException"): lambda _: CLIENT.create_custom_action_type(
        **{**TYPE, "category": "Bild"}, **COUNTS
    ),
    ("CreateCustomActionType", "LimitExceededException"): at_the_limit,
    ("CreateCustomActionType", "TooManyTagsException"): lambda _: CLIENT.create_custom_action_type(
        **TYPE, **COUNTS, tags=[{"key": f"k{number}", "value": ""} for number in range(51)]
    ),
    ("CreateCustomActionType", "InvalidTagsException"): lambda _: CLIENT.create_custom_action_type(
        **TYPE, **COUNTS, tags=[{"key": "aws:team", "value": "docs"}]
    ),
    ("DeleteCustomActionType", "ValidationException"): lambda _: CLIENT.delete_custom_action_type(
        **{**TYPE, "provider": "D o c s"}
    ),
    ("ListActionTypes", "ValidationException"): lambda _: CLIENT.list_action_types(
        actionOwnerFilter="Us"
    ),
    ("ListActionTypes", "InvalidNextTokenException"): lambda _: CLIENT.list_action_types(
        nextToken="nope"
    ),
    ("GetActionType", "ActionTypeNotFoundException"): lambda _: CLIENT.get_action_type(
        **TYPE, owner="ThirdParty"
    ),
    ("GetActionType", "ValidationException"): lambda _: CLIENT.get_action_type(
        **TYPE, owner="Custom"
    ),
}
# One caller alone cannot meet these.
BY_FAULT: dict[tuple[str, str], Doing] = {
    ("CreateCustomActionType", "ConcurrentModificationException"): lambda _: (
        CLIENT.create_custom_action_type(**TYPE, **COUNTS)
    ),
    ("DeleteCustomActionType", "ConcurrentModificationException"): lambda _: (
        CLIENT.delete_custom_action_type(**TYPE)
    ),
}


def of_both(pair: tuple[str, str]) -> str:
    return "-".join(pair)


def check_refusal(error: ClientError, operation: str, code: str) -> None:
    assert isinstance(error, getattr(CLIENT.exceptions, code))
    assert error.operation_name == operation
    assert error.response["Error"]["Code"] == code
    assert error.response["Error"]["Message"]
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_every_modelled_error_of_every_served_operation_is_reached() -> None:
    model = CLIENT.meta.service_model
    modelled = {
        (operation, error.name)
        for operation in SERVED
        for error in model.operation_model(operation).error_shapes
    }

    assert {*REACHED, *BY_FAULT} == modelled
    assert not REACHED.keys() & BY_FAULT.keys()


@pytest.mark.parametrize("pair", REACHED, ids=of_both)
def test_what_a_caller_does_reaches_the_error(
    cpjob: CodePipelineStub, pair: tuple[str, str]
) -> None:
    with pytest.raises(ClientError) as caught:
        REACHED[pair](cpjob)

    check_refusal(caught.value, *pair)


@pytest.mark.parametrize("pair", BY_FAULT, ids=of_both)
def test_a_fault_reaches_the_error_that_one_caller_alone_cannot(
    cpjob: CodePipelineStub, pair: tuple[str, str]
) -> None:
    cpjob.fail(*pair)

    with pytest.raises(ClientError) as caught:
        BY_FAULT[pair](cpjob)

    check_refusal(caught.value, *pair)
    BY_FAULT[pair](cpjob)


def test_the_artifact_credentials_are_not_for_codepipeline(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"])
    given = job.details["jobDetails"]["data"]["artifactCredentials"]
    client = boto3.client(
        "codepipeline",
        region_name="us-east-1",
        aws_access_key_id=given["accessKeyId"],
        aws_secret_access_key=given["secretAccessKey"],
        aws_session_token=given["sessionToken"],
    )

    with pytest.raises(ClientError) as caught:
        client.put_job_success_result(jobId=job.id)

    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert caught.value.response["Error"]["Message"].endswith(
        " is not authorized to perform: codepipeline:PutJobSuccessResult"
    )
    assert job.status == "InProgress"


# -- which error comes first -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"jobId": UNKNOWN, "continuationToken": "t" * 2049}, "ValidationException"),
        (
            {"jobId": UNKNOWN, "continuationToken": "t", "outputVariables": {"v": "1"}},
            "ValidationException",
        ),
        ({"jobId": UNKNOWN, "outputVariables": {"v": "x" * LIMIT}}, "JobNotFoundException"),
        ({"outputVariables": {"v": "x" * LIMIT}}, "InvalidJobStateException"),
    ],
    ids=["invalid", "token and variables", "unknown", "ended"],
)
def test_a_success_is_held_against_the_model_then_the_job_then_the_limit(
    cpjob: CodePipelineStub, members: dict[str, Any], code: str
) -> None:
    ended = timed_out(cpjob.add_lambda_job(), cpjob)

    with pytest.raises(ClientError, match=rf"\({code}\)"):
        CLIENT.put_job_success_result(**{**ended, **members})


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"jobId": UNKNOWN, "nonce": "1" * 51}, "ValidationException"),
        ({"jobId": UNKNOWN, "nonce": "1", **PARTNER}, "JobNotFoundException"),
        ({"nonce": "1", **PARTNER}, "InvalidClientTokenException"),
        ({"nonce": "1"}, "InvalidNonceException"),
    ],
    ids=["invalid", "unknown", "token", "nonce"],
)
def test_a_partners_acknowledgement_is_held_against_the_job_then_the_token_then_the_nonce(
    cpjob: CodePipelineStub, members: dict[str, Any], code: str
) -> None:
    job = cpjob.add_third_party_job()

    with pytest.raises(ClientError, match=rf"\({code}\)"):
        CLIENT.acknowledge_third_party_job(**{**own(job), **members})


def test_a_wrong_token_learns_nothing_of_an_ended_job(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_third_party_job()
    timed_out(job, cpjob)

    with pytest.raises(CLIENT.exceptions.InvalidClientTokenException):
        CLIENT.get_third_party_job_details(jobId=job.id, **PARTNER)


# -- the size of output variables ------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [
        {"v": "x" * (LIMIT - 1)},
        {"v": "é" * ((LIMIT - 2) // 2), "w": ""},
        {f"{number:04}": "x" * 1020 for number in range(120)},
    ],
    ids=["one", "two bytes each", "many"],
)
def test_output_variables_may_have_as_many_bytes_as_aws_allows_names_included(
    cpjob: CodePipelineStub, variables: dict[str, str]
) -> None:
    job = cpjob.add_lambda_job()
    assert sum(len((name + value).encode()) for name, value in variables.items()) == LIMIT

    with pytest.raises(CLIENT.exceptions.OutputVariablesSizeExceededException):
        CLIENT.put_job_success_result(jobId=job.id, outputVariables={**variables, "z": ""})
    assert (job.status, job.result) == ("InProgress", None)

    CLIENT.put_job_success_result(jobId=job.id, outputVariables=variables)
    assert job.status == "Succeeded"


def test_half_a_character_is_measured_as_any_other(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()

    CLIENT.put_job_success_result(jobId=job.id, outputVariables={"cut": "\ud83d"})

    assert job.status == "Succeeded"
