"""Arguments of factories and of `add_*`: what AWS could not send is a ValueError that says why."""

from __future__ import annotations

import inspect
import re
from collections import OrderedDict
from datetime import datetime, timezone
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest

from pytest_cpjob import (
    ArtifactFactory,
    CodePipelineStub,
    CredentialsFactory,
    JobDetailsFactory,
    LambdaEventFactory,
    PipelineContextFactory,
    ThirdPartyJobDetailsFactory,
)

FACTORIES = (
    "cpjob_details_factory",
    "cpjob_third_party_details_factory",
    "cpjob_event_factory",
)
ADDERS = ("add_job", "add_lambda_job", "add_third_party_job")
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
NAME = r"Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+"
OTHER_ACCOUNTS = "arn:aws:kms:us-east-1:999999999999:alias/web"


def place(**members: object) -> dict[str, object]:
    return {"name": "Source", "location": {"type": "S3", "s3Location": members}}


REFUSED: list[tuple[str, Any, str]] = [
    # The argument, a value of it, and what is said after "argument" or "argument.member".
    ("account_id", 123456789012, ": Member must be a string; got 123456789012; write 12 digits"),
    ("account_id", "12345", ": Member must satisfy regular expression pattern: [0-9]{12}; got"),
    ("account_id", "12345678901\u0662", ": Member must satisfy regular expression"),
    ("region", "mars-1", ": 'mars-1' is not an AWS region; write one such as 'us-east-1'"),
    ("region", None.__class__, ": Member must be a string; got <class 'NoneType'>; write one"),
    ("pipeline_name", "my pipeline", f": {NAME}; got 'my pipeline'"),
    ("pipeline_name", "web\n", f": {NAME}; got 'web\\n'"),
    ("pipeline_name", "x" * 101, ": Member must have length less than or equal to 100; got 'xxx"),
    ("pipeline_name", True, ": Member must be a string; got True"),
    ("stage_name", "", ": Member must have length greater than or equal to 1; got ''"),
    ("action_name", b"Build", ": Member must be a string; got b'Build'"),
    ("action_type", "Build:Custom:Docs", ": Member must have four parts; got 'Build:Custom:Docs'"),
    (
        "action_type",
        f"Build:Custom:{'x' * 36}:1",
        f".provider: Member must have length less than or equal to 35; got '{'x' * 36}'",
    ),
    ("action_type", "Bake:Custom:Docs:1", ".category: Member must satisfy enum value set: [So"),
    ("action_type", {"category": "Build"}, ".owner: Member must not be null; got None"),
    ("action_type", ["Build"], ": Member must be a string or a dict; got ['Build']"),
    ("configuration", {"Retries": 3}, "['Retries']: Member must be a string; got 3; AWS sends str"),
    ("configuration", {"Draft": True}, "['Draft']: Member must be a string; got True; AWS sends s"),
    ("configuration", {"Draft": None}, "['Draft']: Member must be a string; got None"),
    ("configuration", {"Theme": ""}, "['Theme']: Member must have length greater than or equal"),
    ("configuration", {"T": "x" * 50_001}, "['T']: Member must have length less than or equal to"),
    ("configuration", {5: "x"}, ", key 5: Member must be a string; got 5"),
    ("configuration", {"x" * 51: "x"}, f", key '{'x' * 51}': Member must have length less than"),
    ("configuration", {"T": "\ud83d"}, "['T']: Member must be text that can be encoded as "),
    ("configuration", ["Theme"], ": Member must be a map; got ['Theme']; write a dict of strings"),
    ("output_artifacts", ["a/b"], "[0]: Member must satisfy regular expression pattern: [a-zA"),
    ("output_artifacts", list("abcdef"), ": Member must have length less than or equal to 5; got"),
    ("output_artifacts", "Site", ": Member must be a list; got 'Site'; write ['Site']"),
    ("output_artifacts", {"Site": {}}, ": Member must be a list; got {'Site': {}}; artifacts h"),
    ("output_artifacts", ["Site", 5], "[1]: Member must be a string or a dict; got 5; write a na"),
    ("output_artifacts", ["Site", "Site"], "[1]: artifact names must be unique, and "),
    ("output_artifacts", [{}], "[0].name: Member must not be null; got {}; write a name"),
    ("output_artifacts", [{"name": "a", "size": 1}], "[0]: AWS has no member 'size' here; got"),
    ("output_artifacts", [place(objectKey="k")], "[0].location.s3Location.bucketName: Member mus"),
    (
        "output_artifacts",
        [place(bucketName="Bucket", objectKey="k")],
        "[0].location.s3Location.bucketName: S3 requires 3 to 63 lower-case letters",
    ),
    ("artifact_bucket", "My_Bucket", ": S3 requires 3 to 63 lower-case letters, digits, dots and"),
    ("artifact_bucket", "192.168.0.1", ": S3 requires 3 to 63 lower-case letters, digits, dots"),
    ("encryption_key", False, ": Member must be a KMS key's id, its ARN, or the ARN of an alias"),
    ("encryption_key", "alias/web", ": Member must be a KMS key's id, its ARN, or the ARN of an"),
    ("encryption_key", OTHER_ACCOUNTS, ": an alias is recognized only in its own account, and"),
    ("continuation_token", "", ": Member must have length greater than or equal to 1; got ''"),
    ("continuation_token", "x" * 2049, ": Member must have length less than or equal to 2048; "),
    ("continuation_token", {"step": 2}, ": Member must be a string; got {'step': 2}"),
]
REFUSED_INPUTS: list[tuple[str, Any, str]] = [
    # Where an input artifact is a name or a dict.
    ("input_artifacts", ["a/b"], "[0]: Member must satisfy regular expression pattern: [a-zA-Z0"),
    ("input_artifacts", list("abcdef"), ": Member must have length less than or equal to 5; got "),
    ("input_artifacts", {"Source": {"a": "b"}}, ": Member must be a list; got {'Source': {'a':"),
    ("input_artifacts", [place(bucketName="abc", objectKey="")], "[0].location.s3Location.obje"),
]
REFUSED_CONTENTS: list[tuple[str, Any, str]] = [
    # Where it has its content.
    ("input_artifacts", ["a/b"], "[0]: Member must satisfy regular expression pattern: [a-zA-Z0"),
    ("input_artifacts", dict.fromkeys("abcdef"), ": Member must have length less than or equal"),
    ("input_artifacts", {5: None}, "[5]: Member must be a string; got 5"),
    ("input_artifacts", {"S p": {}}, "['S p']: Member must satisfy regular expression pattern: ["),
    ("input_artifacts", "Source", ": expected a dict of name to content, or a list of names, got"),
    ("input_artifacts", ["Source", "Source"], ": expected different names, or a dict of name to"),
    ("input_artifacts", {"Source": "text"}, "['Source']: expected a dict of path to str or byte"),
    ("input_artifacts", {"Source": {"../a": ""}}, "['Source']['../a']: expected a relative path"),
    ("input_artifacts", {"Source": {"a": 5}}, "['Source']['a']: expected str or bytes, got 5"),
]
REFUSED_LAMBDA: list[tuple[str, Any, str]] = [
    ("user_parameters", "", ": Member must have length greater than or equal to 1; got ''; leave"),
    ("user_parameters", 5, ": Member must be a string; got 5; leave it out for a job without"),
    ("user_parameters", {"a": {1, 2}}, ": Member must be JSON: Object of type set is not JSON"),
    ("user_parameters", {"a": float("nan")}, ": Member must be JSON: Out of range float values"),
    ("user_parameters", {1: 2}, ": Member must be JSON that decodes to the same value; got {1"),
    ("user_parameters", "x" * 50_001, ": Member must have length less than or equal to 50000"),
    (
        "user_parameters",
        "\ud83d",
        ": Member must be text that can be encoded as UTF-8; got '\\ud83d'",
    ),
    ("function_name", "", ": Member must have length greater than or equal to 1; got ''"),
    ("function_name", ["f"], ": Member must be a string; got ['f']"),
    ("function_name", "a b", ": Lambda requires letters, digits, hyphens and underscores, or "),
    ("function_name", "f" * 65, ": Member must have length less than or equal to 64; got 'fff"),
    ("function_name", f"{'f' * 138}:v1", ": Member must have length less than or equal to 140; g"),
]
JOB_ID: tuple[str, Any, str] = (
    "job_id",
    "job-1",
    f": Member must satisfy regular expression pattern: {UUID}; got 'job-1'",
)
REFUSED_PARTNERS: list[tuple[str, Any, str]] = [
    ("job_id", "x" * 513, ": Member must have length less than or equal to 512; got 'xxx"),
    ("client_id", "me", f": Member must satisfy regular expression pattern: {UUID}; got 'me'"),
    ("client_token", "", ": Member must have length greater than or equal to 1; got ''"),
    ("client_token", 5, ": Member must be a string; got 5"),
]


