"""The tests of `soak_worker`: threads that wait for hours of job clock, and for no real time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from soak_worker import SoakWorker

from pytest_cpjob import CodePipelineStub, Job, JobFailure, JobSuccess

MINUTE = 60
SHOP, SEARCH = "https://shop.example.com/", "https://search.example.com/"


def run(cpjob: CodePipelineStub, is_healthy: Callable[[str], bool], threads: int = 4) -> None:
    cpjob.run_worker(SoakWorker(region="us-east-1", threads=threads, is_healthy=is_healthy).run)


def always(address: str) -> bool:
    return True


def add_job(cpjob: CodePipelineStub, minutes: int = 10, *services: str, **arguments: Any) -> Job:
    return cpjob.add_job(
        action_type="Test:Custom:Soak:1",
        configuration={"Minutes": str(minutes)},
        input_artifacts={"Services": {"services.json": json.dumps(services or (SHOP,))}},
        output_artifacts=["Report"],
        **arguments,
    )


def failed_in(job: Job) -> Any:
    return json.loads(job.output_artifacts["Report"].text("report.json"))["failed"]


def ended_at(job: Job) -> float:
    return job.calls[-1].at / MINUTE


def test_a_service_that_stays_well_passes(cpjob: CodePipelineStub) -> None:
    looks: list[str] = []
    job = add_job(cpjob, 10, SHOP, SEARCH)

    # What `append` returns is None, and so each look is well.
    run(cpjob, lambda address: not looks.append(address))  # type: ignore[func-returns-value]

    assert job.success == JobSuccess()
    assert failed_in(job) == []
    assert looks == [SHOP, SEARCH] * 20
    assert ended_at(job) == 10


def test_jobs_wait_side_by_side(cpjob: CodePipelineStub) -> None:
    jobs = [add_job(cpjob, minutes) for minutes in (30, 10, 20)]

    run(cpjob, always)

    assert [ended_at(job) for job in jobs] == [30, 10, 20]


def test_no_more_jobs_are_taken_than_there_are_threads(cpjob: CodePipelineStub) -> None:
    jobs = [add_job(cpjob, 10) for _ in range(3)]

    run(cpjob, always, threads=2)

    polled = [
        call.request["maxBatchSize"]
        for call in cpjob.calls
        if call.service == "codepipeline" and call.operation == "PollForJobs"
    ]
    assert max(polled) == 2
    assert [job.status for job in jobs] == ["Succeeded"] * 3
    assert sorted(map(ended_at, jobs))[:2] == [10, 10]
    assert ended_at(jobs[2]) >= 20


def test_a_service_that_falls_ill_fails_its_own_job_only(cpjob: CodePipelineStub) -> None:
    looks = 0

    def search_falls_ill(address: str) -> bool:
        nonlocal looks
        looks += address == SEARCH
        return address != SEARCH or looks <= 4

    ill, well = add_job(cpjob, 10, SEARCH), add_job(cpjob, 10, SHOP)

    run(cpjob, search_falls_ill)

    assert ill.failure == JobFailure("JobFailed", f"not healthy: {SEARCH}")
    assert failed_in(ill) == [SEARCH]
    assert (ended_at(ill), ended_at(well)) == (2, 10)
    assert well.status == "Succeeded"


def test_a_job_of_hours_is_reported_with_credentials_of_its_end(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob, 2 * 60, encryption_key=True)

    run(cpjob, always)

    assert job.status == "Succeeded"
    assert job.output_artifacts["Report"].kms_key_id == job.encryption_key


def test_what_goes_wrong_in_a_thread_is_reported_all_the_same(cpjob: CodePipelineStub) -> None:
    def is_broken(address: str) -> bool:
        raise ValueError(f"no address: {address}")

    job = add_job(cpjob, 10, "shop")

    run(cpjob, is_broken)

    assert job.failure == JobFailure("JobFailed", "no address: shop")


@pytest.mark.cpjob_job_variants(without=["another-input-first"])  # the type takes one input
def test_every_job_that_codepipeline_may_send_is_done(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    run(cpjob, always)

    assert job.status == "Succeeded"


@pytest.mark.cpjob_faults
def test_whatever_its_calls_meet_the_worker_goes_on(cpjob: CodePipelineStub) -> None:
    jobs = [add_job(cpjob) for _ in range(2)]

    run(cpjob, always)

    assert {job.status for job in jobs} <= {"Succeeded", "Failed"}
