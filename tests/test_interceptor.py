"""Every botocore client in the process is answered, and nothing is left behind."""

from __future__ import annotations

import functools
import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import botocore.hooks
import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError
from botocore.hooks import EventAliaser
from botocore.httpsession import URLLib3Session
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session
from botocore.signers import RequestSigner

from pytest_cpjob import CodePipelineStub, JobSuccess

EARLY = boto3.client("codepipeline", region_name="eu-west-1")
EARLY_RESOURCE = boto3.resource("dynamodb", region_name="eu-west-1")
EARLY_SESSION = boto3.Session(region_name="eu-west-1")

UNKNOWN = "11111111-2222-4333-8444-555555555555"


def from_botocore_session() -> Any:
    return botocore.session.get_session().create_client("codepipeline", region_name="us-west-2")


def without_credentials() -> Any:
    session = botocore.session.Session()
    session.get_component("credential_provider").providers.clear()
    return session.create_client("codepipeline", region_name="us-west-2")


MAKERS: dict[str, Callable[[], Any]] = {
    "made at import": lambda: EARLY,
    "boto3.client": lambda: boto3.client("codepipeline", region_name="us-west-2"),
    "boto3.Session": lambda: boto3.Session(region_name="us-west-2").client("codepipeline"),
    "a session made at import": lambda: EARLY_SESSION.client("codepipeline"),
    "botocore.session": from_botocore_session,
    "no credentials at all": without_credentials,
    "an endpoint of its own": lambda: boto3.client(
        "codepipeline", region_name="us-west-2", endpoint_url="https://vpce-1.example.invalid"
    ),
    "explicit credentials": lambda: boto3.client(
        "codepipeline",
        region_name="us-west-2",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="a" * 40,
    ),
    "an asynchronous retry mode": lambda: boto3.client(
        "codepipeline",
        region_name="us-west-2",
        config=Config(retries={"mode": "adaptive", "max_attempts": 3}),
    ),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_a_client_of_any_kind_is_answered(cpjob: CodePipelineStub, make: Callable[[], Any]) -> None:
    job = cpjob.add_lambda_job(user_parameters={"theme": "dark"})

    client = make()
    details = client.get_job_details(jobId=job.id)
    client.put_job_success_result(jobId=job.id, outputVariables={"pages": "1"})

    assert details["jobDetails"] == job.details["jobDetails"]
    assert job.status == "Succeeded"
    assert [call.operation for call in job.calls] == ["GetJobDetails", "PutJobSuccessResult"]


def test_a_resources_client_is_met_and_its_records_show_what_the_code_passed(
    cpjob: CodePipelineStub,
) -> None:
    cpjob.fail("PutItem", "ThrottlingException", service="dynamodb")

    with pytest.raises(ClientError, match="ThrottlingException"):
        EARLY_RESOURCE.meta.client.put_item(TableName="pages", Item={"name": "index"})

    (call,) = cpjob.calls
    assert (call.service, call.operation) == ("dynamodb", "PutItem")
    # boto3's own handler has turned the item into DynamoDB's types in place by then.
    assert call.request == {"TableName": "pages", "Item": {"name": "index"}}


def test_a_paginator_is_answered(cpjob: CodePipelineStub) -> None:
    cpjob.add_action_type("Build:Custom:Docs:1")

    pages = EARLY.get_paginator("list_action_types").paginate(actionOwnerFilter="Custom")

    assert [found["id"]["provider"] for page in pages for found in page["actionTypes"]] == ["Docs"]


def test_threads_that_share_a_client_never_met_before_are_all_answered_once(
    cpjob: CodePipelineStub,
) -> None:
    client = boto3.client("codepipeline", region_name="us-west-2")
    jobs = [cpjob.add_lambda_job() for _ in range(16)]
    together = threading.Barrier(len(jobs))

    def report(job_id: str) -> None:
        together.wait(10)
        client.put_job_success_result(jobId=job_id)

    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(report, [job.id for job in jobs]))

    assert {job.status for job in jobs} == {"Succeeded"}
    assert sorted(call.job_ids[0] for call in cpjob.calls) == sorted(job.id for job in jobs)


def test_errors_are_the_clients_own_modelled_exceptions(cpjob: CodePipelineStub) -> None:
    with pytest.raises(EARLY.exceptions.JobNotFoundException) as caught:
        EARLY.get_job_details(jobId=UNKNOWN)

    assert caught.value.operation_name == "GetJobDetails"
    assert caught.value.response["Error"]["Code"] == "JobNotFoundException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_response_metadata_is_as_botocore_gives_it(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()

    metadata = EARLY.get_job_details(jobId=job.id)["ResponseMetadata"]
    nothing_else = EARLY.put_job_success_result(jobId=job.id)

    assert metadata["HTTPStatusCode"] == 200
    assert metadata["RetryAttempts"] == 0
    assert metadata["HTTPHeaders"]["x-amzn-requestid"] == metadata["RequestId"]
    assert list(nothing_else) == ["ResponseMetadata"]
    assert nothing_else["ResponseMetadata"]["RequestId"] != metadata["RequestId"]


