"""What the clients of new sessions share while a stub is active, and what they do not."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.client import ClientCreator

from pytest_cpjob import CodePipelineStub


def new_client() -> Any:
    return boto3.session.Session().client("s3", region_name="us-east-1")


def test_models_and_methods_are_made_once(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = new_client(), new_client()

    assert type(first) is not type(second)
    assert type(first).get_object is type(second).get_object
    assert first.meta.service_model is second.meta.service_model


def test_a_class_of_clients_is_changed_alone(cpjob: CodePipelineStub) -> None:
    first, second = new_client(), new_client()
    type(first).get_object = lambda self: "changed"

    assert first.get_object() == "changed"
    assert type(second).get_object is type(new_client()).get_object


def test_a_tracer_that_makes_the_methods_is_asked(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_client()
    original = ClientCreator._create_api_method

    def traced(self: Any, *args: Any) -> Any:
        method = original(self, *args)
        method.is_traced = True
        return method

    monkeypatch.setattr(ClientCreator, "_create_api_method", traced)
    assert type(new_client()).get_object.is_traced
    monkeypatch.undo()
    assert not hasattr(type(new_client()).get_object, "is_traced")


def test_handlers_of_one_client_are_not_anothers(cpjob: CodePipelineStub) -> None:
    session = boto3.session.Session()
    first, second = (session.client("s3", region_name="us-east-1") for _ in range(2))
    heard: list[object] = []
    first.meta.events.register_first("provide-client-params.s3", lambda **_: heard.append("first"))
    second.meta.events.register_last("provide-client-params.s3", lambda **_: heard.append("last"))
    session.events.register("provide-client-params.s3", lambda **_: heard.append("session"))
    cpjob.add_lambda_job(input_artifacts=["Source"])
    for client in (first, second):
        with pytest.raises(client.exceptions.ClientError):
            client.head_bucket(Bucket="none-such")

    assert heard == ["first", "last"]


def test_nothing_is_shared_outside_of_a_stub() -> None:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    first, second = (
        boto3.session.Session(**keys).client("s3", region_name="us-east-1") for _ in range(2)
    )

    assert type(first).get_object is not type(second).get_object
