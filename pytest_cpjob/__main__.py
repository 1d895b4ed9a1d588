"""The command line: sample documents, safe copies of real ones, and the service for hand work."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pytest_cpjob.defaults import BUILT_IN_ACCOUNT, BUILT_IN_REGION, BUILT_IN_SEED
from pytest_cpjob.errors import CpjobError

_DOCUMENTS: Final = {
    "details": "what GetJobDetails answers",
    "poll": "what PollForJobs answers",
    "third-party": "what GetThirdPartyJobDetails answers",
    "event": "the event that a Lambda function is invoked with",
}
_TEXTS: Final = {
    "job_id": "the job's id, a lower-case UUID",
    "pipeline_name": "the pipeline",
    "stage_name": "the stage",
    "action_name": "the action",
    "action_type": "Category:Owner:Provider:Version",
    "artifact_bucket": "the artifact bucket",
    "continuation_token": "the token of a continued job",
}
_LAMBDA_TEXTS: Final = {
    "user_parameters": "the action's UserParameters",
    "function_name": "the function",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit code: 0, 1 for findings, 2 for bad input."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "serve":
            from pytest_cpjob.serving import serve

            return serve(given)
        print(json.dumps(_document(given), indent=2, ensure_ascii=False))
    except (ValueError, CpjobError, OSError) as error:
        print(f"pytest-cpjob: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-cpjob",
        description="Sample documents of CodePipeline jobs, and a fake CodePipeline to poke at.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in _DOCUMENTS.items():
        command = commands.add_parser(
            name,
            help=f"print {text}",
            description=f"Print {text}, as JSON. What is left out is drawn from the seed.",
        )
        _add_job_options(command, name)
        command.add_argument(
            "--redact",
            metavar="FILE",
            help="print a safe copy of a real document instead: same shape and same names of"
            " pipelines, stages, actions and artifacts; other ids, accounts, buckets, revisions,"
            " credentials, tokens and configuration values ('-' reads standard input)",
        )
    from_here = commands.add_parser(
        "serve",
        help="run the service over HTTP until Ctrl-C",
        description="Run CodePipeline's job service, S3 and all of moto on a loopback port, with"
        " jobs for hand work. Ends on Ctrl-C with what CodePipeline would have minded.",
    )
    from_here.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    from_here.add_argument(
        "--jobs",
        metavar="FILE",
        help="a JSON or YAML list of jobs: the arguments of add_job, add_lambda_job or"
        " add_third_party_job, and 'kind': job (default), lambda or third-party; a string as the"
        " content of an input artifact is a path",
    )
    from_here.add_argument(
        "--job",
        action="append",
        default=[],
        metavar="TYPE",
        help="queue one job of this action type, such as Build:Custom:Docs:1 (may be repeated)",
    )
    _add_seed(from_here)
    return parser


def _add_seed(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seed", default=BUILT_IN_SEED, help="where drawn values come from")
    command.add_argument("--region", default=BUILT_IN_REGION, help="the pipeline's region")
    command.add_argument("--account-id", default=BUILT_IN_ACCOUNT, help="the pipeline's account")


def _add_job_options(command: argparse.ArgumentParser, document: str) -> None:
    _add_seed(command)
    texts = dict(_TEXTS)
    if document in ("details", "event"):
        texts |= _LAMBDA_TEXTS
    for name, text in texts.items():
        command.add_argument(f"--{name.replace('_', '-')}", help=text)
    command.add_argument(
        "--configuration",
        action="append",
        metavar="NAME=VALUE",
        help="one property of the action's configuration (may be repeated)",
    )
    for name in ("input", "output"):
        command.add_argument(
            f"--{name}-artifact",
            action="append",
            dest=f"{name}_artifacts",
            metavar="NAME",
            help=f"an {name} artifact (may be repeated)",
        )
    command.add_argument(
        "--encryption-key",
        nargs="?",
        const=True,
        metavar="KEY",
        help="a key's id or ARN; without a value, a realistic ARN",
    )


def _document(given: argparse.Namespace) -> Any:
    if given.redact is not None:
        from pytest_cpjob.redaction import redacted

        return redacted(_read_json(given.redact), seed=given.seed)
    from pytest_cpjob.documents import factories
    from pytest_cpjob.documents.streams import Stream

    options = vars(given)
    names = (*_TEXTS, *_LAMBDA_TEXTS, "input_artifacts", "output_artifacts", "encryption_key")
    arguments = {name: options[name] for name in names if options.get(name) is not None}
    if given.configuration is not None:
        arguments["configuration"] = _pairs(given.configuration)
    stream = Stream(given.seed, "command line")
    parts = (stream, itertools.count())
    defaults = {"region": given.region, "account_id": given.account_id}
    if given.command == "event":
        return factories.LambdaEventFactory(*parts, **defaults)(**arguments)
    if given.command == "third-party":
        return factories.ThirdPartyJobDetailsFactory(*parts, **defaults)(**arguments)
    details = factories.JobDetailsFactory(*parts, **defaults)(**arguments)
    if given.command == "details":
        return details
    return {"jobs": [{**details["jobDetails"], "nonce": stream.at("nonce").values.nonce()}]}


def _pairs(given: Sequence[str]) -> Mapping[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--configuration: expected NAME=VALUE, got {text!r}")
        pairs[name] = value
    return pairs


def _read_json(name: str) -> Any:
    text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{name} is no JSON: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
