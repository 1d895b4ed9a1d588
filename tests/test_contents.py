"""What a test says is in an artifact, as the object that the handler finds."""

from __future__ import annotations

import io
import os
import socket
import stat
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.artifacts.contents import SAMPLE_SOURCE, Content, open_content

FIELD: Final = "input_artifacts['Source']"
MEGABYTE: Final = 1024 * 1024

needs_symlinks = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
needs_modes = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no executable bit")


def opened(content: Any) -> bytes:
    with open_content(content, field=FIELD) as stream:
        assert stream is not None
        return stream.read()


def unzipped(content: Any) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(opened(content))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def refused(content: Any) -> str:
    with pytest.raises(ValueError, match=r"^input_artifacts\['Source'\]") as error:
        opened(content)
    assert isinstance(error.value, ValueError)
    return str(error.value)


def tar(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


# -- a mapping -------------------------------------------------------------------------------------


def test_a_mapping_becomes_a_zip_of_text_and_bytes() -> None:
    files = {"index.md": "# Grüße", "img/logo.png": b"\x89PNG\r\n", "empty.txt": ""}

    assert unzipped(files) == {
        "index.md": "# Grüße".encode(),
        "img/logo.png": b"\x89PNG\r\n",
        "empty.txt": b"",
    }


def test_a_mapping_of_nothing_is_an_empty_zip() -> None:
    assert unzipped({}) == {}


def test_names_beyond_ascii_arrive_as_they_were_written() -> None:
    assert list(unzipped({"déjà vu/日本.txt": "1"})) == ["déjà vu/日本.txt"]


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1).filter(
            lambda name: name not in (".", "..")
        ),
        st.binary() | st.text(st.characters(codec="utf-8")),
    )
)
def test_whatever_the_files_are_they_come_out_as_they_went_in(
    files: dict[str, str | bytes],
) -> None:
    assert unzipped(files) == {
        path: data.encode() if isinstance(data, str) else data for path, data in files.items()
    }


BAD_PATHS = {
    "empty": "",
    "absolute": "/etc/passwd",
    "parent": "../outside.txt",
    "parent inside": "a/../../outside.txt",
    "this folder": "./index.md",
    "double slash": "a//b",
    "a folder": "src/",
    "backslash": "src\\app.py",
    "nul": "a\0b",
}


@pytest.mark.parametrize("path", BAD_PATHS.values(), ids=BAD_PATHS.keys())
def test_a_path_that_no_source_has_is_refused_by_its_name(path: str) -> None:
    assert refused({"index.md": "# Hi", path: "1"}) == (
        f"{FIELD}[{path!r}]: expected a relative path of plain names joined by '/', got"
        f" {path!r}; HOSTILE_ARTIFACTS has archives with other paths"
    )


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({1: "one"}, f"{FIELD}[1]: expected a path as a string, got 1"),
        (
            {Path("a.txt"): "one"},
            f"{FIELD}[{Path('a.txt')!r}]: expected a path as a string, got {Path('a.txt')!r}",
        ),
        ({"a.json": {"b": 1}}, f"{FIELD}['a.json']: expected str or bytes, got {{'b': 1}}"),
        ({"a.txt": None}, f"{FIELD}['a.txt']: expected str or bytes, got None"),
        ({"a": "1", "a/b": "2"}, f"{FIELD}['a/b']: expected 'a' to be a folder, got a file of"),
        ({"a/b/c": "1", "a": "2"}, f"{FIELD}['a/b/c']: expected 'a' to be a folder, got a file of"),
        ({"a.txt": "\ud800"}, f"{FIELD}['a.txt']: expected text that can be encoded as UTF-8, got"),
        ({"\ud800": "1"}, f"{FIELD}['\\ud800']: expected text that can be encoded as UTF-8, got"),
    ],
)
def test_what_cannot_be_a_file_is_refused_by_its_name(files: Any, text: str) -> None:
    assert refused(files).startswith(text)


# -- a directory -----------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    for path, data in {"index.md": "# Hi", "src/app.py": "print()", "src/lib/a.py": ""}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(data)
    return root


def test_a_directory_becomes_a_zip_of_its_files_without_itself(site: Path) -> None:
    (site / "nothing-in-it").mkdir()

    assert unzipped(site) == {"index.md": b"# Hi", "src/app.py": b"print()", "src/lib/a.py": b""}


def test_hidden_files_are_in_it_and_gits_own_folders_are_not(site: Path) -> None:
    for path in (".gitignore", ".git/HEAD", ".github/workflows/ci.yml", "vendor/lib/.git/HEAD"):
        file = site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    # A submodule's, and a work tree's, is a file.
    (site / "src" / ".git").write_text("gitdir: ../.git/modules/src")

    assert unzipped(site).keys() == {
        ".gitignore",
        ".github/workflows/ci.yml",
        "index.md",
        "src/app.py",
        "src/lib/a.py",
    }


