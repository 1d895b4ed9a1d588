"""The tests of `partner_worker`: third-party jobs, client tokens, and who may do what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from partner_worker import PartnerWorker

from pytest_cpjob import CodePipelineStub, Content, ContractError, Job, JobFailure, JobSuccess

CLIENT = "0f0e0d0c-1111-4222-8333-444455556666"
TOKEN = "the-token-of-this-client"
LICENSED: Content = {"app.py": "# SPDX-License-Identifier: MIT\n"}

PASSED = JobSuccess(summary="every file has a licence", percent_complete=100)


def worker(client_id: str = CLIENT) -> PartnerWorker:
    return PartnerWorker({client_id: TOKEN}, region="us-east-1")


def add_job(cpjob: CodePipelineStub, source: Content = LICENSED, **arguments: Any) -> Job:
    return cpjob.add_third_party_job(
        action_type="Test:ThirdParty:LicenceScan:1",
        input_artifacts={"Source": source},
        **{"client_id": CLIENT, "client_token": TOKEN, **arguments},
    )


def test_a_licensed_source_passes(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    assert worker().poll_once() == 1

    assert job.success == PASSED
    assert [call.operation for call in job.calls if call.service == "codepipeline"] == [
        "PollForThirdPartyJobs",
        "GetThirdPartyJobDetails",
        "AcknowledgeThirdPartyJob",
        "PutThirdPartyJobSuccessResult",
    ]


def test_an_unlicensed_file_fails_the_action_and_is_named_in_the_report(
    cpjob: CodePipelineStub,
) -> None:
    source: Content = {"app.py": "# SPDX-License-Identifier: MIT\n", "lib/old.py": "pass\n"}
    job = add_job(cpjob, source, output_artifacts=["Report"], encryption_key=True)

    worker().poll_once()

    assert job.failure == JobFailure("JobFailed", "no licence: lib/old.py")
    report = job.output_artifacts["Report"]
    assert json.loads(report.text("report.json")) == {"unlicensed": ["lib/old.py"]}
    assert report.kms_key_id == job.encryption_key


def test_a_message_that_would_be_too_long_is_cut(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob, {f"src/module_{number:04}.py": "" for number in range(400)})

    worker().poll_once()

    assert len(job.failure.message) == 5000


def test_a_batch_is_worked_through_whatever_becomes_of_each(cpjob: CodePipelineStub) -> None:
    broken, good = add_job(cpjob, b"no zip"), add_job(cpjob)

    assert worker().poll_once() == 2

    assert (broken.status, good.status) == ("Failed", "Succeeded")


def test_the_job_of_an_unknown_client_is_left_to_a_worker_that_knows_it(
    cpjob: CodePipelineStub,
) -> None:
    stranger = "99999999-1111-4222-8333-444455556666"
    job = add_job(cpjob, client_id=stranger)

    assert worker().poll_once() == 0

    assert job.status == "Dispatched"
    cpjob.advance(5 * 60)  # nobody has acknowledged it, so it is handed out again
    assert worker(stranger).poll_once() == 1
    assert job.success == PASSED


def test_a_token_that_is_no_longer_the_clients_opens_nothing(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob, client_token="a-newer-token")

    assert worker().poll_once() == 0

    assert job.calls[-1].operation == "GetThirdPartyJobDetails"
    assert job.calls[-1].error == "InvalidClientTokenException"


def test_a_job_that_ended_before_its_details_were_read_is_left_alone(
    cpjob: CodePipelineStub,
) -> None:
    job = add_job(cpjob)
    cpjob.advance(12 * 60 * 60)
    assert job.status == "TimedOut"

    assert worker().work_on(CLIENT, job.id) is False

    assert [call.error for call in job.calls] == ["InvalidJobException"]


def test_a_lost_race_is_left_to_the_winner(cpjob: CodePipelineStub) -> None:
    class Slow(PartnerWorker):
        def acknowledge(self, job_id: str, nonce: str, token: str) -> bool:
            cpjob.client().acknowledge_third_party_job(
                jobId=job_id, nonce=nonce, clientToken=token
            )  # somebody was faster
            return super().acknowledge(job_id, nonce, token)

    job = add_job(cpjob)

    assert Slow({CLIENT: TOKEN}, region="us-east-1").poll_once() == 0

    assert job.status == "InProgress"
    assert job.calls[-1].error == "InvalidNonceException"


def test_a_worker_that_forgets_to_acknowledge_is_caught(cpjob: CodePipelineStub) -> None:
    class Forgetful(PartnerWorker):
        def acknowledge(self, job_id: str, nonce: str, token: str) -> bool:
            return True

    job = add_job(cpjob)

    Forgetful({CLIENT: TOKEN}, region="us-east-1").poll_once()

    assert job.status == "Dispatched"
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("not-acknowledged",)


@pytest.mark.cpjob_job_variants(without=["another-input-first", "unicode-file-name"])
def test_every_job_that_codepipeline_may_send_passes(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob, output_artifacts=["Report"])

    cpjob.run_worker(worker().run)

    assert job.success == PASSED


@pytest.mark.cpjob_faults
def test_whatever_its_calls_meet_the_worker_goes_on(cpjob: CodePipelineStub) -> None:
    jobs = [add_job(cpjob, output_artifacts=["Report"]) for _ in range(2)]

    cpjob.run_worker(worker().run)

    assert {job.status for job in jobs} <= {"Succeeded", "Failed"}
