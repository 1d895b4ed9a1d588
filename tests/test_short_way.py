"""The short way past botocore: nobody can tell, and who could gets the long way."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any
from unittest.mock import patch

import boto3
import botocore
import botocore.client
import botocore.hooks
import botocore.useragent
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.endpoint import Endpoint
from botocore.exceptions import BotoCoreError, ClientError
from botocore.history import HistoryRecorder
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.model import ServiceModel
from botocore.regions import EndpointRulesetResolver
from botocore.serialize import JSONSerializer
from botocore.stub import Stubber
from botocore.useragent import UserAgentString
from botocore.validate import ParamValidationDecorator, ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.clients import call_router, long_way, short_way
from pytest_cpjob.clients.short_way import ShortWay
from pytest_cpjob.service import job_operations
from pytest_cpjob.service.call_log import CallEntry, Caller, Change
from pytest_cpjob.service.job_service import JOB_OPERATIONS

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}


def client_of(**options: Any) -> Any:
    return boto3.client("codepipeline", region_name="us-east-1", **options)


class Ways:
    """How many calls went the short way."""

    def __init__(self) -> None:
        self.short = 0
        self._original = call_router.success

    def success(self, response: dict[str, Any]) -> dict[str, Any]:
        self.short += 1
        return self._original(response)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    counted = Ways()
    monkeypatch.setattr(call_router, "success", counted.success)
    return counted


def went_short(ways: Ways, call: Callable[[], object]) -> bool:
    before = ways.short
    call()
    return ways.short > before


@pytest.fixture
def cpjob() -> Iterator[CodePipelineStub]:
    with CodePipelineStub(
        allow=["no-result", "unused-fault", "own-role", "refused-request", "not-acknowledged"]
    ) as stub:
        yield stub


def test_the_first_call_of_an_operation_goes_the_short_way(ways: Ways) -> None:
    client = client_of()
    for _ in range(2):  # a client may outlive a stub
        before = ways.short
        with CodePipelineStub(allow=["no-result"]) as cpjob:
            job_id = cpjob.add_job(action_type="Build:Custom:Docs:1").id
            for number in (1, 2):
                client.get_job_details(jobId=job_id)
                client_of().get_job_details(jobId=job_id)
                assert ways.short == before + 2 * number


def test_every_operation_on_jobs_can_go_it(cpjob: CodePipelineStub, ways: Ways) -> None:
    client = client_of()
    partner = {**DOCS, "owner": "ThirdParty"}
    with patch.object(
        call_router.CallRouter,
        "answer_shortly",
        autospec=True,
        side_effect=call_router.CallRouter.answer_shortly,
    ) as answers:
        for _ in range(2):
            for ending in ("success", "failure"):
                given_details = {"failureDetails": {"type": "JobFailed", "message": "no"}}
                result = {} if ending == "success" else given_details
                cpjob.add_job(action_type="Build:Custom:Docs:1")
                [job] = client.poll_for_jobs(actionTypeId=DOCS)["jobs"]
                client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                client.get_job_details(jobId=job["id"])
                getattr(client, f"put_job_{ending}_result")(jobId=job["id"], **result)
                added = cpjob.add_third_party_job(action_type="Build:ThirdParty:Docs:1")
                [polled] = client.poll_for_third_party_jobs(actionTypeId=partner)["jobs"]
                known = {"jobId": polled["jobId"], "clientToken": added.client_token}
                details = client.get_third_party_job_details(**known)["jobDetails"]
                client.acknowledge_third_party_job(**known, nonce=details["nonce"])
                getattr(client, f"put_third_party_job_{ending}_result")(**known, **result)
        seen = Counter(each.args[1].operation for each in answers.call_args_list)
    assert seen.keys() == JOB_OPERATIONS
    assert min(seen.values()) == 2
    assert {job.status for job in cpjob.jobs} == {"Succeeded", "Failed"}


# -- who could tell --------------------------------------------------------------------------------


def hook(event: str) -> Callable[[Any], Any]:
    @contextmanager
    def hooked(client: Any) -> Iterator[None]:
        def handler(**kwargs: Any) -> None: ...

        client.meta.events.register(event, handler)
        yield
        client.meta.events.unregister(event, handler)

    return hooked


def debug_log(name: str | None) -> Callable[[Any], Any]:
    @contextmanager
    def kept(client: Any) -> Iterator[None]:
        logger = logging.getLogger(name)
        before = logger.level
        logger.setLevel(logging.DEBUG)
        yield
        logger.setLevel(before)

    return kept


@contextmanager
def debug_log_with_one_exception(client: Any) -> Iterator[None]:
    others, one = logging.getLogger("botocore"), logging.getLogger("botocore.hooks")
    one.setLevel(logging.WARNING)
    others.setLevel(logging.DEBUG)
    yield
    one.setLevel(logging.NOTSET)
    others.setLevel(logging.NOTSET)


@contextmanager
def history(client: Any) -> Iterator[None]:
    botocore.client.history_recorder.enable()
    yield
    botocore.client.history_recorder.disable()


@contextmanager
def unsigned(client: Any) -> Iterator[None]:
    with patch.object(client.meta.config, "signature_version", botocore.UNSIGNED):
        yield


@contextmanager
def stubber(client: Any) -> Iterator[None]:
    with Stubber(client) as stub:
        for _ in range(2):
            stub.add_response("poll_for_jobs", {"jobs": []})
        yield
        stub.assert_no_pending_responses()


def patched(owner: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    @contextmanager
    def watched(client: Any) -> Iterator[None]:
        with patch.object(owner(client), name, wraps=getattr(owner(client), name)) as seen:
            yield
            assert seen.mock_calls

    return watched


def wrapped(kind: Any, name: str) -> Callable[[Any], Any]:
    @contextmanager
    def watched(client: Any) -> Iterator[None]:
        original, seen = getattr(kind, name), []

        def watch(*args: Any, **kwargs: Any) -> Any:
            seen.append(name)
            return original(*args, **kwargs)

        with patch.object(kind, name, watch):
            yield
        assert seen

    return watched


class Equal:
    """A wrapper that claims to be what it wraps, as those of wrapt do."""

    def __init__(self, wrapped: Any, seen: list[str]) -> None:
        self.wrapped, self.seen = wrapped, seen

    def __eq__(self, other: object) -> bool:
        return bool(self.wrapped == other)

    def __hash__(self) -> int:
        return hash(self.wrapped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def __get__(self, instance: Any, kind: Any) -> Any:
        return self if instance is None else partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.seen.append("called")
        return self.wrapped(*args, **kwargs)


def equal_to(owner: Any, name: str) -> Callable[[Any], Any]:
    @contextmanager
    def watched(client: Any) -> Iterator[None]:
        seen: list[str] = []
        with patch.object(owner, name, Equal(getattr(owner, name), seen)):
            yield
        assert seen

    return watched


LOGS = ("botocore", "botocore.hooks", "botocore.regions", "botocore.client")
EVENTS = ("provide-client-params", "before-parameter-build", "before-call", "after-call")
WATCHERS: dict[str, Callable[[Any], Any]] = {
    **{event: hook(f"{event}.codepipeline.PollForJobs") for event in EVENTS},
    "wildcard": hook("*.codepipeline"),
    "all": hook("before-call"),
    "request-created": hook("request-created.codepipeline"),
    "before-endpoint-resolution": hook("before-endpoint-resolution"),
    **{f"debug log of {name}": debug_log(name) for name in (None, *LOGS)},
    "debug log with one exception": debug_log_with_one_exception,
    "history": history,
    "unsigned": unsigned,
    "Stubber": stubber,
    "on a client": patched(lambda client: client, "_convert_to_request_dict"),
    "on its class": wrapped(BaseClient, "_convert_to_request_dict"),
    "parameters": wrapped(BaseClient, "_emit_api_params"),
    "endpoint's rules": wrapped(BaseClient, "_resolve_endpoint_ruleset"),
    "endpoint": wrapped(Endpoint, "make_request"),
    "an endpoint": patched(lambda client: client._endpoint, "make_request"),
    "serializer": patched(lambda client: client._serializer, "serialize_to_request"),
    "user agent": patched(lambda client: client._user_agent_creator, "to_string"),
    "emitter": wrapped(botocore.hooks.HierarchicalEmitter, "emit"),
    "events": patched(lambda client: client.meta, "events"),
    "function": wrapped(botocore.client, "prepare_request_dict"),
    "user agent's parts": wrapped(botocore.useragent, "modify_components"),
    "an equal method": equal_to(BaseClient, "_emit_api_params"),
    "an equal function": equal_to(botocore.client, "prepare_request_dict"),
    "log": patched(lambda client: botocore.hooks, "logger"),
}


@pytest.mark.parametrize("watcher", WATCHERS.values(), ids=WATCHERS)
def test_who_could_tell_gets_the_long_way(
    cpjob: CodePipelineStub, ways: Ways, watcher: Callable[[Any], Any]
) -> None:
    client = client_of()
    cpjob.add_action_type("Build:Custom:Docs:1")

    def poll() -> object:
        return client.poll_for_jobs(actionTypeId=DOCS)

    assert went_short(ways, poll)
    with watcher(client):
        assert not went_short(ways, poll)
        assert not went_short(ways, poll)
    assert went_short(ways, poll)


@pytest.mark.parametrize("watcher", WATCHERS.values(), ids=WATCHERS)
def test_who_could_tell_from_the_first_call_on_gets_the_long_way(
    cpjob: CodePipelineStub, ways: Ways, watcher: Callable[[Any], Any]
) -> None:
    client = client_of()
    cpjob.add_action_type("Build:Custom:Docs:1")
    with watcher(client):
        for _ in range(2):
            assert not went_short(ways, lambda: client.poll_for_jobs(actionTypeId=DOCS))
    assert went_short(ways, lambda: client.poll_for_jobs(actionTypeId=DOCS))


# -- each place of the long way --------------------------------------------------------------------


def answer_of(client: Any, watched: AbstractContextManager[object]) -> dict[str, Any]:
    """Poll a job of a new stub, always the same one."""
    with CodePipelineStub(seed=1, allow=["no-result", "not-acknowledged"]) as cpjob, watched:
        cpjob.add_job(action_type="Build:Custom:Docs:1")
        return plain(client.poll_for_jobs(actionTypeId=DOCS))


def counting(original: Any, seen: list[str]) -> Any:
    """Return what counts the calls of a function, or of a property's, and calls on."""
    if isinstance(original, property):
        assert original.fget is not None
        return property(counting(original.fget, seen))

    def count(*args: Any, **kwargs: Any) -> Any:
        seen.append(original.__name__)
        return original(*args, **kwargs)

    return count


