"""An object's bytes read back as files, or an error that says what they are instead."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cpjob import HOSTILE_ARTIFACTS, ArtifactError
from pytest_cpjob.artifacts import archives
from pytest_cpjob.artifacts.archives import read_files, readable_parts

WHAT: Final = "output artifact 'Site' of job 1"
FILES: Final = {"index.md": b"# Hi" * 50, "img/logo.png": bytes(range(256))}


def zipped(compression: int = zipfile.ZIP_DEFLATED, files: dict[str, bytes] = FILES) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.mkdir("a-folder") if hasattr(archive, "mkdir") else archive.writestr("a/", b"")
        for path, data in files.items():
            archive.writestr(path, data)
    return stream.getvalue()


def tarred(files: dict[str, bytes] = FILES) -> bytes:
    """A tar with a folder and both kinds of links besides."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, kind in (
            ("img", tarfile.DIRTYPE),
            ("link", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "index.md"
            archive.addfile(member)
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


READABLE: Final[dict[str, Callable[[], bytes]]] = {
    "zip": zipped,
    "stored zip": lambda: zipped(zipfile.ZIP_STORED),
    "zip with bzip2": lambda: zipped(zipfile.ZIP_BZIP2),
    "zip with lzma": lambda: zipped(zipfile.ZIP_LZMA),
    "self-extracting zip": lambda: b"#!/usr/bin/env python\n" + zipped(),
    "tar": tarred,
    "tar.gz": lambda: gzip.compress(tarred()),
    "tar.bz2": lambda: bz2.compress(tarred()),
    "tar.xz": lambda: lzma.compress(tarred()),
}


def refused(content: bytes) -> str:
    with pytest.raises(ArtifactError) as error:
        read_files(content, what=WHAT)
    return str(error.value)


@pytest.mark.parametrize("make", READABLE.values(), ids=READABLE.keys())
def test_an_archive_of_any_kind_is_its_regular_files(make: Callable[[], bytes]) -> None:
    assert read_files(make(), what=WHAT) == FILES


def test_an_archive_of_nothing_has_no_files() -> None:
    assert read_files(zipped(files={}), what=WHAT) == {}
    assert read_files(tarred({}), what=WHAT) == {}


def test_an_empty_object_is_said_to_be_empty() -> None:
    assert refused(b"") == f"{WHAT} is an empty object (0 bytes), not an archive"


def test_a_zip_that_was_cut_short_is_said_to_be_so() -> None:
    content = zipped()[:100]
    assert refused(content) == (f"{WHAT} is a truncated zip (100 bytes): its end is missing")


@pytest.mark.parametrize("content", [b"<html>Not here</html>", b'{"a": 1}', b"\0" * 1024, b"PK"])
def test_what_is_no_archive_is_shown_by_its_beginning(content: bytes) -> None:
    assert refused(content) == (
        f"{WHAT} is not an archive: {len(content)} bytes that begin with {content[:24]!r};"
        " read it by .content or .text()"
    )


def test_a_zip_whose_file_is_not_what_it_promises_is_broken() -> None:
    content = bytearray(zipped(zipfile.ZIP_STORED))
    content[content.index(b"# Hi")] ^= 0x20

    assert refused(bytes(content)) == f"{WHAT} is a broken zip: Bad CRC-32 for file 'index.md'"


def test_an_encrypted_member_is_named() -> None:
    assert refused(HOSTILE_ARTIFACTS["encrypted"]) == f"{WHAT}: 'README.md' is encrypted"


@pytest.mark.parametrize("cut", [20, 60, 3000])
def test_a_compressed_tar_that_was_cut_short_is_broken(cut: int) -> None:
    whole = gzip.compress(tarred({"random.bin": bytes(range(256)) * 8}), compresslevel=0)
    assert refused(whole[:cut]).startswith(f"{WHAT} is a broken tar: ")


def test_a_gzip_of_something_else_is_a_broken_tar() -> None:
    assert refused(gzip.compress(b"just a log")).startswith(f"{WHAT} is a broken tar: ")


TOO_LARGE: Final = f"{WHAT} expands to more than 512 MiB; read it by .content"


def test_a_bomb_is_refused_without_being_unpacked() -> None:
    content = HOSTILE_ARTIFACTS["bomb"]

    tracemalloc.start()
    try:
        assert refused(content) == TOO_LARGE
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 16 * 1024 * 1024


def test_a_tar_is_refused_by_the_sizes_that_it_promises() -> None:
    """A tar's members have only their sizes here: nothing that they promise is ever read."""
    member = tarfile.TarInfo("zeros.bin")
    member.size = archives.LARGEST + 1

    assert refused(member.tobuf() + bytes(1024)) == TOO_LARGE


def test_the_limit_is_on_the_files_together(monkeypatch: pytest.MonkeyPatch) -> None:
    together = sum(map(len, FILES.values()))

    monkeypatch.setattr(archives, "LARGEST", together)
    assert read_files(zipped(), what=WHAT) == read_files(tarred(), what=WHAT) == FILES

    monkeypatch.setattr(archives, "LARGEST", together - 1)
    for content in (zipped(), tarred(), gzip.compress(tarred())):
        assert " expands to more than " in refused(content)


def test_a_member_gives_no_more_than_its_directory_promises() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"a" * 5000)
    content = bytearray(stream.getvalue())
    size_at = content.index(b"PK\x01\x02") + 24
    content[size_at : size_at + 4] = (4).to_bytes(4, "little")

    assert refused(bytes(content)) == f"{WHAT} is a broken zip: Bad CRC-32 for file 'a.txt'"


