"""Contents: what a test puts into an artifact, turned into one object.

CodePipeline's sources produce zips of regular files, with executable bits and without the `.git`
folder. So does this module, and the same files always give the same bytes.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final, NoReturn

from pytest_cpjob.artifacts.zips import is_zip
from pytest_cpjob.errors import ArgumentError

Content = Mapping[str, str | bytes] | Path | bytes | None
"""What an artifact may hold: `{path: str | bytes}`, a directory `Path`, a file
`Path` (unchanged if it is an archive, else zipped), unchanged `bytes`, or `None` for no object.

>>> content: Content = {"index.md": "# Hi"}
>>> cpjob.add_job(input_artifacts={"Source": content}).input_artifacts["Source"].exists
True
"""


@dataclass(frozen=True, slots=True)
class InputArtifact:
    """An input artifact with the revision and the key that its source gave it.

    Takes the place of a content wherever an input's content is taken. A Git source's artifact has
    a commit's id and a key without extension, as any input that a test gives by its content alone;
    an S3 source's has the object's version id and keeps the object's extension; one that an action
    built has no revision.

    Args:
        content: see `Content`.
        revision: the revision; `True` for a commit id, `False` for none. Left out: an S3 version
            id where the key has an extension, else a commit id.
        key: the object's whole key; drawn when left out.

    >>> InputArtifact({"index.md": "# Hi"}, key="web/Source/a1B2c3D.zip").revision is None
    True
    """

    content: Content
    revision: str | bool | None = field(default=None, kw_only=True)
    key: str | None = field(default=None, kw_only=True)

    def holding(self, content: Content) -> InputArtifact:
        """Return the same artifact with another content."""
        return replace(self, content=content)


InputContent = Content | InputArtifact
"""What `input_artifacts` takes for one artifact."""


def content_of(given: InputContent) -> Content:
    """Return the content alone."""
    return given.content if isinstance(given, InputArtifact) else given


def holding(given: InputContent, content: Content) -> InputContent:
    """Return an input with another content, and the key and revision that it had."""
    return given.holding(content) if isinstance(given, InputArtifact) else content


SAMPLE_SOURCE: Final[Mapping[str, str]] = {
    "README.md": "# A sample source\n",
    "src/app.py": 'print("hello")\n',
}
"""The files of an input artifact for which a test gives only a name."""

_IN_MEMORY: Final = 8 * 1024 * 1024
_CHUNK: Final = 1024 * 1024
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_ARCHIVE_NAMES: Final = (".zip", ".jar", ".war", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


@contextmanager
def open_content(content: Content, *, field: str) -> Iterator[IO[bytes] | None]:
    """Open a content as the object to upload; None if there is to be no object.

    Above 8 MiB the object is kept in a temporary file, not in memory.

    Args:
        content: see `Content`.
        field: the content's name in error messages.

    Raises:
        ValueError: it cannot be an artifact's content; the message names the field and the rule.
    """
    if content is None:
        yield None
    elif isinstance(content, bytes):
        yield io.BytesIO(content)
    elif isinstance(content, Path) and content.is_file() and _is_archive(content):
        with content.open("rb") as opened:
            yield opened
    else:
        members = _members(content, field)
        for path in members:
            _utf8(path, f"{field}[{path!r}]")
        with _place_for(members) as spooled:
            with zipfile.ZipFile(spooled, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for path, source in sorted(members.items()):
                    _add(archive, path, source)
            spooled.seek(0)
            yield spooled


def _place_for(members: Mapping[str, bytes | Path]) -> IO[bytes]:
    """Return where to write an archive: in memory, or on disk once it is large."""
    written = [each for each in members.values() if isinstance(each, bytes)]
    if len(written) == len(members) and sum(map(len, written)) <= _IN_MEMORY:
        return io.BytesIO()
    return SpooledTemporaryFile(max_size=_IN_MEMORY)


def _members(content: object, field: str) -> Mapping[str, bytes | Path]:
    """Return what to zip: path in the zip -> bytes, or the file that contains them."""
    if isinstance(content, Mapping):
        return _checked_members(content, field)
    if isinstance(content, Path):
        if content.is_dir():
            return dict(_walk(content, field))
        if content.is_file():
            return {content.name: content}
        raise ArgumentError(field, f"no such file or directory: {str(content)!r}")
    way_out = f"; write Path({content!r})" if isinstance(content, str) else ""
    _refuse(
        field,
        "a dict of path to str or bytes, a Path, bytes, or None",
        f"{content!r:.80}{way_out}",
    )


def _refuse(field: str, rule: str, found: str) -> NoReturn:
    raise ArgumentError(field, f"expected {rule}, got {found}")


def _utf8(text: str, where: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        _refuse(where, "text that can be encoded as UTF-8", f"{text!r:.80}")


def _checked_members(files: Mapping[object, object], field: str) -> dict[str, bytes | Path]:
    members: dict[str, bytes | Path] = {}
    for path, data in files.items():
        where = f"{field}[{path!r}]"
        if not isinstance(path, str):
            _refuse(where, "a path as a string", repr(path))
        parts = path.split("/")
        if "" in parts or "." in parts or ".." in parts or "\\" in path or "\0" in path:
            _refuse(
                where,
                "a relative path of plain names joined by '/'",
                f"{path!r}; HOSTILE_ARTIFACTS has archives with other paths",
            )
        if isinstance(data, str):
            members[path] = _utf8(data, where)
        elif isinstance(data, bytes):
            members[path] = data
        else:
            _refuse(where, "str or bytes", f"{data!r:.80}")
    for path in members:
        parent = path
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            if parent in members:
                where = f"{field}[{path!r}]"
                _refuse(where, f"{parent!r} to be a folder", "a file of that name")
    return members


def _walk(root: Path, field: str) -> Iterator[tuple[str, Path]]:
    """Yield a directory's files; links within it are followed, those that leave it rejected."""
    real_root = root.resolve()
    ahead: list[tuple[Path, tuple[Path, ...]]] = [(root, ())]
    while ahead:
        folder, above = ahead.pop()
        above = (*above, folder.resolve())
        for entry in sorted(folder.iterdir(), reverse=True):
            name = entry.relative_to(root).as_posix()
            if entry.name == ".git":
                continue
            real = Path(os.path.realpath(entry))  # resolve() raises for a link to itself
            if entry.is_symlink() and not real.is_relative_to(real_root):
                _refuse(f"{field}[{name!r}]", f"links to stay inside {root}", f"one to {real}")
            if real in above:
                _refuse(f"{field}[{name!r}]", "links without a cycle", f"one to {real}, around it")
            if entry.is_dir():
                ahead.append((entry, above))
            elif entry.is_file():
                yield name, entry
            else:
                _refuse(f"{field}[{name!r}]", "files and folders", "neither, or a broken link")


