"""Findings about calls and threads, close up: refused, unfaked, faults never met."""

from __future__ import annotations

import asyncio
import threading
import unittest
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, ContractError, Job

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}


def found(cpjob: CodePipelineStub) -> ContractError:
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    return caught.value


def invoked(cpjob: CodePipelineStub, attempt: Callable[[str], object], **more: Any) -> Job:
    """Run a handler that attempts something, swallows what comes of it, and reports success."""

    def handler(event: Any, context: Any) -> None:
        job_id = event["CodePipeline.job"]["id"]
        try:
            attempt(job_id)
        except Exception as error:
            print("ignored:", type(error).__name__)
        CLIENT.put_job_success_result(jobId=job_id)

    return cpjob.add_lambda_job(**more).invoke(handler)


# -- refused requests ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "reason"),
    [
        (
            lambda job_id: CLIENT.put_job_success_result(
                jobId=job_id, executionDetails={"percentComplete": 101}
            ),
            "1 validation error detected: Value at 'executionDetails.percentComplete' failed to"
            " satisfy constraint: Member must have value less than or equal to 100",
        ),
        (
            lambda job_id: CLIENT.put_job_success_result(
                jobId=job_id, outputVariables={"pages": 1}
            ),
            "Parameter validation failed: Invalid type for parameter outputVariables.pages, value:"
            " 1, type: <class 'int'>, valid types: <class 'str'>",
        ),
        (
            lambda job_id: CLIENT.put_job_failure_result(
                jobId=job_id, failureDetails={"type": "JobFailed", "message": ""}
            ),
            "Parameter validation failed: Invalid length for parameter failureDetails.message,"
            " value: 0, valid min length: 1",
        ),
    ],
    ids=["percentComplete", "a number as output variable", "an empty message"],
)
def test_a_swallowed_refusal_is_told_with_its_reason(
    cpjob: CodePipelineStub, attempt: Callable[[str], object], reason: str
) -> None:
    job = invoked(cpjob, attempt)
    operation = cpjob.calls[0].operation
    text = str(found(cpjob))
    assert text.startswith("refused-request (tests/test_findings_calls.py:")
    assert text.partition("): ")[2].startswith(
        f"codepipeline.{operation} for job {job.id} (Invoke:AWS:Lambda:1) was rejected, and the"
        f" code swallowed the error: {reason}.\n"
    )


@mock_aws
def test_another_services_refused_parameters_are_found_for_the_job_that_ran(
    cpjob: CodePipelineStub,
) -> None:
    sns = boto3.client("sns", region_name="us-east-1")
    job = invoked(cpjob, lambda job_id: sns.publish(Topic="news"))
    error = found(cpjob)
    assert error.names == ("refused-request",)
    assert f": sns.Publish for job {job.id} (" in str(error)


def test_a_workers_refused_poll_is_about_no_job(cpjob: CodePipelineStub) -> None:
    def worker() -> None:
        try:
            CLIENT.poll_for_jobs(actionTypeId={**DOCS, "owner": "AWS"})
        except ClientError:
            CLIENT.poll_for_jobs(actionTypeId=DOCS)

    cpjob.add_action_type(DOCS)
    cpjob.run_worker(worker)
    assert (
        ": codepipeline.PollForJobs was rejected, and the code swallowed the error: ActionType with"
        " owner 'AWS' is not supported.\n"
    ) in str(found(cpjob))


