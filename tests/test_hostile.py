"""The hostile contents are each what they say, by the standard library's readers, not by ours."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import pytest
from artifact_clients import place, s3_of

from pytest_cpjob import HOSTILE_ARTIFACTS, ArtifactError, CodePipelineStub

GIGABYTE: Final = 1024**3
NAMES: Final = (
    "corrupt",
    "truncated",
    "empty",
    "parent-path",
    "absolute-path",
    "symlink",
    "bomb",
    "encrypted",
    "non-utf8-name",
    "tar-gz",
)


def zipped(name: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(HOSTILE_ARTIFACTS[name]))


def unpacked_outside(name: str, root: Path) -> list[str]:
    """The members that code which trusts names and links would write outside the folder."""
    outside = []
    with zipped(name) as archive:
        for member in archive.infolist():
            target = Path(os.path.realpath(root / member.filename))
            if not target.is_relative_to(root):
                outside.append(member.filename)
            elif stat.S_ISLNK(member.external_attr >> 16):
                target.symlink_to(archive.read(member).decode())
    return outside


def test_there_are_ten_of_them_by_name() -> None:
    assert tuple(HOSTILE_ARTIFACTS) == NAMES
    assert len(HOSTILE_ARTIFACTS) == 10
    assert repr(HOSTILE_ARTIFACTS) == f"HOSTILE_ARTIFACTS({', '.join(NAMES)})"
    assert "corupt" not in HOSTILE_ARTIFACTS
    with pytest.raises(KeyError, match="corupt"):
        HOSTILE_ARTIFACTS["corupt"]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_small_and_made_once(name: str) -> None:
    content = HOSTILE_ARTIFACTS[name]

    assert type(content) is bytes
    assert len(content) < 2 * 1024 * 1024
    assert HOSTILE_ARTIFACTS[name] is content


def test_they_are_the_same_bytes_in_every_process() -> None:
    """xdist's workers and tomorrow's run: no time of day, no order of a hash is in them."""
    program = (
        "import hashlib; from pytest_cpjob import HOSTILE_ARTIFACTS\n"
        "print(*(hashlib.sha256(data).hexdigest() for data in HOSTILE_ARTIFACTS.values()))"
    )

    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(runs) == 1
    assert HOSTILE_ARTIFACTS["tar-gz"][4:8] == bytes(4)  # gzip's time


def test_corrupt_has_a_whole_directory_and_a_file_that_fails_its_checksum() -> None:
    with zipped("corrupt") as archive:
        assert archive.namelist() == ["README.md", "src/app.py"]
        assert archive.testzip() == "README.md"
        assert archive.read("src/app.py")
        with pytest.raises(zipfile.BadZipFile, match="Bad CRC-32"):
            archive.read("README.md")


def test_truncated_begins_as_a_zip_and_is_none() -> None:
    content = HOSTILE_ARTIFACTS["truncated"]

    assert content.startswith(b"PK\x03\x04")
    assert not zipfile.is_zipfile(io.BytesIO(content))
    with pytest.raises(zipfile.BadZipFile):
        zipped("truncated")


def test_empty_is_a_whole_zip_of_no_files() -> None:
    with zipped("empty") as archive:
        assert archive.namelist() == []
        assert archive.testzip() is None


@pytest.mark.parametrize(
    ("name", "escaping"),
    [
        ("parent-path", "../../pytest-cpjob-was-here.txt"),
        ("absolute-path", "/tmp/pytest-cpjob-was-here.txt"),
        ("symlink", "link/pytest-cpjob-was-here.txt"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_naive_unpacker_would_write_one_file_outside(
    tmp_path: Path, name: str, escaping: str
) -> None:
    root = Path(os.path.realpath(tmp_path / "a" / "b" / "c"))
    root.mkdir(parents=True)

    assert unpacked_outside(name, root) == [escaping]
    with zipped(name) as archive:
        assert archive.testzip() is None
        assert {"README.md", "src/app.py"} <= set(archive.namelist())


def test_symlinks_link_is_one_by_its_mode_and_comes_before_what_is_written_through_it() -> None:
    with zipped("symlink") as archive:
        link = archive.getinfo("link")
        names = archive.namelist()

        assert stat.S_ISLNK(link.external_attr >> 16)
        assert link.create_system == 3
        assert archive.read(link) == b"../../"
        assert names.index("link") < names.index("link/pytest-cpjob-was-here.txt")


def test_the_bomb_promises_a_gigabyte_and_keeps_it() -> None:
    with zipped("bomb") as archive:
        members = archive.infolist()
        assert sum(member.file_size for member in members) == GIGABYTE
        assert sum(member.compress_size for member in members) < 2 * 1024 * 1024
        assert len({member.filename for member in members}) == len(members)

        size = 0
        with archive.open(members[-1]) as opened:
            while chunk := opened.read(1024 * 1024):
                assert chunk.count(0) == len(chunk)
                size += len(chunk)
        # The reader has compared the checksum at the end.
        assert size == members[-1].file_size
    assert len({(one.CRC, one.file_size, one.compress_size) for one in members}) == 1


def test_each_of_the_bombs_members_is_where_the_directory_says() -> None:
    with zipped("bomb") as archive:
        for member in archive.infolist():
            with archive.open(member) as opened:
                assert opened.read(8) == bytes(8)


def test_encrypted_asks_for_a_password_of_every_member() -> None:
    with zipped("encrypted") as archive:
        for name in ("README.md", "src/app.py"):
            assert archive.getinfo(name).flag_bits & 0x1
            with pytest.raises(RuntimeError, match="password required"):
                archive.read(name)
        with pytest.raises(RuntimeError, match="Bad password"):
            archive.read("README.md", pwd=b"guess")


def test_non_utf8_name_is_latin_1_and_does_not_say_what_it_is() -> None:
    content = HOSTILE_ARTIFACTS["non-utf8-name"]
    raw_name = b"caf\xe9.txt"

    assert content.count(raw_name) == 2  # before the file, and in the directory
    with pytest.raises(UnicodeDecodeError):
        raw_name.decode()
    with zipped("non-utf8-name") as archive:
        (member,) = (one for one in archive.infolist() if one.filename.startswith("caf"))
        assert not member.flag_bits & 0x800
        assert archive.read(member) == b"Latin-1"
        assert archive.testzip() is None


def test_tar_gz_is_a_whole_archive_and_no_zip() -> None:
    content = HOSTILE_ARTIFACTS["tar-gz"]

    assert not zipfile.is_zipfile(io.BytesIO(content))
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as archive:
        assert archive.getnames() == ["README.md", "src/app.py"]
        readme = archive.extractfile("README.md")
        assert readme is not None
        assert readme.read() == b"# Harmless\n"


@pytest.mark.parametrize("name", NAMES)
def test_each_reaches_a_handler_as_its_input_byte_for_byte(
    cpjob: CodePipelineStub, name: str
) -> None:
    job = cpjob.add_lambda_job(input_artifacts={"Source": HOSTILE_ARTIFACTS[name]})

    body = s3_of(job).get_object(**place(job, "Source"))["Body"].read()

    assert body == HOSTILE_ARTIFACTS[name] == job.input_artifacts["Source"].content


UNREADABLE: Final = {
    "corrupt": "is a broken zip: Bad CRC-32 for file 'README.md'",
    "truncated": "is a truncated zip",
    "bomb": "expands to more than 512 MiB",
    "encrypted": "'README.md' is encrypted",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_handler_copies_to_its_output_is_read_or_named_for_what_it_is(
    cpjob: CodePipelineStub, name: str
) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Copy"])
    copy = job.output_artifacts["Copy"]
    copy.put(HOSTILE_ARTIFACTS[name])

    if name in UNREADABLE:
        with pytest.raises(ArtifactError) as error:
            copy.files  # noqa: B018  # reading it raises
        assert str(error.value).startswith(f"output artifact 'Copy' of job {job.id}")
        assert UNREADABLE[name] in str(error.value)
    elif name == "empty":
        assert copy.files == {}
    else:
        assert copy.files["README.md"] == b"# Harmless\n"
