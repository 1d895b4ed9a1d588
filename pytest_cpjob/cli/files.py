"""The files that a user names: their content, and what they are called in an error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def read_json(name: str) -> Any:
    """Return what a JSON file holds."""
    content = read(name)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source_of(name)} is not valid JSON: {error}") from None


def read(name: str) -> bytes:
    """Return a file's content; `-` is standard input."""
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def source_of(name: str) -> str:
    """Return how an error names a file."""
    return "standard input" if name == "-" else name
