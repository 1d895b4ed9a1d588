"""Polling: how many jobs, which ones, in what order, and what a poll is refused for."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, Job

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
PARTNER = {"category": "Deploy", "owner": "ThirdParty", "provider": "Acme", "version": "2"}
CLIENT = boto3.client("codepipeline", region_name="us-east-1")


def poll(action_type: dict[str, str] = DOCS, **members: object) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = CLIENT.poll_for_jobs(actionTypeId=action_type, **members)["jobs"]
    return jobs


def ids_of(jobs: list[dict[str, Any]]) -> list[str]:
    return [job["id"] for job in jobs]


def add(cpjob: CodePipelineStub, **arguments: Any) -> Job:
    return cpjob.add_job(action_type=DOCS, **arguments)


# -- how many, and which ---------------------------------------------------------------------------


def test_a_poll_without_a_batch_size_hands_out_one_job(cpjob: CodePipelineStub) -> None:
    first, second = add(cpjob), add(cpjob)

    assert ids_of(poll()) == [first.id]
    assert (first.status, second.status) == ("Dispatched", "Queued")


@pytest.mark.parametrize(("size", "handed_out"), [(1, 1), (2, 2), (3, 3), (4, 3), (1_000_000, 3)])
def test_a_poll_hands_out_at_most_its_batch_size(
    cpjob: CodePipelineStub, size: int, handed_out: int
) -> None:
    jobs = [add(cpjob) for _ in range(3)]

    assert ids_of(poll(maxBatchSize=size)) == [job.id for job in jobs[:handed_out]]
    assert [job.status for job in jobs].count("Dispatched") == handed_out


def test_a_poll_that_finds_nothing_gives_an_empty_list(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")

    assert poll() == []


def test_a_job_that_was_handed_out_is_not_handed_out_again_meanwhile(
    cpjob: CodePipelineStub,
) -> None:
    add(cpjob)

    assert (len(poll()), poll()) == (1, [])


@pytest.mark.parametrize(
    "other", ["Test:Custom:Docs:1", "Build:Custom:Pages:1", "Build:Custom:Docs:2"]
)
def test_a_poll_gives_jobs_of_exactly_its_action_type(cpjob: CodePipelineStub, other: str) -> None:
    mine, others = add(cpjob), cpjob.add_job(action_type=other)

    assert ids_of(poll(maxBatchSize=10)) == [mine.id]
    assert others.status == "Queued"


def test_a_poll_gives_no_job_that_timed_out_while_it_waited(cpjob: CodePipelineStub) -> None:
    stale = add(cpjob)
    cpjob.advance(24 * 3600)
    fresh = add(cpjob)

    assert ids_of(poll(maxBatchSize=10)) == [fresh.id]
    assert stale.status == "TimedOut"


# -- what a poll gives -----------------------------------------------------------------------------


def test_a_polled_job_has_its_details_its_account_and_a_nonce(cpjob: CodePipelineStub) -> None:
    job = add(cpjob, configuration={"Theme": "dark"}, output_artifacts=["Site"])

    (polled,) = poll()

    assert set(polled) == {"id", "data", "nonce", "accountId"}
    assert polled["nonce"] == job.nonce
    details = job.details["jobDetails"]
    assert {key: polled[key] for key in ("id", "data", "accountId")} == details
    assert polled["data"]["actionConfiguration"] == {"configuration": {"Theme": "dark"}}


def test_secret_configuration_reaches_the_worker_in_the_clear(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1", properties={"Token": {"secret": True}})
    add(cpjob, configuration={"Token": "hunter2hunter2"})

    (polled,) = poll()

    assert polled["data"]["actionConfiguration"]["configuration"] == {"Token": "hunter2hunter2"}


def test_nonces_are_decimal_strings_and_new_at_each_hand_out(cpjob: CodePipelineStub) -> None:
    job = add(cpjob)

    nonces = []
    for _ in range(5):
        nonces += [polled["nonce"] for polled in poll()]
        cpjob.advance(300)

    assert len(set(nonces)) == 5
    assert all(nonce.isdecimal() and len(nonce) <= 50 for nonce in nonces)
    assert job.nonce == nonces[-1]


def test_what_a_poll_gave_is_the_callers_own(cpjob: CodePipelineStub) -> None:
    job = add(cpjob, configuration={"Theme": "dark"})

    (polled,) = poll()
    polled["data"]["actionConfiguration"]["configuration"]["Theme"] = "light"
    details = CLIENT.get_job_details(jobId=job.id)["jobDetails"]

    assert details["data"]["actionConfiguration"]["configuration"] == {"Theme": "dark"}


# -- the order of redelivery -----------------------------------------------------------------------


def test_a_job_queued_again_waits_behind_those_that_are_queued_already(
    cpjob: CodePipelineStub,
) -> None:
    lost, waiting = add(cpjob), add(cpjob)
    poll()
    cpjob.advance(300)
    late = add(cpjob)

    assert ids_of(poll(maxBatchSize=10)) == [waiting.id, lost.id, late.id]


def test_jobs_queued_again_together_keep_the_order_of_their_hand_outs(
    cpjob: CodePipelineStub,
) -> None:
    jobs = [add(cpjob) for _ in range(3)]
    for seconds in (10, 20, 300):
        poll()
        cpjob.advance(seconds)

    assert [job.status for job in jobs] == ["Queued"] * 3
    assert ids_of(poll(maxBatchSize=3)) == [job.id for job in jobs]


def test_one_of_a_batch_that_was_acknowledged_is_not_queued_again_with_the_others(
    cpjob: CodePipelineStub,
) -> None:
    jobs = [add(cpjob) for _ in range(3)]
    poll(maxBatchSize=3)
    cpjob.client().acknowledge_job(jobId=jobs[1].id, nonce=jobs[1].nonce)

    cpjob.advance(300)

    assert ids_of(poll(maxBatchSize=3)) == [jobs[0].id, jobs[2].id]


@pytest.mark.parametrize("times", [1, 2])
def test_a_partners_job_that_was_read_but_not_acknowledged_waits_behind_those_that_waited(
    cpjob: CodePipelineStub, times: int
) -> None:
    read, waiting = (cpjob.add_third_party_job(action_type=PARTNER) for _ in range(2))
    for _ in range(times):  # which is a hand-out without a poll
        CLIENT.get_third_party_job_details(jobId=read.id, clientToken=read.client_token)
        cpjob.advance(300)

    polled = CLIENT.poll_for_third_party_jobs(actionTypeId=PARTNER, maxBatchSize=10)["jobs"]
    assert [job["jobId"] for job in polled] == [waiting.id, read.id]
    assert CLIENT.poll_for_third_party_jobs(actionTypeId=PARTNER)["jobs"] == []


# -- queryParam ------------------------------------------------------------------------------------


def test_a_query_selects_the_jobs_whose_configuration_matches(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type(
        "Build:Custom:Docs:1", properties={"Project": {"required": True, "queryable": True}}
    )
    web, api, web_again = (
        add(cpjob, configuration={"Project": name}) for name in ("web", "api", "web")
    )

    assert ids_of(poll(maxBatchSize=10, queryParam={"Project": "api"})) == [api.id]
    assert ids_of(poll(maxBatchSize=10, queryParam={"Project": "web"})) == [web.id, web_again.id]
    assert poll(maxBatchSize=10, queryParam={"Project": "We"}) == []


def test_jobs_passed_over_by_a_query_keep_their_place(cpjob: CodePipelineStub) -> None:
    names = ["a", "b", "a", "c", "a"]
    jobs = [add(cpjob, configuration={"Project": name}) for name in names]

    assert ids_of(poll(queryParam={"Project": "c"})) == [jobs[3].id]

    rest = ids_of(poll(maxBatchSize=10))
    assert rest == [jobs[index].id for index in (0, 1, 2, 4)]


def test_a_type_that_a_job_brought_in_can_be_queried_by_any_of_its_keys(
    cpjob: CodePipelineStub,
) -> None:
    dark = add(cpjob, configuration={"Theme": "dark", "Lang": "en"})
    add(cpjob, configuration={"Theme": "light", "Lang": "en"})

    assert poll(queryParam={"Theme": "neither"}) == []
    assert ids_of(poll(maxBatchSize=10, queryParam={"Theme": "dark"})) == [dark.id]


def test_a_key_that_no_job_has_is_not_queryable(cpjob: CodePipelineStub) -> None:
    add(cpjob)
    with pytest.raises(CLIENT.exceptions.ValidationException):
        poll(queryParam={"Theme": "dark"})

    dark = add(cpjob, configuration={"Theme": "dark"})
    add(cpjob)
    with pytest.raises(CLIENT.exceptions.ValidationException) as refused:
        poll(queryParam={"Them": "dark"})
    assert "no job of Build:Custom:Docs:1" in str(refused.value)
    assert "['Them'], only with ['Theme']" in str(refused.value)
    assert ids_of(poll(queryParam={"Theme": "dark"})) == [dark.id]


@pytest.mark.parametrize(
    ("properties", "query"),
    [
        ({"Theme": {}}, {"Theme": "dark"}),
        ({"Project": {"required": True, "queryable": True}}, None),
        ({"Project": {"required": True, "queryable": True}}, {}),
        (
            {"Project": {"required": True, "queryable": True}, "Theme": {}},
            {"Theme": "dark"},
        ),
    ],
    ids=["not queryable", "queryable, none", "queryable, empty", "another property"],
)
def test_a_query_that_does_not_fit_the_registered_type_is_refused(
    cpjob: CodePipelineStub, properties: dict[str, Any], query: dict[str, str] | None
) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1", properties=properties)
    members = {} if query is None else {"queryParam": query}

    with pytest.raises(CLIENT.exceptions.ValidationException, match="queryParam"):
        poll(**members)


def test_an_empty_query_fits_a_type_without_a_queryable_property(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1", properties={"Theme": {}})
    job = add(cpjob, configuration={"Theme": "dark"})

    assert ids_of(poll(queryParam={})) == [job.id]


# -- refusals --------------------------------------------------------------------------------------


def test_a_type_that_nobody_knows_is_refused_in_awss_words(cpjob: CodePipelineStub) -> None:
    unknown = {**DOCS, "provider": "MyJenkinsProviderName"}

    with pytest.raises(CLIENT.exceptions.ActionTypeNotFoundException) as caught:
        poll(unknown)

    assert caught.value.response["Error"]["Message"] == (
        "ActionType (Category: 'Build', Owner: 'Custom', Provider: 'MyJenkinsProviderName',"
        " Version: '1') is not available"
    )


def test_a_partners_type_that_nobody_knows_is_refused_in_the_same_words(
    cpjob: CodePipelineStub,
) -> None:
    with pytest.raises(CLIENT.exceptions.ActionTypeNotFoundException) as caught:
        CLIENT.poll_for_third_party_jobs(actionTypeId=PARTNER)

    assert caught.value.response["Error"]["Message"] == (
        "ActionType (Category: 'Deploy', Owner: 'ThirdParty', Provider: 'Acme', Version: '2')"
        " is not available"
    )


@pytest.mark.parametrize(
    ("operation", "owner"),
    [
        ("poll_for_jobs", "AWS"),
        ("poll_for_jobs", "ThirdParty"),
        ("poll_for_third_party_jobs", "AWS"),
        ("poll_for_third_party_jobs", "Custom"),
    ],
)
def test_an_owner_whose_jobs_are_not_polled_here_is_refused_in_awss_words(
    cpjob: CodePipelineStub, operation: str, owner: str
) -> None:
    cpjob.add_lambda_job()
    cpjob.add_job()
    cpjob.add_third_party_job()

    with pytest.raises(ClientError) as caught:
        getattr(CLIENT, operation)(actionTypeId={**DOCS, "owner": owner})

    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": f"ActionType with owner '{owner}' is not supported",
    }


def test_a_deleted_type_is_polled_no_more_and_its_jobs_in_progress_go_on(
    cpjob: CodePipelineStub,
) -> None:
    job, queued = add(cpjob), add(cpjob)
    (polled,) = poll()
    CLIENT.acknowledge_job(jobId=polled["id"], nonce=polled["nonce"])

    CLIENT.delete_custom_action_type(category="Build", provider="Docs", version="1")

    with pytest.raises(CLIENT.exceptions.ActionTypeNotFoundException):
        poll()
    CLIENT.put_job_success_result(jobId=polled["id"])
    assert (job.status, queued.status) == ("Succeeded", "Queued")


# -- partners --------------------------------------------------------------------------------------


def test_a_partner_poll_gives_client_ids_and_job_ids_and_nothing_else(
    cpjob: CodePipelineStub,
) -> None:
    jobs = [cpjob.add_third_party_job(action_type=PARTNER) for _ in range(3)]

    one = CLIENT.poll_for_third_party_jobs(actionTypeId=PARTNER)["jobs"]
    others = CLIENT.poll_for_third_party_jobs(actionTypeId=PARTNER, maxBatchSize=10)["jobs"]

    assert len(one) == 1
    assert one + others == [{"clientId": job.client_id, "jobId": job.id} for job in jobs]
    assert {job.status for job in jobs} == {"Dispatched"}


def test_a_partners_day_goes_by_client_id_token_and_nonce(cpjob: CodePipelineStub) -> None:
    client_id = "c11e0000-0000-4000-8000-000000000001"
    tokens = {client_id: "what the partner keeps"}
    job = cpjob.add_third_party_job(
        action_type=PARTNER, client_id=client_id, client_token=tokens[client_id]
    )

    (polled,) = CLIENT.poll_for_third_party_jobs(actionTypeId=PARTNER)["jobs"]
    who = {"jobId": polled["jobId"], "clientToken": tokens[polled["clientId"]]}
    details = CLIENT.get_third_party_job_details(**who)["jobDetails"]
    CLIENT.acknowledge_third_party_job(**who, nonce=details["nonce"])
    CLIENT.put_third_party_job_success_result(**who)

    assert set(details) == {"id", "data", "nonce"}
    assert set(details["data"]["pipelineContext"]) == {"pipelineName", "stage", "action"}
    assert job.status == "Succeeded"
    assert [call.operation for call in job.calls] == [
        "PollForThirdPartyJobs",
        "GetThirdPartyJobDetails",
        "AcknowledgeThirdPartyJob",
        "PutThirdPartyJobSuccessResult",
    ]


def test_a_partner_may_go_by_the_details_alone_and_no_poll_gives_that_job_to_another(
    cpjob: CodePipelineStub,
) -> None:
    job = cpjob.add_third_party_job(action_type=PARTNER)

    CLIENT.get_third_party_job_details(jobId=job.id, clientToken=job.client_token)

    assert job.status == "Dispatched"
    assert CLIENT.poll_for_third_party_jobs(actionTypeId=PARTNER)["jobs"] == []


def test_a_partners_job_taken_by_its_details_waits_its_turn_when_it_is_queued_again(
    cpjob: CodePipelineStub,
) -> None:
    taken, waiting = (cpjob.add_third_party_job(action_type=PARTNER) for _ in range(2))
    CLIENT.get_third_party_job_details(jobId=taken.id, clientToken=taken.client_token)
    cpjob.advance(300)

    polled = CLIENT.poll_for_third_party_jobs(actionTypeId=PARTNER, maxBatchSize=10)["jobs"]

    assert [job["jobId"] for job in polled] == [waiting.id, taken.id]


def test_partner_jobs_of_several_clients_are_told_apart(cpjob: CodePipelineStub) -> None:
    one, other = (cpjob.add_third_party_job(action_type=PARTNER) for _ in range(2))

    assert one.client_id != other.client_id
    assert one.client_token != other.client_token
    with pytest.raises(CLIENT.exceptions.InvalidClientTokenException):
        CLIENT.get_third_party_job_details(jobId=one.id, clientToken=other.client_token)
    assert one.status == "Queued"
