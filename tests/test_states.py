"""The table of states: what every job operation does to every kind of job in every state."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, Job
from pytest_cpjob.aws import codepipeline_model as model

HOUR = 3600
FAILURE = {"type": "JobFailed", "message": "out of paper"}
STATES = ("Queued", "Dispatched", "InProgress", "Succeeded", "Failed", "TimedOut")


class Kind(NamedTuple):
    """One kind of job: its operations in the order of a worker's day, its states, its time-out."""

    name: str
    polled: bool
    states: tuple[str, ...]
    timeout: int


CUSTOM = Kind("custom", True, STATES, 24 * HOUR)
PARTNER = Kind("partner", True, STATES, 12 * HOUR)
LAMBDA = Kind("Lambda", False, STATES[2:], 20 * 60)
KINDS = {kind.name: kind for kind in (CUSTOM, PARTNER, LAMBDA)}


def row(otherwise: str, **by_state: str) -> dict[str, str]:
    """One line of the table: the outcome in the states named, and in all others.

    An outcome is an error's code, `same` (answered, the job stays as it was), or the state that
    the job is in after the answer.
    """
    return {**dict.fromkeys(STATES, otherwise), **by_state}


NOT_FOUND = row("JobNotFoundException")
REFUSED_OWNER = row("ValidationException")
NO_STATE_FOR_A_RESULT = "InvalidJobStateException"
# An identical result again is answered, and changes nothing.
SUCCEEDS = row(NO_STATE_FOR_A_RESULT, InProgress="Succeeded", Succeeded="same")
FAILS = row(NO_STATE_FOR_A_RESULT, InProgress="Failed", Failed="same")
RESULTS = {"PutJobSuccessResult": SUCCEEDS, "PutJobFailureResult": FAILS}
PARTNERS_ALONE = {
    "PollForThirdPartyJobs": REFUSED_OWNER,
    "GetThirdPartyJobDetails": NOT_FOUND,
    "AcknowledgeThirdPartyJob": NOT_FOUND,
    "PutThirdPartyJobSuccessResult": NOT_FOUND,
    "PutThirdPartyJobFailureResult": NOT_FOUND,
}
TABLE = {
    "custom": {
        "PollForJobs": row("same", Queued="Dispatched"),
        "AcknowledgeJob": row("InvalidNonceException", Dispatched="InProgress"),
        "GetJobDetails": row("same"),
        **RESULTS,
        **PARTNERS_ALONE,
    },
    "partner": {
        "PollForThirdPartyJobs": row("same", Queued="Dispatched"),
        "GetThirdPartyJobDetails": row(
            "InvalidJobException", Queued="Dispatched", Dispatched="same", InProgress="same"
        ),
        "AcknowledgeThirdPartyJob": row("InvalidNonceException", Dispatched="InProgress"),
        "PutThirdPartyJobSuccessResult": SUCCEEDS,
        "PutThirdPartyJobFailureResult": FAILS,
        "PollForJobs": REFUSED_OWNER,
        "AcknowledgeJob": NOT_FOUND,
        "GetJobDetails": NOT_FOUND,
        "PutJobSuccessResult": NOT_FOUND,
        "PutJobFailureResult": NOT_FOUND,
    },
    "Lambda": {
        "PollForJobs": REFUSED_OWNER,
        "AcknowledgeJob": row("InvalidNonceException"),
        "GetJobDetails": row("same"),
        **RESULTS,
        **PARTNERS_ALONE,
    },
}
CELLS = [
    pytest.param(KINDS[kind], state, operation, by_state[state], id=f"{kind}-{state}-{operation}")
    for kind, operations in TABLE.items()
    for operation, by_state in operations.items()
    for state in KINDS[kind].states
]


def add(cpjob: CodePipelineStub, kind: Kind) -> Job:
    if kind is CUSTOM:
        return cpjob.add_job()
    return cpjob.add_third_party_job() if kind is PARTNER else cpjob.add_lambda_job()


def request_for(job: Job, operation: str) -> dict[str, Any]:
    """The request that is right for the job in every member that the operation has."""
    if operation.startswith("Poll"):
        return {"actionTypeId": job.details["jobDetails"]["data"]["actionTypeId"]}
    request: dict[str, Any] = {"jobId": job.id}
    if "ThirdParty" in operation:
        request["clientToken"] = job.client_token or "nobody's"
    if operation.startswith("Acknowledge"):
        request["nonce"] = job.nonce or "1"
    if operation.endswith("FailureResult"):
        request["failureDetails"] = FAILURE
    return request


def call(cpjob: CodePipelineStub, job: Job, operation: str, **members: object) -> dict[str, Any]:
    """Call with the test's own client: these are moves of the service, not a worker's work."""
    request = {**request_for(job, operation), **members}
    answer: dict[str, Any] = getattr(cpjob.client(), xform_name(operation))(**request)
    del answer["ResponseMetadata"]
    return answer


