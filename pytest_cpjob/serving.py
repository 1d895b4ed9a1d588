"""`pytest-cpjob serve`: the endpoint for hand work, from prepared jobs to the findings."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_cpjob.contract.findings import report_of
from pytest_cpjob.contract.leaks import mask
from pytest_cpjob.endpoint.server import EndpointServer, environment
from pytest_cpjob.job import Job
from pytest_cpjob.stub import CodePipelineStub

_KINDS: Final = {
    "job": "add_job",
    "lambda": "add_lambda_job",
    "third-party": "add_third_party_job",
}


def serve(given: argparse.Namespace) -> int:
    """Run the service until Ctrl-C; give 1 when there are findings.

    Raises:
        ValueError: a job that AWS could not send, or a file that is no list of jobs.
        CpjobError: the extra `server` is not installed.
    """
    wanted = [{"action_type": name} for name in given.job]
    if given.jobs is not None:
        wanted += _read_jobs(Path(given.jobs))
    stub = CodePipelineStub(seed=given.seed, region=given.region, account_id=given.account_id)
    server = EndpointServer(given.port, on_call=_say)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    stub.start()
    try:
        stub.store.start()
        jobs = [_add(stub, job) for job in wanted]
        server.serve(stub)
        for name, value in environment(server.url, given.region).items():
            print(f"export {name}={shlex.quote(value)}")
        for job in jobs:
            _introduce(job)
        _say("serving until Ctrl-C")
        while not ended.wait(0.2):
            pass
        return _findings(stub)
    finally:
        server.serve(None)
        stub.stop()
        server.stop()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _read_jobs(path: Path) -> list[dict[str, Any]]:
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        jobs = json.loads(text)
    else:
        import yaml

        try:
            jobs = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is no YAML: {error}") from None
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise ValueError(f"{path}: expected a list of jobs, each with names and values")
    return jobs


def _add(stub: CodePipelineStub, wanted: Mapping[str, Any]) -> Job:
    arguments = dict(wanted)
    kind = arguments.pop("kind", "job")
    if kind not in _KINDS:
        raise ValueError(f"kind: expected one of {', '.join(_KINDS)}, got {kind!r}")
    inputs = arguments.get("input_artifacts")
    if isinstance(inputs, Mapping):
        arguments["input_artifacts"] = {
            name: Path(content) if isinstance(content, str) else content
            for name, content in inputs.items()
        }
    try:
        job: Job = getattr(stub, _KINDS[kind])(**arguments)
    except TypeError as error:
        raise ValueError(f"a job of kind {kind}: {error}") from None
    return job


def _introduce(job: Job) -> None:
    _say(f"job {job.id} {job.facts.action_type} {job.status}")
    if job.client_token is not None:
        _say(f"  client id {job.client_id}, client token {job.client_token}")
    if job.status == "InProgress":
        print(json.dumps(job.event))
    for name, artifact in {**job.input_artifacts, **job.output_artifacts}.items():
        _say(f"  {name}: {artifact.uri}")


def _findings(stub: CodePipelineStub) -> int:
    found: Iterable[Any] = stub.witness.new_findings()
    for job in stub.jobs:
        _say(f"job {job.id}: {job.status}")
    if not found:
        _say("nothing that CodePipeline would have minded")
        return 0
    _say(mask(stub.service, report_of(list(found))))
    return 1