@contextmanager
def putting_over(owner: Any, name: str, seen: list[str]) -> Iterator[None]:
    """Put a function over what is there now."""
    with patch.object(owner, name, counting(getattr(owner, name), seen)):
        yield


WATCHED_OF_CLIENTS = (
    "_emit_api_params",
    "_resolve_endpoint_ruleset",
    "_convert_to_request_dict",
    "_make_request",
    "_service_model",
)
WATCHED_FUNCTIONS: dict[str, tuple[Any, str]] = {
    **{f"kind.{name}": (BaseClient, name) for name in WATCHED_OF_CLIENTS},
    **{
        f"{kind.__name__}.{name}": (kind, name)
        for kind, names in {
            ServiceModel: ("operation_model",),
            HistoryRecorder: ("record",),
            EventAliaser: ("emit", "emit_until_response", "_alias_event_name"),
            HierarchicalEmitter: ("emit", "emit_until_response", "_emit"),
            EndpointRulesetResolver: ("construct_endpoint",),
            UserAgentString: ("to_string",),
            ParamValidationDecorator: ("serialize_to_request",),
            ParamValidator: ("validate",),
            JSONSerializer: ("serialize_to_request",),
            Endpoint: ("make_request",),
        }.items()
        for name in names
    },
    "botocore.useragent.modify_components": (botocore.useragent, "modify_components"),
    **{
        f"_of_client['{name}']": (botocore.client, name)
        for name in (
            "prepare_request_dict",
            "resolve_checksum_context",
            "apply_request_checksum",
            "maybe_compress_request",
            "first_non_none_response",
            "resolve_auth_scheme_preference",
        )
        if hasattr(botocore.client, name)
    },
}
"""Where a test can put a function over botocore's, by how `long_way` writes the place."""