@needs_modes
def test_executable_bits_are_kept_and_no_other_modes(site: Path) -> None:
    (site / "src/app.py").chmod(0o700)
    (site / "index.md").chmod(0o600)

    with zipfile.ZipFile(io.BytesIO(opened(site))) as archive:
        modes = {one.filename: one.external_attr >> 16 for one in archive.infolist()}
        assert {one.create_system for one in archive.infolist()} == {3}

    assert modes["src/app.py"] == stat.S_IFREG | 0o755
    assert modes["index.md"] == stat.S_IFREG | 0o644


@needs_symlinks
def test_links_that_stay_inside_are_followed(site: Path) -> None:
    (site / "README.md").symlink_to("index.md")
    (site / "src" / "up.md").symlink_to("../index.md")
    (site / "source").symlink_to("src", target_is_directory=True)

    files = unzipped(site)

    assert files["README.md"] == files["src/up.md"] == files["source/up.md"] == b"# Hi"
    assert files["source/lib/a.py"] == b""


@needs_symlinks
def test_a_directory_that_is_itself_a_link_is_its_target(site: Path, tmp_path: Path) -> None:
    (site / "README.md").symlink_to("index.md")
    link = tmp_path / "link"
    link.symlink_to(site, target_is_directory=True)

    assert opened(link) == opened(site)


@needs_symlinks
@pytest.mark.parametrize("to_folder", [False, True])
def test_a_link_that_leaves_the_directory_is_refused(site: Path, *, to_folder: bool) -> None:
    secret = site.parent / "secrets"
    secret.mkdir()
    (secret / "key").write_text("private")
    target = secret if to_folder else secret / "key"
    (site / "src" / "out").symlink_to(target)

    assert refused(site) == (
        f"{FIELD}['src/out']: expected links to stay inside {site}, got one to"
        f" {os.path.realpath(target)}"
    )


@needs_symlinks
def test_a_sibling_whose_name_begins_alike_is_outside(site: Path) -> None:
    sibling = site.parent / "site-private"
    sibling.write_text("private")
    (site / "out").symlink_to("../site-private")

    assert "expected links to stay inside" in refused(site)


@needs_symlinks
@pytest.mark.parametrize("target", [".", "..", "../../src/lib"])
def test_a_link_around_itself_is_refused(site: Path, target: str) -> None:
    (site / "src" / "lib" / "loop").symlink_to(target, target_is_directory=True)

    assert refused(site).startswith(
        f"{FIELD}['src/lib/loop']: expected links without a cycle, got one to"
    )


@needs_symlinks
@pytest.mark.parametrize("target", ["nowhere", "link"], ids=["to nothing", "to itself"])
def test_a_link_that_leads_to_no_file_is_refused(site: Path, target: str) -> None:
    (site / "link").symlink_to(target)

    assert refused(site) == (
        f"{FIELD}['link']: expected files and folders, got neither, or a broken link"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such sockets there")
def test_what_is_no_file_is_refused(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("agent.sock")
        assert refused(site) == (
            f"{FIELD}['agent.sock']: expected files and folders, got neither, or a broken link"
        )


# -- a file, bytes, nothing ------------------------------------------------------------------------


def test_a_file_is_zipped_under_its_name(site: Path) -> None:
    assert unzipped(site / "src" / "app.py") == {"app.py": b"print()"}


ARCHIVES = {
    "a zip by its name": ("a.zip", b"no zip at all"),
    "a jar by its name": ("app.JAR", b""),
    "a tar.gz by its name": ("a.tar.gz", b"broken"),
    "a zip by what it holds": ("artifact", opened({"a": "1"})),
    "a tar by what it holds": ("artifact", tar(a=b"1")),
}


@pytest.mark.parametrize(("name", "data"), ARCHIVES.values(), ids=ARCHIVES.keys())
def test_a_file_that_is_an_archive_goes_as_it_is(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert opened(tmp_path / name) == data


def test_a_zip_whose_directory_is_nowhere_goes_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = bytearray(opened({"a": "1" * 100}))
    broken[-6] ^= 255  # the offset of the directory, in the record at the end
    (tmp_path / "artifact").write_bytes(broken)
    assert opened(tmp_path / "artifact") == broken

    def is_zipfile(file: object) -> bool:
        raise ValueError("negative seek value -1")  # what Python 3.14 raises for such a file

    monkeypatch.setattr(zipfile, "is_zipfile", is_zipfile)
    assert opened(tmp_path / "artifact") == broken


@pytest.mark.parametrize("name", ["template.json", "zip", "notes.zip.txt", "empty"])
def test_a_file_that_is_none_is_zipped(tmp_path: Path, name: str) -> None:
    data = b"" if name == "empty" else b'{"Resources": {}}'
    (tmp_path / name).write_bytes(data)
    assert unzipped(tmp_path / name) == {name: data}


@pytest.mark.parametrize("data", [b"", b"# no archive", b"PK\x03\x04"])
def test_bytes_go_as_they_are(data: bytes) -> None:
    assert opened(data) == data


def test_none_is_no_object() -> None:
    with open_content(None, field=FIELD) as stream:
        assert stream is None


def test_a_path_to_nothing_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing") == (
        f"{FIELD}: no such file or directory: {str(tmp_path / 'missing')!r}"
    )


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ("tests/site", "'tests/site'; write Path('tests/site')"),
        (7, "7"),
        (["index.md"], "['index.md']"),
        (bytearray(b"PK"), "bytearray(b'PK')"),
        (io.BytesIO(b"PK").tell, "<built-in method tell"),
    ],
)
def test_anything_else_is_refused_with_what_there_can_be(content: Any, got: str) -> None:
    assert refused(content).startswith(
        f"{FIELD}: expected a dict of path to str or bytes, a Path, bytes, or None, got {got}"
    )


