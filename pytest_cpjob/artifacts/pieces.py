"""Pieces: all that can be read in an object, through archives and archives within them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

MOST: Final = 512 * 1024 * 1024
"""Bytes that are unpacked of one object; what comes after them is not looked at."""

_DEEPEST: Final = 4
_IN_MEMORY: Final = 8 * 1024 * 1024
_CHUNK: Final = 1024 * 1024
_ENCRYPTED: Final = 0x1
_COMPRESSED: Final[dict[bytes, Callable[[Any], Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def pieces(stream: IO[bytes], where: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Give each file in an object; and the object itself where it is none, or a broken archive.

    Args:
        stream: the object, seekable; read from its beginning.
        where: what it is called; a file in it is called `'a.txt' of <where>`.
    """
    return _Unpacking().pieces(stream, where, _DEEPEST)


class _TooMuch(Exception):
    """The object expands to more than is looked at."""


class _Unpacking:
    def __init__(self) -> None:
        self._left = MOST

    def pieces(self, stream: IO[bytes], where: str, depth: int) -> Iterator[tuple[str, IO[bytes]]]:
        members = _members(stream) if depth else None
        if members is None:
            yield where, _rewound(stream)
            return
        try:
            for path, member in members:
                inside = f"{path!r} of {where}" if path else where
                with self._unpacked(member) as unpacked:
                    yield from self.pieces(unpacked, inside, depth - 1)
        except _TooMuch:
            return
        except Exception:  # what a broken archive raises depends on where it is broken
            yield where, _rewound(stream)

    @contextmanager
    def _unpacked(self, member: IO[bytes]) -> Iterator[IO[bytes]]:
        """Unpack one file; a large one to the disk."""
        with member, SpooledTemporaryFile(max_size=_IN_MEMORY) as unpacked:
            while chunk := member.read(_CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise _TooMuch
                unpacked.write(chunk)
            yield unpacked


def _members(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]] | None:
    """Give an archive's files by path; None where it is none."""
    if zipfile.is_zipfile(stream):
        return _zipped(_rewound(stream))
    head = _rewound(stream).read(262)
    for magic, decompress in _COMPRESSED.items():
        if head.startswith(magic):
            return iter([("", decompress(_rewound(stream)))])
    return _tarred(_rewound(stream)) if head[257:] == b"ustar" else None


def _zipped(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if not member.is_dir() and not member.flag_bits & _ENCRYPTED:
                yield member.filename, archive.open(member)


def _tarred(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(fileobj=stream) as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.isfile() else None
            if opened is not None:
                yield member.name, opened


def _rewound(stream: IO[bytes]) -> IO[bytes]:
    stream.seek(0)
    return stream
