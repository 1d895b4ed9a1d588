"""Hostile contents, ready-made: what a handler may receive and must survive."""

from __future__ import annotations

import functools
import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

_HARMLESS: Final = {"README.md": b"# Harmless\n", "src/app.py": b'print("harmless")\n' * 20}
_BOMB_MEMBERS: Final = 16
_BOMB_MEMBER: Final = 64 * 1024 * 1024
_DOS_DATE: Final = 0x0021  # 1980-01-01


class _HostileArtifacts(Mapping[str, bytes]):
    """Name -> bytes, each created when first used."""

    def __getitem__(self, name: str) -> bytes:
        return _make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_MAKERS)

    def __len__(self) -> int:
        return len(_MAKERS)

    def __repr__(self) -> str:
        return f"HOSTILE_ARTIFACTS({', '.join(_MAKERS)})"


def _corrupt() -> bytes:
    """A zip with an intact directory, whose first file does not match its checksum."""
    content = bytearray(_zip(_HARMLESS, zipfile.ZIP_STORED))
    content[content.index(b"Harmless")] ^= 0x20
    return bytes(content)


def _truncated() -> bytes:
    whole = _zip(_HARMLESS)
    return whole[: len(whole) // 2]


def _empty() -> bytes:
    return _zip({})


def _parent_path() -> bytes:
    return _zip({**_HARMLESS, "../../pytest-cpjob-was-here.txt": b"outside"})


def _absolute_path() -> bytes:
    return _zip({**_HARMLESS, "/tmp/pytest-cpjob-was-here.txt": b"outside"})


def _symlink() -> bytes:
    """A link that leads out of the folder, and a file to be written through it."""
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    stream = io.BytesIO(_zip(_HARMLESS))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(link, "../../")
        archive.writestr(zipfile.ZipInfo("link/pytest-cpjob-was-here.txt"), "outside")
    return stream.getvalue()


def _encrypted() -> bytes:
    """A zip whose files need a password, which no one has."""
    content = bytearray(_zip(_HARMLESS, zipfile.ZIP_STORED))
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + flags_at] |= 0x1
            at = content.find(signature, at + 4)
    return bytes(content)


def _non_utf8_name() -> bytes:
    """A name in Latin-1, as old tools write it: invalid UTF-8, without the UTF-8 flag."""
    return _zip({**_HARMLESS, "caf#.txt": b"Latin-1"}).replace(b"caf#.txt", b"caf\xe9.txt")


def _tar_gz() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, data in _HARMLESS.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), mtime=0)  # no time stamp: the same bytes each time


def _bomb() -> bytes:
    """A megabyte that expands to a gigabyte of zeros.

    All compressed blocks are equal, so one is repeated, and no gigabyte has to be compressed.
    """
    piece = bytes(1024 * 1024)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)
    data = packed * (_BOMB_MEMBER // len(piece)) + compressor.flush(zlib.Z_FINISH)
    crc = 0
    for _ in range(_BOMB_MEMBER // len(piece)):
        crc = zlib.crc32(piece, crc)
    content, directory = bytearray(), bytearray()
    for number in range(_BOMB_MEMBERS):
        name = b"zeros-%02d.bin" % number
        common = struct.pack(
            "<5H3L2H", 20, 0, 8, 0, _DOS_DATE, crc, len(data), _BOMB_MEMBER, len(name), 0
        )
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + common
        directory += struct.pack("<3H2L", 0, 0, 0, 0, len(content)) + name
        content += b"PK\x03\x04" + common + name + data
    end = struct.pack("<4H2LH", 0, 0, _BOMB_MEMBERS, _BOMB_MEMBERS, len(directory), len(content), 0)
    return bytes(content + directory + b"PK\x05\x06" + end)


def _zip(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data, compression)
    return stream.getvalue()


_MAKERS: Final = {
    "corrupt": _corrupt,
    "truncated": _truncated,
    "empty": _empty,
    "parent-path": _parent_path,
    "absolute-path": _absolute_path,
    "symlink": _symlink,
    "bomb": _bomb,
    "encrypted": _encrypted,
    "non-utf8-name": _non_utf8_name,
    "tar-gz": _tar_gz,
}


@functools.cache
def _make(name: str) -> bytes:
    return _MAKERS[name]()


HOSTILE_ARTIFACTS: Final[Mapping[str, bytes]] = _HostileArtifacts()
"""Name -> bytes to pass as an artifact's content, to test a handler's defences:

- `corrupt`: a zip whose first file fails its checksum
- `truncated`: the first half of a zip
- `empty`: a zip of no files
- `parent-path`, `absolute-path`: a zip with a member outside the folder it is unpacked to
- `symlink`: a zip with a link out of the folder, and a file to be written through it
- `bomb`: a megabyte that expands to a gigabyte
- `encrypted`: a zip that asks for a password
- `non-utf8-name`: a zip with a member's name in Latin-1
- `tar-gz`: an intact archive that is not a zip

>>> job = cpjob.add_job(input_artifacts={"Source": HOSTILE_ARTIFACTS["parent-path"]})
>>> job.input_artifacts["Source"].content == HOSTILE_ARTIFACTS["parent-path"]
True
"""
