"""`pytest-cpjob redact`: a safe copy of a captured document."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pytest_cpjob.cli.files import read, source_of
from pytest_cpjob.defaults import BUILT_IN_SEED


def add_redact(commands: Any) -> None:
    """Add the command."""
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


def redact(given: argparse.Namespace) -> str | None:
    """Return the safe copy of whatever document a file holds; None once it is written."""
    from pytest_cpjob.cli.captures import read_capture
    from pytest_cpjob.cli.redaction import redacted

    content = read(given.file)
    try:
        safe = redacted(read_capture(content, source_of(given.file)), seed=given.seed)
    except ValueError as error:
        text = str(error)
        raise ValueError(
            text if source_of(given.file) in text else f"{given.file}: {text}"
        ) from None
    text = json.dumps(safe, indent=2)
    if given.output is None:
        return text
    Path(given.output).write_text(f"{text}\n", "utf-8")
    return None