def claims_ten_bytes(compression: int) -> bytes:
    """A zip whose one file is 100 MB of zeros and claims to have 10 bytes, everywhere."""
    content = bytearray(zipped(compression, {"zeros.bin": bytes(100 * 1024 * 1024)}))
    local = content.index(b"PK\x03\x04", content.index(b"PK\x03\x04") + 4)
    for size_at in (local + 22, content.rindex(b"PK\x01\x02") + 24):
        content[size_at : size_at + 4] = (10).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("reads", ["files", "parts"])
def test_what_a_file_claims_is_all_that_is_unpacked_of_it(reads: str, compression: int) -> None:
    content = claims_ten_bytes(compression)

    tracemalloc.start()
    try:
        if reads == "files":
            assert "is a broken zip: Bad CRC-32" in refused(content)
        else:
            assert [where for where, _ in readable_parts(io.BytesIO(content), WHAT)] == [WHAT]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 80 * 1024 * 1024


@pytest.mark.parametrize("ours", [TypeError("ours"), OSError(errno.ENOSPC, "the disk is full")])
def test_an_error_of_ours_does_not_pass_for_a_broken_archive(
    ours: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ours

    monkeypatch.setattr(archives._Unpacking, "_unpacked", fail)

    with pytest.raises(type(ours), match=r"ours|the disk is full"):
        list(readable_parts(io.BytesIO(zipped()), WHAT))


def files_or_refusal(content: bytes) -> dict[str, bytes] | str:
    try:
        return read_files(content, what=WHAT)
    except ArtifactError as error:
        return str(error)


@pytest.mark.parametrize("kind", READABLE)
@given(at=st.integers(min_value=0, max_value=10_000), bits=st.integers(min_value=1, max_value=255))
def test_an_archive_broken_anywhere_is_files_or_an_artifact_error(
    kind: str, at: int, bits: int
) -> None:
    content = bytearray(READABLE[kind]())
    content[at % len(content)] ^= bits

    found = files_or_refusal(bytes(content))

    assert isinstance(found, dict) or found.startswith(WHAT)


@pytest.mark.parametrize("kind", READABLE)
@given(keep=st.integers(min_value=0, max_value=10_000))
def test_an_archive_cut_anywhere_is_files_or_an_artifact_error(kind: str, keep: int) -> None:
    content = READABLE[kind]()

    found = files_or_refusal(content[: keep % len(content)])

    assert isinstance(found, dict) or found.startswith(WHAT)


@pytest.mark.parametrize("kind", ["self-extracting zip", "zip with lzma"])
def test_a_zip_whose_directory_is_nowhere_is_broken(kind: str) -> None:
    """Found by the mutations above on Python 3.14, whose is_zipfile raises ValueError for it."""
    content = bytearray(READABLE[kind]())
    size_of_directory = content.rfind(b"PK\5\6") + 12
    content[size_of_directory + 1] ^= 2

    assert " is a broken zip: " in refused(bytes(content))
    assert [where for where, _ in readable_parts(io.BytesIO(content), WHAT)] == [WHAT]