NOT_CALLED = {"resolve_auth_scheme_preference", "_service_model"}
"""By calls of CodePipeline's; that somebody stands there is enough for the long way."""


def test_no_function_of_the_long_way_is_without_a_test() -> None:
    assert WATCHED_FUNCTIONS.keys() == set(long_way._FUNCTIONS)


@pytest.mark.parametrize(("owner", "name"), WATCHED_FUNCTIONS.values(), ids=list(WATCHED_FUNCTIONS))
def test_a_function_over_one_of_botocores_is_called_and_changes_no_answer(
    ways: Ways, owner: Any, name: str
) -> None:
    client, seen = client_of(), list[str]()
    shortly = answer_of(client, nullcontext())
    assert ways.short == 1

    assert answer_of(client, putting_over(owner, name, seen)) == shortly
    assert ways.short == 1
    assert seen or name in NOT_CALLED


@pytest.mark.parametrize("name", WATCHED_OF_CLIENTS)
def test_a_function_over_one_of_a_clients_own_class_is_one_too(ways: Ways, name: str) -> None:
    client, seen = client_of(), list[str]()
    shortly = answer_of(client, nullcontext())

    assert answer_of(client, putting_over(type(client), name, seen)) == shortly
    assert ways.short == 1
    assert seen or name in NOT_CALLED


