"""The short way past botocore: nobody can tell, and who could gets the long way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import boto3
import botocore
import botocore.client
import botocore.hooks
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.endpoint import Endpoint
from botocore.exceptions import BotoCoreError, ClientError
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.clients import call_router
from pytest_cpjob.clients.short_way import ShortWay
from pytest_cpjob.service.call_log import CallEntry
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


def test_the_third_call_of_an_operation_goes_the_short_way(
    cpjob: CodePipelineStub, ways: Ways
) -> None:
    job, client = cpjob.add_job(action_type="Build:Custom:Docs:1"), client_of()
    assert [went_short(ways, lambda: client.get_job_details(jobId=job.id)) for _ in range(4)] == [
        False,
        False,
        True,
        True,
    ]


def test_every_operation_on_jobs_can_go_it(cpjob: CodePipelineStub, ways: Ways) -> None:
    client = client_of()
    partner = {**DOCS, "owner": "ThirdParty"}
    with patch.object(
        call_router.CallRouter,
        "answer_shortly",
        autospec=True,
        side_effect=call_router.CallRouter.answer_shortly,
    ) as answers:
        for _ in range(3):
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
        seen = {each.args[1].operation for each in answers.call_args_list}
    assert seen == JOB_OPERATIONS
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


@contextmanager
def debug_log(client: Any) -> Iterator[None]:
    logger = logging.getLogger("botocore.hooks")
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(logging.NOTSET)


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


EVENTS = ("provide-client-params", "before-parameter-build", "before-call", "after-call")
WATCHERS: dict[str, Callable[[Any], Any]] = {
    **{event: hook(f"{event}.codepipeline.PollForJobs") for event in EVENTS},
    "wildcard": hook("*.codepipeline"),
    "all": hook("before-call"),
    "request-created": hook("request-created.codepipeline"),
    "before-endpoint-resolution": hook("before-endpoint-resolution"),
    "debug log": debug_log,
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

    poll()
    poll()
    assert went_short(ways, poll)
    with watcher(client):
        assert not went_short(ways, poll)
        assert not went_short(ways, poll)
    poll()
    assert went_short(ways, poll)


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
    client.get_job_details(jobId=job.id)
    count = len(cpjob.calls)
    with pytest.raises((ClientError, BotoCoreError)):
        client.get_job_details(**params)
    assert ways.short == 0
    assert len(cpjob.calls) == count + 1


def test_faults_and_artifact_credentials(cpjob: CodePipelineStub, ways: Ways) -> None:
    job, client = cpjob.add_lambda_job(), client_of()
    client.get_job_details(jobId=job.id)
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


def test_botocores_quota_of_retries_is_given_back(cpjob: CodePipelineStub, ways: Ways) -> None:
    client = client_of(config=Config(retries={"mode": "standard"}))
    cpjob.add_action_type("Build:Custom:Docs:1")
    client.poll_for_jobs(actionTypeId=DOCS)
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
    st.sampled_from(["", "", "", "", "hook", "changes", "log", "tracer", "fault", "thread"]),
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
                if watcher in ("hook", "changes"):

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
                    keep.emit = records.append  # type: ignore[method-assign]
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

                def call(name: str = name, params: dict[str, Any] = params) -> None:
                    try:
                        answer = plain(getattr(client, name)(**params))
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
            seen.append(entry._replace(error=type(entry.error), fault=None))
            seen.append(entry.call.thread)
        seen += [job.status for job in cpjob.jobs] + list(cpjob.results)
    return seen


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, min_size=8, max_size=20))
def test_both_ways_look_the_same(steps: list[tuple[str, str, str]]) -> None:
    shortly = run(steps)
    with patch.object(ShortWay, "plan_for", lambda *_: None):
        assert run(steps) == shortly
