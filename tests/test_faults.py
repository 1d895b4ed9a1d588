"""`cpjob.fail`: errors that a test sets up for its handler to meet."""

from __future__ import annotations

import re
from typing import Any

import boto3
import pytest
from artifact_clients import place, s3_of
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from pytest_cpjob import CodePipelineStub, ContractError, Job, JobSuccess
from pytest_cpjob.service.job_service import JobService

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
UNCHECKED = boto3.client(
    "codepipeline", region_name="us-east-1", config=Config(parameter_validation=False)
)
SERVED = JobService(account_id="123456789012").operations
URL = "https://codepipeline.us-east-1.amazonaws.com/"
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
COMMON = (
    "AccessDeniedException",
    "ExpiredTokenException",
    "InternalFailure",
    "ServiceUnavailable",
    "ThrottlingException",
    "UnrecognizedClientException",
    "ValidationException",
)


def succeed(job: Job) -> None:
    CLIENT.put_job_success_result(jobId=job.id)


# -- what the caller sees --------------------------------------------------------------------------


def test_the_next_call_meets_the_error_and_the_one_after_works(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("PutJobSuccessResult", "ThrottlingException")

    with pytest.raises(ClientError) as caught:
        succeed(job)
    assert (job.status, job.result) == ("InProgress", None)
    succeed(job)

    assert job.status == "Succeeded"
    assert caught.value.operation_name == "PutJobSuccessResult"
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert [call.error for call in job.calls] == ["ThrottlingException", None]


def test_a_modelled_error_is_the_clients_own_exception(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("GetJobDetails", "JobNotFoundException")

    with pytest.raises(CLIENT.exceptions.JobNotFoundException):
        CLIENT.get_job_details(jobId=job.id)


@pytest.mark.parametrize("operation", SERVED)
def test_every_operation_can_fail_with_what_it_models_and_what_is_common_to_aws(
    cpjob: CodePipelineStub, operation: str
) -> None:
    model = CLIENT.meta.service_model.operation_model(operation)
    codes = dict.fromkeys((*(shape.name for shape in model.error_shapes), *COMMON))
    for code in codes:
        cpjob.fail(operation, code)

    met = []
    for _ in codes:
        with pytest.raises(ClientError) as caught:
            UNCHECKED._make_api_call(operation, {})
        met.append(caught.value.response["Error"]["Code"])

    assert met == list(codes)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("AccessDeniedException", 400),
        ("ExpiredTokenException", 403),
        ("UnrecognizedClientException", 403),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
        ("NotAuthorized", 401),
        ("UnknownOperationException", 404),
        ("RequestTimeoutException", 408),
        ("RequestEntityTooLargeException", 413),
    ],
)
def test_an_error_has_its_http_status(cpjob: CodePipelineStub, code: str, status: int) -> None:
    cpjob.fail("ListActionTypes", code)

    with pytest.raises(ClientError) as caught:
        CLIENT.list_action_types()

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


EXCEPTIONS = [
    ReadTimeoutError(endpoint_url=URL),
    ConnectTimeoutError(endpoint_url=URL),
    ConnectionClosedError(endpoint_url=URL),
    EndpointConnectionError(endpoint_url=URL),
    NoCredentialsError(),
]


@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda error: type(error).__name__)
def test_an_exception_of_botocores_is_raised_as_it_is(
    cpjob: CodePipelineStub, error: BotoCoreError
) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("PutJobSuccessResult", error)

    with pytest.raises(BotoCoreError) as caught:
        succeed(job)
    succeed(job)

    assert caught.value is error
    assert [call.error for call in job.calls] == [type(error).__name__, None]