def _add(archive: zipfile.ZipFile, path: str, source: bytes | Path) -> None:
    mode = 0o644
    if isinstance(source, Path) and os.stat(source).st_mode & stat.S_IXUSR:
        mode = 0o755
    member = zipfile.ZipInfo(path, _EPOCH)
    member.create_system = 3  # Unix, on every platform: other values do not keep file modes
    member.external_attr = (stat.S_IFREG | mode) << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    if isinstance(source, bytes) and len(source) <= _CHUNK:
        archive.writestr(member, source)
        return
    opened: IO[bytes]
    if isinstance(source, bytes):
        member.file_size, opened = len(source), io.BytesIO(source)
    else:
        member.file_size, opened = source.stat().st_size, source.open("rb")
    # Many bytes are copied in chunks too: writestr() would hold a compressed copy in memory.
    with opened, archive.open(member, "w") as target:
        while chunk := opened.read(_CHUNK):
            target.write(chunk)


def _is_archive(path: Path) -> bool:
    """Return whether a file is used unchanged: an archive by its name or its content."""
    if path.name.lower().endswith(_ARCHIVE_NAMES):
        return True
    with path.open("rb") as opened:
        if is_zip(opened):
            return True
    import tarfile

    return path.stat().st_size > 0 and tarfile.is_tarfile(path)
