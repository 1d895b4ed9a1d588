"""The service's rules: what botocore lets through, and AWS's words for it."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from pytest_cpjob.aws import codepipeline_model as model
from pytest_cpjob.aws.codepipeline_model import (
    LIVE_LIMITS,
    Model,
    TypeMismatch,
    Violation,
    request_violations,
    validation_message,
    violations,
)
from pytest_cpjob.errors import CpjobError

UUID = "11111111-2222-3333-4444-555555555555"
UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
NOT_NULL = "Member must not be null"


def at_most(number: int) -> str:
    return f"Member must have length less than or equal to {number}"


def at_least(number: int) -> str:
    return f"Member must have length greater than or equal to {number}"


def test_a_bad_job_id_is_told_in_the_services_words() -> None:
    found = request_violations("GetJobDetails", {"jobId": "nope"})
    assert validation_message(found) == (
        "1 validation error detected: Value at 'jobId' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {UUID_PATTERN}"
    )


def test_several_faults_are_counted_and_joined() -> None:
    found = request_violations("AcknowledgeJob", {"jobId": UUID, "nonce": "9" * 51})
    found += request_violations("AcknowledgeJob", {"nonce": "3"})
    assert validation_message(found) == (
        "2 validation errors detected: "
        f"Value at 'nonce' failed to satisfy constraint: {at_most(50)}; "
        f"Value at 'jobId' failed to satisfy constraint: {NOT_NULL}"
    )


def failure(**details: object) -> dict[str, object]:
    return {"jobId": UUID, "failureDetails": {"type": "JobFailed", "message": "m", **details}}


def success(**members: object) -> dict[str, object]:
    return {"jobId": UUID, **members}


FAILURES = (
    "Member must satisfy enum value set: [JobFailed, ConfigurationError, PermissionError, "
    "RevisionOutOfSync, RevisionUnavailable, SystemUnavailable]"
)
ACTION_TYPE = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("GetJobDetails", {"jobId": UUID}, []),
        ("GetJobDetails", {"jobId": UUID, "unknown": 1}, []),
        ("GetJobDetails", {"jobId": None}, [("jobId", NOT_NULL)]),
        ("PutJobFailureResult", {"jobId": UUID}, [("failureDetails", NOT_NULL)]),
        ("PutJobFailureResult", failure(externalExecutionId=None), []),
        ("PutJobFailureResult", failure(type="Oops"), [("failureDetails.type", FAILURES)]),
        (
            "PutJobFailureResult",
            failure(message="m" * 5001),
            [("failureDetails.message", at_most(5000))],
        ),
        ("PutJobFailureResult", failure(message=""), [("failureDetails.message", at_least(1))]),
        (
            "PutJobSuccessResult",
            success(executionDetails={"percentComplete": 101}),
            [
                (
                    "executionDetails.percentComplete",
                    "Member must have value less than or equal to 100",
                )
            ],
        ),
        (
            "PutJobSuccessResult",
            success(executionDetails={"percentComplete": -1}),
            [
                (
                    "executionDetails.percentComplete",
                    "Member must have value greater than or equal to 0",
                )
            ],
        ),
        ("PutJobSuccessResult", success(continuationToken="t" * 2048), []),
        (
            "PutJobSuccessResult",
            success(continuationToken="t" * 2049),
            [("continuationToken", at_most(2048))],
        ),
        ("PutJobSuccessResult", success(outputVariables={"pages": ""}), []),
        (
            "PutJobSuccessResult",
            success(outputVariables={"a b": "1", "c d": "2"}),
            [
                (
                    "outputVariables",
                    "Map keys must satisfy constraint: "
                    r"[Member must satisfy regular expression pattern: [A-Za-z0-9@\-_]+]",
                )
            ],
        ),
        (
            "PutJobSuccessResult",
            success(outputVariables={"a": None}),
            [("outputVariables", f"Map value must satisfy constraint: [{NOT_NULL}]")],
        ),
        (
            "PollForJobs",
            {"actionTypeId": {**ACTION_TYPE, "category": "Bild", "provider": "d o"}},
            [
                (
                    "actionTypeId.category",
                    "Member must satisfy enum value set: "
                    "[Source, Build, Deploy, Test, Invoke, Approval, Compute]",
                ),
                (
                    "actionTypeId.provider",
                    "Member must satisfy regular expression pattern: [0-9A-Za-z_-]+",
                ),
            ],
        ),
        (
            "PollForJobs",
            {"actionTypeId": ACTION_TYPE, "queryParam": {"a": "x", "b": "y" * 51}},
            [
                ("queryParam", at_most(1)),
                (
                    "queryParam",
                    f"Map value must satisfy constraint: [{at_most(50)}, {at_least(1)}, "
                    "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+]",
                ),
            ],
        ),
    ],
)
def test_what_the_service_refuses(
    operation: str, params: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert request_violations(operation, params) == expected


def test_the_paths_of_list_items_count_from_one() -> None:
    action = {"name": "a", "namespace": "a b", "actionTypeId": ACTION_TYPE}
    stages = [{"name": "One", "actions": [action]}, {"name": "Two", "actions": [None]}]
    pipeline = {"name": "web", "roleArn": "arn:aws:iam::123456789012:role/r", "stages": stages}
    assert request_violations("CreatePipeline", {"pipeline": pipeline}) == [
        (
            "pipeline.stages.1.member.actions.1.member.namespace",
            r"Member must satisfy regular expression pattern: [A-Za-z0-9@\-_]+",
        ),
        ("pipeline.stages.2.member.actions.1.member", NOT_NULL),
    ]


def test_a_maps_structures_have_paths_of_their_own() -> None:
    stores = {"us-east-1": {"type": "S3"}, "eu-west-1": None}
    pipeline = {"name": "web", "roleArn": "arn:aws:iam::123456789012:role/r", "stages": []}
    found = request_violations(
        "CreatePipeline", {"pipeline": {**pipeline, "artifactStores": stores}}
    )
    assert [one.path for one in found] == [
        "pipeline.artifactStores.us-east-1.member.location",
        "pipeline.artifactStores.eu-west-1.member",
    ]


def test_too_long_and_too_short_lists_are_told() -> None:
    assert violations("ActionConfigurationPropertyList", [None] * 11, "p")[0] == ("p", at_most(10))
    assert violations("FilePathList", [], "p") == [("p", at_least(1))]
    assert violations("FilePathList", [], "p") == [Violation("p", at_least(1))]


def test_configuration_values_may_be_as_long_as_the_live_service_says() -> None:
    limit = LIVE_LIMITS["ActionConfigurationValue"]["max"]
    assert violations("ActionConfigurationMap", {"Key": "v" * limit}) == []
    assert violations("ActionConfigurationMap", {"Key": "v" * (limit + 1)}, "configuration") == [
        (
            "configuration",
            f"Map value must satisfy constraint: [{at_most(50_000)}, {at_least(1)}]",
        )
    ]


@pytest.mark.parametrize(
    ("shape", "value", "expected"),
    [
        ("JobId", 7, "Member must be a string"),
        ("Percentage", "7", "Member must be an integer"),
        ("Percentage", True, "Member must be an integer"),
        ("Percentage", 1.5, "Member must be an integer"),
        ("Boolean", 1, "Member must be a boolean"),
        ("Timestamp", True, "Member must be a timestamp"),
        ("Timestamp", {}, "Member must be a timestamp"),
        ("ActionTypeId", "Build:Custom:Docs:1", "Member must be a structure"),
        ("ArtifactList", {"name": "A"}, "Member must be a list"),
        ("ActionConfigurationMap", [], "Member must be a map"),
        (
            "ActionConfigurationMap",
            {"Retries": 3},
            "Map value must satisfy constraint: [Member must be a string]",
        ),
        (
            "ActionConfigurationMap",
            {3: "x"},
            "Map keys must satisfy constraint: [Member must be a string]",
        ),
    ],
)
def test_a_wrong_type_is_told_apart_from_a_broken_rule(
    shape: str, value: object, expected: str
) -> None:
    found = violations(shape, value, "here")
    assert found == [("here", expected)]
    assert [type(one) for one in found] == [TypeMismatch]


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("Timestamp", datetime(2026, 1, 1, tzinfo=timezone.utc)),
        ("Timestamp", 1446726163.571),
        ("Timestamp", "2026-01-01T00:00:00Z"),
        ("Boolean", True),
        ("Percentage", 0),
        ("ArtifactList", ()),
    ],
)
def test_what_botocore_takes_for_a_type_is_taken(shape: str, value: object) -> None:
    assert violations(shape, value) == []


def test_patterns_are_matched_whole_and_in_ascii() -> None:
    assert violations("AccountId", "123456789012\n") != []
    assert violations("AccountId", "١٢٣٤٥٦٧٨٩٠١٢") != []
    assert violations("PipelineArn", "arn:aws-é:codepipeline:r:123456789012:x") != []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_no_value_whatever_crashes_a_check(data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(model.operations()))
    members = list(model.load().shapes[f"{operation}Input"]["members"])
    keys = st.sampled_from(members) if members else st.nothing()
    params = data.draw(st.dictionaries(keys, json_values, max_size=4))
    for violation in request_violations(operation, params):
        assert isinstance(violation, Violation)


@pytest.mark.parametrize("name", list(model.load().shapes))
def test_every_shape_of_the_model_can_be_checked(name: str) -> None:
    model.load().check_of(name)({}, "here", [])


def test_a_shape_may_contain_itself() -> None:
    shapes = {"Tree": {"type": "structure", "members": {"below": {"shape": "Tree"}}}}
    tree = Model({"operations": {}, "shapes": shapes})
    found: list[Violation] = []
    tree.check_of("Tree")({"below": {"below": 3}}, "", found)
    assert found == [TypeMismatch("below.below", "Member must be a structure")]


def test_a_map_that_allows_few_keys_lists_them_all() -> None:
    shapes = {
        "Map": {"type": "map", "min": 1, "key": {"shape": "Key"}, "value": {"shape": "Key"}},
        "Key": {"type": "string", "enum": ["A", "B"]},
    }
    small = Model({"operations": {}, "shapes": shapes})
    found: list[Violation] = []
    small.check_of("Map")({}, "m", found)
    small.check_of("Map")({"C": "A"}, "m", found)
    assert found == [
        ("m", at_least(1)),
        ("m", "Map keys must satisfy constraint: [Member must satisfy enum value set: [A, B]]"),
    ]


# -- what else the model says ----------------------------------------------------------------------


def test_the_model_is_the_one_that_botocore_itself_loads() -> None:
    described = Session().get_service_model("codepipeline")
    assert set(model.operations()) == set(described.operation_names)
    for operation in model.operations():
        errors = [shape.name for shape in described.operation_model(operation).error_shapes]
        assert list(model.operation_errors(operation)) == errors


def test_the_errors_of_an_operation_come_in_the_models_order() -> None:
    assert model.operation_errors("AcknowledgeJob") == (
        "ValidationException",
        "InvalidNonceException",
        "JobNotFoundException",
    )


@pytest.mark.parametrize("ask", [model.operation_errors, lambda name: request_violations(name, {})])
def test_an_unknown_operation_is_refused(ask: Any) -> None:
    with pytest.raises(ValueError, match="operation: CodePipeline has no operation 'put_job'"):
        ask("put_job")


def test_credentials_are_what_is_sensitive() -> None:
    """A shape that is newly sensitive must be looked for, masked and redacted as well."""
    assert {name for name in model.load().shapes if model.is_sensitive(name)} == {
        "AWSSessionCredentials",
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
    }


# -- where it is read from -------------------------------------------------------------------------


def put_model(data: Path, version: str, name: str, content: bytes) -> None:
    folder = data / "codepipeline" / version
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)


def test_the_newest_version_is_read_packed_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def described(operation: str) -> bytes:
        return json.dumps({"operations": {operation: {}}, "shapes": {}}).encode()

    monkeypatch.setattr(model, "botocore_data", lambda: tmp_path)
    put_model(tmp_path, "2015-07-09", "service-2.json", described("Old"))
    assert model.load.__wrapped__().operations() == ("Old",)
    put_model(tmp_path, "2027-01-01", "service-2.json.gz", gzip.compress(described("New")))
    assert model.load.__wrapped__().operations() == ("New",)


def test_a_botocore_without_codepipeline_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "botocore_data", lambda: tmp_path)
    with pytest.raises(CpjobError, match="model of CodePipeline is missing"):
        model.load.__wrapped__()


@pytest.fixture
def default_session(monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    """The session of boto3's default clients, after a handler's module has made one of these."""
    session = boto3.Session(region_name="us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    boto3.client("codepipeline")
    return session


def read_by(session: boto3.Session) -> Any:
    loader = session._session.get_component("data_loader")
    return loader.load_service_model("codepipeline", "service-2")


def test_what_boto3_has_read_is_not_read_again(default_session: boto3.Session) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(json, "loads")
        loaded = model.load.__wrapped__()

    assert loaded.description is read_by(default_session)
    assert loaded.description == model.load().description


def test_a_users_own_model_is_not_taken_for_botocores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"metadata": {"serviceId": "CodePipeline"}, "operations": {}, "shapes": {}}
    put_model(tmp_path, "2015-07-09", "service-2.json", json.dumps(own).encode())
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    session = boto3.Session(region_name="us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)

    assert read_by(session)["operations"] == {}
    assert "PollForJobs" in model.load.__wrapped__().operations()


def test_a_model_with_a_users_additions_is_not_taken_for_botocores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = json.dumps({"version": 1.0, "merge": {"operations": {"Own": {}}}}).encode()
    put_model(tmp_path, "2015-07-09", "service-2.sdk-extras.json", more)
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    session = boto3.Session(region_name="us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)

    assert "Own" in read_by(session)["operations"]
    assert "Own" not in model.load.__wrapped__().operations()


@pytest.mark.parametrize("session", [object(), MagicMock(), None], ids=["other", "mock", "none"])
def test_a_session_that_is_not_boto3s_has_read_nothing(
    session: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    assert model.load.__wrapped__().description == model.load().description