def cases(common: list[tuple[str, Any, str]], names: tuple[str, ...]) -> list[Any]:
    details, partners, lambdas = names
    of = {
        details: [*REFUSED, *common, JOB_ID],
        partners: [*REFUSED, *common, *REFUSED_PARTNERS],
        lambdas: [*REFUSED, *common, *REFUSED_LAMBDA, JOB_ID],
    }
    return [
        pytest.param(name, *case, id=f"{name}-{case[0]}-{number}")
        for name, refused in of.items()
        for number, case in enumerate(refused)
    ]


@pytest.mark.parametrize(("factory", "argument", "value", "said"), cases(REFUSED_INPUTS, FACTORIES))
def test_a_factory_names_the_argument_the_rule_and_the_value(
    request: pytest.FixtureRequest, factory: str, argument: str, value: Any, said: str
) -> None:
    make = request.getfixturevalue(factory)

    with pytest.raises(ValueError, match=f"^{re.escape(argument + said)}") as caught:
        make(**{argument: value})

    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("add", "argument", "value", "said"),
    cases(REFUSED_CONTENTS, ("add_job", "add_third_party_job", "add_lambda_job")),
)
def test_a_job_that_aws_could_not_send_is_refused_in_the_same_words_and_leaves_nothing(
    cpjob: CodePipelineStub, add: str, argument: str, value: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(argument + said)}") as caught:
        getattr(cpjob, add)(**{argument: value})

    assert len(str(caught.value)) < 500
    assert cpjob.jobs == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"user_parameters": "x", "configuration": {"UserParameters": "y"}},
            "user_parameters: configuration['UserParameters'] already has it; got 'x'; give user",
        ),
        (
            {"function_name": "f", "configuration": {"FunctionName": "g"}},
            "function_name: configuration['FunctionName'] already has it; got 'f'; give function",
        ),
        (
            {"user_parameters": "x", "action_type": "Build:Custom:Docs:1"},
            "user_parameters: only jobs of action type Invoke:AWS:Lambda:1 have it, and this",
        ),
        (
            {"action_type": "Build:ThirdParty:Tool:1"},
            "action_type: GetJobDetails does not return partner jobs (owner ThirdParty); got '",
        ),
        (
            {"input_artifacts": ["Same"], "output_artifacts": ["Same"]},
            "output_artifacts[0]: artifact names must be unique, and input_artifacts[0] has this",
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    cpjob_details_factory: JobDetailsFactory, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        cpjob_details_factory(**arguments)


@pytest.mark.parametrize(
    ("add", "action_type", "said"),
    [
        ("add_job", "Build:AWS:CodeBuild:1", "Member 'owner' must be Custom for a job that custom"),
        ("add_job", "Build:ThirdParty:Tool:1", "Member 'owner' must be Custom for a job that cus"),
        ("add_third_party_job", "Build:Custom:Docs:1", "Member 'owner' must be ThirdParty for a"),
        ("add_lambda_job", "Build:Custom:Docs:1", "a Lambda job's action type is Invoke:AWS:Lam"),
    ],
)
def test_a_job_of_another_kind_names_the_way_to_add_it(
    cpjob: CodePipelineStub, add: str, action_type: str, said: str
) -> None:
    with pytest.raises(ValueError, match=f"^action_type: {said}.*; got '{action_type}'; custom"):
        getattr(cpjob, add)(action_type=action_type)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "a/b"}, "name: Member must satisfy regular expression pattern: [a-zA-Z0-9_"),
        ({"revision": False}, "revision: Member must be a string; got False; write None to"),
        ({"revision": ""}, "revision: Member must have length greater than or equal to 1; got ''"),
        ({"bucket": "B"}, "bucket: S3 requires 3 to 63 lower-case letters"),
        ({"key": ""}, "key: S3 requires 1 to 1024 bytes of UTF-8; got ''"),
        ({"key": "é" * 513}, "key: S3 requires 1 to 1024 bytes of UTF-8; got 'éé"),
        ({"key": 5}, "key: S3 requires 1 to 1024 bytes of UTF-8; got 5"),
    ],
)
def test_an_artifact_that_aws_could_not_send_is_refused(
    cpjob_artifact_factory: ArtifactFactory, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        cpjob_artifact_factory(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"pipeline_name": "a b"},
        {"stage_name": 5},
        {"action_name": ""},
        {"region": "mars-1"},
        {"account_id": 5},
    ],
)
def test_a_pipeline_context_that_aws_could_not_send_is_refused(
    cpjob_pipeline_context_factory: PipelineContextFactory, arguments: dict[str, Any]
) -> None:
    for third_party in (False, True):
        with pytest.raises(ValueError, match=f"^{next(iter(arguments))}: "):
            cpjob_pipeline_context_factory(third_party=third_party, **arguments)


