"""Each constraint of each served operation's request, taken from botocore's model and broken.

Nothing here is listed by hand: a newer model with another constraint brings its own tests. The
words are those of CodePipeline's known ValidationExceptions, and AWS's general ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import boto3
import botocore.session
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.service.call_log import Caller
from pytest_cpjob.service.job_service import JobService

MODEL = botocore.session.get_session().get_service_model("codepipeline")
SERVED = JobService(account_id="123456789012").operations
CLIENT = boto3.client("codepipeline", region_name="us-east-1")
# botocore's own switch: what it would have stopped reaches the service, as other SDKs send it.
UNCHECKED = boto3.client(
    "codepipeline", region_name="us-east-1", config=Config(parameter_validation=False)
)

CANDIDATES = ("aaaa", "AWS", "11111111-2222-4333-8444-555555555555")
STOPPED_BY_BOTOCORE = {"required", "min"}
NULL = "Member must not be null"
WORKER = Caller(client=1, thread=1)


class Broken(NamedTuple):
    """A value that breaks one rule of its shape: which, where below the shape, in whose words."""

    rule: str
    path: tuple[str, ...]
    value: Any
    phrase: str

    def within(self, path: tuple[str, ...], value: Any) -> Broken:
        return self._replace(path=(*path, *self.path), value=value)


def fits(shape: Any, value: str) -> bool:
    pattern = shape.metadata.get("pattern")
    return (pattern is None or re.fullmatch(pattern, value, re.ASCII) is not None) and (
        shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value))
    )


def sample(shape: Any) -> Any:
    """A value that keeps every rule, without members that may be left out."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member)]
    if shape.type_name == "map":
        return {sample(shape.key): sample(shape.value)}
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else next(v for v in CANDIDATES if fits(shape, v))
    return {"boolean": True, "timestamp": 0}.get(shape.type_name, shape.metadata.get("min", 1))


def phrases(shape: Any) -> dict[str, str]:
    """The shape's own rules, each in AWS's words, in AWS's order."""
    noun = "value" if shape.type_name == "integer" else "length"
    words = {}
    for rule, relation in (("max", "less"), ("min", "greater")):
        if rule in shape.metadata:
            bound = shape.metadata[rule]
            words[rule] = f"Member must have {noun} {relation} than or equal to {bound}"
    if "pattern" in shape.metadata:
        pattern = shape.metadata["pattern"]
        words["pattern"] = f"Member must satisfy regular expression pattern: {pattern}"
    if getattr(shape, "enum", None):
        words["enum"] = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    return words


def breaking_values(shape: Any, rule: str) -> Iterator[Any]:
    """Values that break one of the shape's own rules and keep the others."""
    bound = shape.metadata.get(rule)
    if rule == "enum":
        yield from ("Oops", shape.enum[0].swapcase(), "")
    elif rule == "pattern":
        good = sample(shape)
        wrong = ("!", "a b", "é", good + "\n", good.upper(), f" {good}", "\u0661")
        yield from (v for v in wrong if not fits(shape, v))
    elif shape.type_name == "integer":
        yield bound + 1 if rule == "max" else bound - 1
    elif rule == "max" and shape.type_name == "string":
        yield sample(shape)[:1] * (bound + 1)
    elif rule == "max" and shape.type_name == "list":
        yield [sample(shape.member)] * (bound + 1)
    elif rule == "max" and shape.type_name == "map":
        yield {f"k{number}": sample(shape.value) for number in range(bound + 1)}
    elif rule == "min" and bound > 0:
        yield "" if shape.type_name == "string" else []


def broken(shape: Any) -> Iterator[Broken]:
    """Every way to break exactly one rule of a shape or below it."""
    for rule, phrase in phrases(shape).items():
        # An empty string would break the pattern as well.
        if rule == "min" and "pattern" in shape.metadata:
            continue
        yield from (Broken(rule, (), value, phrase) for value in breaking_values(shape, rule))
    if shape.type_name == "structure":
        good = sample(shape)
        for name in shape.required_members:
            rest = {key: value for key, value in good.items() if key != name}
            yield Broken("required", (name,), rest, NULL)
        for name, member in shape.members.items():
            for inner in broken(member):
                yield inner.within((name,), {**good, name: inner.value})
    elif shape.type_name == "list":
        for inner in broken(shape.member):
            yield inner.within(("1", "member"), [inner.value])
    elif shape.type_name == "map":
        for which, part in (("Map keys", shape.key), ("Map value", shape.value)):
            words = f"{which} must satisfy constraint: [{', '.join(phrases(part).values())}]"
            for inner in broken(part):
                entry = {inner.value: sample(shape.value)}
                if part is shape.value:
                    entry = {sample(shape.key): inner.value}
                yield Broken(inner.rule, (), entry, words)


