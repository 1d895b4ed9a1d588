"""The tests of `docs_worker`: a worker's good day, and the days on which it is not alone.

Time is the job clock's, moved by `cpjob.advance`: nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from docs_worker import DocsWorker, page_of

from pytest_cpjob import CodePipelineStub, ContractError, Job, JobFailure, JobSuccess

MINUTE = 60
HOUR = 60 * MINUTE
BUILT = JobSuccess(output_variables={"pages": "1"}, summary="pages built: 1", percent_complete=100)


def worker(project: str = "handbook", convert: Callable[[str], str] = page_of) -> DocsWorker:
    return DocsWorker(project, region="us-east-1", convert=convert)


def add_job(cpjob: CodePipelineStub, project: str = "handbook", **arguments: Any) -> Job:
    return cpjob.add_job(
        action_type="Build:Custom:Docs:1",
        configuration={"Project": project},
        input_artifacts={"Source": {"index.md": "# Hi"}},
        output_artifacts=["Site"],
        **arguments,
    )


def test_a_good_day(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob, encryption_key=True)

    assert worker().poll_once() == 1

    assert job.success == BUILT
    assert job.output_artifacts["Site"].text("index.html") == page_of("# Hi")
    assert job.output_artifacts["Site"].kms_key_id == job.encryption_key
    assert [call.operation for call in job.calls if call.service == "codepipeline"] == [
        "PollForJobs",
        "AcknowledgeJob",
        "GetJobDetails",
        "GetJobDetails",
        "PutJobSuccessResult",
    ]


def test_an_empty_queue_is_no_work(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type(
        "Build:Custom:Docs:1",
        properties={"Project": {"required": True, "key": True, "queryable": True}},
    )

    assert worker().poll_once() == 0


def test_the_jobs_of_other_projects_are_left_to_their_workers(cpjob: CodePipelineStub) -> None:
    ours, theirs = add_job(cpjob, "handbook"), add_job(cpjob, "website")

    docs = worker("website")
    assert [docs.poll_once(), docs.poll_once()] == [1, 0]

    assert (ours.status, theirs.status) == ("Queued", "Succeeded")


def test_a_source_that_is_no_zip_fails_its_job_and_the_worker_goes_on(
    cpjob: CodePipelineStub,
) -> None:
    broken = cpjob.add_job(
        action_type="Build:Custom:Docs:1",
        configuration={"Project": "handbook"},
        input_artifacts={"Source": b"# Hi"},
        output_artifacts=["Site"],
    )
    good = add_job(cpjob)

    docs = worker()
    docs.poll_once()
    docs.poll_once()

    assert broken.failure == JobFailure("JobFailed", "File is not a zip file")
    assert good.status == "Succeeded"


def test_a_lost_race_is_left_to_the_winner(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)
    docs = worker()
    (offer,) = docs.poll()
    cpjob.client().acknowledge_job(jobId=job.id, nonce=offer["nonce"])  # somebody was faster

    assert docs.work_on(offer) is False

    assert job.status == "InProgress"
    assert [(call.operation, call.error) for call in job.calls] == [
        ("PollForJobs", None),
        ("AcknowledgeJob", "InvalidNonceException"),
    ]


def test_a_job_whose_worker_died_is_handed_out_again(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)
    dead, alive = worker(), worker()
    (offer,) = dead.poll()
    assert alive.poll_once() == 0

    cpjob.advance(5 * MINUTE)

    assert alive.poll_once() == 1
    assert job.success == BUILT
    assert job.nonce != offer["nonce"]
    assert dead.work_on(offer) is False  # it was only slow, and its nonce is an old one


def test_the_loop_works_through_the_queue_and_what_a_dead_worker_left(
    cpjob: CodePipelineStub,
) -> None:
    jobs = [add_job(cpjob) for _ in range(3)]
    worker().poll()  # this one dies with the first job in its hands

    cpjob.run_worker(worker().run)

    assert [job.success for job in jobs] == [BUILT] * 3
    assert [job.calls[-1].at for job in jobs] == [5 * MINUTE, 0, 0]


def test_work_that_outlives_the_jobs_credentials_is_uploaded_with_new_ones(
    cpjob: CodePipelineStub,
) -> None:
    def slowly(markdown: str) -> str:
        cpjob.advance(16 * MINUTE)
        return page_of(markdown)

    job = add_job(cpjob)

    worker(convert=slowly).poll_once()

    assert job.success == BUILT


def test_a_worker_that_keeps_its_first_credentials_meets_their_end(
    cpjob: CodePipelineStub,
) -> None:
    class AsksOnce(DocsWorker):
        known: dict[str, Any] | None = None

        def details(self, job_id: str) -> dict[str, Any]:
            self.known = self.known or super().details(job_id)
            return self.known

    def slowly(markdown: str) -> str:
        cpjob.advance(16 * MINUTE)
        return page_of(markdown)

    job = add_job(cpjob)

    AsksOnce("handbook", region="us-east-1", convert=slowly).poll_once()

    assert "ExpiredToken" in job.failure.message
    assert not job.output_artifacts["Site"].exists


def test_a_job_that_timed_out_takes_no_result_and_the_worker_lives_with_it(
    cpjob: CodePipelineStub,
) -> None:
    def hangs(markdown: str) -> str:
        cpjob.advance(24 * HOUR)
        return page_of(markdown)

    late = add_job(cpjob, allow=["no-result"])

    assert worker(convert=hangs).poll_once() == 1

    assert late.status == "TimedOut"
    assert late.result is None
    assert (late.calls[-1].operation, late.calls[-1].error, late.calls[-1].at) == (
        "PutJobSuccessResult",
        "InvalidJobStateException",
        24 * HOUR,
    )


def test_a_report_whose_answer_was_lost_is_sent_again_and_counts_once(
    cpjob: CodePipelineStub,
) -> None:
    job = add_job(cpjob)
    lost = ReadTimeoutError(endpoint_url="https://codepipeline.us-east-1.amazonaws.com/")
    cpjob.fail("PutJobSuccessResult", lost, after=True)

    worker().poll_once()

    assert cpjob.results == [BUILT]
    # The same report again is answered as the first one was, and changes nothing.
    assert [call.error for call in job.calls[-2:]] == ["ReadTimeoutError", None]


@pytest.mark.cpjob_job_variants(without=["another-input-first"])  # the type takes one input
def test_every_job_that_codepipeline_may_send_is_done(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    cpjob.run_worker(worker().run)

    assert job.status == "Succeeded"


@pytest.mark.cpjob_faults
def test_whatever_its_calls_meet_the_worker_goes_on(cpjob: CodePipelineStub) -> None:
    jobs = [add_job(cpjob) for _ in range(2)]

    cpjob.run_worker(worker().run)

    assert {job.status for job in jobs} <= {"Succeeded", "Failed"}


def test_workers_in_threads_share_the_queue(cpjob: CodePipelineStub) -> None:
    jobs = [add_job(cpjob) for _ in range(6)]

    def until_idle(docs: DocsWorker) -> int:
        done = 0
        while docs.poll_once():
            done += 1
        return done

    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(until_idle, [worker() for _ in range(3)]))

    assert sum(done) == 6
    assert [job.success for job in jobs] == [BUILT] * 6


def test_a_worker_that_does_not_look_at_its_acknowledgement_is_caught(
    cpjob: CodePipelineStub,
) -> None:
    class Rash(DocsWorker):
        def acknowledge(self, job: Mapping[str, Any]) -> bool:
            super().acknowledge(job)
            return True

    job = add_job(cpjob)
    rash = Rash("handbook", region="us-east-1")
    (offer,) = rash.poll()
    cpjob.client().acknowledge_job(jobId=job.id, nonce=offer["nonce"])

    rash.work_on(offer)

    assert job.status == "Succeeded"  # by a worker that did not have it
    with pytest.raises(ContractError, match=r"not-owner .*: PutJobSuccessResult"):
        cpjob.check()