def test_botocore_validates_parameters_before_us() -> None:
    with CodePipelineStub() as cpjob:
        job = cpjob.add_lambda_job()
        with pytest.raises(ParamValidationError, match="failureDetails"):
            EARLY.put_job_failure_result(jobId=job.id)

    assert job.status == "InProgress"
    assert [call.error for call in cpjob.calls] == ["ParamValidationError"]


def test_what_others_change_in_place_later_changes_neither_the_record_nor_the_result(
    cpjob: CodePipelineStub,
) -> None:
    client = boto3.client("codepipeline", region_name="us-west-2")

    def spoil(params: dict[str, Any], **_: object) -> None:
        params["body"] = b""

    client.meta.events.register_first("before-call.codepipeline.PutJobSuccessResult", spoil)
    job = cpjob.add_lambda_job()
    variables = {"pages": "1"}
    client.put_job_success_result(jobId=job.id, outputVariables=variables)
    variables["pages"] = "2"
    details = client.get_job_details(jobId=job.id)
    details["jobDetails"]["data"].clear()

    assert job.result == JobSuccess(output_variables={"pages": "1"})
    assert cpjob.calls[0].request["outputVariables"] == {"pages": "1"}
    assert job.details["jobDetails"]["data"]


# -- others who wrap the same place ----------------------------------------------------------------


def tracing(seen: list[str], original: Callable[..., Any]) -> Callable[..., Any]:
    """What X-Ray, Datadog and OpenTelemetry put in the place that we wrap."""

    def _make_api_call(self: Any, operation_name: str, api_params: Any) -> Any:
        seen.append(operation_name)
        return original(self, operation_name, api_params)

    return _make_api_call


def test_a_tracer_that_wrapped_before_us_sees_the_calls_and_is_there_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    tracer = tracing(seen, BaseClient._make_api_call)
    monkeypatch.setattr(BaseClient, "_make_api_call", tracer)

    with CodePipelineStub() as cpjob:
        EARLY.put_job_success_result(jobId=cpjob.add_lambda_job().id)

    assert seen == ["PutJobSuccessResult"]
    assert BaseClient._make_api_call is tracer


def test_a_tracer_that_wrapped_after_us_stays_and_we_are_inert_inside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(BaseClient, "_make_api_call", BaseClient._make_api_call)
    with CodePipelineStub() as first:
        tracer = tracing(seen, BaseClient._make_api_call)
        BaseClient._make_api_call = tracer
        EARLY.put_job_success_result(jobId=first.add_lambda_job().id)

    assert BaseClient._make_api_call is tracer
    with pytest.raises(NoCredentialsError):
        without_credentials().get_job_details(jobId=UNKNOWN)
    assert len(first.calls) == 1

    with CodePipelineStub() as second:
        EARLY.put_job_success_result(jobId=second.add_lambda_job().id)
    assert BaseClient._make_api_call is tracer
    assert (len(first.calls), len(second.calls)) == (1, 1)
    assert seen == ["PutJobSuccessResult", "GetJobDetails", "PutJobSuccessResult"]


def test_a_tracer_that_wraps_once_during_a_test_sees_the_calls_of_all_later_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """X-Ray's patch() and Datadog's do so, where the code under test is imported in a test."""
    wrapt = pytest.importorskip("wrapt", reason="no extra has it: aws-xray-sdk brings it")
    seen: list[str] = []

    def traced(wrapped: Any, client: Any, args: Any, kwargs: Any) -> Any:
        seen.append(args[0])
        return wrapped(*args, **kwargs)

    monkeypatch.setattr(BaseClient, "_make_api_call", BaseClient._make_api_call)
    counts = []
    for number in range(4):
        with CodePipelineStub() as cpjob:
            if number == 1:
                wrapt.wrap_function_wrapper("botocore.client", "BaseClient._make_api_call", traced)
                tracer = vars(BaseClient)["_make_api_call"]
            for _ in range(4):
                EARLY.put_job_success_result(jobId=cpjob.add_lambda_job().id)
            counts.append((len(cpjob.calls), len(seen)))

    assert counts == [(4, 0), (4, 4), (4, 8), (4, 12)]
    assert vars(BaseClient)["_make_api_call"] is tracer


def test_a_tracer_that_wraps_in_each_test_and_stays_adds_no_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BaseClient, "_make_api_call", BaseClient._make_api_call)
    layers = []
    for _ in range(3):
        seen: list[str] = []
        with CodePipelineStub() as cpjob:
            there = BaseClient._make_api_call
            BaseClient._make_api_call = functools.wraps(there)(tracing(seen, there))
            EARLY.put_job_success_result(jobId=cpjob.add_lambda_job().id)
            layers.append(len(list(wrapped(BaseClient._make_api_call))))
        assert (seen, len(cpjob.calls)) == (["PutJobSuccessResult"], 1)

    assert layers == layers[:1] * 3