# -- what is taken ---------------------------------------------------------------------------------


def texts(value: object) -> list[str]:
    """Every string of a document, names of members too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else []


class Words(str, Enum):
    """Strings that are printed by other names, as many projects have them."""

    ACCOUNT = "000000000007"
    BUCKET = "bucket-of-web"
    ID = "11111111-2222-4333-8444-555555555555"
    KEY = "arn:aws:kms:eu-west-1:000000000007:alias/web"
    REGION = "eu-west-1"
    TYPE = "Invoke:AWS:Lambda:1"
    WORD = "web"


def test_a_member_of_an_enum_of_strings_is_its_string(
    cpjob: CodePipelineStub,
    cpjob_artifact_factory: ArtifactFactory,
    cpjob_details_factory: JobDetailsFactory,
) -> None:
    place = {"bucketName": Words.BUCKET, "objectKey": Words.WORD}
    source: Any = {
        "name": Words.WORD,
        "revision": Words.WORD,
        "location": {"type": "S3", "s3Location": place},
    }
    common: dict[str, Any] = {
        "job_id": Words.ID,
        "account_id": Words.ACCOUNT,
        "region": Words.REGION,
        "pipeline_name": Words.WORD,
        "stage_name": Words.WORD,
        "action_name": Words.WORD,
        "artifact_bucket": Words.BUCKET,
        "encryption_key": Words.KEY,
        "continuation_token": Words.WORD,
        "function_name": Words.WORD,
        "user_parameters": Words.WORD,
        "action_type": Words.TYPE,
    }
    settings = CodePipelineStub(region=Words.REGION, account_id=Words.ACCOUNT)._harness.settings
    documents: list[Any] = [
        cpjob_details_factory(
            **common, input_artifacts=[source], output_artifacts=[Words.TYPE[:3]]
        ),
        cpjob_details_factory(configuration={Words.WORD: Words.WORD}),
        cpjob_details_factory(
            action_type=dict.fromkeys(["provider", "version"], Words.WORD)
            | {"category": "Build", "owner": "Custom"}
        ),
        cpjob_artifact_factory(
            name=Words.WORD, revision=Words.WORD, bucket=Words.BUCKET, key=Words.WORD
        ),
        cpjob.add_lambda_job(**common, input_artifacts={Words.WORD: None}).details,
        {"region": settings.region, "account_id": settings.account_id},
    ]

    assert documents[0]["jobDetails"]["data"]["pipelineContext"]["pipelineArn"] == (
        "arn:aws:codepipeline:eu-west-1:000000000007:web"
    )
    for text in texts(documents):
        assert type(text) is str
        assert "Words." not in text


def test_any_mapping_will_do(cpjob_details_factory: JobDetailsFactory) -> None:
    data = cpjob_details_factory(
        pipeline_name="web",
        action_type=OrderedDict(category="Build", owner="Custom", provider="Docs", version="1"),
        configuration=MappingProxyType({"Theme": "dark"}),
        input_artifacts=("Source",),
    )["jobDetails"]["data"]

    assert data["pipelineContext"]["pipelineName"] == "web"
    assert data["actionConfiguration"]["configuration"] == {"Theme": "dark"}
    assert type(data["actionConfiguration"]["configuration"]) is dict
    assert type(data["actionTypeId"]) is dict


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("as it is", "as it is"),
        ({"theme": "dark"}, '{"theme": "dark"}'),
        (OrderedDict(a=[1, None]), '{"a": [1, null]}'),
        ([], "[]"),
        ({"name": "Zoë"}, '{"name": "Zo\\u00eb"}'),
        ("x" * 50_000, "x" * 50_000),
    ],
    ids=["text", "dict", "nested", "list", "unicode", "longest"],
)
def test_user_parameters_are_text_or_become_json(
    cpjob_event_factory: LambdaEventFactory, given: Any, text: str
) -> None:
    event = cpjob_event_factory(user_parameters=given)

    configuration = event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]
    assert configuration["UserParameters"] == text


@pytest.mark.parametrize(
    "key",
    [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "arn:aws:kms:eu-west-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:us-east-1:123456789012:alias/pipelines/web",
    ],
)
def test_a_key_is_named_by_id_arn_or_alias_arn(
    cpjob_third_party_details_factory: ThirdPartyJobDetailsFactory, key: str
) -> None:
    data = cpjob_third_party_details_factory(encryption_key=key)["jobDetails"]["data"]

    assert data["encryptionKey"] == {"id": key, "type": "KMS"}


@pytest.mark.parametrize(
    "name",
    [
        "f" * 64,
        "docs-2:$LATEST",
        "123456789012:function:docs",
        "arn:aws:lambda:us-east-1:123456789012:function:docs",
        f"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:{'f' * 64}:live",
    ],
)
def test_a_function_is_named_by_name_or_arn(
    cpjob_event_factory: LambdaEventFactory, name: str
) -> None:
    data = cpjob_event_factory(function_name=name)["CodePipeline.job"]["data"]

    assert data["actionConfiguration"]["configuration"]["FunctionName"] == name


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 101, f"'{'x' * 52}'… (101 characters)"),
        ("x" * 5000, f"'{'x' * 52}'… (5000 characters)"),
        ("\n" * 59, "'" + "\\n" * 26 + "'… (59 characters)"),
        ("x" * 58, f"'{'x' * 58}'"),
    ],
)
def test_a_long_value_is_cut_between_its_quotes_and_counted_without_them(
    cpjob_details_factory: JobDetailsFactory, value: str, shown: str
) -> None:
    with pytest.raises(ValueError, match=f"; got {re.escape(shown)}(;|$)"):
        cpjob_details_factory(job_id=value)


def test_a_partners_job_id_may_be_any_text(cpjob: CodePipelineStub) -> None:
    assert cpjob.add_third_party_job(job_id="order 7/3").id == "order 7/3"


def test_every_argument_is_a_keyword(
    request: pytest.FixtureRequest, cpjob_credentials_factory: CredentialsFactory
) -> None:
    adders = [getattr(CodePipelineStub, name) for name in ADDERS]
    factories = [request.getfixturevalue(name) for name in FACTORIES]
    assert list(inspect.signature(cpjob_credentials_factory).parameters) == []

    shared = set.intersection(
        *(
            {
                name
                for name, parameter in inspect.signature(function).parameters.items()
                if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is None
            }
            for function in (*adders, *factories)
        )
    )

    assert shared == {
        "job_id",
        "account_id",
        "region",
        "pipeline_name",
        "stage_name",
        "action_name",
        "action_type",
        "configuration",
        "input_artifacts",
        "output_artifacts",
        "artifact_bucket",
        "encryption_key",
        "continuation_token",
    }


class _Other:
    def __repr__(self) -> str:
        return "<Other>"


def _circle() -> dict[str, Any]:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    return circle


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    "given",
    [
        {"at": datetime(2026, 1, 2, tzinfo=timezone.utc)},
        {"other": _Other()},
        {"set": {1}},
        {"bytes": b"x"},
        {"nan": float("nan")},
        {1: "not a string"},
        {("a", "b"): 1},
        {"tuple": (1, 2)},
        _circle(),
        _deep(),
        {"huge": 10**5000},
        {1, 2},
        b"{}",
        5,
        _Other(),
    ],
    ids=lambda given: type(given).__name__,
)
def test_user_parameters_that_json_cannot_hold_are_refused_by_name(
    cpjob: CodePipelineStub, given: Any
) -> None:
    with pytest.raises(ValueError, match=r"^user_parameters: Member must "):
        cpjob.add_lambda_job(user_parameters=given)
    assert cpjob.jobs == []
