"""Temporary files that stay in memory while they are small."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile


class SpooledFile(SpooledTemporaryFile[bytes]):
    """A `SpooledTemporaryFile` that zipfile can read on Python 3.10 too."""

    def seekable(self) -> bool:
        """Return True. Python 3.10 has no such method here, and zipfile asks."""
        return True