def test_a_mock_that_was_there_before_a_stub_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def use(method: Callable[..., Any]) -> weakref.ref[Any]:
        with monkeypatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", method)
            with CodePipelineStub():
                pass
        return weakref.ref(method)

    with CodePipelineStub():
        pass
    kept = use(tracing([], BaseClient._make_api_call))
    gc.collect()

    assert kept() is None


def test_a_function_of_botocores_whose_code_is_replaced_sees_the_calls() -> None:
    seen: list[str] = []

    def watching(self: Any, event_name: str, **kwargs: Any) -> Any:
        _seen.append(event_name)  # noqa: F821  # a global of the function whose code is replaced
        return self._emitter.emit(self._alias_event_name(event_name), **kwargs)

    with CodePipelineStub() as cpjob:
        EARLY.put_job_success_result(jobId=cpjob.add_lambda_job().id)
    before = EventAliaser.emit.__code__
    vars(botocore.hooks)["_seen"] = seen
    try:
        EventAliaser.emit.__code__ = watching.__code__
        with CodePipelineStub() as cpjob:
            EARLY.put_job_success_result(jobId=cpjob.add_lambda_job().id)
    finally:
        EventAliaser.emit.__code__ = before
        del vars(botocore.hooks)["_seen"]

    assert any(name.startswith("before-call") or "before-parameter" in name for name in seen)


def wrapped(function: Any) -> Iterator[Any]:
    while function is not None:
        yield function
        function = vars(function).get("__wrapped__")


def test_a_client_class_that_overrides_the_call_is_reached_through_its_super(
    cpjob: CodePipelineStub,
) -> None:
    seen = []

    class Traced:
        def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
            seen.append(operation_name)
            return super()._make_api_call(operation_name, api_params)

    session = boto3.Session(region_name="us-west-2")
    session.events.register(
        "creating-client-class.codepipeline",
        lambda base_classes, **_: base_classes.insert(0, Traced),
    )
    job = cpjob.add_lambda_job()
    session.client("codepipeline").put_job_success_result(jobId=job.id)

    assert (seen, job.status) == (["PutJobSuccessResult"], "Succeeded")


# -- nothing left behind ---------------------------------------------------------------------------


def handlers_of(client: Any) -> list[object]:
    emitter = client.meta.events._emitter
    return [
        handler
        for event in ("before-call.x.y", "after-call.x.y", "before-send.x.y", "request-created.x")
        for handler in emitter._handlers.prefix_search(event)
    ]


def process_state() -> dict[str, object]:
    return {
        "call": vars(BaseClient)["_make_api_call"],
        "subclass": vars(BaseClient).get("__init_subclass__"),
        "send": vars(URLLib3Session)["send"],
        "sign": vars(RequestSigner)["get_auth_instance"],
        "refresh": vars(RefreshableCredentials)["_refresh"],
        "credentials": vars(Session)["get_credentials"],
        "files": vars(JSONFileLoader)["load_file"],
        "listings": vars(Loader)["list_available_services"],
        "default session": boto3.DEFAULT_SESSION,
        "set up": boto3.setup_default_session,
        "environment": dict(os.environ),
    }


@pytest.mark.parametrize("with_artifacts", [False, True])
def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, *, with_artifacts: bool) -> None:
    import moto  # noqa: F401  # its import is no state of ours

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    early_s3 = boto3.Session().client("s3", region_name="eu-west-1")
    clients = (EARLY, early_s3, EARLY_RESOURCE.meta.client)
    before = process_state(), [handlers_of(client) for client in clients]

    with CodePipelineStub() as cpjob:
        job = cpjob.add_lambda_job(input_artifacts=["Source"] if with_artifacts else None)
        EARLY.put_job_success_result(jobId=job.id)
        boto3.client("codepipeline", region_name="us-west-2").get_job_details(jobId=job.id)
        if with_artifacts:
            early_s3.list_buckets()
            EARLY_RESOURCE.meta.client.list_tables()

    assert (process_state(), [handlers_of(client) for client in clients]) == before


def test_a_session_made_before_does_not_keep_the_dummy_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b" * 40)
    session = boto3.Session(region_name="us-west-2")

    with CodePipelineStub() as cpjob:
        session.client("codepipeline").get_job_details(jobId=cpjob.add_lambda_job().id)
        assert session.get_credentials().access_key == "AKIACPJOBOWNROLE0000"

    assert session.get_credentials().access_key == "AKIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("codepipeline", "ListActionTypes", "ThrottlingException"),
        ("s3", "ListBuckets", "SlowDown"),
        ("dynamodb", "ListTables", "ThrottlingException"),
    ],
)
def test_clients_that_were_met_are_not_kept_alive(
    cpjob: CodePipelineStub, service: str, operation: str, code: str
) -> None:
    cpjob.fail(operation, code, service=service)
    client = boto3.Session().client(service, region_name="us-west-2")
    with pytest.raises(ClientError, match=code):
        client._make_api_call(operation, {})
    emitter, alive = weakref.ref(client.meta.events._emitter), weakref.ref(client)

    del client
    gc.collect()

    assert (alive(), emitter()) == (None, None)
