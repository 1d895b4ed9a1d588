"""Many workers at once: nothing is done twice, and nothing is lost."""

from __future__ import annotations

import itertools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, Job, JobSuccess

THREADS = 50
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
PARTNER = {**DOCS, "owner": "ThirdParty"}
FAILURE = {"type": "JobFailed", "message": "out of paper"}
CLIENT = boto3.client("codepipeline", region_name="us-east-1")


@pytest.fixture(autouse=True)
def threads_that_take_turns_often() -> Iterator[None]:
    """Let threads be interrupted anywhere: with Python's 5 ms hardly one would meet another."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def at_once(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """Run the work in threads that begin together; what one raises is raised here."""
    together = threading.Barrier(threads)

    def begin(number: int) -> Any:
        together.wait(60)
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(begin, range(threads)))


def outcome(call: Callable[..., Any], **members: Any) -> str:
    try:
        call(**members)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "answered"


def work_until_nothing_is_left(_: int) -> list[str]:
    """One worker's day: it gives the ids of the jobs that it was handed."""
    handed = []
    while polled := CLIENT.poll_for_jobs(actionTypeId=DOCS, maxBatchSize=3)["jobs"]:
        for job in polled:
            handed.append(job["id"])
            CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            CLIENT.put_job_success_result(jobId=job["id"], outputVariables={"job": job["id"]})
    return handed


def test_fifty_workers_acknowledge_each_of_a_thousand_jobs_exactly_once(
    cpjob: CodePipelineStub,
) -> None:
    jobs = [cpjob.add_job(action_type=DOCS) for _ in range(1_000)]

    handed = at_once(work_until_nothing_is_left)

    ids = sorted(job.id for job in jobs)
    assert sorted(job_id for mine in handed for job_id in mine) == ids
    acknowledged = [call for call in cpjob.calls if call.operation == "AcknowledgeJob"]
    assert sorted(call.request["jobId"] for call in acknowledged) == ids
    assert {call.error for call in acknowledged} == {None}
    assert {job.status for job in jobs} == {"Succeeded"}
    assert len(cpjob.results) == 1_000
    assert [job.result for job in jobs] == [
        JobSuccess(output_variables={"job": job.id}) for job in jobs
    ]


def test_one_of_fifty_workers_with_the_same_nonce_gets_the_job(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(action_type=DOCS, allow=["no-result"])
    (polled,) = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]

    said = at_once(lambda _: outcome(CLIENT.acknowledge_job, jobId=job.id, nonce=polled["nonce"]))

    assert Counter(said) == {"answered": 1, "InvalidNonceException": THREADS - 1}