PARTS: dict[str, Callable[[Any], Any]] = {
    "client": lambda client: client,
    "model": lambda client: client.meta.service_model,
    "recorder": lambda _: botocore.client.history_recorder,
    "events": lambda client: client.meta.events,
    "emitter": lambda client: client.meta.events._emitter,
    "resolver": lambda client: client._ruleset_resolver,
    "creator": lambda client: client._user_agent_creator,
    "validating": lambda client: client._serializer,
    "validator": lambda client: client._serializer._param_validator,
    "serializer": lambda client: client._serializer._serializer,
    "endpoint": lambda client: client._endpoint,
}
HIDDEN: list[tuple[str, str]] = [
    *(("client", name) for name in WATCHED_OF_CLIENTS),
    ("model", "operation_model"),
    ("recorder", "record"),
    *(("events", name) for name in ("emit", "emit_until_response", "_alias_event_name")),
    *(("emitter", name) for name in ("emit", "emit_until_response", "_emit")),
    ("resolver", "construct_endpoint"),
    ("creator", "to_string"),
    ("validating", "serialize_to_request"),
    ("validator", "validate"),
    ("serializer", "serialize_to_request"),
    ("endpoint", "make_request"),
]
"""What a part of a client can have of its own, in front of its class's."""


def test_no_method_that_can_be_hidden_is_without_a_test() -> None:
    assert len(HIDDEN) == len(long_way._HIDING)


@pytest.mark.parametrize(("part", "name"), HIDDEN)
def test_a_function_that_one_object_has_of_its_own_is_called_and_changes_no_answer(
    ways: Ways, part: str, name: str
) -> None:
    client, seen = client_of(), list[str]()
    shortly = answer_of(client, nullcontext())
    assert ways.short == 1

    @contextmanager
    def hiding() -> Iterator[None]:
        of_it = vars(PARTS[part](client))
        of_it[name] = counting(getattr(PARTS[part](client), name), seen)
        yield
        del of_it[name]

    assert answer_of(client, hiding()) == shortly
    assert ways.short == 1
    assert seen or name in NOT_CALLED


def test_it_is_decided_once_while_nothing_changes(cpjob: CodePipelineStub, ways: Ways) -> None:
    client = client_of()
    cpjob.add_action_type("Build:Custom:Docs:1")
    with patch.object(short_way, "_plan", side_effect=short_way._plan) as deciding:
        for count in (1, 2):
            for _ in range(3):
                client.poll_for_jobs(actionTypeId=DOCS)
            assert deciding.call_count == count
            client.meta.events.register("before-call.codepipeline", lambda **_: None)
    assert ways.short == 3


# -- what botocore would refuse --------------------------------------------------------------------

