"""The command line: its commands, and how errors are told."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from pytest_cpjob.cli.explain import add_explain, explained
from pytest_cpjob.cli.job_options import jobs, pairs, with_options
from pytest_cpjob.cli.redact import add_redact, redact
from pytest_cpjob.cli.samples import add_samples, document
from pytest_cpjob.cli.serve_options import add_serve
from pytest_cpjob.errors import CpjobError


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

            return serve(given, jobs(given))
        if given.command == "draw":
            from pytest_cpjob.cli.draw import drawn

            _print(drawn(given, pairs))
            return 0
        if given.command == "redact":
            safe = redact(given)
            if safe is not None:
                _print(safe)
            return 0
        if given.command == "explain":
            _print(explained(given.finding))
            return 0
        _print(json.dumps(document(given), indent=2))
    except (ValueError, CpjobError, OSError) as error:
        text = str(error)
        # An error in a file of jobs keeps the arguments' names, as the file uses them.
        if getattr(given, "jobs", None) is None:
            text = with_options(error)
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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="pytest-cpjob",
        description="Sample documents of CodePipeline jobs, a fake CodePipeline to try out, and"
        " what a finding means.",
        epilog="Exit codes: 0; 1, serve has findings; 2, bad input, reported in one line.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_samples(commands)
    add_redact(commands)
    add_serve(commands)
    _add_draw(commands)
    add_explain(commands)
    return parser


def _add_draw(commands: Any) -> None:
    from pytest_cpjob.cli.draw import add_options

    add_options(
        commands.add_parser(
            "draw",
            help="print a pipeline's definition as a Mermaid flow chart or as SVG",
            description="Print a pipeline's stages, actions, artifacts and variables as Mermaid"
            " text, which GitHub, GitLab and others draw, or as an SVG picture. Nothing is called,"
            " and no account is needed.",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
