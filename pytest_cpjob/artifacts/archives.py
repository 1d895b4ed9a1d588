"""Archives: an object's bytes read back as files, or an error that says what they are instead."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from typing import IO, Final, NoReturn

from pytest_cpjob.errors import ArtifactError

LARGEST: Final = 512 * 1024 * 1024
"""Bytes that the files of one archive may have together; a test that has more reads `content`."""

_CHUNK: Final = 1024 * 1024
_COMPRESSED_TARS: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")


def read_files(content: bytes, *, what: str) -> dict[str, bytes]:
    """Read a zip, tar or compressed tar: path -> bytes of every regular file.

    Args:
        content: the object.
        what: how errors name it.

    Raises:
        ArtifactError: it is no archive, or a broken one; the text says what was found.
    """
    if not content:
        raise ArtifactError(f"{what} is an empty object (0 bytes), not an archive")
    if zipfile.is_zipfile(io.BytesIO(content)):
        return _read_zip(content, what)
    if content.startswith(b"PK\x03\x04"):
        raise ArtifactError(
            f"{what} begins as a zip and has no end ({len(content)} bytes): it was cut short"
        )
    if content.startswith(_COMPRESSED_TARS) or content[257:262] == b"ustar":
        return _read_tar(content, what)
    raise ArtifactError(
        f"{what} is no archive: {len(content)} bytes that begin with {content[:24]!r};"
        " read it by its content or text()"
    )


def _read_zip(content: bytes, what: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files: dict[str, bytes] = {}
            left = LARGEST
            for member in archive.infolist():
                if member.is_dir():
                    continue
                if member.flag_bits & 0x1:
                    raise ArtifactError(f"{what}: {member.filename!r} is encrypted")
                with archive.open(member) as opened:
                    files[member.filename] = _read(opened, left, what)
                left -= len(files[member.filename])
            return files
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        _broken(what, "zip", error)


def _read_tar(content: bytes, what: str) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            files = {}
            left = LARGEST
            for member in archive:
                opened = archive.extractfile(member) if member.isfile() else None
                if opened is not None:
                    files[member.name] = _read(opened, left, what)
                    left -= len(files[member.name])
            return files
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        _broken(what, "tar", error)


def _read(opened: IO[bytes], left: int, what: str) -> bytes:
    parts, size = [], 0
    while chunk := opened.read(_CHUNK):
        parts.append(chunk)
        size += len(chunk)
        if size > left:
            raise ArtifactError(
                f"{what} expands to more than {LARGEST // 1024**2} MiB; read it by its content"
            )
    return b"".join(parts)


def _broken(what: str, kind: str, error: Exception) -> NoReturn:
    raise ArtifactError(f"{what} is a broken {kind}: {error}") from None
