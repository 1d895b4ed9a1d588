"""`pytest-cpjob serve`: the endpoint to try out by hand, from prepared jobs to the findings."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pytest_cpjob.aws.environment import NOT_WHILE_ACTIVE
from pytest_cpjob.cli.exports import exports
from pytest_cpjob.contract.masking import mask
from pytest_cpjob.contract.reports import report_of
from pytest_cpjob.endpoint.server import EndpointServer, environment
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.job import Job
from pytest_cpjob.requirements import require
from pytest_cpjob.stub import CodePipelineStub

_KINDS: Final = {
    "job": "add_job",
    "lambda": "add_lambda_job",
    "third-party": "add_third_party_job",
}
_KIND_OF_OWNER: Final = {"AWS": "lambda", "ThirdParty": "third-party"}


def serve(given: argparse.Namespace, jobs_of_options: Sequence[Mapping[str, Any]]) -> int:
    """Run the service until Ctrl-C; return 1 if there are findings or answers failed, else 0.

    Raises:
        ValueError: a job that AWS could not send, or a file that is not a list of jobs.
        CpjobError: the extra `server` is not installed.
        OSError: the port is in use, or a file cannot be read.
    """
    wanted = [*jobs_of_options, *(_read_jobs(given.jobs) if given.jobs is not None else ())]
    in_the_way = _in_the_way()  # read first: the stub removes some of them from this process
    stub = CodePipelineStub(seed=given.seed, region=given.region, account_id=given.account_id)
    with _until_interrupted() as interrupted:
        server = EndpointServer(given.port, _say, given.allow_host)
        try:
            stub._start()
            harness = stub._harness
            harness.store.start()
            jobs = [_add(stub, job) for job in wanted]
            server.wait_until_ready()
            server.serve(harness)
            variables = environment(server.url, given.region)
            for line in exports(given.shell, in_the_way, variables):
                print(line, flush=True)
            for job in jobs:
                _introduce(job)
            _say("serving until Ctrl-C")
            while not interrupted.wait(
                0.2
            ):  # on Windows, Ctrl-C does not interrupt a wait without a time-out
                pass
            return _ended(server, stub)
        finally:
            server.stop()
            stub._harness.stop()


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C (SIGINT), or the stop of a container (SIGTERM), sets."""
    interrupted = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: interrupted.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_the_way() -> list[str]:
    """Return the variables to unset: they would override the exports in the user's shell."""
    elsewhere = {name for name in os.environ if name.startswith("AWS_ENDPOINT_URL_")}
    return sorted(elsewhere.union(os.environ.keys() & set(NOT_WHILE_ACTIVE)))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _read_jobs(name: str) -> list[dict[str, Any]]:
    import yaml

    require("pyyaml")
    path = Path(name)
    try:
        text = path.read_text("utf-8")
        jobs = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        kind = "JSON" if path.suffix == ".json" else "YAML"
        raise ValueError(f"{name} is not valid {kind}: {error}") from None
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise ValueError(
            f"{name}: expected a list of jobs, each a mapping of argument names to values"
        )
    return jobs


def _add(stub: CodePipelineStub, wanted: Mapping[str, Any]) -> Job:
    arguments = dict(wanted)
    kind = arguments.pop("kind", None) or _kind_of(arguments.get("action_type"))
    if not isinstance(kind, str) or kind not in _KINDS:
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


def _kind_of(action_type: object) -> str:
    """Return a job's kind, by its action type's owner."""
    owner = ""
    if isinstance(action_type, str):
        owner = action_type.partition(":")[2].partition(":")[0]
    elif isinstance(action_type, Mapping):
        owner = str(action_type.get("owner", ""))
    return _KIND_OF_OWNER.get(owner, "job")


def _introduce(job: Job) -> None:
    _say(f"job {job.id} {job.facts.action_type} {job.status}")
    if job.client_token is not None:
        _say(f"  client id {job.client_id}, client token {job.client_token}")
    if job.status == "InProgress":
        _say(f"  event {json.dumps(job.event)}")
    for name, artifact in {**job.input_artifacts, **job.output_artifacts}.items():
        _say(f"  {name}: {artifact.uri}")


def _ended(server: EndpointServer, stub: CodePipelineStub) -> int:
    code = 0
    try:
        server.end()
    except CpjobError as error:
        _say(str(error))
        code = 1
    for job in stub.jobs:
        _say(f"job {job.id}: {job.status}")
    found = stub._harness.inspection.new_findings()
    if found:
        _say(mask(stub._harness.service, report_of(found, in_pytest=False)))
        return 1
    _say("no findings")
    return code
