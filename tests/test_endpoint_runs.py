"""The endpoint over a whole run: one server, a service for each test, and nothing left running."""

from __future__ import annotations

import os
import re
import socket
import threading
from email.message import Message

import pytest

from pytest_cpjob import CodePipelineStub, CpjobError
from pytest_cpjob.endpoint import server
from pytest_cpjob.endpoint.app import Application
from pytest_cpjob.endpoint.http_server import Answer, HttpRequest
from pytest_cpjob.endpoint.moto_app import MotoApplication
from pytest_cpjob.threads import OURS

pytest.importorskip("flask", reason="the endpoint needs the extra server")
pytest.importorskip("cbor2", reason="the endpoint needs the extra server")

RUN = """
import sys

def run(endpoint, code, *arguments):
    return endpoint.run([sys.executable, "-c", "import boto3, sys\\n" + code, *arguments])

"""


def run(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(RUN + tests)
    return pytester.runpytest("-p", "no:faker", "-p", "no:randomly", *arguments)


def our_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith(OURS)}


def test_a_finding_of_another_process_is_an_error_at_the_end_of_the_test(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
def test_forgets(cpjob, cpjob_endpoint):
    job = cpjob.add_lambda_job()
    code = "boto3.client('codepipeline').get_job_details(jobId=sys.argv[1])"
    assert job.event
    run(cpjob_endpoint, code, job.id)
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ test_forgets _*",
            "no-result: job *",
            "*cpjob timeline of job *",
            "*GetJobDetails*",
        ]
    )


def test_what_moto_does_not_implement_is_an_unfaked_call_and_can_be_allowed(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
import pytest

CODE = "boto3.client('codepipeline').list_webhooks()"

def test_asks(cpjob_endpoint):
    assert "NotImplemented" in run(cpjob_endpoint, CODE).stderr

@pytest.mark.cpjob(allow=["unfaked-call"])
def test_may_ask(cpjob_endpoint):
    assert "NotImplemented" in run(cpjob_endpoint, CODE).stderr

def test_next(cpjob_endpoint):
    pass
""",
    )

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ test_asks _*",
            "unfaked-call: codepipeline.ListWebhooks went to moto, which does not*",
        ]
    )


def test_a_defect_of_the_server_is_an_error_of_the_test_and_no_silent_500(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("pytest_cpjob.endpoint.request_parsing.read", broken)

    result = run(
        pytester,
        """
def test_asks(cpjob_endpoint):
    code = "from botocore.config import Config\\n"
    code += "config = Config(retries={'total_max_attempts': 1})\\n"
    code += "boto3.client('codepipeline', config=config).list_action_types()"
    assert "InternalFailure" in run(cpjob_endpoint, code).stderr
""",
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *- POST /: ZeroDivisionError('a defect')"])


def test_each_test_has_a_service_a_moto_and_an_address_of_its_own(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
import pytest

urls = set()

@pytest.mark.parametrize("number", range(3))
def test_one(cpjob, cpjob_endpoint, number):
    urls.add(cpjob_endpoint.url)
    code = "print(len(boto3.client('s3').list_buckets()['Buckets']))"
    assert run(cpjob_endpoint, code).stdout == "0\\n"
    assert len(cpjob.calls) == 1
    cpjob.add_job(action_type="Build:Custom:Docs:1", input_artifacts=["Source"])
    assert run(cpjob_endpoint, code).stdout == "1\\n"

def test_the_address(cpjob_endpoint):
    assert len({*urls, cpjob_endpoint.url}) == 4
""",
    )

    result.assert_outcomes(passed=4)


def test_a_connection_of_a_test_that_has_ended_is_answered_by_nobody(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
import http.client

connections = []

def ask():
    (connection,) = connections
    connection.request("POST", "/", "{}", {"X-Amz-Target": "CodePipeline_20150709.ListActionTypes"})
    answer = connection.getresponse()
    answer.read()
    return answer.status

def test_one(cpjob_endpoint):
    connections.append(http.client.HTTPConnection(cpjob_endpoint.url.removeprefix("http://")))
    assert ask() == 200

def test_without_the_endpoint(cpjob):
    assert ask() == 503
    assert cpjob.calls == []

def test_two(cpjob, cpjob_endpoint):
    assert ask() == 503
    assert cpjob.calls == []
    connections.pop().close()
""",
    )

    result.assert_outcomes(passed=3)


def test_at_the_end_of_the_run_the_port_and_every_connection_are_closed(
    pytester: pytest.Pytester,
) -> None:
    before = our_threads()
    result = run(
        pytester,
        """
import socket
from urllib.parse import urlsplit

def test_leaves_a_connection(cpjob_endpoint):
    parts = urlsplit(cpjob_endpoint.url)
    left = socket.create_connection((parts.hostname, parts.port))
    left.sendall(b"POST / HTTP/1.1\\r\\nContent-Length: 10\\r\\n\\r\\n")
    print("left", left.detach(), "at", parts.port, "open")
""",
        "-s",
    )

    result.assert_outcomes(passed=1)
    for thread in our_threads() - before:
        thread.join(10)
    assert our_threads() == before
    told = re.search(r"left (\d+) at (\d+) open", result.stdout.str())
    assert told is not None
    os.close(int(told[1]))
    with pytest.raises(ConnectionRefusedError), socket.socket() as caller:
        caller.connect(("127.0.0.1", int(told[2])))


def test_what_is_being_answered_at_the_end_of_a_test_is_answered_before(
    cpjob: CodePipelineStub,
) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    class SlowMoto(MotoApplication):
        def __init__(self) -> None:
            """Load nothing."""

        def answer(self, request: HttpRequest) -> Answer:
            asked.set()
            may_answer.wait(30)
            return Answer(200, [], b"")

    application = Application(SlowMoto())
    application.serve(cpjob._harness)
    request = HttpRequest("GET", "/bucket/key", Message(), b"", 1)
    caller = threading.Thread(target=application.respond, args=(request,))
    caller.start()
    assert asked.wait(30)
    end = threading.Thread(target=application.serve, args=(None,))
    end.start()

    end.join(0.1)
    assert end.is_alive()
    assert cpjob.calls == []
    may_answer.set()
    end.join(30)

    assert [call.operation for call in cpjob.calls] == ["GetObject"]
    caller.join(30)
    refused = application.respond(request)
    assert refused is not None
    assert refused.status == 503


@pytest.mark.parametrize("missing", ["cbor2", "flask", "flask_cors"])
def test_without_the_extra_the_error_names_it(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    found = server.find_spec
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == missing else found(name))

    with pytest.raises(CpjobError) as caught:
        server.EndpointServer()

    assert str(caught.value) == (
        f"the endpoint needs {missing!r}: pip install 'pytest-cpjob[server]'"
    )