def test_partners_that_ask_for_a_queued_jobs_details_at_once_are_handed_it_once(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_third_party_job(action_type=PARTNER)
    who = {"jobId": job.id, "clientToken": job.client_token}

    nonces = at_once(
        lambda _: CLIENT.get_third_party_job_details(**who)["jobDetails"]["nonce"], threads=20
    )

    assert set(nonces) == {job.nonce}


@pytest.mark.cpjob(allow=["second-result"])
@pytest.mark.parametrize("token", [{}, {"continuationToken": "t"}], ids=["last", "continuing"])
def test_one_of_fifty_results_of_a_job_is_taken(
    cpjob: CodePipelineStub, token: dict[str, str]
) -> None:
    job = cpjob.add_lambda_job()

    def report(number: int) -> str:
        if number % 2:
            details = {"summary": f"report {number}"}
            return outcome(
                CLIENT.put_job_success_result, jobId=job.id, executionDetails=details, **token
            )
        failure = {**FAILURE, "message": f"report {number}"}
        return outcome(CLIENT.put_job_failure_result, jobId=job.id, failureDetails=failure)

    said = at_once(report)

    assert Counter(said) == {"answered": 1, "InvalidJobStateException": THREADS - 1}
    assert cpjob.results == [job.result]
    continued = job.status == "Succeeded" and bool(token)
    assert len(cpjob.jobs) == (2 if continued else 1)


@pytest.mark.parametrize("operation", ["acknowledge_job", "put_job_success_result"])
def test_no_two_calls_are_between_looking_at_a_job_and_changing_it(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    client = cpjob.client()
    if operation == "acknowledge_job":
        job = cpjob.add_job(action_type=DOCS)
        client.poll_for_jobs(actionTypeId=DOCS)
        request = {"jobId": job.id, "nonce": job.nonce}
    else:
        request = {"jobId": cpjob.add_lambda_job().id}
    numbers = itertools.count()

    def call(_: int) -> str:
        more = {}
        if operation == "put_job_success_result":
            more = {"executionDetails": {"summary": f"report {next(numbers)}"}}
        return outcome(getattr(client, operation), **request, **more)

    registry, meeting = cpjob._harness.service.registry, threading.Barrier(2)
    change = registry.set_status
    met = []

    def change_after_waiting_for_another(*arguments: Any) -> None:
        # Nobody else comes as long as calls exclude each other; then the wait ends broken.
        with suppress(threading.BrokenBarrierError):
            met.append(meeting.wait(0.3))
        change(*arguments)

    monkeypatch.setattr(registry, "set_status", change_after_waiting_for_another)
    said = at_once(call, threads=2)

    assert met == []
    assert sorted(said)[1] == "answered"
    assert sorted(said)[0] in ("InvalidNonceException", "InvalidJobStateException")


def test_jobs_may_be_added_while_workers_poll(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")
    added: list[Job] = []

    def add_or_work(number: int) -> list[str]:
        if number % 2:
            added.extend([cpjob.add_job(action_type=DOCS) for _ in range(20)])
            return []
        return work_until_nothing_is_left(number)

    handed = at_once(add_or_work, threads=20)
    handed.append(work_until_nothing_is_left(0))

    assert len({job.id for job in added}) == 200
    assert sorted(one for mine in handed for one in mine) == sorted(job.id for job in added)
    assert {job.status for job in cpjob.jobs} == {"Succeeded"}


def test_jobs_dropped_by_dying_workers_are_done_once_by_others(cpjob: CodePipelineStub) -> None:
    jobs = [cpjob.add_job(action_type=DOCS) for _ in range(200)]

    def work(number: int) -> list[str]:
        """Drop the first job, then work; one only lets time go by, so that others lose races."""
        if number == 0:
            for _ in range(10):
                cpjob.advance(300)
            return []
        CLIENT.poll_for_jobs(actionTypeId=DOCS)
        done = []
        while polled := CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
            job_id, nonce = polled[0]["id"], polled[0]["nonce"]
            if outcome(CLIENT.acknowledge_job, jobId=job_id, nonce=nonce) == "answered":
                CLIENT.put_job_success_result(jobId=job_id)
                done.append(job_id)
        return done

    done = [job_id for mine in at_once(work, threads=20) for job_id in mine]
    cpjob.advance(300)
    done += work_until_nothing_is_left(0)

    assert sorted(done) == sorted(job.id for job in jobs)
    assert len(cpjob.results) == 200


def test_a_fault_is_met_by_as_many_threads_as_it_was_set_up_for(cpjob: CodePipelineStub) -> None:
    cpjob.fail("ListActionTypes", "ThrottlingException", times=7)

    said = at_once(lambda _: outcome(CLIENT.list_action_types))

    assert Counter(said) == {"ThrottlingException": 7, "answered": THREADS - 7}


def test_the_limit_of_action_types_holds_when_many_register_at_once(
    cpjob: CodePipelineStub,
) -> None:
    counts = {"minimumCount": 0, "maximumCount": 5}
    client = cpjob.client()

    def register(number: int) -> str:
        return outcome(
            client.create_custom_action_type,
            category="Build",
            provider="Docs",
            version=str(number // 2),
            inputArtifactDetails=counts,
            outputArtifactDetails=counts,
            settings={"revisionUrlTemplate": f"https://example.com/{number % 2}"},
        )

    said = Counter(at_once(register, threads=120))

    assert said["answered"] == 50
    assert said["ActionTypeAlreadyExistsException"] + said["LimitExceededException"] == 70
    pages = client.get_paginator("list_action_types").paginate()
    assert len(pages.build_full_result()["actionTypes"]) == 50


def test_the_record_tells_the_threads_apart(cpjob: CodePipelineStub) -> None:
    jobs = [cpjob.add_lambda_job() for _ in range(10)]
    names: dict[str, str] = {}

    def report(number: int) -> None:
        names[jobs[number].id] = threading.current_thread().name
        CLIENT.put_job_success_result(jobId=jobs[number].id)

    at_once(report, threads=10)

    assert {call.request["jobId"]: call.thread for call in cpjob.calls} == names
    assert [call.thread for call in cpjob.calls] != ["MainThread"] * 10
