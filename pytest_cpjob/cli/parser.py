"""The command line: sample documents, redacted copies of real ones, and a service to try out."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from pytest_cpjob.cli.exports import SHELLS, usual_shell
from pytest_cpjob.errors import ArgumentError, CpjobError
from pytest_cpjob.settings import BUILT_IN_ACCOUNT, BUILT_IN_REGION, BUILT_IN_SEED

_HIGHEST_PORT: Final = 65535
_DOCUMENTS: Final = {
    "details": "what GetJobDetails answers",
    "poll": "what PollForJobs answers",
    "third-party": "what GetThirdPartyJobDetails answers",
    "event": "the event with which a Lambda function is invoked",
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
_PARTNER_TEXTS: Final = {
    "client_id": "the partner's client, a lower-case UUID; checked, but not part of the document",
    "client_token": "the client's token; checked, but not part of the document",
}
_OF: Final = {
    "details": _TEXTS | _LAMBDA_TEXTS,
    "poll": _TEXTS,
    "third-party": _TEXTS | _PARTNER_TEXTS,
    "event": _TEXTS | _LAMBDA_TEXTS,
    "serve": {name: text for name, text in _TEXTS.items() if name != "action_type"} | _LAMBDA_TEXTS,
}


_REPEATED: Final = {
    "input_artifacts": "--input-artifact",
    "output_artifacts": "--output-artifact",
    "configuration": "--configuration",
}


class _Parser(argparse.ArgumentParser):
    """Reports wrong arguments in one line, like all other errors of the command line."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Prints the installed version; looked up only on demand, as that takes time."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"pytest-cpjob {version('pytest-cpjob')}")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, 1 for findings, 2 for bad input."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "serve":
            from pytest_cpjob.cli.serve import serve

            return serve(given, _jobs(given))
        if given.command == "draw":
            from pytest_cpjob.cli.draw import drawn

            _print(drawn(given, _pairs))
            return 0
        if given.command == "redact":
            _redact(given)
            return 0
        _print(json.dumps(_document(given), indent=2))
    except (ValueError, CpjobError, OSError) as error:
        text = str(error)
        # An error in a file of jobs keeps the arguments' names, as the file uses them.
        if getattr(given, "jobs", None) is None:
            text = _with_options(error)
        text = " ".join(text.split())
        print(f"pytest-cpjob: error: {text}", file=sys.stderr)
        return 2
    return 0


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The reader, such as `head`, is done. At exit the interpreter would flush stdout again,
        # and print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _with_options(error: Exception) -> str:
    """Return an error's text with the command line's options for the arguments of a factory."""
    if not isinstance(error, ArgumentError):
        return str(error)
    found = re.match(r"(\w+)(?:\[\d+\])?", error.argument)
    if found is None:
        return str(error)
    name, place = found[1], error.argument[found.end() :]
    # In the reason, arguments stand in Python's notation.
    reason = error.reason.replace("configuration={...}", "--configuration NAME=VALUE")
    reason = reason.replace(f"{name}=True", _option(name))
    return f"{_option(name)}{place}: {reason}"