GENERATED = [
    (operation, case)
    for operation in SERVED
    for case in broken(MODEL.operation_model(operation).input_shape)
]
CASES = [
    pytest.param(operation, case, id=f"{operation}-{'.'.join(case.path)}-{case.rule}-{number}")
    for number, (operation, case) in enumerate(GENERATED)
]


def text_of(*found: tuple[str, str]) -> str:
    each = "; ".join(
        f"Value at '{path}' failed to satisfy constraint: {phrase}" for path, phrase in found
    )
    return f"{len(found)} validation error{'s' * (len(found) > 1)} detected: {each}"


@pytest.mark.parametrize(("operation", "case"), CASES)
def test_a_request_that_breaks_one_rule_is_refused_in_awss_words(
    cpjob: CodePipelineStub, operation: str, case: Broken
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(UNCHECKED, xform_name(operation))(**case.value)

    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": text_of((".".join(case.path), case.phrase)),
    }
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert isinstance(caught.value, UNCHECKED.exceptions.ValidationException)


@pytest.mark.parametrize(("operation", "case"), CASES)
def test_botocore_stops_what_it_knows_and_the_service_the_rest(
    cpjob: CodePipelineStub, operation: str, case: Broken
) -> None:
    stopped = case.rule in STOPPED_BY_BOTOCORE
    expected = ParamValidationError if stopped else CLIENT.exceptions.ValidationException

    with pytest.raises(expected):
        getattr(CLIENT, xform_name(operation))(**case.value)

    assert [call.error for call in cpjob.calls] == [expected.__name__]


def test_the_generated_cases_are_of_every_operation_and_every_kind_of_rule() -> None:
    rules = {case.rule for _, case in GENERATED}
    paths = {(operation, ".".join(case.path)) for operation, case in GENERATED}

    assert {operation for operation, _ in GENERATED} == set(SERVED)
    assert rules == {"required", "min", "max", "pattern", "enum"}
    assert ("PutJobFailureResult", "failureDetails.message") in paths
    assert ("CreateCustomActionType", "configurationProperties.1.member.type") in paths
    assert ("PollForJobs", "queryParam") in paths
    assert ("PutJobSuccessResult", "outputVariables") in paths


@pytest.mark.parametrize("operation", SERVED)
def test_a_request_that_keeps_every_rule_is_refused_for_none(
    cpjob: CodePipelineStub, operation: str
) -> None:
    call = getattr(cpjob.client(), xform_name(operation))
    requests = list(bounds(MODEL.operation_model(operation).input_shape))

    assert [text for text in map(partial(refusal, call), requests) if "failed to" in text] == []


def refusal(call: Callable[..., Any], request: dict[str, Any]) -> str:
    """Why a request was refused, for whatever reason, or nothing."""
    try:
        call(**request)
    except ClientError as error:
        return str(error)
    return ""


def bounds(shape: Any) -> Iterator[Any]:
    """Values that keep every rule, the longest and greatest that each allows among them."""
    yield sample(shape)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            for value in bounds(member):
                yield {**sample(shape), name: value}
    elif shape.type_name == "list":
        yield from ([value] for value in bounds(shape.member))
        yield [sample(shape.member)] * shape.metadata.get("max", 2)
    elif shape.type_name == "map":
        yield {}
        yield from ({key: sample(shape.value)} for key in bounds(shape.key))
        yield from ({sample(shape.key): value} for value in bounds(shape.value))
    elif shape.type_name == "string":
        yield from shape.enum
        if "max" in shape.metadata:
            yield sample(shape)[:1] * shape.metadata["max"]
    elif shape.type_name == "integer":
        yield shape.metadata.get("max", 2**31 - 1)


@pytest.mark.parametrize("operation", SERVED)
def test_several_broken_rules_are_counted_and_told_together(
    cpjob: CodePipelineStub, operation: str
) -> None:
    shape = MODEL.operation_model(operation).input_shape
    request = sample(shape)
    found: list[tuple[str, str]] = []
    for case in broken(shape):
        member = case.path[0]
        if case.rule != "required" and member not in {path.split(".")[0] for path, _ in found}:
            request[member] = case.value[member]
            found.append((".".join(case.path), case.phrase))

    with pytest.raises(UNCHECKED.exceptions.ValidationException) as caught:
        getattr(UNCHECKED, xform_name(operation))(**request)

    message = caught.value.response["Error"]["Message"]
    count, _, told = text_of(*found).partition(": ")
    assert message.partition(": ")[0] == count
    assert sorted(message.partition(": ")[2].split("; ")) == sorted(told.split("; "))


