"""The options of `pytest-cpjob serve`, known without what it serves."""

from __future__ import annotations

import argparse
from typing import Any, Final

from pytest_cpjob.cli.exports import SHELLS, usual_shell
from pytest_cpjob.cli.job_options import add_job_options

_HIGHEST_PORT: Final = 65535


def add_serve(commands: Any) -> None:
    """Add the command."""
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
    add_job_options(served, "serve")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"expected 0 to {_HIGHEST_PORT}, got {text!r}")
    return int(text)