ODD_CLIENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no region": {"region_name": None},
    "no such region": {"region_name": "nowhere-1"},
    "another partition": {"region_name": "cn-north-1"},
    "endpoint": {"endpoint_url": "http://localhost:4566"},
    "endpoint without a scheme": {"endpoint_url": "localhost"},
    "FIPS": {"config": Config(use_fips_endpoint=True)},
    "FIPS at an endpoint": {
        "endpoint_url": "http://localhost:4566",
        "config": Config(use_fips_endpoint=True),
    },
    "dual stack at an endpoint": {
        "endpoint_url": "http://localhost:4566",
        "config": Config(use_dualstack_endpoint=True),
    },
    "dual stack": {"config": Config(use_dualstack_endpoint=True)},
    "both": {"config": Config(use_dualstack_endpoint=True, use_fips_endpoint=True)},
    "both in a region without": {
        "region_name": "us-iso-east-1",
        "config": Config(use_dualstack_endpoint=True, use_fips_endpoint=True),
    },
    "dual stack in a partition without": {
        "region_name": "eu-isoe-west-1",
        "config": Config(use_dualstack_endpoint=True),
    },
    "no TLS": {"use_ssl": False},
    "user agent": {"config": Config(user_agent="mine", user_agent_extra="more")},
    "user agent that is no text": {"config": Config(user_agent_extra=3)},
    "user agent that is nothing but": {"config": Config(user_agent=3)},
    "application": {"config": Config(user_agent_appid="app")},
    "unsigned": {"config": Config(signature_version=botocore.UNSIGNED)},
    "signature": {"config": Config(signature_version="v2")},
    "no such signature": {"config": Config(signature_version="none")},
    "no validation": {"config": Config(parameter_validation=False)},
    "no host prefix": {"config": Config(inject_host_prefix=False)},
    "adaptive": {"config": Config(retries={"mode": "adaptive", "max_attempts": 2})},
    "legacy": {"config": Config(retries={"mode": "legacy"})},
    "token": {"aws_session_token": "token"},
    "half of the keys": {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"},
}


@pytest.mark.parametrize("options", ODD_CLIENTS.values(), ids=ODD_CLIENTS)
def test_odd_clients_are_answered_as_on_the_long_way(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)

    def outcome() -> object:
        with CodePipelineStub(allow=["no-result"]) as cpjob:
            monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
            job = cpjob.add_job(action_type="Build:Custom:Docs:1")
            try:
                client = boto3.Session(region_name="us-east-1").client("codepipeline", **options)
                return plain(client.get_job_details(jobId=job.id))
            except Exception as error:
                return type(error).__name__, str(error)

    shortly = outcome()
    with patch.object(ShortWay, "plan_for", lambda *_: None):
        assert outcome() == shortly


def test_a_client_without_a_region_is_refused_by_botocore(
    cpjob: CodePipelineStub, ways: Ways
) -> None:
    client = client_of()
    client._ruleset_resolver._builtins["AWS::Region"] = None
    job = cpjob.add_job(action_type="Build:Custom:Docs:1")
    for _ in range(2):
        with pytest.raises(BotoCoreError, match="Region"):
            client.get_job_details(jobId=job.id)
    assert ways.short == 0


def test_a_tracer_from_before_the_stub(ways: Ways) -> None:
    client, traced = client_of(), []
    original = BaseClient._make_api_call

    def tracer(*args: Any) -> Any:
        traced.append(args[1])
        return original(*args)

    with patch.object(BaseClient, "_make_api_call", tracer), CodePipelineStub() as cpjob:
        cpjob.add_action_type("Build:Custom:Docs:1")
        for _ in range(3):
            client.poll_for_jobs(actionTypeId=DOCS)
    assert (len(traced), ways.short) == (3, 0)


def test_a_tracer_inside_the_test_sees_each_call(cpjob: CodePipelineStub, ways: Ways) -> None:
    client = client_of()
    cpjob.add_action_type("Build:Custom:Docs:1")
    with wrapped(BaseClient, "_make_api_call")(client):
        for _ in range(3):
            answer = client.poll_for_jobs(actionTypeId=DOCS)
    assert answer["jobs"] == []


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"jobId": None},
        {"jobId": 3},
        {"jobId": "nope"},
        {"jobId": "x", "unknown": 1},
        {"jobId": "00000000-0000-4000-8000-000000000000"},
    ],
)
def test_refused_requests_are_refused_as_ever(
    cpjob: CodePipelineStub, ways: Ways, params: dict[str, Any]
) -> None:
    job, client = cpjob.add_job(action_type="Build:Custom:Docs:1"), client_of()
    client.get_job_details(jobId=job.id)
    assert ways.short == 1
    with pytest.raises((ClientError, BotoCoreError)):
        client.get_job_details(**params)
    assert ways.short == 1
    assert len(cpjob.calls) == 2


