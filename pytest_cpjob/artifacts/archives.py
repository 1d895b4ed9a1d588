"""Archives: an object's bytes read back as files, or an error that says what they are instead."""

from __future__ import annotations

import io
import zipfile
from typing import Final, NoReturn

from pytest_cpjob.errors import ArtifactError

LARGEST: Final = 512 * 1024 * 1024
"""Bytes that the files of one archive may have together; a test that has more reads `content`."""

_ENCRYPTED: Final = 0x1
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
            members = [member for member in archive.infolist() if not member.is_dir()]
            # No more is ever read of a member than its directory's entry promises.
            if sum(member.file_size for member in members) > LARGEST:
                _too_large(what)
            files = {}
            for member in members:
                if member.flag_bits & _ENCRYPTED:
                    raise ArtifactError(f"{what}: {member.filename!r} is encrypted")
                files[member.filename] = archive.read(member)
            return files
    except ArtifactError:
        raise
    except Exception as error:  # what a broken archive raises depends on where it is broken
        _broken(what, "zip", error)


def _read_tar(content: bytes, what: str) -> dict[str, bytes]:
    import tarfile

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
    except ArtifactError:
        raise
    except Exception as error:
        _broken(what, "tar", error)


def _too_large(what: str) -> NoReturn:
    raise ArtifactError(
        f"{what} expands to more than {LARGEST // 1024**2} MiB; read it by its content"
    )


def _broken(what: str, kind: str, error: Exception) -> NoReturn:
    raise ArtifactError(f"{what} is a broken {kind}: {error}") from None
