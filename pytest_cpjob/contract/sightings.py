"""Sightings: secrets seen in what code writes while it runs, which may be gone when it is checked.

These are objects in buckets of its own and files. Whose a secret is, and whether that is a leak, is
for the check to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Final, NamedTuple

from pytest_cpjob.call_sites import Site
from pytest_cpjob.contract.secret_search import Found, SecretIndex

_CHUNK: Final = 1024 * 1024

_DECODED: Final = 8 * 1024 * 1024
"""In how much of a file encoded secrets are looked for."""

_BYTES: Final = 4
"""How many bytes a character has in UTF-8, at most."""

LEFT: Final = ", left behind"
"""What is said of a file that outlives the code."""


class Sighting(NamedTuple):
    """A secret that was seen.

    Attributes:
        where: in what, as a finding says it.
        form: how it was encoded; see `Found`.
        site: the line of the user's code that wrote it there.
    """

    value: str
    where: str
    form: str
    site: Site | None = None


def sightings(
    parts: Iterable[tuple[str, IO[bytes]]], index: SecretIndex, site: Site | None = None
) -> Iterator[Sighting]:
    """Iterate over the secrets in open files, each once a file: as it is, if it is there so too."""
    for where, opened in parts if index.values else ():
        forms: dict[str, str] = {}
        for found in in_stream(opened, index):
            forms.setdefault(found.value, found.form)
        for value, form in forms.items():
            yield Sighting(value, where, form, site)


def in_stream(opened: IO[bytes], index: SecretIndex) -> Iterator[Found]:
    """Search a stream; encoded secrets in its beginning only, where they take longer to find."""
    overlap = _BYTES * index.values.longest
    end = b""
    decoded = 0
    while chunk := opened.read(_CHUNK):
        piece = end + chunk
        yield from index.find(piece.decode(errors="replace"), encoded=decoded < _DECODED)
        decoded += len(chunk)
        end = piece[-overlap:]