def test_an_exception_class_of_the_tests_own_may_derive_from_botocores(
    cpjob: CodePipelineStub,
) -> None:
    class SlowNetworkError(ReadTimeoutError):
        pass

    cpjob.fail("ListActionTypes", SlowNetworkError(endpoint_url=URL))

    with pytest.raises(SlowNetworkError):
        CLIENT.list_action_types()
    assert [call.error for call in cpjob.calls] == ["SlowNetworkError"]


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize(
    "error", ["ThrottlingException", "InternalFailure", ReadTimeoutError(endpoint_url=URL)]
)
def test_what_is_met_is_what_botocores_retries_have_left(
    cpjob: CodePipelineStub, mode: str, error: str | Exception
) -> None:
    retries = Config(retries={"mode": mode, "max_attempts": 5})
    client = boto3.client("codepipeline", region_name="us-east-1", config=retries)
    cpjob.fail("ListActionTypes", error)

    with pytest.raises((ClientError, ReadTimeoutError)):
        client.list_action_types()
    client.list_action_types()

    assert len(cpjob.calls) == 2


# -- how often, in what order, and who -------------------------------------------------------------


def test_a_fault_is_met_as_often_as_it_was_set_up_for(cpjob: CodePipelineStub) -> None:
    cpjob.fail("ListActionTypes", "ThrottlingException", times=3)

    for _ in range(3):
        with pytest.raises(ClientError, match="ThrottlingException"):
            CLIENT.list_action_types()
    CLIENT.list_action_types()


def test_faults_are_met_in_the_order_in_which_they_were_set_up(cpjob: CodePipelineStub) -> None:
    cpjob.fail("ListActionTypes", "ThrottlingException")
    cpjob.fail("ListActionTypes", EndpointConnectionError(endpoint_url=URL))
    cpjob.fail("ListActionTypes", "InternalFailure")

    for expected in ("ThrottlingException", "EndpointConnectionError", "InternalFailure"):
        with pytest.raises((ClientError, BotoCoreError)):
            CLIENT.list_action_types()
        assert cpjob.calls[-1].error == expected


