"""Zips, told from other files."""

from __future__ import annotations

import zipfile
from typing import IO


def is_zip(stream: IO[bytes]) -> bool:
    """Whether the stream has a zip's end, the directory before it intact or not."""
    try:
        return zipfile.is_zipfile(stream)
    except ValueError:  # Python 3.14 looks for the directory, at an offset that may be broken
        return True
