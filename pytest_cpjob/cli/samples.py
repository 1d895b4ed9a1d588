"""`pytest-cpjob details`, `poll`, `third-party` and `event`: sample documents of a job."""

from __future__ import annotations

import argparse
import itertools
from typing import Any, Final

from pytest_cpjob.cli.files import read_json, source_of
from pytest_cpjob.cli.job_options import add_job_options, job_arguments, listed
from pytest_cpjob.defaults import BUILT_IN_ACCOUNT, BUILT_IN_REGION
from pytest_cpjob.errors import ArgumentError

_DOCUMENTS: Final = {
    "details": "what GetJobDetails answers",
    "poll": "what PollForJobs answers",
    "third-party": "what GetThirdPartyJobDetails answers",
    "event": "the event with which a Lambda function is invoked",
}


def add_samples(commands: Any) -> None:
    """Add a command for each document."""
    for name, text in _DOCUMENTS.items():
        command = commands.add_parser(
            name,
            help=f"print {text}",
            description=f"Print {text}, as JSON. Omitted values are drawn from the seed.",
        )
        add_job_options(command, name)
        command.add_argument(
            "--redact",
            metavar="FILE",
            help="instead, print a redacted copy of a real document: same shape, and same names of"
            " pipelines, stages, actions and artifacts; other ids, accounts, buckets, revisions,"
            " credentials, tokens and configuration values ('-' reads standard input)",
        )


def document(given: argparse.Namespace) -> Any:
    """Return the document that a command asks for, or the redacted copy of a real one."""
    if given.redact is not None:
        return _redacted(given)
    from pytest_cpjob.documents import factories
    from pytest_cpjob.documents.streams import Stream

    stream = Stream(given.seed, "command line")
    parts = (stream, itertools.count())
    defaults = {"region": given.region, "account_id": given.account_id}
    arguments = job_arguments(given)
    if given.command == "event":
        return factories.LambdaEventFactory(*parts, **defaults)(**arguments)
    if given.command == "third-party":
        return factories.ThirdPartyJobDetailsFactory(*parts, **defaults)(**arguments)
    details = factories.JobDetailsFactory(*parts, **defaults)(**arguments)
    if given.command == "details":
        return details
    job = details["jobDetails"]
    owner = job["data"]["actionTypeId"]["owner"]
    if owner != "Custom":
        raise ArgumentError(
            "action_type", f"PollForJobs hands out jobs of owner Custom, not {owner}"
        )
    nonce = stream.at("nonce").values.nonce()
    return {
        "jobs": [
            {"id": job["id"], "data": job["data"], "nonce": nonce, "accountId": job["accountId"]}
        ]
    }


def _redacted(given: argparse.Namespace) -> Any:
    """Return the redacted copy of a document of the command's kind."""
    from pytest_cpjob.cli.redaction import kinds_of, redacted

    arguments = job_arguments(given)
    for name, built_in in (("region", BUILT_IN_REGION), ("account_id", BUILT_IN_ACCOUNT)):
        if getattr(given, name) != built_in:
            arguments[name] = getattr(given, name)
    if arguments:
        raise ValueError(f"{listed(arguments)}: not allowed with --redact, which copies a document")
    document = read_json(given.redact)
    safe = redacted(document, seed=given.seed)
    kinds, source = kinds_of(document), source_of(given.redact)
    if not kinds:
        known = ", ".join(f"{name} ({text})" for name, text in _DOCUMENTS.items())
        raise ValueError(f"--redact: {source} is none of the documents: {known}")
    if given.command not in kinds:
        raise ValueError(
            f"--redact: {source} is {_DOCUMENTS[kinds[0]]}, not {_DOCUMENTS[given.command]}; write"
            f" pytest-cpjob {kinds[0]} --redact {given.redact}"
        )
    return safe