def test_a_fault_concerns_its_operation_alone(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("PutJobSuccessResult", "ThrottlingException")

    CLIENT.get_job_details(jobId=job.id)
    CLIENT.list_action_types()
    with pytest.raises(ClientError, match="ThrottlingException"):
        succeed(job)


def test_a_fault_concerns_its_service_alone(cpjob: CodePipelineStub) -> None:
    tags = {"resourceArn": "arn:aws:codepipeline:us-east-1:123456789012:web", "tags": []}
    cpjob.fail("TagResource", "ThrottlingException", service="sns")
    cpjob.fail("TagResource", "InvalidTagsException")

    with pytest.raises(CLIENT.exceptions.InvalidTagsException):
        CLIENT.tag_resource(**tags)
    sns = boto3.client("sns", region_name="us-east-1")
    with pytest.raises(ClientError, match="ThrottlingException"):
        sns.tag_resource(ResourceArn="arn:aws:sns:us-east-1:123456789012:builds", Tags=[])


def test_the_tests_own_client_meets_none(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("PutJobSuccessResult", "ThrottlingException")

    cpjob.client().put_job_success_result(jobId=job.id)
    assert job.status == "Succeeded"

    with pytest.raises(ClientError, match="ThrottlingException"):
        succeed(job)


def test_a_call_that_botocore_itself_refuses_leaves_the_fault_for_the_next(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("PutJobSuccessResult", "ThrottlingException")

    with pytest.raises(BotoCoreError, match="continuationToken"):
        CLIENT.put_job_success_result(jobId=job.id, continuationToken="")
    with pytest.raises(ClientError, match="ThrottlingException"):
        succeed(job)


# -- other services --------------------------------------------------------------------------------


def test_s3_fails_with_its_own_codes(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"Source": {"a.md": "# A"}})
    artifact = job.input_artifacts["Source"]
    where = {"Bucket": artifact.bucket, "Key": artifact.key}
    s3 = s3_of(job)
    cpjob.fail("GetObject", "SlowDown", service="s3")
    cpjob.fail("GetObject", "NoSuchKey", service="s3")

    with pytest.raises(ClientError, match="SlowDown"):
        s3.get_object(**where)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(**where)

    assert s3.get_object(**where)["Body"].read() == artifact.content


@pytest.mark.parametrize("code", ["Throttling", "AccessDenied", "ValidationError"])
def test_a_service_of_the_query_protocol_fails_with_its_codes(
    cpjob: CodePipelineStub, code: str
) -> None:
    cpjob.fail("DescribeStacks", code, service="cloudformation")
    cloudformation = boto3.client("cloudformation", region_name="us-east-1")

    with pytest.raises(ClientError) as caught:
        cloudformation.describe_stacks(StackName="web")

    assert caught.value.response["Error"]["Code"] == code
    with pytest.raises(ValueError, match="error: codepipeline does not answer GetJobDetails with"):
        cpjob.fail("GetJobDetails", "Throttling")


def test_a_head_request_tells_the_status_only(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    artifact = job.input_artifacts["Source"]
    cpjob.fail("HeadObject", "AccessDenied", service="s3")

    with pytest.raises(ClientError) as caught:
        s3_of(job).head_object(Bucket=artifact.bucket, Key=artifact.key)

    assert caught.value.response["Error"] == {"Code": "403", "Message": "Forbidden"}


def test_a_service_that_nothing_fakes_can_fail(cpjob: CodePipelineStub) -> None:
    cpjob.fail("UpdateItem", "ConditionalCheckFailedException", service="dynamodb")
    table = boto3.resource("dynamodb", region_name="us-east-1").Table("pages")

    with pytest.raises(table.meta.client.exceptions.ConditionalCheckFailedException):
        table.update_item(Key={"name": "index"})


@pytest.mark.parametrize("after", [False, True])
def test_a_fault_has_the_message_that_the_test_gives(cpjob: CodePipelineStub, after: bool) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("PutJobSuccessResult", "ThrottlingException", message="Rate exceeded", after=after)

    with pytest.raises(ClientError) as caught:
        CLIENT.put_job_success_result(jobId=job.id)

    assert caught.value.response["Error"] == {
        "Code": "ThrottlingException",
        "Message": "Rate exceeded",
    }
    if not after:
        CLIENT.put_job_success_result(jobId=job.id)


def test_an_exception_has_a_message_of_its_own(cpjob: CodePipelineStub) -> None:
    with pytest.raises(ValueError, match="message: ReadTimeoutError has a text of its own"):
        cpjob.fail("GetJobDetails", ReadTimeoutError(endpoint_url=URL), message="slow")
    with pytest.raises(ValueError, match="message: expected the text of the error, got 5"):
        cpjob.fail("GetJobDetails", "ThrottlingException", message=5)


def test_an_error_that_is_neither_code_nor_exception_is_told_the_codes(
    cpjob: CodePipelineStub,
) -> None:
    with pytest.raises(ValueError, match="got 42") as caught:
        cpjob.fail("GetJobDetails", 42)

    assert "codepipeline can answer GetJobDetails with:\n- ValidationException" in str(caught.value)


def test_an_operation_of_codepipeline_that_is_not_served_can_fail(cpjob: CodePipelineStub) -> None:
    cpjob.fail("StartPipelineExecution", "PipelineNotFoundException")

    with pytest.raises(CLIENT.exceptions.PipelineNotFoundException):
        CLIENT.start_pipeline_execution(name="web")


# -- after=True: it took effect, then the answer was lost ------------------------------------------


@pytest.mark.parametrize("error", [ReadTimeoutError(endpoint_url=URL), "InternalFailure"])
def test_a_result_whose_answer_was_lost_is_recorded_and_its_retry_changes_nothing(
    cpjob: CodePipelineStub, error: str | Exception
) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("PutJobSuccessResult", error, after=True)

    with pytest.raises((ClientError, ReadTimeoutError)):
        CLIENT.put_job_success_result(jobId=job.id, outputVariables={"pages": "1"})
    assert job.status == "Succeeded"
    assert job.result == JobSuccess(output_variables={"pages": "1"})

    CLIENT.put_job_success_result(jobId=job.id, outputVariables={"pages": "1"})
    assert cpjob.results == [JobSuccess(output_variables={"pages": "1"})]


def test_an_acknowledgement_whose_answer_was_lost_holds(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(action_type=DOCS, allow=["no-result"])
    (polled,) = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    cpjob.fail("AcknowledgeJob", ReadTimeoutError(endpoint_url=URL), after=True)

    with pytest.raises(ReadTimeoutError):
        CLIENT.acknowledge_job(jobId=job.id, nonce=polled["nonce"])

    assert job.status == "InProgress"
    with pytest.raises(CLIENT.exceptions.InvalidNonceException):
        CLIENT.acknowledge_job(jobId=job.id, nonce=polled["nonce"])


def test_jobs_of_a_poll_whose_answer_was_lost_come_again_when_nobody_acknowledges(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_job(action_type=DOCS)
    cpjob.fail("PollForJobs", ReadTimeoutError(endpoint_url=URL), after=True)

    with pytest.raises(ReadTimeoutError):
        CLIENT.poll_for_jobs(actionTypeId=DOCS)
    assert job.status == "Dispatched"
    assert CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"] == []

    cpjob.advance(300)
    assert len(CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]) == 1


def test_without_after_nothing_took_effect(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(action_type=DOCS)
    cpjob.fail("PollForJobs", ReadTimeoutError(endpoint_url=URL))

    with pytest.raises(ReadTimeoutError):
        CLIENT.poll_for_jobs(actionTypeId=DOCS)

    assert (job.status, job.nonce) == ("Queued", None)


def test_an_upload_whose_answer_was_lost_is_there(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site", "Log"])
    site, log = (job.output_artifacts[name] for name in ("Site", "Log"))
    s3 = s3_of(job)
    cpjob.fail("PutObject", "InternalError", service="s3", after=True)
    cpjob.fail("PutObject", "InternalError", service="s3")

    for artifact in (site, log):
        with pytest.raises(ClientError, match="InternalError"):
            s3.put_object(Bucket=artifact.bucket, Key=artifact.key, Body=b"zip")

    assert (site.content, log.exists) == (b"zip", False)


# -- faults that nobody met ------------------------------------------------------------------------


def test_a_fault_that_was_not_met_as_often_as_set_up_is_a_finding(cpjob: CodePipelineStub) -> None:
    cpjob.fail("PutJobSuccessResult", "ThrottlingException")
    cpjob.fail("ListActionTypes", ReadTimeoutError(endpoint_url=URL), times=3)
    with pytest.raises(ReadTimeoutError):
        CLIENT.list_action_types()

    with pytest.raises(ContractError) as caught:
        cpjob.check()

    assert caught.value.names == ("unused-fault", "unused-fault")
    assert "ThrottlingException" in str(caught.value)
    assert "codepipeline.PutJobSuccessResult" in str(caught.value)
    assert "ReadTimeoutError" in str(caught.value)
    assert 'allow=["unused-fault"]' in str(caught.value)


def test_a_fault_that_nobody_met_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_reported(cpjob):
            cpjob.fail("PutJobSuccessResult", "ThrottlingException")

        @pytest.mark.cpjob(allow=["unused-fault"])
        def test_allowed(cpjob):
            cpjob.fail("PutJobSuccessResult", "ThrottlingException")
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*_ test_reported _*", "unused-fault: *"])


# -- what cannot be set up -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"operation": "PutJobSuccesResult"},
            "operation: codepipeline has no operation 'PutJobSuccesResult'; did you mean"
            " 'PutJobSuccessResult'?",
        ),
        (
            {"operation": "put_job_success_result"},
            "operation: codepipeline has no operation 'put_job_success_result'",
        ),
        (
            {"service": "codepipelin"},
            "service: botocore knows no 'codepipelin'; did you mean 'codepipeline'?",
        ),
        (
            {"operation": "GetJobDetails", "service": "s3"},
            "operation: s3 has no operation 'GetJobDetails'",
        ),
        (
            {"operation": "PutObject", "error": "SlowDown"},
            "operation: codepipeline has no operation 'PutObject', but s3 has: add service='s3'",
        ),
        ({"service": ["s3"]}, "service: botocore knows no ['s3']"),
        ({"after": "yes"}, "after: expected True or False, got 'yes'"),
        ({"after": None}, "after: expected True or False, got None"),
        ({"times": 0}, "times: expected a whole number of at least 1, got 0"),
        ({"times": -1}, "times: expected a whole number of at least 1, got -1"),
        ({"times": True}, "times: expected a whole number of at least 1, got True"),
        ({"times": 1.5}, "times: expected a whole number of at least 1, got 1.5"),
        ({"error": ValueError("no")}, "error: expected a code, such as 'ThrottlingException'"),
        ({"error": ReadTimeoutError}, "error: expected a code, such as 'ThrottlingException'"),
        ({"error": 400}, "error: expected a code, such as 'ThrottlingException'"),
        (
            {"error": ClientError({"Error": {"Code": "ThrottlingException"}}, "GetJobDetails")},
            "error: give a service's error by its code",
        ),
        (
            {"error": CLIENT.exceptions.JobNotFoundException({}, "GetJobDetails")},
            "error: give a service's error by its code",
        ),
    ],
)
def test_an_unfit_fault_is_a_value_error_that_names_what_is_wrong(
    cpjob: CodePipelineStub, arguments: dict[str, Any], said: str
) -> None:
    fitting = {"operation": "PutJobSuccessResult", "error": "ThrottlingException"}

    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        cpjob.fail(**{**fitting, **arguments})


def test_a_code_that_the_operation_cannot_answer_with_is_refused_with_those_it_can(
    cpjob: CodePipelineStub,
) -> None:
    with pytest.raises(ValueError, match="InvalidJobStateException") as caught:
        cpjob.fail("GetJobDetails", "InvalidJobStateException")

    lines = str(caught.value).splitlines()
    assert lines[0].startswith(
        "error: codepipeline does not answer GetJobDetails with 'InvalidJobStateException'"
    )
    listed = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    assert listed[:2] == ["ValidationException", "JobNotFoundException"]
    assert set(COMMON) <= set(listed)
    assert "InvalidJobStateException" not in listed
    assert "ReadTimeoutError" in lines[-1]


@pytest.mark.parametrize(
    ("operation", "error", "service"),
    [
        ("GetObject", "ThrottlingException", "s3"),
        ("AcknowledgeJob", "InvalidJobStateException", "codepipeline"),
        ("PutThirdPartyJobSuccessResult", "OutputVariablesSizeExceededException", "codepipeline"),
        ("PollForJobs", "JobNotFoundException", "codepipeline"),
    ],
)
def test_codes_of_other_operations_and_services_are_refused(
    cpjob: CodePipelineStub, operation: str, error: str, service: str
) -> None:
    with pytest.raises(ValueError, match=f"error: {service} does not answer {operation}"):
        cpjob.fail(operation, error, service=service)


@pytest.mark.parametrize("error", ["NoSuchKey", ReadTimeoutError(endpoint_url=URL)])
def test_a_faulty_call_of_s3s_is_one_about_the_artifacts_job(
    cpjob: CodePipelineStub, error: str | Exception
) -> None:
    job = cpjob.add_job(input_artifacts=["Source"])
    another = cpjob.add_job(input_artifacts=["Source"])
    cpjob.fail("GetObject", error, service="s3")

    with pytest.raises((ClientError, ReadTimeoutError)):
        s3_of(job).get_object(**place(job, "Source"))

    [call] = cpjob.calls
    assert call.job_ids == (job.id,)
    assert (job.calls, another.calls) == ([call], [])
