"""The tests of `snapshot_wait`: its sleeps move the job clock, and nothing here waits.

moto's snapshots are available at once: where one is to take its time, a test says what its status
is. The action has no artifacts, for which the stub would start moto: so the tests start it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import snapshot_wait
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, HandlerError, Job, JobFailure, JobSuccess

MINUTE = 60


@pytest.fixture
def job(cpjob: CodePipelineStub) -> Iterator[Job]:
    with mock_aws():
        snapshot_wait.rds.create_db_instance(
            DBInstanceIdentifier="orders", DBInstanceClass="db.t4g.micro", Engine="postgres"
        )
        yield cpjob.add_lambda_job(user_parameters={"database": "orders"})


def available_after(looks: int) -> Callable[[str], str]:
    """A snapshot that is being created for so many looks at it."""
    statuses = iter(["creating"] * looks)
    return lambda snapshot: next(statuses, "available")


def test_the_snapshots_name_is_handed_on(job: Job) -> None:
    job.invoke(snapshot_wait.lambda_handler)

    snapshot = f"orders-{job.id}"
    assert job.success == JobSuccess(output_variables={"snapshot": snapshot})
    assert snapshot_wait.status_of(snapshot) == "available"


def test_a_short_wait_is_slept_through(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_wait, "status_of", available_after(looks=6))

    job.invoke(snapshot_wait.lambda_handler)

    assert job.status == "Succeeded"
    assert job.continuation is None
    assert job.calls[-1].at == 3 * MINUTE  # of job clock


def test_a_wait_beyond_the_functions_time_goes_on_in_the_next_invocation(
    job: Job, cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_wait, "status_of", available_after(looks=80))

    last = job.invoke(snapshot_wait.lambda_handler)

    snapshot = f"orders-{job.id}"
    assert job.result == JobSuccess(continuation_token=f'{{"snapshot": "{snapshot}"}}')
    assert last.success == JobSuccess(output_variables={"snapshot": snapshot})
    reports = [call.at for call in cpjob.calls if call.operation == "PutJobSuccessResult"]
    assert [at / MINUTE for at in reports] == [14.5, 29.5, 40]
    assert [call.operation for call in cpjob.calls].count("CreateDBSnapshot") == 1


def test_a_shorter_time_out_means_more_invocations(
    job: Job, cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_wait, "status_of", available_after(looks=20))

    last = job.invoke(snapshot_wait.lambda_handler, timeout=3 * MINUTE)

    assert last.status == "Succeeded"
    assert len(cpjob.jobs) == 4


def test_an_event_that_lambda_runs_again_takes_no_second_snapshot(
    job: Job, cpjob: CodePipelineStub
) -> None:
    cpjob.fail("PutJobSuccessResult", "ThrottlingException")

    job.invoke(snapshot_wait.lambda_handler, retries=2)

    assert job.status == "Succeeded"
    created = [call.error for call in cpjob.calls if call.operation == "CreateDBSnapshot"]
    assert created == [None, "DBSnapshotAlreadyExists"]


@pytest.mark.parametrize("status", ["failed", "deleting"])
def test_a_snapshot_that_will_never_be_available_fails_the_action(
    job: Job, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(snapshot_wait, "status_of", lambda snapshot: status)

    job.invoke(snapshot_wait.lambda_handler)

    assert job.failure == JobFailure("JobFailed", f"snapshot orders-{job.id} is {status}")


@mock_aws
def test_a_database_that_is_not_there_fails_the_action(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(user_parameters={"database": "invoices"})

    job.invoke(snapshot_wait.lambda_handler)

    assert "DBInstanceNotFound" in job.failure.message


@pytest.mark.cpjob(allow=["raised"])
def test_a_wait_that_does_not_look_at_the_remaining_time_is_caught(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_wait, "RESERVE", -3600)
    monkeypatch.setattr(snapshot_wait, "status_of", available_after(looks=80))

    with pytest.raises(HandlerError, match=r"Task timed out after 900\.00 seconds"):
        job.invoke(snapshot_wait.lambda_handler)