# -- the same again, and large ---------------------------------------------------------------------


def test_the_same_files_give_the_same_bytes_whenever_and_in_whatever_order(site: Path) -> None:
    before = opened(site)
    os.utime(site / "index.md", (1, 1))

    assert opened(site) == before
    assert opened({"b": "2", "a": "1"}) == opened({"a": "1", "b": "2"})


def test_a_directory_and_a_mapping_of_the_same_files_give_the_same_bytes(site: Path) -> None:
    files = {"src/lib/a.py": b"", "src/app.py": "print()", "index.md": "# Hi"}
    assert opened(site) == opened(files)


def large(kind: str, folder: Path) -> Content:
    """A hundred megabytes, of which a zip has to keep half."""
    piece = os.urandom(MEGABYTE // 2) + bytes(MEGABYTE // 2)
    if kind in ("bytes", "a mapping"):
        data = piece * 100
        return data if kind == "bytes" else {"model.bin": data}
    with (folder / "model.bin").open("wb") as file:
        for _ in range(100):
            file.write(piece)
    return folder if kind == "a directory" else folder / "model.bin"


@pytest.mark.parametrize("kind", ["bytes", "a mapping", "a directory", "a file"])
def test_a_hundred_megabytes_are_not_held_in_memory_again(tmp_path: Path, kind: str) -> None:
    content = large(kind, tmp_path)

    tracemalloc.start()
    try:
        with open_content(content, field=FIELD) as stream:
            assert stream is not None
            held = stream.seek(0, io.SEEK_END)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held >= 50 * MEGABYTE
    # What waits in memory before it goes to a file, doubled as a buffer grows, and pieces.
    assert peak < 32 * MEGABYTE


# -- as a job's ------------------------------------------------------------------------------------


def test_a_list_of_names_means_a_small_sample_source(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source", "Config"])

    for name in ("Source", "Config"):
        assert job.input_artifacts[name].files == {
            path: text.encode() for path, text in SAMPLE_SOURCE.items()
        }


def test_contents_of_every_kind_become_a_jobs_inputs(cpjob: CodePipelineStub, site: Path) -> None:
    job = cpjob.add_lambda_job(
        input_artifacts={
            "Mapping": {"index.md": "# Hi"},
            "Directory": site,
            "File": site / "index.md",
            "Bytes": b'{"as": "it is"}',
            "Missing": None,
        }
    )
    inputs = job.input_artifacts

    assert inputs["Mapping"].files == inputs["File"].files == {"index.md": b"# Hi"}
    assert inputs["Directory"].files["src/app.py"] == b"print()"
    assert inputs["Bytes"].content == b'{"as": "it is"}'
    assert [inputs[name].exists for name in inputs] == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (["Source", "Source"], "expected different names, or a dict of name to content, got ['So"),
        ([{"name": "Source"}], "expected different names, or a dict of name to content, got [{'n"),
        ("Source", "expected a dict of name to content, or a list of names, got 'Source'; write"),
        (b"PK", "expected a dict of name to content, or a list of names, got \"b'PK'\"; write {"),
        (Path("site"), "expected a dict of name to content, or a list of names, got 'site'; write"),
        (7, "expected a dict of name to content, or a list of names, got '7'"),
    ],
)
def test_inputs_without_names_are_refused(cpjob: CodePipelineStub, inputs: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"^input_artifacts: ") as error:
        cpjob.add_lambda_job(input_artifacts=inputs)
    assert str(error.value).startswith(f"input_artifacts: {text}")


def test_a_content_that_is_refused_leaves_neither_job_nor_object(cpjob: CodePipelineStub) -> None:
    good = cpjob.add_lambda_job(input_artifacts=["Source"])
    bucket = good.input_artifacts["Source"].bucket

    with pytest.raises(ValueError, match=r"^input_artifacts\['Config'\]\['\.\./x'\]: expected"):
        cpjob.add_lambda_job(input_artifacts={"Source": {"a": "1"}, "Config": {"../x": "1"}})

    assert cpjob.jobs == [good]
    assert len(cpjob.client("s3").list_objects_v2(Bucket=bucket)["Contents"]) == 1