def test_a_refusal_that_the_test_itself_dies_of_is_none(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import boto3

        def test_it(cpjob):
            job = cpjob.add_lambda_job()
            client = boto3.client("codepipeline", region_name="us-east-1")
            client.put_job_success_result(jobId=job.id, outputVariables={"pages": 3})
        """
    )

    result = pytester.runpytest("-p", "no:faker")

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*refused-request*")


def test_the_same_refusal_again_is_one_finding(cpjob: CodePipelineStub) -> None:
    def twice(job_id: str) -> None:
        for _ in range(2):
            try:
                CLIENT.put_job_failure_result(jobId=job_id)
            except ParamValidationError:
                continue

    invoked(cpjob, twice)
    assert found(cpjob).names == ("refused-request",)


@mock_aws
def test_another_services_validation_exception_is_its_own_affair(cpjob: CodePipelineStub) -> None:
    table = boto3.client("dynamodb", region_name="us-east-1")
    names = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "TableName": "pages"}
    types = [{"AttributeName": "id", "AttributeType": "S"}]
    table.create_table(**names, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")

    invoked(cpjob, lambda job_id: table.get_item(TableName="pages", Key={"other": {"S": "1"}}))

    assert [call.error for call in cpjob.calls if call.operation == "GetItem"] == [
        "ValidationException"
    ]
    cpjob.check()


def test_other_errors_may_be_swallowed(cpjob: CodePipelineStub) -> None:
    unknown = "11111111-2222-4333-8444-555555555555"
    invoked(cpjob, lambda job_id: CLIENT.get_job_details(jobId=unknown))
    cpjob.check()


def test_a_validation_exception_that_the_test_set_up_is_none(cpjob: CodePipelineStub) -> None:
    cpjob.fail("GetJobDetails", "ValidationException")
    invoked(cpjob, lambda job_id: CLIENT.get_job_details(jobId=job_id))
    cpjob.check()


def test_what_the_tests_own_client_is_refused_is_none(cpjob: CodePipelineStub) -> None:
    report_quietly("nope", cpjob.client())
    cpjob.check()


def test_what_left_as_another_error_has_been_heard(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        try:
            CLIENT.put_job_failure_result(jobId="nope")
        except ParamValidationError as error:
            raise RuntimeError("cannot report") from error

    with pytest.raises(RuntimeError, match="cannot report"):
        cpjob.add_lambda_job(allow=["raised"]).invoke(handler)
    cpjob.check()


def test_a_function_of_the_handlers_that_swallows_it_is_found_in_a_direct_call_too(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_lambda_job()
    report_quietly(job.id)
    CLIENT.put_job_success_result(jobId=job.id)
    assert found(cpjob).names == ("refused-request",)


def report_quietly(job_id: str, client: Any = CLIENT) -> None:
    try:
        client.put_job_failure_result(jobId=job_id)
    except ParamValidationError:
        return


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers())
def test_what_a_test_under_hypothesis_expects_is_none(cpjob: CodePipelineStub, number: int) -> None:
    with pytest.raises(ParamValidationError):
        CLIENT.put_job_success_result(jobId=number)
    cpjob.check()


def test_what_a_unittest_test_expects_is_none() -> None:
    class ItsTest(unittest.TestCase):
        def runTest(self) -> None:
            # unittest's own is tested.
            with CodePipelineStub(), self.assertRaises(ParamValidationError):  # noqa: PT027
                CLIENT.put_job_failure_result(jobId="nope")

    result = unittest.TestResult()
    ItsTest().run(result)
    assert result.wasSuccessful(), result.errors


@pytest.fixture
def refused_in_a_fixture(cpjob: CodePipelineStub) -> None:
    with pytest.raises(ParamValidationError):
        CLIENT.put_job_success_result()


def test_what_a_fixture_expects_is_none(
    cpjob: CodePipelineStub, refused_in_a_fixture: None
) -> None:
    cpjob.check()


def refused_in_a_function() -> None:
    with pytest.raises(ParamValidationError):
        CLIENT.put_job_success_result()


def refused_by_a_call() -> None:
    # This form is tested.
    pytest.raises(ParamValidationError, CLIENT.put_job_success_result)  # noqa: RUF061


def refused_in_unittest() -> None:
    with unittest.TestCase().assertRaises(RuntimeError):  # noqa: PT027  # unittest's own is tested
        raise_another()


def refused_in_a_loop() -> None:
    async def main() -> None:
        with pytest.raises(ParamValidationError):
            CLIENT.put_job_success_result()

    asyncio.run(main())


def refused_and_raised_as_another() -> None:
    with pytest.raises(RuntimeError):
        raise_another()


def raise_another() -> None:
    try:
        CLIENT.put_job_success_result()
    except ParamValidationError as error:
        raise RuntimeError("cannot report") from error


@pytest.mark.parametrize(
    "expect",
    [
        refused_in_a_function,
        pytest.param(
            refused_by_a_call,
            marks=pytest.mark.skipif(
                not hasattr(pytest, "RaisesExc"), reason="before 8.4 pytest.raises told nobody"
            ),
        ),
        refused_in_unittest,
        refused_in_a_loop,
        refused_and_raised_as_another,
    ],
)
def test_what_a_function_of_the_tests_expects_is_none(
    cpjob: CodePipelineStub, expect: Callable[[], None]
) -> None:
    expect()
    cpjob.check()


def test_to_expect_errors_is_as_it_was_after_the_stub() -> None:
    block = type(pytest.raises(ParamValidationError))
    before = block.__exit__
    with CodePipelineStub():
        assert block.__exit__ is not before
    assert block.__exit__ is before


# -- calls that nothing fakes ----------------------------------------------------------------------


def test_each_call_that_nothing_fakes_is_told_once_for_each_job(cpjob: CodePipelineStub) -> None:
    sts = boto3.client("sts", region_name="us-east-1")

    def twice(job_id: str) -> None:
        for _ in range(2):
            try:
                sts.get_caller_identity()
            except Exception as error:
                print(type(error).__name__)

    jobs = [invoked(cpjob, twice) for _ in range(2)]

    error = found(cpjob)
    assert error.names == ("unfaked-call",)
    assert (
        f": sts.GetCallerIdentity for job {jobs[0].id} (Invoke:AWS:Lambda:1) and 1 more job was"
        " blocked before it reached the network, 4 times.\n"
    ) in str(error)


def test_to_allow_it_for_one_job_allows_it_for_no_other(cpjob: CodePipelineStub) -> None:
    sts = boto3.client("sts", region_name="us-east-1")
    invoked(cpjob, lambda job_id: sts.get_caller_identity(), allow=["unfaked-call"])
    cpjob.check()
    invoked(cpjob, lambda job_id: sts.get_caller_identity())
    assert found(cpjob).names == ("unfaked-call",)


def test_outside_of_a_jobs_run_any_job_may_allow_it(cpjob: CodePipelineStub) -> None:
    sts = boto3.client("sts", region_name="us-east-1")
    cpjob.add_lambda_job()
    for allow in ([], ["unfaked-call"]):
        cpjob.add_lambda_job(allow=allow)
        with pytest.raises(Exception, match="was blocked before it reached"):
            sts.get_caller_identity()
        if not allow:
            assert ": sts.GetCallerIdentity was blocked before" in str(found(cpjob))
    cpjob.check()


# -- faults ----------------------------------------------------------------------------------------


def test_a_fault_that_was_met_too_rarely_says_how_often(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("GetJobDetails", "ThrottlingException", times=2)
    cpjob.fail("GetObject", "SlowDown", service="s3")
    with pytest.raises(ClientError, match="ThrottlingException"):
        CLIENT.get_job_details(jobId=job.id)
    assert str(found(cpjob)) == (
        "unused-fault: 2 findings.\n"
        "- unused-fault: ThrottlingException was set up 2 times for codepipeline.GetJobDetails and"
        " met 1 time.\n"
        "- unused-fault: SlowDown was set up 1 time for s3.GetObject and met 0 times.\n"
        "  The test did not test what it set up.\n"
        "  To fix it: Compare operation, service and times with the calls that were made"
        " (cpjob.calls), or take the fault away. See pytest-cpjob explain unused-fault\n"
        '  To allow it: @pytest.mark.cpjob(allow=["unused-fault"])'
    )


def test_the_tests_own_client_meets_no_fault_for_the_handler(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("GetJobDetails", "ThrottlingException")
    assert cpjob.client().get_job_details(jobId=job.id)
    assert found(cpjob).names == ("unused-fault",)


# -- threads ---------------------------------------------------------------------------------------


def test_a_thread_that_ends_in_time_is_none(cpjob: CodePipelineStub) -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, args=(10,))
    thread.start()
    ended.set()
    cpjob._harness.settle()
    cpjob.check()
    assert not thread.is_alive()
