"""aiobotocore's clients are answered too, whether it was imported before the stub or after."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from user_projects import run_program

from pytest_cpjob import CodePipelineStub, ContractError, UnfakedCallError

aiobotocore_session = pytest.importorskip(
    "aiobotocore.session", reason="aiobotocore pins an older botocore: it is tested by itself"
)


def run(service: str, use: Callable[[Any], Awaitable[Any]], **arguments: Any) -> Any:
    async def main() -> Any:
        session = aiobotocore_session.get_session()
        async with session.create_client(service, region_name="us-east-1", **arguments) as client:
            return await use(client)

    return asyncio.run(main())


def test_a_call_is_answered_in_process(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()

    async def report(client: Any) -> Any:
        details = await client.get_job_details(jobId=job.id)
        await client.put_job_success_result(jobId=job.id, outputVariables={"pages": "1"})
        return details

    details = run("codepipeline", report)

    assert details["jobDetails"] == job.details["jobDetails"]
    assert job.status == "Succeeded"
    assert [call.operation for call in cpjob.calls] == ["GetJobDetails", "PutJobSuccessResult"]


def test_an_error_is_the_clients_own_modelled_exception(cpjob: CodePipelineStub) -> None:
    async def ask(client: Any) -> str:
        with pytest.raises(client.exceptions.JobNotFoundException):
            await client.get_job_details(jobId="11111111-2222-4333-8444-555555555555")
        return "asked"

    assert run("codepipeline", ask) == "asked"


def test_many_calls_at_once_each_get_their_own_answer(cpjob: CodePipelineStub) -> None:
    jobs = [cpjob.add_lambda_job() for _ in range(10)]

    async def ask(client: Any) -> list[Any]:
        return await asyncio.gather(*(client.get_job_details(jobId=job.id) for job in jobs))

    answers = run("codepipeline", ask)

    assert [answer["jobDetails"]["id"] for answer in answers] == [job.id for job in jobs]
    assert {call.job_ids for call in cpjob.calls} == {(job.id,) for job in jobs}


@pytest.mark.parametrize("explicit", [False, True])
def test_an_unfaked_s3_call_is_stopped_and_reported(*, explicit: bool) -> None:
    arguments = (
        {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "a" * 40}
        if explicit
        else {}
    )

    async def call(client: Any) -> None:
        with pytest.raises(UnfakedCallError, match=r"s3\.ListBuckets was blocked before"):
            await client.list_buckets()

    with (
        pytest.raises(ContractError, match=r"unfaked-call .*: s3\.ListBuckets"),
        CodePipelineStub(),
    ):
        run("s3", call, **arguments)


def test_what_is_not_the_jobs_is_refused_by_its_bucket(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    source = job.input_artifacts["Source"]

    async def read(client: Any) -> str:
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            await client.get_object(Bucket=source.bucket, Key=source.key)
        return "refused"

    assert run("s3", read) == "refused"
    with pytest.raises(ContractError, match="own-role"):
        cpjob.check()


def test_what_it_sends_to_a_server_of_s3_arrives_there(cpjob: CodePipelineStub) -> None:
    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"theirs")

        def log_message(self, *_: object) -> None: ...

    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    source = job.input_artifacts["Source"]
    keys = job.event["CodePipeline.job"]["data"]["artifactCredentials"]

    async def read(client: Any) -> bytes:
        got = await client.get_object(Bucket=source.bucket, Key=source.key)
        content: bytes = await got["Body"].read()
        return content

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.handle_request, name="pytest-cpjob: a test's").start()
        content = run(
            "s3",
            read,
            endpoint_url=f"http://localhost:{server.server_port}",
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            aws_session_token=keys["sessionToken"],
        )

    assert content == b"theirs"
    cpjob.client().put_job_success_result(jobId=job.id)


def test_nothing_is_left_behind() -> None:
    client_class = sys.modules["aiobotocore.client"].AioBaseClient
    signer = sys.modules["aiobotocore.signers"].AioRequestSigner
    http = sys.modules["aiobotocore.httpsession"].AIOHTTPSession

    def state() -> list[object]:
        return [
            vars(client_class)["_make_api_call"],
            vars(signer)["get_auth_instance"],
            vars(http)["send"],
        ]

    before = state()
    with CodePipelineStub():
        assert all(now is not then for now, then in zip(state(), before, strict=True))
    assert state() == before


def test_imported_under_the_stub_it_is_reached_and_restored_too() -> None:
    program = """
import asyncio, sys
from pytest_cpjob import CodePipelineStub, UnfakedCallError

async def main(job):
    from aiobotocore.session import get_session
    session = get_session()
    async with session.create_client("codepipeline", region_name="us-east-1") as client:
        await client.put_job_success_result(jobId=job.id)
    async with session.create_client("s3", region_name="us-east-1") as client:
        try:
            await client.list_buckets()
        except UnfakedCallError:
            print("stopped")

with CodePipelineStub(allow=["unfaked-call"]) as cpjob:
    assert "aiobotocore" not in sys.modules
    job = cpjob.add_lambda_job()
    asyncio.run(main(job))
    print(job.status)

from aiobotocore.client import AioBaseClient
from aiobotocore.httpsession import AIOHTTPSession
print(AioBaseClient._make_api_call.__module__, AIOHTTPSession.send.__module__)
from botocore.client import BaseClient
assert "__init_subclass__" not in vars(BaseClient)
"""

    ended = run_program(program)

    assert ended.stderr == ""
    stopped, status, modules = ended.stdout.splitlines()
    assert (stopped, status) == ("stopped", "Succeeded")
    assert "aiobotocore.httpsession" in modules
    assert "pytest_cpjob" not in modules