def _option(argument: str) -> str:
    return _REPEATED.get(argument, f"--{argument.replace('_', '-')}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="pytest-cpjob",
        description="Sample documents of CodePipeline jobs, and a fake CodePipeline to try out.",
        epilog="Exit codes: 0; 1, serve has findings; 2, bad input, reported in one line.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in _DOCUMENTS.items():
        command = commands.add_parser(
            name,
            help=f"print {text}",
            description=f"Print {text}, as JSON. Omitted values are drawn from the seed.",
        )
        _add_job_options(command, name)
        command.add_argument(
            "--redact",
            metavar="FILE",
            help="instead, print a redacted copy of a real document: same shape, and same names of"
            " pipelines, stages, actions and artifacts; other ids, accounts, buckets, revisions,"
            " credentials, tokens and configuration values ('-' reads standard input)",
        )
    _add_redact(commands)
    served = commands.add_parser(
        "serve",
        help="run the service over HTTP until Ctrl-C",
        description="Run CodePipeline's job service, S3 and all of moto on a loopback port, with"
        " jobs to try out. Standard output has the variables to export; standard error has calls"
        " and their outcomes, and after Ctrl-C what breaks CodePipeline's job contract (exit code"
        " 1).",
    )
    served.add_argument("--port", type=_port, default=0, help="the port (default: a free one)")
    served.add_argument(
        "--allow-host",
        action="append",
        default=[],
        type=str.lower,
        metavar="NAME",
        help="answer requests to this host name too, and to names below it (may be repeated);"
        " others than IP addresses, localhost and names without dots are refused, so that no web"
        " page can call the service",
    )
    served.add_argument(
        "--shell",
        choices=SHELLS,
        default=usual_shell(),
        help="whose words the variables are printed in (default: the system's, here %(default)s)",
    )
    served.add_argument(
        "--jobs",
        metavar="FILE",
        help="a JSON or YAML list of jobs: the arguments of add_job, add_lambda_job or"
        " add_third_party_job, and 'kind': job, lambda or third-party (default: by the action"
        " type's owner); a string as the content of an input artifact is a path",
    )
    served.add_argument(
        "--job",
        action="append",
        default=[],
        metavar="TYPE",
        help="add a job of this action type, such as Build:Custom:Docs:1 (may be repeated; the"
        " options below are for each)",
    )
    _add_job_options(served, "serve")
    _add_draw(commands)
    return parser


def _add_draw(commands: Any) -> None:
    from pytest_cpjob.cli.draw import add_options

    add_options(
        commands.add_parser(
            "draw",
            help="print a pipeline's definition as a Mermaid flow chart",
            description="Print a pipeline's stages, actions, artifacts and variables as Mermaid"
            " text, which GitHub, GitLab and others draw. Nothing is called, and no account is"
            " needed.",
        )
    )


def _add_redact(commands: Any) -> None:
    command = commands.add_parser(
        "redact",
        help="print a safe copy of a captured document",
        description="Print a safe copy of a real document of a job, as JSON: same shape and same"
        " names of pipelines, stages, actions and artifacts; other ids, accounts, buckets,"
        " revisions, credentials, tokens and configuration values. The file may be JSON, a printed"
        " Python dict or a line of a log, in UTF-8 or UTF-16.",
    )
    command.add_argument("file", metavar="FILE", help="the file ('-' reads standard input)")
    command.add_argument(
        "-o", "--output", metavar="FILE", help="write the copy to this file, in UTF-8"
    )
    command.add_argument("--seed", default=BUILT_IN_SEED, help="where drawn values come from")


def _redact(given: argparse.Namespace) -> None:
    """Print or write the safe copy of whatever document a file holds."""
    from pytest_cpjob.cli.captures import read_capture
    from pytest_cpjob.cli.redaction import redacted

    content = _read(given.file)
    try:
        safe = redacted(read_capture(content, _source(given.file)), seed=given.seed)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if _source(given.file) in text else f"{given.file}: {text}") from None
    text = json.dumps(safe, indent=2)
    if given.output is None:
        _print(text)
    else:
        Path(given.output).write_text(f"{text}\n", "utf-8")


