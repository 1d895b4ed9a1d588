"""Archives: an object's bytes read as files, or an error that says what they are instead."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, NoReturn, TypeAlias

from pytest_cpjob.artifacts.spooled import SpooledFile
from pytest_cpjob.artifacts.zips import is_zip
from pytest_cpjob.errors import ArtifactError

LARGEST: Final = 512 * 1024 * 1024
"""Total bytes that the files of one archive may have.

A handler's output may be a zip bomb by mistake: without a limit, reading it would exhaust the
memory of the test run. A test with more data reads `content`.
"""

_ENCRYPTED: Final = 0x1
_CHUNK: Final = 1024 * 1024
_SMALL_CHUNK: Final = 4096
"""zipfile unpacks the whole piece that it has read of bzip2 and LZMA, whatever it expands to."""

_BROKEN: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    ArithmeticError,
    RuntimeError,  # NotImplementedError too: methods that zipfile cannot unpack
)
"""What the readers raise for broken archives, depending on where they break. Nothing else is
caught: a defect of this package's own must not pass for a broken archive."""

_COMPRESSED_TARS: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")


def read_files(content: bytes, *, what: str) -> dict[str, bytes]:
    """Read a zip, tar or compressed tar: path -> bytes of every regular file.

    Args:
        content: the object.
        what: how errors name it.

    Raises:
        ArtifactError: it is not an archive, or a broken one; the message says what was found.
    """
    if not content:
        raise ArtifactError(f"{what} is an empty object (0 bytes), not an archive")
    if is_zip(io.BytesIO(content)):
        return _read_zip(content, what)
    if content.startswith(b"PK\x03\x04"):
        raise ArtifactError(f"{what} is a truncated zip ({len(content)} bytes): its end is missing")
    if content.startswith(_COMPRESSED_TARS) or content[257:262] == b"ustar":
        return _read_tar(content, what)
    raise ArtifactError(
        f"{what} is not an archive: {len(content)} bytes that begin with {content[:24]!r};"
        " read it by .content or .text()"
    )


def _read_zip(content: bytes, what: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            # The declared sizes can be trusted here: zipfile never reads more of a member than
            # its directory entry declares, even if the compressed data goes on.
            if sum(member.file_size for member in members) > LARGEST:
                _too_large(what)
            files = {}
            for member in members:
                if member.flag_bits & _ENCRYPTED:
                    raise ArtifactError(f"{what}: {member.filename!r} is encrypted")
                files[member.filename] = _unzipped(archive, member)
            return files
    except _BROKEN as error:
        _broken(what, "zip", error)


def _unzipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member without ever unpacking more than its declared size, and one small piece."""
    with archive.open(member) as opened:
        if _chunk_of(member) == _CHUNK:
            # At least one byte is asked for: the checksum is compared when data is read.
            return opened.read(max(1, member.file_size))
        return b"".join(iter(lambda: opened.read(_SMALL_CHUNK), b""))


def _chunk_of(member: zipfile.ZipInfo) -> int:
    bounded = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return _CHUNK if member.compress_type in bounded else _SMALL_CHUNK


def _read_tar(content: bytes, what: str) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            files = {}
            left = LARGEST
            for member in archive:
                opened = archive.extractfile(member) if member.isfile() else None
                if opened is not None:
                    left -= member.size
                    if left < 0:
                        _too_large(what)
                    files[member.name] = opened.read()
            return files
    except _BROKEN as error:
        _broken(what, "tar", error)


def _too_large(what: str) -> NoReturn:
    raise ArtifactError(
        f"{what} expands to more than {LARGEST // 1024**2} MiB; read it by .content"
    )


def _broken(what: str, kind: str, error: Exception) -> NoReturn:
    raise ArtifactError(f"{what} is a broken {kind}: {error}") from None


MOST: Final = 512 * 1024 * 1024
"""Total bytes that are unpacked of one object; what comes after them is not searched.

The check for leaked secrets unpacks every output, also one that is a zip bomb.
"""

# Archives inside archives are unpacked to this depth, so that a quine zip comes to an end.
_DEEPEST: Final = 4
_IN_MEMORY: Final = 8 * 1024 * 1024
_COMPRESSED: Final[dict[bytes, Callable[[Any], Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def readable_parts(
    stream: IO[bytes], where: str, most: int = MOST
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield each file in an object, or the object itself if it is not an intact archive.

    Args:
        stream: the object, seekable; read from its beginning.
        where: the object's name for messages; a file in it is named `'a.txt' of <where>`.
        most: how many bytes are unpacked.
    """
    return _Unpacking(most).parts(stream, where, _DEEPEST)


class _TooMuch(Exception):
    """The object expands to more bytes than are unpacked."""


class _Unpacking:
    def __init__(self, most: int) -> None:
        self._left = most

    def parts(self, stream: IO[bytes], where: str, depth: int) -> Iterator[tuple[str, IO[bytes]]]:
        members = _members(stream) if depth else None
        if members is None:
            yield where, _rewound(stream)
            return
        try:
            for path, member, chunk in members:
                inside = f"{path!r} of {where}" if path else where
                with self._unpacked(member, chunk) as unpacked:
                    yield from self.parts(unpacked, inside, depth - 1)
        except _TooMuch:
            return
        except _BROKEN as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # a full disk, not a broken archive
            yield where, _rewound(stream)

    @contextmanager
    def _unpacked(self, member: IO[bytes], chunk: int) -> Iterator[IO[bytes]]:
        """Unpack one file, a large one to disk, as a seekable file: it may be an archive."""
        with member, SpooledFile(max_size=_IN_MEMORY) as unpacked:
            while piece := member.read(chunk):
                self._left -= len(piece)
                if self._left < 0:
                    raise _TooMuch
                unpacked.write(piece)
            yield unpacked


_Members: TypeAlias = Iterator[tuple[str, IO[bytes], int]]
"""Of each file the path, the open file, and how much to read of it at once."""


def _members(stream: IO[bytes]) -> _Members | None:
    """Return an archive's files, or None if it is not an archive."""
    if is_zip(stream):
        return _zipped(_rewound(stream))
    head = _rewound(stream).read(262)
    for magic, decompress in _COMPRESSED.items():
        if head.startswith(magic):
            return iter([("", decompress(_rewound(stream)), _CHUNK)])
    return _tarred(_rewound(stream)) if head[257:] == b"ustar" else None


def _zipped(stream: IO[bytes]) -> _Members:
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if not member.is_dir() and not member.flag_bits & _ENCRYPTED:
                yield member.filename, archive.open(member), _chunk_of(member)
        comments = (part for each in archive.infolist() for part in (each.comment, each.extra))
        names = (each.filename.encode(errors="replace") for each in archive.infolist())
        texts = io.BytesIO(b"\n".join((archive.comment, *comments, *names)))
        yield "names and comments", texts, _CHUNK


def _tarred(stream: IO[bytes]) -> _Members:
    with tarfile.open(fileobj=stream) as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.isfile() else None
            if opened is not None:
                yield member.name, opened, _CHUNK


def _rewound(stream: IO[bytes]) -> IO[bytes]:
    stream.seek(0)
    return stream