def with_nulls(shape: Any, value: Any, *, deep: bool) -> Any:
    """The value with every member that was left out there and null, or filled with nulls."""
    if shape.type_name != "structure":
        return value
    filled = {}
    for name, member in shape.members.items():
        if name in value:
            filled[name] = with_nulls(member, value[name], deep=deep)
        elif deep and member.type_name == "structure" and not member.required_members:
            filled[name] = with_nulls(member, {}, deep=deep)
        else:
            filled[name] = None
    return filled


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


OPTIONAL = [
    operation
    for operation in SERVED
    for shape in [MODEL.operation_model(operation).input_shape]
    if with_nulls(shape, sample(shape), deep=False) != sample(shape)
]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("operation", OPTIONAL)
def test_on_the_wire_a_null_member_is_an_absent_one(operation: str, *, deep: bool) -> None:
    shape = MODEL.operation_model(operation).input_shape
    request = sample(shape)
    if operation.startswith("Poll"):
        request["actionTypeId"]["owner"] = "ThirdParty" if "ThirdParty" in operation else "Custom"

    outcomes = []
    filled = with_nulls(shape, request, deep=deep)
    for sent in (filled, without_nulls(filled)):
        with CodePipelineStub(seed="null") as cpjob:
            prepare_for_samples(cpjob, operation)
            answer, _ = cpjob._harness.service.call(operation, sent, WORKER)
            outcomes.append((answer, cpjob.results, [job.status for job in cpjob.jobs]))

    assert isinstance(outcomes[0][0], dict)
    assert outcomes[0] == outcomes[1]


def prepare_for_samples(cpjob: CodePipelineStub, operation: str) -> None:
    """Make the jobs and the types that `sample` names, so that its requests are answered."""
    cpjob.add_lambda_job(job_id=CANDIDATES[-1])
    if "ThirdParty" in operation:
        job = cpjob.add_third_party_job(
            action_type="Source:ThirdParty:aaaa:aaaa", job_id="aaaa", client_token="aaaa"
        )
        if operation.startswith("Put"):
            who = {"jobId": job.id, "clientToken": job.client_token}
            nonce = cpjob.client().get_third_party_job_details(**who)["jobDetails"]["nonce"]
            cpjob.client().acknowledge_third_party_job(**who, nonce=nonce)
    elif operation == "PollForJobs":
        cpjob.add_job(action_type="Source:Custom:aaaa:aaaa")


def test_a_member_that_the_model_does_not_know_is_ignored() -> None:
    # AWS's own samples have these in what it sends; other SDKs may send them back.
    known = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
    with CodePipelineStub() as cpjob:
        cpjob.add_job(action_type=known)
        request = {"actionTypeId": {**known, "__type": "ActionTypeId"}, "__type": "Input"}
        answer, _ = cpjob._harness.service.call("PollForJobs", request, WORKER)

    assert isinstance(answer, dict)
    assert len(answer["jobs"]) == 1


def test_a_null_token_does_not_forbid_output_variables() -> None:
    with CodePipelineStub() as cpjob:
        job = cpjob.add_lambda_job()
        request = {"jobId": job.id, "continuationToken": None, "outputVariables": {"pages": "1"}}
        answer, _ = cpjob._harness.service.call("PutJobSuccessResult", request, WORKER)

    assert (answer, job.status, job.continuation) == ({}, "Succeeded", None)


def test_a_refused_request_changes_nothing(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()

    with pytest.raises(CLIENT.exceptions.ValidationException):
        CLIENT.put_job_success_result(jobId=job.id, executionDetails={"percentComplete": 101})
    with pytest.raises(CLIENT.exceptions.ValidationException):
        CLIENT.put_job_failure_result(
            jobId=job.id, failureDetails={"type": "JobFailed", "message": "m" * 5001}
        )

    assert (job.status, job.result) == ("InProgress", None)


def test_no_offending_value_is_in_the_text(cpjob: CodePipelineStub) -> None:
    with pytest.raises(CLIENT.exceptions.ValidationException) as caught:
        CLIENT.get_job_details(jobId="hunter2")

    assert "hunter2" not in str(caught.value)
