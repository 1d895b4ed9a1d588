"""A success with a continuation token: the job is complete, and a new one carries the token on."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub, Job, JobFailure, JobSuccess

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
FAILURE = {"type": "JobFailed", "message": "out of paper"}
CLIENT = boto3.client("codepipeline", region_name="us-east-1")


def claim(job: Job) -> Job:
    """Poll the job, which must be the next in the queue, and acknowledge it."""
    (polled,) = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    assert polled["id"] == job.id
    assert polled["data"].get("continuationToken") == job.facts.continuation_token
    CLIENT.acknowledge_job(jobId=polled["id"], nonce=polled["nonce"])
    return job


def next_of(job: Job) -> Job:
    assert job.continuation is not None
    return job.continuation


def add(cpjob: CodePipelineStub, **arguments: Any) -> Job:
    return cpjob.add_job(action_type=DOCS, **arguments)


def test_a_token_completes_the_job_and_the_next_poll_gives_a_new_one(
    cpjob: CodePipelineStub,
) -> None:
    job = claim(add(cpjob))
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="page 2")

    following = next_of(job)
    assert (job.status, following.status) == ("Succeeded", "Queued")
    assert following.id != job.id
    assert cpjob.jobs == [job, following]

    claim(following)
    CLIENT.put_job_success_result(jobId=following.id)
    assert (following.status, following.continuation) == ("Succeeded", None)
    assert cpjob.results == [JobSuccess(continuation_token="page 2"), JobSuccess()]


@pytest.mark.parametrize(
    "token",
    [
        json.dumps({"previous_job_id": "11111111-2222-4333-8444-555555555555"}),
        "arn:aws:states:us-east-1:123456789012:execution:build:1",
        " spaces and\nlines ",
        "t" * 2048,
        "0",
    ],
    ids=["JSON", "ARN", "white space", "longest", "zero"],
)
def test_the_token_comes_back_as_it_was(cpjob: CodePipelineStub, token: str) -> None:
    job = claim(add(cpjob))
    CLIENT.put_job_success_result(jobId=job.id, continuationToken=token)

    following = claim(next_of(job))
    details = CLIENT.get_job_details(jobId=following.id)["jobDetails"]
    CLIENT.put_job_success_result(jobId=following.id)

    assert details["data"]["continuationToken"] == token


def test_a_first_job_has_no_token_at_all(cpjob: CodePipelineStub) -> None:
    job = add(cpjob)

    assert "continuationToken" not in job.details["jobDetails"]["data"]
    assert job.continuation is None


def test_a_job_can_begin_with_the_token_of_an_earlier_one(cpjob: CodePipelineStub) -> None:
    job = claim(add(cpjob, continuation_token="page 7"))

    details = CLIENT.get_job_details(jobId=job.id)["jobDetails"]
    CLIENT.put_job_success_result(jobId=job.id)

    assert details["data"]["continuationToken"] == "page 7"


def test_a_continued_job_is_of_the_same_action_execution(cpjob: CodePipelineStub) -> None:
    job = claim(
        add(
            cpjob,
            configuration={"Theme": "dark"},
            input_artifacts=["Source"],
            output_artifacts=["Site"],
            encryption_key=True,
        )
    )
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")

    before = dict(job.details["jobDetails"]["data"])
    after = dict(next_of(job).details["jobDetails"]["data"])

    assert after.pop("continuationToken") == "t"
    assert after.pop("artifactCredentials") != before.pop("artifactCredentials")
    assert after == before


def test_artifacts_go_with_the_action(cpjob: CodePipelineStub) -> None:
    job = claim(add(cpjob, input_artifacts={"Source": {"a.md": "# A"}}, output_artifacts=["Site"]))
    job.output_artifacts["Site"].put({"a.html": "<h1>A</h1>"})
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")

    following = claim(next_of(job))
    CLIENT.put_job_success_result(jobId=following.id)

    assert following.input_artifacts["Source"].files == {"a.md": b"# A"}
    assert following.output_artifacts["Site"].files == {"a.html": b"<h1>A</h1>"}


def test_a_continued_job_has_a_nonce_that_none_of_the_earlier_ones_is(
    cpjob: CodePipelineStub,
) -> None:
    job, nonces = add(cpjob), []
    for number in range(4):
        claim(job)
        nonces.append(job.nonce)
        CLIENT.put_job_success_result(jobId=job.id, continuationToken=f"page {number}")
        job = next_of(job)
    CLIENT.poll_for_jobs(actionTypeId=DOCS)

    client = cpjob.client()
    for nonce in nonces:
        with pytest.raises(client.exceptions.InvalidNonceException):
            client.acknowledge_job(jobId=job.id, nonce=nonce)
    assert len(set(nonces)) == 4


def test_a_continued_job_waits_behind_those_that_are_queued_already(
    cpjob: CodePipelineStub,
) -> None:
    job = claim(add(cpjob))
    waiting = add(cpjob)
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")

    polled = CLIENT.poll_for_jobs(actionTypeId=DOCS, maxBatchSize=2)["jobs"]

    assert [one["id"] for one in polled] == [waiting.id, next_of(job).id]


def test_the_identical_result_of_a_continued_job_again_makes_no_other_job(
    cpjob: CodePipelineStub,
) -> None:
    job = claim(add(cpjob))
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")

    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")

    assert cpjob.jobs == [job, next_of(job)]
    assert len(cpjob.results) == 1


@pytest.mark.parametrize("again", [{"continuationToken": "u"}, {}])
def test_a_second_result_of_the_first_job_is_refused_and_makes_no_other_job(
    cpjob: CodePipelineStub, again: dict[str, str]
) -> None:
    job = claim(add(cpjob))
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")

    client = cpjob.client()
    with pytest.raises(client.exceptions.InvalidJobStateException):
        client.put_job_success_result(jobId=job.id, **again)

    assert cpjob.jobs == [job, next_of(job)]


def test_a_failure_ends_the_newest_job_only(cpjob: CodePipelineStub) -> None:
    job = claim(add(cpjob))
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")
    following = claim(next_of(job))

    CLIENT.put_job_failure_result(jobId=following.id, failureDetails=FAILURE)

    assert (job.status, following.status) == ("Succeeded", "Failed")
    assert following.continuation is None
    assert cpjob.results[-1] == JobFailure("JobFailed", "out of paper")


def test_a_continued_job_that_nobody_acknowledges_is_queued_again(cpjob: CodePipelineStub) -> None:
    job = claim(add(cpjob))
    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")
    CLIENT.poll_for_jobs(actionTypeId=DOCS)

    cpjob.advance(300)

    assert next_of(job).status == "Queued"
    (polled,) = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    assert polled["data"]["continuationToken"] == "t"


def test_what_else_a_continuing_result_says_is_kept(cpjob: CodePipelineStub) -> None:
    job = claim(add(cpjob))
    CLIENT.put_job_success_result(
        jobId=job.id,
        continuationToken="t",
        executionDetails={"summary": "half", "externalExecutionId": "b-1", "percentComplete": 50},
    )

    assert job.result == JobSuccess(
        continuation_token="t", summary="half", external_execution_id="b-1", percent_complete=50
    )


def test_output_variables_go_with_the_last_result_only(cpjob: CodePipelineStub) -> None:
    job = claim(add(cpjob))

    said = "A job can not contain both a continuation token and output variables."
    with pytest.raises(CLIENT.exceptions.ValidationException, match=said):
        CLIENT.put_job_success_result(
            jobId=job.id, continuationToken="t", outputVariables={"pages": "1"}
        )
    assert (job.status, job.result) == ("InProgress", None)

    CLIENT.put_job_success_result(jobId=job.id, continuationToken="t", outputVariables={})
    assert next_of(job).facts.continuation_token == "t"


# -- Lambda ----------------------------------------------------------------------------------------


def test_a_lambda_is_invoked_again_with_the_token_and_a_new_job_id(cpjob: CodePipelineStub) -> None:
    seen: list[tuple[str, str | None]] = []

    def handler(event: dict[str, Any], context: object) -> None:
        job = event["CodePipeline.job"]
        token = job["data"].get("continuationToken")
        seen.append((job["id"], token))
        count = int(token or 0) + 1
        more = {} if count == 3 else {"continuationToken": str(count)}
        CLIENT.put_job_success_result(jobId=job["id"], **more)

    first = cpjob.add_lambda_job(user_parameters={"theme": "dark"})
    last = first.invoke(handler)

    assert seen == list(zip([job.id for job in cpjob.jobs], [None, "1", "2"], strict=True))
    assert len({job_id for job_id, _ in seen}) == 3
    assert last == cpjob.jobs[-1]
    assert [job.status for job in cpjob.jobs] == ["Succeeded"] * 3


def test_each_lambda_reply_starts_the_twenty_minutes_anew(cpjob: CodePipelineStub) -> None:
    client = cpjob.client()
    job = cpjob.add_lambda_job()
    cpjob.advance(1199)
    client.put_job_success_result(jobId=job.id, continuationToken="t")
    following = next_of(job)

    cpjob.advance(1199)
    assert (job.status, following.status) == ("Succeeded", "InProgress")
    cpjob.advance(1)
    assert (job.status, following.status) == ("Succeeded", "TimedOut")


# -- partners --------------------------------------------------------------------------------------


def test_a_partners_continued_job_belongs_to_the_same_client(cpjob: CodePipelineStub) -> None:
    client = cpjob.client()
    job = cpjob.add_third_party_job(job_id="the partner's job")
    who = {"jobId": job.id, "clientToken": job.client_token}
    nonce = client.get_third_party_job_details(**who)["jobDetails"]["nonce"]
    client.acknowledge_third_party_job(**who, nonce=nonce)
    client.put_third_party_job_success_result(**who, continuationToken="t")

    following = next_of(job)
    (polled,) = client.poll_for_third_party_jobs(
        actionTypeId=job.details["jobDetails"]["data"]["actionTypeId"]
    )["jobs"]
    details = client.get_third_party_job_details(
        jobId=polled["jobId"], clientToken=job.client_token
    )["jobDetails"]

    assert polled == {"clientId": job.client_id, "jobId": following.id}
    assert details["data"]["continuationToken"] == "t"
    assert details["nonce"] != nonce


# -- what holds for the whole chain ----------------------------------------------------------------


def test_the_same_seed_continues_with_the_same_ids() -> None:
    def ids() -> list[str]:
        with CodePipelineStub(seed="chain") as cpjob:
            job = cpjob.add_lambda_job()
            for number in range(3):
                cpjob.client().put_job_success_result(jobId=job.id, continuationToken=str(number))
                job = next_of(job)
            return [job.id for job in cpjob.jobs]

    first = ids()

    assert len(set(first)) == 4
    assert ids() == first


def test_what_is_allowed_of_a_job_is_allowed_of_what_continues_it() -> None:
    with CodePipelineStub() as cpjob:
        job = claim(add(cpjob, allow=["no-result"]))
        CLIENT.put_job_success_result(jobId=job.id, continuationToken="t")
        following = claim(next_of(job))

    assert following.status == "InProgress"
