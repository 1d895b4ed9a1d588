"""The record: what the code called and reported, as values that compare and print well."""

from __future__ import annotations

import copy
import io
import pickle
import threading
from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from artifact_clients import s3_of
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from pytest_cpjob import Call, CodePipelineStub, CurrentRevision, JobFailure, JobSuccess

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
UNKNOWN = "11111111-2222-4333-8444-555555555555"
TOKEN = "the token that the partner keeps"


def codepipeline(operation: str, request: dict[str, Any], **rest: Any) -> Call:
    return Call("codepipeline", operation, request, **rest)


# -- calls -----------------------------------------------------------------------------------------


def test_a_workers_day_is_on_record_call_by_call(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(action_type=DOCS)

    (polled,) = CLIENT.poll_for_jobs(actionTypeId=DOCS, maxBatchSize=5)["jobs"]
    CLIENT.acknowledge_job(jobId=polled["id"], nonce=polled["nonce"])
    cpjob.advance(95)
    CLIENT.get_job_details(jobId=polled["id"])
    cpjob.advance(0.5)
    CLIENT.put_job_success_result(jobId=polled["id"], outputVariables={"pages": "1"})

    about = {"job_ids": (job.id,)}
    assert cpjob.calls == [
        codepipeline("PollForJobs", {"actionTypeId": DOCS, "maxBatchSize": 5}, **about),
        codepipeline("AcknowledgeJob", {"jobId": job.id, "nonce": job.nonce}, **about),
        codepipeline("GetJobDetails", {"jobId": job.id}, **about, at=95.0),
        codepipeline(
            "PutJobSuccessResult",
            {"jobId": job.id, "outputVariables": {"pages": "1"}},
            **about,
            at=95.5,
        ),
    ]
    assert job.calls == cpjob.calls


def test_a_polls_jobs_are_those_it_handed_out(cpjob: CodePipelineStub) -> None:
    jobs = [cpjob.add_job(action_type=DOCS) for _ in range(3)]
    partners = cpjob.add_third_party_job()

    CLIENT.poll_for_jobs(actionTypeId=DOCS, maxBatchSize=2)
    CLIENT.poll_for_jobs(actionTypeId=DOCS)
    CLIENT.poll_for_jobs(actionTypeId=DOCS)
    CLIENT.poll_for_third_party_jobs(actionTypeId=partners.facts.action_type.as_dict())

    assert [call.job_ids for call in cpjob.calls] == [
        (jobs[0].id, jobs[1].id),
        (jobs[2].id,),
        (),
        (partners.id,),
    ]
    assert [len(job.calls) for job in (*jobs, partners)] == [1, 1, 1, 1]


def test_a_jobs_calls_are_its_own(cpjob: CodePipelineStub) -> None:
    one, other = cpjob.add_lambda_job(), cpjob.add_lambda_job()
    for job in (one, other, one):
        CLIENT.get_job_details(jobId=job.id)
    CLIENT.list_action_types()

    assert [call.job_ids for call in one.calls] == [(one.id,)] * 2
    assert [call.job_ids for call in other.calls] == [(other.id,)]
    assert len(cpjob.calls) == 4


def test_the_error_is_the_code_or_the_exceptions_class(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    cpjob.fail("GetJobDetails", ReadTimeoutError(endpoint_url="https://example.com"))
    cpjob.fail("GetJobDetails", "ThrottlingException")

    with pytest.raises(ReadTimeoutError):
        CLIENT.get_job_details(jobId=job.id)
    with pytest.raises(ClientError):
        CLIENT.get_job_details(jobId=job.id)
    with pytest.raises(CLIENT.exceptions.JobNotFoundException):
        CLIENT.get_job_details(jobId=UNKNOWN)
    with pytest.raises(ParamValidationError):
        CLIENT.put_job_failure_result(jobId=job.id)
    CLIENT.get_job_details(jobId=job.id)

    assert [call.error for call in cpjob.calls] == [
        "ReadTimeoutError",
        "ThrottlingException",
        "JobNotFoundException",
        "ParamValidationError",
        None,
    ]
    assert [call.error for call in job.calls] == [
        "ReadTimeoutError",
        "ThrottlingException",
        "ParamValidationError",
        None,
    ]


def test_a_call_about_a_job_that_there_is_not_is_about_none(cpjob: CodePipelineStub) -> None:
    with pytest.raises(CLIENT.exceptions.JobNotFoundException):
        CLIENT.get_job_details(jobId=UNKNOWN)

    assert cpjob.calls == [
        codepipeline("GetJobDetails", {"jobId": UNKNOWN}, error="JobNotFoundException")
    ]


def test_the_tests_own_calls_are_not_on_record(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    artifact = job.input_artifacts["Source"]

    cpjob.client().get_job_details(jobId=job.id)
    cpjob.client("s3").head_object(Bucket=artifact.bucket, Key=artifact.key)
    assert artifact.files
    assert job.details
    assert job.event

    assert (cpjob.calls, job.calls) == ([], [])
    CLIENT.put_job_success_result(jobId=job.id)
    assert len(cpjob.calls) == 1


def test_calls_on_artifacts_are_on_record_with_their_job(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"], output_artifacts=["Site"])
    source, site = job.input_artifacts["Source"], job.output_artifacts["Site"]
    s3 = s3_of(job)

    s3.get_object(Bucket=source.bucket, Key=source.key)
    s3.put_object(Bucket=site.bucket, Key=site.key, Body=b"zip")
    s3.put_object(Bucket=site.bucket, Key=site.key, Body=io.BytesIO(b"zip"))

    assert job.calls == cpjob.calls
    assert job.calls[0] == Call(
        "s3", "GetObject", {"Bucket": source.bucket, "Key": source.key}, job_ids=(job.id,)
    )
    assert [call.request["Body"] for call in job.calls[1:]] == ["<3 bytes>", "<BytesIO>"]


def test_calls_of_other_services_are_on_record(cpjob: CodePipelineStub) -> None:
    cpjob.fail("Publish", "ThrottlingException", service="sns")
    sns = boto3.client("sns", region_name="us-east-1")

    with pytest.raises(ClientError):
        sns.publish(TopicArn="arn:aws:sns:us-east-1:123456789012:builds", Message="done")

    assert cpjob.calls == [
        Call(
            "sns",
            "Publish",
            {"TopicArn": "arn:aws:sns:us-east-1:123456789012:builds", "Message": "done"},
            error="ThrottlingException",
        )
    ]


def test_what_a_test_does_to_the_lists_changes_no_record(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    CLIENT.put_job_success_result(jobId=job.id)

    for found in (cpjob.calls, job.calls, cpjob.results, cpjob.jobs):
        found.clear()

    assert (len(cpjob.calls), len(job.calls), len(cpjob.results), len(cpjob.jobs)) == (1, 1, 1, 1)


# -- the log ---------------------------------------------------------------------------------------


def test_what_is_read_twice_is_the_same_object(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    log = cpjob._harness.service.call_log
    CLIENT.get_job_details(jobId=job.id)
    [before] = log.of_job(job.id)
    CLIENT.get_job_details(jobId=job.id)

    first, second = log.of_job(job.id)
    assert first is before is log.entries[0] is next(log.tested())
    assert second is log.entries[1]
    assert [first.call, second.call] == log.calls() == log.calls(job.id)
    for one, other in zip(log.calls(), log.calls(job.id), strict=True):
        assert one is other


def test_threads_read_and_write_the_log_at_once(cpjob: CodePipelineStub) -> None:
    jobs = [cpjob.add_lambda_job() for _ in range(4)]
    log, are_done = cpjob._harness.service.call_log, threading.Event()
    seen: list[list[object]] = [[], []]

    def call(job_id: str) -> None:
        for _ in range(200):
            CLIENT.get_job_details(jobId=job_id)

    def read(into: list[object]) -> None:
        while not are_done.is_set():
            into[:] = log.entries

    readers = [threading.Thread(target=read, args=(into,)) for into in seen]
    writers = [threading.Thread(target=call, args=(job.id,)) for job in jobs]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    are_done.set()
    for thread in readers:
        thread.join()

    assert [len(log.calls(job.id)) for job in jobs] == [200] * 4
    assert len({id(entry) for entry in log.entries}) == len(log.entries) == 800
    for entries in seen:
        assert entries == log.entries[: len(entries)]
        assert all(one is other for one, other in zip(entries, log.entries, strict=False))


def test_what_became_of_a_call_is_noted_when_it_ends(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    name = threading.current_thread().name
    CLIENT.get_job_details(jobId=job.id)
    cpjob.advance(5)
    threading.current_thread().name = "renamed"
    try:
        [call] = job.calls
    finally:
        threading.current_thread().name = name

    assert (call.at, call.thread, call.job_ids) == (0.0, name, (job.id,))


def test_parameters_that_a_fake_beneath_the_stub_answers_are_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(client: object, operation_name: str, api_params: dict[str, Any]) -> dict[str, Any]:
        return {"jobs": []}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", answer)
    params = {"actionTypeId": dict(DOCS)}
    with CodePipelineStub() as cpjob:
        CLIENT._make_api_call("PollForJobs", params)
        params["actionTypeId"]["provider"] = "Other"
        params["maxBatchSize"] = 3  # type: ignore[assignment]

        assert cpjob.calls == [codepipeline("PollForJobs", {"actionTypeId": DOCS})]


# -- Call as a value -------------------------------------------------------------------------------

CALL = codepipeline("GetJobDetails", {"jobId": UNKNOWN}, job_ids=(UNKNOWN,), at=95.0)


def test_a_call_prints_as_it_is_written() -> None:
    assert repr(CALL) == (
        f"Call('codepipeline', 'GetJobDetails', {{'jobId': '{UNKNOWN}'}}, error=None,"
        f" job_ids=('{UNKNOWN}',), at=95.0)"
    )
    assert eval(repr(CALL)) == CALL


@pytest.mark.parametrize(
    "other",
    [
        {"service": "s3"},
        {"operation": "PollForJobs"},
        {"request": {}},
        {"error": "JobNotFoundException"},
        {"job_ids": ()},
        {"at": 0.0},
    ],
    ids=lambda other: next(iter(other)),
)
def test_calls_are_equal_when_everything_but_the_thread_is(other: dict[str, Any]) -> None:
    assert replace(CALL, thread="worker-1") == CALL
    assert replace(CALL, **other) != CALL


def test_a_call_cannot_be_changed_and_survives_copies() -> None:
    with pytest.raises(FrozenInstanceError):
        CALL.error = "ThrottlingException"

    assert pickle.loads(pickle.dumps(CALL)) == copy.deepcopy(CALL) == CALL


def test_the_thread_that_called_is_named(cpjob: CodePipelineStub) -> None:
    thread = threading.Thread(target=CLIENT.list_action_types, name="poller-7")
    thread.start()
    thread.join()
    CLIENT.list_action_types()

    assert [call.thread for call in cpjob.calls] == ["poller-7", threading.current_thread().name]


# -- results ---------------------------------------------------------------------------------------


def test_results_are_what_was_reported_in_order(cpjob: CodePipelineStub) -> None:
    jobs = [cpjob.add_lambda_job() for _ in range(3)]
    created = datetime(2026, 1, 2, tzinfo=timezone.utc)

    CLIENT.put_job_failure_result(
        jobId=jobs[2].id,
        failureDetails={
            "type": "PermissionError",
            "message": "no key",
            "externalExecutionId": "build-7",
        },
    )
    CLIENT.put_job_success_result(jobId=jobs[0].id)
    CLIENT.put_job_success_result(
        jobId=jobs[1].id,
        currentRevision={
            "revision": "r1",
            "changeIdentifier": "c1",
            "created": created,
            "revisionSummary": "first",
        },
        executionDetails={
            "summary": "1 page",
            "externalExecutionId": "build-8",
            "percentComplete": 100,
        },
        outputVariables={"pages": "1"},
    )

    assert cpjob.results == [
        JobFailure("PermissionError", "no key", "build-7"),
        JobSuccess(),
        JobSuccess(
            output_variables={"pages": "1"},
            summary="1 page",
            external_execution_id="build-8",
            percent_complete=100,
            current_revision=CurrentRevision("r1", "c1", created, "first"),
        ),
    ]
    assert [job.result for job in jobs] == [cpjob.results[n] for n in (1, 2, 0)]


def test_a_partners_results_are_the_same_values(cpjob: CodePipelineStub) -> None:
    client = cpjob.client()
    jobs = [cpjob.add_third_party_job() for _ in range(2)]
    for job in jobs:
        who = {"jobId": job.id, "clientToken": job.client_token}
        nonce = client.get_third_party_job_details(**who)["jobDetails"]["nonce"]
        client.acknowledge_third_party_job(**who, nonce=nonce)
        if job is jobs[0]:
            client.put_third_party_job_success_result(
                **who, executionDetails={"percentComplete": 0}
            )
        else:
            details = {"type": "JobFailed", "message": "out of paper"}
            client.put_third_party_job_failure_result(**who, failureDetails=details)

    assert cpjob.results == [
        JobSuccess(percent_complete=0),
        JobFailure("JobFailed", "out of paper"),
    ]


def test_results_print_what_they_hold_and_cannot_be_changed() -> None:
    failure = JobFailure("JobFailed", "out of paper")

    assert repr(failure) == (
        "JobFailure(type='JobFailed', message='out of paper', external_execution_id=None)"
    )
    assert "output_variables={'pages': '1'}" in repr(JobSuccess(output_variables={"pages": "1"}))
    with pytest.raises(FrozenInstanceError):
        failure.message = "paper"


def test_a_refused_result_is_none(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()

    with pytest.raises(CLIENT.exceptions.ValidationException):
        CLIENT.put_job_success_result(jobId=job.id, outputVariables={"a b": "1"})

    assert (cpjob.results, job.result) == ([], None)


# -- secrets ---------------------------------------------------------------------------------------


def test_no_secret_is_printed_of_anything_that_a_test_holds(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_third_party_job(client_token=TOKEN, output_artifacts=["Site"])
    who = {"jobId": job.id, "clientToken": TOKEN}
    details = CLIENT.get_third_party_job_details(**who)["jobDetails"]
    CLIENT.acknowledge_third_party_job(**who, nonce=details["nonce"])
    site = job.output_artifacts["Site"]
    s3_of(job).put_object(Bucket=site.bucket, Key=site.key, Body=b"zip")
    CLIENT.put_third_party_job_success_result(**who)
    given = details["data"]["artifactCredentials"]

    held = [cpjob, job, cpjob.jobs, cpjob.calls, job.calls, cpjob.results, job.output_artifacts]
    held += [
        cpjob._harness.service.grants.find(given["accessKeyId"]),
        job._record,
        cpjob._harness.service.call_log.entries,
    ]
    printed = "\n".join(f"{one!r}{one}" for one in held)

    for secret in (TOKEN, given["secretAccessKey"], given["sessionToken"]):
        assert secret not in printed
    assert "'clientToken': '<masked>'" in repr(cpjob.calls)
    assert cpjob.calls[0].request["clientToken"] == TOKEN


def test_secrets_of_other_services_are_masked() -> None:
    call = Call(
        "secretsmanager", "CreateSecret", {"Name": "docs", "SecretString": "hunter2hunter2"}
    )

    assert repr(call).startswith(
        "Call('secretsmanager', 'CreateSecret', {'Name': 'docs', 'SecretString': '<masked>'}"
    )


def test_what_a_test_does_to_a_value_does_nothing_to_the_record(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    CLIENT.put_job_success_result(
        jobId=job.id,
        outputVariables={"pages": "1"},
        currentRevision={"revision": "1", "changeIdentifier": "c"},
    )
    reported, calls = repr(job.result), repr(cpjob.calls)

    assert isinstance(job.result, JobSuccess)
    assert isinstance(job.result.output_variables, dict)
    job.result.output_variables["pages"] = "2"
    for call in (*cpjob.calls, *job.calls):
        assert isinstance(call.request, dict)
        call.request["currentRevision"]["revision"] = "2"
        call.request["jobId"] = "another"

    assert (repr(job.result), repr(cpjob.calls)) == (reported, calls)
    assert cpjob.results == [job.result] == [pickle.loads(pickle.dumps(job.result))]
