"""The tests of `flags_poller`: code in Lambda that is not invoked by a pipeline, but polls."""

from __future__ import annotations

from typing import Any

import flags_poller
import pytest

from pytest_cpjob import CodePipelineStub, Content, Job, JobSuccess

FLAGS: Content = {"flags.json": '{"dark-mode": true, "beta": ["alice", "bob"]}'}
SET = JobSuccess(summary="flags set: 2")


def add_job(cpjob: CodePipelineStub, source: Content = FLAGS) -> Job:
    return cpjob.add_job(
        action_type="Deploy:Custom:FeatureFlags:1", input_artifacts={"Source": source}
    )


def value_of(flag: str) -> str:
    found = flags_poller.ssm.get_parameter(Name=f"/flags/{flag}")["Parameter"]["Value"]
    return str(found)


def test_an_actions_start_brings_it_to_work_at_once(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    answer = cpjob.invoke(flags_poller.lambda_handler, job.state_change_event())

    assert answer == {"done": 1}
    assert job.success == SET
    assert (value_of("dark-mode"), value_of("beta")) == ("true", '["alice", "bob"]')


def test_the_schedule_brings_it_to_what_was_missed(cpjob: CodePipelineStub) -> None:
    jobs = [add_job(cpjob) for _ in range(3)]

    answer = cpjob.invoke(flags_poller.lambda_handler, cpjob.scheduled_event())

    assert answer == {"done": 3}
    assert [job.success for job in jobs] == [SET] * 3


def test_the_events_of_other_actions_and_of_ends_are_not_even_polled_for(
    cpjob: CodePipelineStub,
) -> None:
    job = add_job(cpjob)
    other = cpjob.add_job(action_type="Deploy:Custom:Website:1")

    for event in (other.state_change_event(), job.state_change_event("SUCCEEDED")):
        assert cpjob.invoke(flags_poller.lambda_handler, event) == {"done": 0}

    assert cpjob.calls == []
    assert job.status == "Queued"


def test_a_second_event_for_the_same_job_finds_nothing_to_do(cpjob: CodePipelineStub) -> None:
    event = add_job(cpjob).state_change_event()

    answers = [cpjob.invoke(flags_poller.lambda_handler, event) for _ in range(2)]

    assert answers == [{"done": 1}, {"done": 0}]


def test_no_job_is_taken_when_time_is_short_and_the_next_run_has_it(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = add_job(cpjob), add_job(cpjob)
    read_flags = flags_poller.flags_of

    def slowly(data: Any) -> dict[str, Any]:
        cpjob.advance(100)
        return read_flags(data)

    monkeypatch.setattr(flags_poller, "flags_of", slowly)

    assert cpjob.invoke(flags_poller.lambda_handler, timeout=120) == {"done": 1}
    assert (first.result, second.status) == (SET, "Queued")
    assert cpjob.invoke(flags_poller.lambda_handler, timeout=120) == {"done": 1}
    assert second.success == SET


def test_a_job_that_another_run_has_claimed_is_left_to_it(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)
    (offer,) = flags_poller.codepipeline.poll_for_jobs(actionTypeId=flags_poller.ACTION_TYPE)[
        "jobs"
    ]
    cpjob.client().acknowledge_job(jobId=job.id, nonce=offer["nonce"])  # somebody was faster

    assert flags_poller.work_on(offer) is False

    assert job.status == "InProgress"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"flags.json": "{"}, "Expecting property name"),
        ({"other.json": "{}"}, "There is no item named 'flags.json'"),
        (b"no zip", "File is not a zip file"),
        (None, "AccessDenied"),
    ],
)
def test_flags_that_cannot_be_read_fail_their_job_and_the_next_is_done(
    cpjob: CodePipelineStub, source: Content, message: str
) -> None:
    broken, good = add_job(cpjob, source), add_job(cpjob)

    assert cpjob.invoke(flags_poller.lambda_handler) == {"done": 2}

    assert message in broken.failure.message
    assert good.success == SET