def test_the_service_is_asked_once_for_what_it_refuses(cpjob: CodePipelineStub) -> None:
    client = client_of()
    with patch.object(
        job_operations, "_not_found", side_effect=job_operations._not_found
    ) as refusing:
        for count in (1, 2):
            with pytest.raises(client.exceptions.JobNotFoundException):
                client.get_job_details(jobId="00000000-0000-4000-8000-000000000000")
            assert refusing.call_count == count


def test_faults_and_artifact_credentials(cpjob: CodePipelineStub, ways: Ways) -> None:
    job, client = cpjob.add_lambda_job(), client_of()
    client.get_job_details(jobId=job.id)
    cpjob.fail("GetJobDetails", "ThrottlingException")
    with pytest.raises(ClientError, match="Throttling"):
        client.get_job_details(jobId=job.id)
    given_keys = client.get_job_details(jobId=job.id)["jobDetails"]["data"]["artifactCredentials"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client_of(
            aws_access_key_id=given_keys["accessKeyId"],
            aws_secret_access_key=given_keys["secretAccessKey"],
            aws_session_token=given_keys["sessionToken"],
        ).get_job_details(jobId=job.id)


def test_a_jobs_credentials_from_the_environment_are_refused_on_the_long_way(
    cpjob: CodePipelineStub, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = cpjob.add_lambda_job()
    keys = client_of().get_job_details(jobId=job.id)["jobDetails"]["data"]["artifactCredentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["accessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["secretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["sessionToken"])
    client = boto3.Session().client("codepipeline", region_name="us-east-1")

    before = ways.short
    with pytest.raises(ClientError, match="AccessDenied"):
        client.get_job_details(jobId=job.id)
    assert ways.short == before
    assert cpjob._harness.service.call_log.entries[-1].caller.access_key_id == keys["accessKeyId"]


def test_botocores_quota_of_retries_is_given_back(cpjob: CodePipelineStub, ways: Ways) -> None:
    client = client_of(config=Config(retries={"mode": "standard"}))
    cpjob.add_action_type("Build:Custom:Docs:1")
    client.poll_for_jobs(actionTypeId=DOCS)
    handlers = client.meta.events._emitter._handlers.prefix_search("after-call.codepipeline")
    [quota] = [each.__self__._quota for each in handlers]
    quota.acquire(10)
    left = quota.available_capacity
    assert went_short(ways, lambda: client.poll_for_jobs(actionTypeId=DOCS))
    assert quota.available_capacity == left + 1


# -- both ways -------------------------------------------------------------------------------------

JOB_PARAMS = st.sampled_from(["right", "nonce", "none", "extra", "absent", "other"])
STEPS = st.tuples(
    st.sampled_from(["poll", "acknowledge", "details", "succeed", "continue", "fail"]),
    JOB_PARAMS,
    st.sampled_from(
        ["", "", "", "", "hook", "changes", "log", "tracer", "fault", "thread", "new", "region"]
    ),
)


def params_of(what: str, how: str, job: dict[str, str]) -> tuple[str, dict[str, Any]]:
    params: dict[str, Any] = {"jobId": job["id"]}
    if what == "poll":
        params = {"actionTypeId": dict(DOCS), "maxBatchSize": 1, "queryParam": {}}
    elif what == "acknowledge":
        params["nonce"] = "999" if how == "nonce" else job["nonce"]
    elif what == "succeed":
        params["outputVariables"] = {"pages": "1"}
        params["executionDetails"] = {"summary": "built", "percentComplete": 100}
    elif what == "continue":
        params["continuationToken"] = "more"
    elif what == "fail":
        params["failureDetails"] = {"type": "JobFailed", "message": "no"}
    first = next(iter(params))
    if how == "none":
        params[first] = None
    elif how == "extra":
        params["surplus"] = 1
    elif how == "absent":
        del params[first]
    elif how == "other" and what != "poll":
        params["jobId"] = "00000000-0000-4000-8000-000000000000"
    names = {
        "poll": "poll_for_jobs",
        "acknowledge": "acknowledge_job",
        "details": "get_job_details",
        "succeed": "put_job_success_result",
        "continue": "put_job_success_result",
        "fail": "put_job_failure_result",
    }
    return names[what], params


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without its request's id, of which only the form is fixed."""
    metadata = answer["ResponseMetadata"]
    assert metadata["HTTPHeaders"].pop("x-amzn-requestid") == metadata["RequestId"]
    assert len(metadata.pop("RequestId")) == 36
    return answer


def run(steps: list[tuple[str, str, str]]) -> list[object]:
    """Return all that can be seen of a program's calls."""
    seen: list[object] = []
    client = client_of()
    log = logging.getLogger("botocore.hooks")
    job = {"id": "00000000-0000-4000-8000-000000000000", "nonce": "1"}
    allowed = ["no-result", "refused-request", "not-acknowledged", "second-result", "not-owner"]
    with CodePipelineStub(seed=1, allow=[*allowed, "unused-fault"]) as cpjob:
        for _ in range(3):
            cpjob.add_job(action_type="Build:Custom:Docs:1")
        for what, how, watcher in steps:
            name, params = params_of(what, how, job)
            with ExitStack() as stack:
                if watcher == "new":
                    client = client_of()
                elif watcher == "region":
                    client = boto3.client("codepipeline", region_name="cn-north-1")
                elif watcher in ("hook", "changes"):

                    def handler(params: Any, watcher: str = watcher, **kwargs: Any) -> None:
                        seen.append(("hook", kwargs["event_name"], dict(params)))
                        if watcher == "changes" and "jobId" in params:
                            params["jobId"] = "11111111-0000-4000-8000-000000000000"

                    event = "before-parameter-build.codepipeline"
                    client.meta.events.register(event, handler)
                    stack.callback(client.meta.events.unregister, event, handler)
                elif watcher == "log":
                    stack.callback(log.setLevel, logging.NOTSET)
                    records: list[logging.LogRecord] = []
                    keep = logging.Handler()
                    keep.emit = records.append
                    log.addHandler(keep)
                    stack.callback(log.removeHandler, keep)
                    stack.callback(lambda records=records: seen.append(len(records)))
                    log.setLevel(logging.DEBUG)
                elif watcher == "tracer":
                    original = BaseClient._make_api_call

                    def tracer(*args: Any, original: Any = original) -> Any:
                        seen.append(args[1])
                        return original(*args)

                    stack.enter_context(patch.object(BaseClient, "_make_api_call", tracer))
                elif watcher == "fault":
                    cpjob.fail("GetJobDetails", "ThrottlingException")

                method = getattr(client, name)

                def call(
                    method: Callable[..., Any] = method, params: dict[str, Any] = params
                ) -> None:
                    try:
                        answer = plain(method(**params))
                        seen.append(answer)
                        for polled in answer.get("jobs", ()):
                            job.update(id=polled["id"], nonce=polled["nonce"])
                    except (ClientError, BotoCoreError) as error:
                        seen.append((type(error).__name__, str(error)))

                if watcher == "thread":
                    thread = threading.Thread(target=call, name="other")
                    thread.start()
                    thread.join()
                else:
                    call()
        log_of = cpjob._harness.service.call_log.entries
        for entry in log_of:
            assert isinstance(entry, CallEntry)
            seen.append(noted(entry))
            seen.append(entry.call.thread)
        seen += [job.status for job in cpjob.jobs] + list(cpjob.results)
    return seen


def noted(value: object) -> object:
    """What the record says, down to texts; of an error its class, of a fault nothing."""
    if isinstance(value, BaseException):
        return type(value)
    if isinstance(value, tuple):
        return [noted(each) for each in value]
    if isinstance(value, (CallEntry, Caller, Change)):
        return {name: noted(getattr(value, name)) for name in value.__slots__ if name != "fault"}
    return value


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, min_size=8, max_size=20))
def test_both_ways_look_the_same(steps: list[tuple[str, str, str]]) -> None:
    shortly = run(steps)
    with patch.object(ShortWay, "plan_for", lambda *_: None):
        assert run(steps) == shortly
