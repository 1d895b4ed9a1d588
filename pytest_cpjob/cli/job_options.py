"""The options that describe a job: those of the sample documents, and of jobs to serve."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pytest_cpjob.defaults import BUILT_IN_ACCOUNT, BUILT_IN_REGION, BUILT_IN_SEED
from pytest_cpjob.errors import ArgumentError

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


def add_job_options(command: argparse.ArgumentParser, name: str) -> None:
    """Add the options of a job to a command."""
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


def job_arguments(given: argparse.Namespace) -> dict[str, Any]:
    """Return the given arguments of a factory, or of a job to add."""
    names = (*_OF[given.command], "input_artifacts", "output_artifacts", "encryption_key")
    options = vars(given)
    arguments = {name: options[name] for name in names if options[name] is not None}
    if given.configuration is not None:
        arguments["configuration"] = pairs("--configuration", given.configuration)
    with_content = [text for text in given.input_artifacts or () if "=" in text]
    if with_content and given.command != "serve":
        raise ValueError(
            f"--input-artifact: expected NAME, got {with_content[0]!r}; only serve takes contents"
        )
    if with_content:
        arguments["input_artifacts"] = pairs("--input-artifact", given.input_artifacts)
    return arguments


def jobs(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the jobs of `--job`, each with the options that apply to all of them."""
    arguments = job_arguments(given)
    if arguments and not given.job:
        raise ValueError(f"{listed(arguments)}: options of a job require --job TYPE")
    return [{**arguments, "action_type": name} for name in given.job]


def listed(arguments: Mapping[str, Any]) -> str:
    """Return the options that give the arguments, as a text."""
    return ", ".join(map(_option, arguments))


def with_options(error: Exception) -> str:
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


def pairs(option: str, given: Sequence[str]) -> Mapping[str, str]:
    """Return the values of an option that is `NAME=VALUE` and may be repeated."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ValueError(f"{option}: expected NAME=VALUE, got {text!r}")
        found[name] = value
    return found