def _add_job_options(command: argparse.ArgumentParser, name: str) -> None:
    command.add_argument("--seed", default=BUILT_IN_SEED, help="the seed of drawn values")
    command.add_argument("--region", default=BUILT_IN_REGION, help="the pipeline's region")
    command.add_argument("--account-id", default=BUILT_IN_ACCOUNT, help="the pipeline's account")
    for option, text in _OF[name].items():
        command.add_argument(f"--{option.replace('_', '-')}", help=text)
    command.add_argument(
        "--configuration",
        action="append",
        metavar="NAME=VALUE",
        help="one property of the action's configuration (may be repeated)",
    )
    command.add_argument(
        "--input-artifact",
        action="append",
        dest="input_artifacts",
        metavar="NAME" if name != "serve" else "NAME[=PATH]",
        help="an input artifact (may be repeated)"
        + (", with a file or folder as its content" if name == "serve" else ""),
    )
    command.add_argument(
        "--output-artifact",
        action="append",
        dest="output_artifacts",
        metavar="NAME",
        help="an output artifact (may be repeated)",
    )
    command.add_argument(
        "--encryption-key",
        nargs="?",
        const=True,
        metavar="KEY",
        help="a key's id or ARN; without a value, a realistic ARN",
    )


def _arguments(given: argparse.Namespace) -> dict[str, Any]:
    """Return the given arguments of a factory, or of a job to add."""
    names = (*_OF[given.command], "input_artifacts", "output_artifacts", "encryption_key")
    options = vars(given)
    arguments = {name: options[name] for name in names if options[name] is not None}
    if given.configuration is not None:
        arguments["configuration"] = _pairs("--configuration", given.configuration)
    with_content = [text for text in given.input_artifacts or () if "=" in text]
    if with_content and given.command != "serve":
        raise ValueError(
            f"--input-artifact: expected NAME, got {with_content[0]!r}; only serve takes contents"
        )
    if with_content:
        arguments["input_artifacts"] = _pairs("--input-artifact", given.input_artifacts)
    return arguments


def _jobs(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the jobs of `--job`, each with the options that apply to all of them."""
    arguments = _arguments(given)
    if arguments and not given.job:
        raise ValueError(f"{_listed(arguments)}: options of a job require --job TYPE")
    return [{**arguments, "action_type": name} for name in given.job]


def _redacted(given: argparse.Namespace) -> Any:
    """Return the redacted copy of a document of the command's kind."""
    from pytest_cpjob.cli.redaction import kinds_of, redacted

    arguments = _arguments(given)
    for name, built_in in (("region", BUILT_IN_REGION), ("account_id", BUILT_IN_ACCOUNT)):
        if getattr(given, name) != built_in:
            arguments[name] = getattr(given, name)
    if arguments:
        raise ValueError(
            f"{_listed(arguments)}: not allowed with --redact, which copies a document"
        )
    document = _read_json(given.redact)
    safe = redacted(document, seed=given.seed)
    kinds, source = kinds_of(document), _source(given.redact)
    if not kinds:
        listed = ", ".join(f"{name} ({text})" for name, text in _DOCUMENTS.items())
        raise ValueError(f"--redact: {source} is none of the documents: {listed}")
    if given.command not in kinds:
        raise ValueError(
            f"--redact: {source} is {_DOCUMENTS[kinds[0]]}, not {_DOCUMENTS[given.command]}; write"
            f" pytest-cpjob {kinds[0]} --redact {given.redact}"
        )
    return safe


def _listed(arguments: Mapping[str, Any]) -> str:
    return ", ".join(map(_option, arguments))


def _document(given: argparse.Namespace) -> Any:
    if given.redact is not None:
        return _redacted(given)
    from pytest_cpjob.documents import factories
    from pytest_cpjob.documents.streams import Stream

    stream = Stream(given.seed, "command line")
    parts = (stream, itertools.count())
    defaults = {"region": given.region, "account_id": given.account_id}
    arguments = _arguments(given)
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


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"expected 0 to {_HIGHEST_PORT}, got {text!r}")
    return int(text)


def _pairs(option: str, given: Sequence[str]) -> Mapping[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ValueError(f"{option}: expected NAME=VALUE, got {text!r}")
        pairs[name] = value
    return pairs


def _read_json(name: str) -> Any:
    content = _read(name)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{_source(name)} is not valid JSON: {error}") from None


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _source(name: str) -> str:
    return "standard input" if name == "-" else name


if __name__ == "__main__":
    sys.exit(main())
