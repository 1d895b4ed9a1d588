"""Strategies: every example is one that AWS could send, to the limits; the plainest fails last."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import count
from random import Random
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pytest_cpjob import (
    Artifact,
    AWSSessionCredentials,
    CodePipelineStub,
    GetJobDetailsResponse,
    GetThirdPartyJobDetailsResponse,
    LambdaEvent,
    PipelineContext,
    PollJob,
    ThirdPartyPipelineContext,
    strategies,
)
from pytest_cpjob.aws.codepipeline_model import violations
from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.documents.factories import JobDetailsFactory
from pytest_cpjob.documents.streams import Stream

# An example of the greatest size is a long one to print.
LARGE = pytest.mark.filterwarnings("ignore:Generating overly large repr")
GENERATE = settings(max_examples=5000, phases=[Phase.generate], database=None)

SHRINK = settings(phases=[Phase.generate, Phase.shrink], database=None)


def reach(strategy: SearchStrategy[Any], condition: Callable[[Any], Any]) -> Any:
    """An example that meets a condition, the first that comes."""
    return find(strategy, condition, settings=GENERATE, random=Random(7))


def plainest(
    strategy: SearchStrategy[Any], condition: Callable[[Any], Any] = lambda example: True
) -> Any:
    """The example that is left after shrinking."""
    return find(strategy, condition, settings=SHRINK, random=Random(7))


def size_of(variables: Mapping[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())


def fits(value: object, shape: Any) -> bool:
    """Whether a value is of a TypedDict or another annotation, with no member too many."""
    if is_typeddict(shape):
        hints = get_type_hints(shape)
        return (
            isinstance(value, dict)
            and shape.__required_keys__ <= value.keys() <= hints.keys()
            and all(fits(member, hints[name]) for name, member in value.items())
        )
    origin, inner = get_origin(shape), get_args(shape)
    if origin is list:
        return isinstance(value, list) and all(fits(one, inner[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            fits(name, inner[0]) and fits(one, inner[1]) for name, one in value.items()
        )
    if inner:
        return value in inner or any(fits(value, one) for one in inner if isinstance(one, type))
    return isinstance(value, shape)


DOCUMENTS: dict[str, tuple[SearchStrategy[Any], str | None, Any]] = {
    # The strategy, the model's shape, and the type.
    "job_details": (strategies.job_details(), "GetJobDetailsOutput", GetJobDetailsResponse),
    "poll_jobs": (strategies.poll_jobs(), "Job", PollJob),
    "third_party_job_details": (
        strategies.third_party_job_details(),
        "GetThirdPartyJobDetailsOutput",
        GetThirdPartyJobDetailsResponse,
    ),
    "lambda_events": (strategies.lambda_events(), None, LambdaEvent),
    "artifacts": (strategies.artifacts(), "Artifact", Artifact),
    "credentials": (strategies.credentials(), "AWSSessionCredentials", AWSSessionCredentials),
    "pipeline_contexts": (strategies.pipeline_contexts(), "PipelineContext", PipelineContext),
    "pipeline_contexts (third party)": (
        strategies.pipeline_contexts(third_party=True),
        "PipelineContext",
        ThirdPartyPipelineContext,
    ),
    "user_parameters": (strategies.user_parameters(), "ActionConfigurationValue", str),
    "continuation_tokens": (strategies.continuation_tokens(), "ContinuationToken", str),
    "output_variables": (strategies.output_variables(), "OutputVariablesMap", dict[str, str]),
    "failure_messages": (strategies.failure_messages(), "Message", str),
    "failure_details": (strategies.failure_details(), "FailureDetails", strategies.FailureDetails),
}


def test_every_strategy_is_in_the_table() -> None:
    named = {name.partition(" ")[0] for name in DOCUMENTS}
    assert named == set(strategies.__all__) - {"FailureDetails"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_example_keeps_the_models_rules_and_its_type(name: str) -> None:
    strategy, shape_name, annotation = DOCUMENTS[name]

    @given(strategy)
    def check(example: Any) -> None:
        assert fits(example, annotation)
        assert shape_name is None or violations(shape_name, example) == []
        json.dumps(example, ensure_ascii=False).encode()

    check()


@given(strategies.lambda_events())
def test_every_event_keeps_the_models_rules_in_what_it_shares_with_a_job(
    event: LambdaEvent,
) -> None:
    job = event["CodePipeline.job"]
    assert violations("JobDetails", job) == []
    assert job["data"]["actionConfiguration"]["configuration"]["FunctionName"]
    assert all(output["revision"] is None for output in job["data"]["outputArtifacts"])


@given(strategies.job_details() | strategies.third_party_job_details())
def test_what_a_document_says_agrees_with_itself(response: Any) -> None:
    details = response["jobDetails"]
    data = details["data"]
    context, configuration = data["pipelineContext"], data["actionConfiguration"]["configuration"]
    listed = [*data["inputArtifacts"], *data["outputArtifacts"]]
    names = [one["name"] for one in listed]
    places = [one["location"]["s3Location"] for one in listed]

    assert len(set(names)) == len(names)
    assert max(len(data["inputArtifacts"]), len(data["outputArtifacts"])) <= 5
    assert not any("revision" in one for one in data["outputArtifacts"])
    assert len({place["bucketName"] for place in places}) <= 1
    assert len({place["objectKey"] for place in places}) == len(places)
    for name, place in zip(names, places, strict=True):
        head, _, tail = place["objectKey"].rpartition("/")
        assert head == f"{context['pipelineName'][:20]}/{name[:10]}"
        assert re.fullmatch(r"[A-Za-z0-9]{7}(\.[a-z]+)?", tail)
    if "pipelineArn" in context:
        _, partition, _, region, account, name = context["pipelineArn"].split(":")
        assert partition_of(region) == partition
        assert (account, name) == (details["accountId"], context["pipelineName"])
        key = data.get("encryptionKey", {"id": ""})["id"].split(":")
        assert key[3:4] in ([], [region])
        assert "alias" not in key[-1] or key[4] == account
    owner = data["actionTypeId"]["owner"]
    assert ("FunctionName" in configuration) == (owner == "AWS")
    assert owner == "AWS" or len(configuration) <= 10


# -- the limits ------------------------------------------------------------------------------------


def data_of(response: Any) -> Any:
    return response["jobDetails"]["data"]


def of_event(event: Any) -> Any:
    return event["CodePipeline.job"]["data"]


def configuration_of(event: Any) -> Any:
    return of_event(event)["actionConfiguration"]["configuration"]


DETAILS, EVENTS = strategies.job_details(), strategies.lambda_events()
LIMITS: dict[str, tuple[SearchStrategy[Any], Callable[[Any], Any]]] = {
    "the longest pipeline name": (
        strategies.pipeline_contexts(),
        lambda context: len(context["pipelineName"]) == 100,
    ),
    "the shortest pipeline name": (
        strategies.pipeline_contexts(),
        lambda context: len(context["pipelineName"]) == 1,
    ),
    "China": (
        strategies.pipeline_contexts(),
        lambda context: context["pipelineArn"].startswith("arn:aws-cn:"),
    ),
    "GovCloud": (
        strategies.pipeline_contexts(),
        lambda context: context["pipelineArn"].startswith("arn:aws-us-gov:"),
    ),
    "an account that begins with 0": (
        DETAILS,
        lambda details: details["jobDetails"]["accountId"].startswith("0"),
    ),
    "the longest provider and version": (
        strategies.poll_jobs(),
        lambda job: (
            len(job["data"]["actionTypeId"]["provider"]) == 35
            and len(job["data"]["actionTypeId"]["version"]) == 9
        ),
    ),
    "the longest nonce": (strategies.poll_jobs(), lambda job: len(job["nonce"]) == 50),
    "five inputs and five outputs": (
        DETAILS,
        lambda details: (
            len(data_of(details)["inputArtifacts"]) == 5
            and len(data_of(details)["outputArtifacts"]) == 5
        ),
    ),
    "no artifacts": (
        DETAILS,
        lambda details: (
            not data_of(details)["inputArtifacts"] and not data_of(details)["outputArtifacts"]
        ),
    ),
    "the longest artifact name": (strategies.artifacts(), lambda one: len(one["name"]) == 100),
    "the longest revision": (
        strategies.artifacts(),
        lambda one: len(one.get("revision", "")) == 1500,
    ),
    "an input without revision": (
        DETAILS,
        lambda details: any("revision" not in one for one in data_of(details)["inputArtifacts"]),
    ),
    "an input that keeps its extension": (
        DETAILS,
        lambda details: any(
            one["location"]["s3Location"]["objectKey"].endswith(".zip")
            for one in data_of(details)["inputArtifacts"]
        ),
    ),
    "the longest bucket name": (
        strategies.artifacts(),
        lambda one: len(one["location"]["s3Location"]["bucketName"]) == 63,
    ),
    "the shortest bucket name": (
        strategies.artifacts(),
        lambda one: len(one["location"]["s3Location"]["bucketName"]) == 3,
    ),
    "a job of Lambda's": (
        DETAILS,
        lambda details: data_of(details)["actionTypeId"]["provider"] == "Lambda",
    ),
    "ten properties": (
        DETAILS,
        lambda details: len(data_of(details)["actionConfiguration"]["configuration"]) == 10,
    ),
    "no encryption key": (EVENTS, lambda event: "encryptionKey" not in of_event(event)),
    "an alias": (
        EVENTS,
        lambda event: ":alias/" in of_event(event).get("encryptionKey", {"id": ""})["id"],
    ),
    "a key of another account": (
        EVENTS,
        lambda event: (
            len(key := of_event(event).get("encryptionKey", {"id": ""})["id"].split(":")) == 6
            and key[4] != event["CodePipeline.job"]["accountId"]
        ),
    ),
    "a continued job": (
        EVENTS,
        lambda event: len(of_event(event).get("continuationToken", "")) == 2048,
    ),
    "no user parameters": (EVENTS, lambda event: "UserParameters" not in configuration_of(event)),
    "the longest user parameters": (
        EVENTS,
        lambda event: len(configuration_of(event).get("UserParameters", "")) == 50_000,
    ),
    "user parameters beyond ASCII": (strategies.user_parameters(), lambda text: not text.isascii()),
    "an object as user parameters": (strategies.user_parameters(), lambda text: text[:2] == '{"'),
    "the longest function name": (
        EVENTS,
        lambda event: len(configuration_of(event)["FunctionName"]) == 64,
    ),
    "the longest message": (strategies.failure_messages(), lambda text: len(text) == 5000),
    "the shortest message": (strategies.failure_messages(), lambda text: len(text) == 1),
    "a failure with the longest execution id": (
        strategies.failure_details(),
        lambda details: len(details.get("externalExecutionId", "")) == 1500,
    ),
    "the last type of failure": (
        strategies.failure_details(),
        lambda details: details["type"] == "SystemUnavailable",
    ),
    "no output variables": (strategies.output_variables(), lambda variables: variables == {}),
    "an empty output variable": (
        strategies.output_variables(),
        lambda variables: "" in variables.values(),
    ),
    "as many bytes of output variables as may be": (
        strategies.output_variables(),
        lambda variables: size_of(variables) == 122_880,
    ),
}


@LARGE
@pytest.mark.parametrize("limit", LIMITS)
def test_every_limit_is_reached(limit: str) -> None:
    strategy, condition = LIMITS[limit]
    reach(strategy, condition)


# -- the plainest example --------------------------------------------------------------------------


def test_the_plainest_details_are_what_the_factory_gives_without_artifacts() -> None:
    details = plainest(DETAILS)
    made = JobDetailsFactory(Stream("any"), count(), region="us-east-1", account_id="123456789012")(
        input_artifacts=[], output_artifacts=[]
    )

    assert details["jobDetails"]["accountId"] == "123456789012"
    assert data_of(details).keys() == data_of(made).keys()
    for member in ("actionTypeId", "actionConfiguration", "inputArtifacts", "outputArtifacts"):
        assert data_of(details)[member] == data_of(made)[member]
    assert data_of(details)["pipelineContext"]["stage"] == {"name": "Build"}


def test_a_failing_example_shrinks_to_the_one_thing_that_fails() -> None:
    details = plainest(DETAILS, lambda details: "encryptionKey" in data_of(details))

    assert data_of(details)["encryptionKey"]["id"].startswith("arn:aws:kms:us-east-1:123456789012:")
    assert data_of(details)["inputArtifacts"] == data_of(details)["outputArtifacts"] == []
    assert "continuationToken" not in data_of(details)
    assert data_of(details)["actionConfiguration"] == {"configuration": {}}


def test_artifacts_shrink_to_usual_names() -> None:
    details = plainest(DETAILS, lambda details: data_of(details)["inputArtifacts"])

    [one] = data_of(details)["inputArtifacts"]
    assert one.keys() == {"name", "location"}
    assert one["name"] == "SourceArtifact"


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (strategies.output_variables(), {}),
        (strategies.failure_messages(), "0"),
        (strategies.failure_details(), {"type": "JobFailed", "message": "0"}),
    ],
    ids=["output_variables", "failure_messages", "failure_details"],
)
def test_what_is_reported_shrinks_to_the_least(
    strategy: SearchStrategy[Any], expected: object
) -> None:
    assert plainest(strategy) == expected


# -- what a test fixes -----------------------------------------------------------------------------

UUID = "11111111-2222-3333-4444-555555555555"


@given(
    strategies.job_details(
        job_id=UUID,
        account_id="000000000001",
        region="cn-north-1",
        pipeline_name="web",
        stage_name="Publish",
        action_name="Docs",
        action_type="Deploy:Custom:Docs:1",
        configuration={"Theme": "dark"},
        input_artifacts=["Source"],
        output_artifacts=["Site", "Log"],
        artifact_bucket="artifacts-of-web",
        encryption_key=None,
        continuation_token="half",
    )
)
def test_what_is_given_is_fixed(details: GetJobDetailsResponse) -> None:
    job, data = details["jobDetails"], details["jobDetails"]["data"]
    listed = [*data["inputArtifacts"], *data["outputArtifacts"]]
    assert (job["id"], job["accountId"]) == (UUID, "000000000001")
    assert data["pipelineContext"]["pipelineArn"] == (
        "arn:aws-cn:codepipeline:cn-north-1:000000000001:web"
    )
    assert data["pipelineContext"]["stage"]["name"] == "Publish"
    assert data["pipelineContext"]["action"]["name"] == "Docs"
    assert data["actionTypeId"]["provider"] == "Docs"
    assert data["actionConfiguration"] == {"configuration": {"Theme": "dark"}}
    assert [one["name"] for one in listed] == ["Source", "Site", "Log"]
    assert {one["location"]["s3Location"]["bucketName"] for one in listed} == {"artifacts-of-web"}
    assert "encryptionKey" not in data
    assert data.get("continuationToken") == "half"


@given(
    strategies.lambda_events(
        user_parameters={"theme": "dark"},
        function_name="docs",
        input_artifacts=None,
        continuation_token=st.sampled_from(["one", "two"]),
    )
)
def test_none_means_what_it_means_to_the_factory_and_a_strategy_its_values(
    event: LambdaEvent,
) -> None:
    assert configuration_of(event) == {
        "FunctionName": "docs",
        "UserParameters": '{"theme": "dark"}',
    }
    assert [one["name"] for one in of_event(event)["inputArtifacts"]] == ["SourceArtifact"]
    assert of_event(event)["continuationToken"] in ("one", "two")


@given(strategies.lambda_events(configuration={"FunctionName": "docs"}))
def test_a_fixed_configuration_stays_as_it_is(event: LambdaEvent) -> None:
    assert configuration_of(event) == {"FunctionName": "docs"}


@given(strategies.job_details(user_parameters="x") | strategies.job_details(function_name="f"))
def test_lambda_arguments_make_every_job_a_lambdas(details: GetJobDetailsResponse) -> None:
    assert data_of(details)["actionTypeId"]["provider"] == "Lambda"


@given(strategies.job_details(encryption_key="arn:aws-cn:kms:cn-north-1:111122223333:alias/docs"))
def test_a_job_lives_where_its_fixed_key_is_known(details: GetJobDetailsResponse) -> None:
    arn = data_of(details)["pipelineContext"]["pipelineArn"]
    assert arn.startswith("arn:aws-cn:codepipeline:cn-north-1:111122223333:")


@given(strategies.poll_jobs(input_artifacts=["Site"], action_type="Build:Custom:Docs:1"))
def test_a_fixed_artifact_is_not_drawn_again(job: PollJob) -> None:
    assert "Site" not in [one["name"] for one in job["data"]["outputArtifacts"]]


@given(strategies.third_party_job_details(job_id="job", client_id=UUID, client_token="ours-alone"))
def test_a_partners_job_id_may_be_any_and_its_client_is_no_part_of_it(
    details: GetThirdPartyJobDetailsResponse,
) -> None:
    assert details["jobDetails"]["id"] == "job"
    assert "ours-alone" not in json.dumps(details)


@given(strategies.artifacts(name="Site", revision="7", bucket="web-site", key="site.tar"))
def test_a_fixed_artifact_stays_as_it_is(artifact: Artifact) -> None:
    where = {"bucketName": "web-site", "objectKey": "site.tar"}
    assert artifact == {
        "name": "Site",
        "revision": "7",
        "location": {"type": "S3", "s3Location": where},
    }


@given(strategies.pipeline_contexts(region="eu-west-1", account_id="1" * 12, pipeline_name="web"))
def test_a_fixed_context_has_its_arn(context: PipelineContext) -> None:
    assert context["pipelineArn"] == "arn:aws:codepipeline:eu-west-1:111111111111:web"


@pytest.mark.parametrize(
    ("make", "argument", "meant"),
    [
        (strategies.job_details, "pipelinename", "pipeline_name"),
        (strategies.lambda_events, "user_params", "user_parameters"),
        (strategies.poll_jobs, "input_artifact", "input_artifacts"),
        (strategies.third_party_job_details, "clienttoken", "client_token"),
        (strategies.artifacts, "named", "name"),
        (strategies.pipeline_contexts, "regions", "region"),
    ],
)
def test_an_unknown_argument_names_the_nearest(
    make: Callable[..., object], argument: str, meant: str
) -> None:
    with pytest.raises(TypeError, match=rf"{make.__name__}\(\).*{argument}.*{meant}"):
        make(**{argument: "x"})


@pytest.mark.parametrize(
    ("argument", "value"),
    [("pipeline_name", "a b"), ("region", ""), ("account_id", "1"), ("input_artifacts", "Source")],
)
def test_a_value_that_aws_could_not_send_is_refused(argument: str, value: str) -> None:
    make: Any = strategies.job_details
    with pytest.raises(ValueError, match=f"^{argument}: "):
        plainest(make(**{argument: value}))


# -- at work ---------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(
    strategies.output_variables(), strategies.failure_details(), strategies.continuation_tokens()
)
def test_the_service_takes_whatever_may_be_reported(
    variables: dict[str, str], details: strategies.FailureDetails, token: str
) -> None:
    with CodePipelineStub() as cpjob:
        client = cpjob.client()
        first, second = cpjob.add_lambda_job(), cpjob.add_lambda_job()
        client.put_job_success_result(jobId=first.id, continuationToken=token)
        assert first.continuation is not None
        assert of_event(first.continuation.event)["continuationToken"] == token
        client.put_job_success_result(jobId=first.continuation.id, outputVariables=variables)
        client.put_job_failure_result(jobId=second.id, failureDetails=details)
        assert second.result == cpjob.results[-1]


@LARGE
def test_one_byte_more_of_output_variables_is_refused() -> None:
    variables = reach(strategies.output_variables(), lambda each: size_of(each) == 122_880)
    with CodePipelineStub() as cpjob:
        client, job = cpjob.client(), cpjob.add_lambda_job()
        with pytest.raises(client.exceptions.OutputVariablesSizeExceededException):
            client.put_job_success_result(jobId=job.id, outputVariables={**variables, "b": ""})


@pytest.mark.parametrize(
    ("assumption", "error"),
    [
        ('json.loads(data["actionConfiguration"]["configuration"]["UserParameters"])', "KeyError"),
        ('data["inputArtifacts"][0]["location"]', "IndexError"),
        ('data["outputArtifacts"][0]["name"]', "IndexError"),
        ('[one["revision"][:7] for one in data["inputArtifacts"]]', "TypeError"),
    ],
    ids=["user-parameters", "an-input", "an-output", "a-revision"],
)
def test_a_naive_handler_is_found_out(
    pytester: pytest.Pytester, assumption: str, error: str
) -> None:
    pytester.makepyfile(
        f"""
        import json
        from hypothesis import given
        from pytest_cpjob.strategies import lambda_events

        def target_of(event):
            data = event["CodePipeline.job"]["data"]
            return {assumption}

        @given(event=lambda_events())
        def test_every_event_has_a_target(event):
            target_of(event)
        """
    )

    result = pytester.runpytest("-p", "no:faker", "-p", "no:randomly")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{error}*"])
    result.stdout.fnmatch_lines(["*event={'CodePipeline.job': {'id': *"])


def test_without_hypothesis_the_way_out_is_named() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from pytest_cpjob import CpjobError\n"
        "try:\n"
        "    import pytest_cpjob.strategies\n"
        "except CpjobError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == (
        "pytest_cpjob.strategies needs Hypothesis, which is not installed\n"
        "- way out: pip install 'pytest-cpjob[hypothesis]'\n",
        "",
    )