def code_of(cpjob: CodePipelineStub, job: Job, operation: str, **members: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(cpjob, job, operation, **members)
    return str(caught.value.response["Error"]["Code"])


def bring(cpjob: CodePipelineStub, kind: Kind, state: str) -> Job:
    """A job of this kind in this state, come there as jobs do."""
    job = add(cpjob, kind)
    party = "ThirdParty" if kind is PARTNER else ""
    if state != "Queued" and kind.polled:
        call(cpjob, job, f"PollFor{party}Jobs")
    if state not in ("Queued", "Dispatched") and kind.polled:
        call(cpjob, job, f"Acknowledge{party}Job")
    if state == "Succeeded":
        call(cpjob, job, f"Put{party}JobSuccessResult")
    elif state == "Failed":
        call(cpjob, job, f"Put{party}JobFailureResult")
    elif state == "TimedOut":
        cpjob.advance(kind.timeout)
    assert job.status == state
    return job


@pytest.mark.parametrize(("kind", "state", "operation", "expected"), CELLS)
def test_every_operation_has_its_outcome_in_every_state(
    cpjob: CodePipelineStub, kind: Kind, state: str, operation: str, expected: str
) -> None:
    job = bring(cpjob, kind, state)

    if expected.endswith("Exception"):
        assert code_of(cpjob, job, operation) == expected
        assert job.status == state
        return

    answer = call(cpjob, job, operation)
    assert job.status == (state if expected == "same" else expected)
    if operation.startswith("Poll"):
        assert len(answer["jobs"]) == (1 if expected == "Dispatched" else 0)
    elif operation.startswith("Acknowledge"):
        assert answer == {"status": "InProgress"}
    elif operation.startswith("Put"):
        assert answer == {}
    else:
        assert answer["jobDetails"]["id"] == job.id


def test_the_table_has_every_job_operation_for_every_kind_of_job() -> None:
    job_operations = {
        name
        for name in model.operations()
        if "Job" in name and name.startswith(("Poll", "Get", "Acknowledge", "Put"))
    }

    assert len(job_operations) == 10
    assert {kind: set(operations) for kind, operations in TABLE.items()} == dict.fromkeys(
        KINDS, job_operations
    )


# -- acknowledging ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CUSTOM, PARTNER], ids=lambda kind: kind.name)
def test_a_nonce_that_is_not_the_current_one_is_refused_and_the_right_one_still_works(
    cpjob: CodePipelineStub, kind: Kind
) -> None:
    job = bring(cpjob, kind, "Dispatched")
    acknowledge = "AcknowledgeThirdPartyJob" if kind is PARTNER else "AcknowledgeJob"

    assert code_of(cpjob, job, acknowledge, nonce=f"{job.nonce}0") == "InvalidNonceException"
    assert job.status == "Dispatched"
    assert call(cpjob, job, acknowledge) == {"status": "InProgress"}


@pytest.mark.parametrize("kind", [CUSTOM, PARTNER], ids=lambda kind: kind.name)
def test_the_second_to_acknowledge_with_the_same_nonce_loses(
    cpjob: CodePipelineStub, kind: Kind
) -> None:
    job = bring(cpjob, kind, "InProgress")
    acknowledge = "AcknowledgeThirdPartyJob" if kind is PARTNER else "AcknowledgeJob"

    assert code_of(cpjob, job, acknowledge) == "InvalidNonceException"


@pytest.mark.parametrize(
    ("state", "nonce", "why"),
    [
        ("Dispatched", "1000", "the job is Dispatched, and '1000' is not its current nonce"),
        ("InProgress", None, "another job worker has already claimed the job"),
        ("Succeeded", None, "the job has ended: Succeeded"),
        ("TimedOut", "1000", "the job has ended: TimedOut"),
    ],
)
def test_a_refused_nonce_says_why(
    cpjob: CodePipelineStub, state: str, nonce: str | None, why: str
) -> None:
    job = bring(cpjob, CUSTOM, state)

    with pytest.raises(ClientError, match=f"was not accepted: {why}$"):
        cpjob.client().acknowledge_job(jobId=job.id, nonce=nonce or job.nonce)


def test_the_nonce_of_a_job_that_is_queued_again_is_refused(cpjob: CodePipelineStub) -> None:
    job = bring(cpjob, CUSTOM, "Dispatched")
    cpjob.advance(300)

    with pytest.raises(ClientError, match="Queued: it was not acknowledged in time"):
        cpjob.client().acknowledge_job(jobId=job.id, nonce=job.nonce)


# -- details ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "state"),
    [(kind, state) for kind in (CUSTOM, LAMBDA) for state in kind.states],
    ids=lambda value: getattr(value, "name", value),
)
def test_get_job_details_renews_the_credentials_in_every_state(
    cpjob: CodePipelineStub, kind: Kind, state: str
) -> None:
    job = bring(cpjob, kind, state)
    before = job.details["jobDetails"]["data"]["artifactCredentials"]

    answered = call(cpjob, job, "GetJobDetails")["jobDetails"]["data"]["artifactCredentials"]

    assert answered != before
    assert answered == job.details["jobDetails"]["data"]["artifactCredentials"]


@pytest.mark.parametrize("state", ["Queued", "Dispatched", "InProgress"])
def test_get_third_party_job_details_gives_the_nonce_and_fresh_credentials(
    cpjob: CodePipelineStub, state: str
) -> None:
    job = bring(cpjob, PARTNER, state)
    nonce = job.nonce

    first = call(cpjob, job, "GetThirdPartyJobDetails")["jobDetails"]
    second = call(cpjob, job, "GetThirdPartyJobDetails")["jobDetails"]

    assert first["nonce"] == second["nonce"] == job.nonce
    assert nonce in (None, job.nonce)
    assert first["data"]["artifactCredentials"] != second["data"]["artifactCredentials"]


def test_reading_the_details_of_a_job_in_the_test_neither_hands_it_out_nor_renews(
    cpjob: CodePipelineStub,
) -> None:
    job = add(cpjob, PARTNER)

    shown: Any = job.details["jobDetails"]

    assert job.details["jobDetails"] == shown
    assert (job.status, job.nonce) == ("Queued", None)
    assert call(cpjob, job, "GetThirdPartyJobDetails")["jobDetails"]["nonce"] == shown["nonce"]


# -- the clock -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (kind, state)
        for kind in KINDS.values()
        for state in ("Queued", "Dispatched", "InProgress")
        if state in kind.states
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_an_open_job_times_out_so_long_after_it_was_made_and_no_sooner(
    cpjob: CodePipelineStub, kind: Kind, state: str
) -> None:
    cpjob.advance(1_000)
    job = bring(cpjob, kind, state)

    cpjob.advance(kind.timeout - 1)
    assert job.status in ("Queued", state)
    cpjob.advance(1)
    assert job.status == "TimedOut"
    assert job.result is None


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("state", ["Succeeded", "Failed"])
def test_a_job_that_has_ended_does_not_time_out(
    cpjob: CodePipelineStub, kind: Kind, state: str
) -> None:
    job = bring(cpjob, kind, state)

    cpjob.advance(2 * kind.timeout)

    assert job.status == state


@pytest.mark.parametrize(
    "seconds", [-1, -0.001, float("nan"), float("inf"), 10**400, "60", None, True, [60]], ids=repr
)
def test_the_clock_moves_only_forward_by_a_number_of_seconds(
    cpjob: CodePipelineStub, seconds: Any
) -> None:
    with pytest.raises(ValueError, match=r"^seconds: "):
        cpjob.advance(seconds)

    cpjob.advance(0)
    assert cpjob.invoke(lambda _, context: context.get_remaining_time_in_millis()) == 900_000


def test_no_state_is_ever_created(cpjob: CodePipelineStub) -> None:
    assert [add(cpjob, kind).status for kind in KINDS.values()] == [
        "Queued",
        "Queued",
        "InProgress",
    ]


@pytest.mark.parametrize("kind", [CUSTOM, PARTNER], ids=lambda kind: kind.name)
def test_a_job_that_nobody_acknowledges_is_queued_again_after_five_minutes(
    cpjob: CodePipelineStub, kind: Kind
) -> None:
    party = "ThirdParty" if kind is PARTNER else ""
    job = bring(cpjob, kind, "Dispatched")
    first_nonce = job.nonce

    cpjob.advance(299)
    assert job.status == "Dispatched"
    cpjob.advance(1)
    assert job.status == "Queued"
    refused = code_of(cpjob, job, f"Acknowledge{party}Job", nonce=first_nonce)
    assert refused == "InvalidNonceException"

    call(cpjob, job, f"PollFor{party}Jobs")
    refused = code_of(cpjob, job, f"Acknowledge{party}Job", nonce=first_nonce)
    assert refused == "InvalidNonceException"
    assert job.nonce != first_nonce
    assert call(cpjob, job, f"Acknowledge{party}Job") == {"status": "InProgress"}


@pytest.mark.parametrize("kind", [CUSTOM, PARTNER], ids=lambda kind: kind.name)
def test_a_worker_that_acknowledged_keeps_the_job(cpjob: CodePipelineStub, kind: Kind) -> None:
    job = bring(cpjob, kind, "InProgress")

    cpjob.advance(10 * 300)

    assert job.status == "InProgress"


def test_each_hand_out_has_five_minutes_of_its_own(cpjob: CodePipelineStub) -> None:
    job = bring(cpjob, CUSTOM, "Dispatched")
    cpjob.advance(300)
    call(cpjob, job, "PollForJobs")

    cpjob.advance(299)
    assert job.status == "Dispatched"
    cpjob.advance(1)
    assert job.status == "Queued"


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "60", True, None])
def test_the_clock_moves_forward_by_a_number_of_seconds_only(
    cpjob: CodePipelineStub, seconds: Any
) -> None:
    job = add(cpjob, LAMBDA)

    with pytest.raises(ValueError, match="seconds"):
        cpjob.advance(seconds)

    assert job.status == "InProgress"
