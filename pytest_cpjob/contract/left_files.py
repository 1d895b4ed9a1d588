"""Left files: what a run has written under the temporary folder, and left there.

A warm Lambda function keeps these files for whoever is invoked next. Where nothing has changed, a
look costs a call of `stat` for the folder and for the few latest files in it: a folder is listed
again only if its time has changed, or is so recent that a change might not show in it.

What a test has written before the run is not looked for, and pytest's own folders are left out.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress

# By these names: a test may well have replaced `open` or `os.stat` for the code under test.
from io import open as open_file
from os import fstat, lstat, scandir, stat, times
from stat import S_ISDIR, S_ISREG
from typing import IO, Final, NamedTuple

MOST_FILES: Final = 100
"""How many files of one run are looked through."""

MOST_BYTES: Final = 32 * 1024 * 1024
"""How many bytes of them, in all."""

_LAMBDAS: Final = "/tmp"
"""Where Lambda has its temporary folder, and so handlers that name it."""

_PYTESTS: Final = "pytest-of-"
_SETTLED: Final = 0.1
"""Seconds after which file systems give a change another time than the one before."""

_MOST_FOLDERS: Final = 3
_MOST_WATCHED: Final = 2
"""How many folders, and in each how many files that exist already, are watched: the latest.

Each of them costs each run two calls of `stat`; what is written into a new file is found anyway.
"""

_DEEPEST: Final = 1


class _Entry:
    """What is known of a name in a folder since it was first listed."""

    __slots__ = ("changed", "is_folder", "path")

    def __init__(self, path: str, is_folder: bool, changed: int) -> None:
        self.path = path
        self.is_folder = is_folder
        self.changed = changed


class _Listing(NamedTuple):
    """A folder's content.

    Attributes:
        changed: the folder's time.
        since: when this time was first seen, in seconds of real time.
        at: when it was listed.
        entries: what is in it, by name; None for what is neither a file nor a folder.
        files, folders: the latest of each, by path.
    """

    changed: int
    since: float
    at: float
    entries: dict[str, _Entry | None]
    files: tuple[str, ...]
    folders: tuple[str, ...]

    def holds(self, changed: int) -> bool:
        """Whether this is still what a folder of that time has in it."""
        return self.changed == changed and self.at - self.since >= _SETTLED


class Look:
    """What is under the temporary folder at one moment.

    Args:
        listings: the folders, by path.
        stamps: the time and the size of the latest files.
    """

    __slots__ = ("listings", "stamps")

    def __init__(self, listings: dict[str, _Listing], stamps: dict[str, tuple[int, int]]) -> None:
        self.listings = listings
        self.stamps = stamps


_listings: dict[str, _Listing] = {}
"""The folders of the last look; what is not looked at any more is forgotten."""


def look() -> Look:
    """Return what is there now.

    Each invocation looks twice, so that a folder in which nothing has changed is to cost no more
    than the calls of the system.
    """
    global _listings
    known = _listings
    listings: dict[str, _Listing] = {}
    stamps: dict[str, tuple[int, int]] = {}
    now = times().elapsed  # no library that moves time moves this one
    ahead = [(folder, 0) for folder in _temporary_folders()]
    for folder, depth in ahead:  # it grows meanwhile
        if folder in listings or len(listings) == _MOST_FOLDERS:
            continue
        try:
            changed = stat(folder).st_mtime_ns
        except OSError:
            continue
        listing = known.get(folder)
        if listing is None or not listing.holds(changed):
            listing = _listed(folder, listing, changed, now)
        listings[folder] = listing
        for path in listing.files:
            try:
                seen = lstat(path)
            except OSError:
                continue
            stamps[path] = seen.st_mtime_ns, seen.st_size
        if depth < _DEEPEST:
            ahead += [(each, depth + 1) for each in listing.folders]
    _listings = listings
    return Look(listings, stamps)


def left_since(before: Look) -> Iterator[tuple[str, IO[bytes]]]:
    """Open each file that is new since a look, or was changed, and is still there.

    Of more and larger ones than these bounds allow, the others are left out.
    """
    left = MOST_BYTES
    for path in _written_since(before):
        # Others may have taken it away, or keep it for themselves.
        with suppress(OSError), open_file(path, "rb") as opened:  # noqa: UP020  # see its import
            size = fstat(opened.fileno()).st_size
            if size <= left:
                left -= size
                yield path, opened


def _written_since(before: Look) -> Iterator[str]:
    now = look()
    paths = [path for path, stamp in now.stamps.items() if before.stamps.get(path, stamp) != stamp]
    for folder, listing in now.listings.items():
        known = before.listings.get(folder, listing).entries
        if listing.entries is not known:
            new = listing.entries.keys() - known.keys()
            paths += (os.path.join(folder, name) for name in sorted(new))
    if not paths:
        return
    left_out = _logs_of_pytest()
    # What a folder that is new has in it comes with the folder.
    for number, path in enumerate(dict.fromkeys(_files(paths))):
        if number == MOST_FILES:
            return
        if path not in left_out:
            yield path


def _temporary_folders() -> Iterable[str]:
    folders: tuple[object, ...] = (_LAMBDAS,)
    with suppress(OSError):  # there is none that can be written
        folders = (tempfile.gettempdir(), _LAMBDAS)
    return dict.fromkeys(folder for folder in folders if isinstance(folder, str))


def _listed(folder: str, known: _Listing | None, changed: int, now: float) -> _Listing:
    """List a folder, and read of each entry only what is not known of it."""
    since = known.since if known is not None and known.changed == changed else now
    before = {} if known is None else known.entries
    entries: dict[str, _Entry | None] = {}
    # Another user's cannot be read, and is empty for us.
    with suppress(OSError), scandir(folder) as found:
        for each in found:
            name = each.name
            if not name.startswith(_PYTESTS):
                entries[name] = before[name] if name in before else _entry(each)
    if entries == before and known is not None:
        return known._replace(changed=changed, since=since, at=now)
    latest = sorted(filter(None, entries.values()), key=lambda each: each.changed, reverse=True)
    files = [each.path for each in latest if not each.is_folder]
    folders = [each.path for each in latest if each.is_folder]
    return _Listing(
        changed,
        since,
        now,
        entries,
        tuple(files[:_MOST_WATCHED]),
        tuple(folders[:_MOST_FOLDERS]),
    )


def _entry(found: os.DirEntry[str]) -> _Entry | None:
    with suppress(OSError):
        is_folder = found.is_dir(follow_symlinks=False)
        if is_folder or found.is_file(follow_symlinks=False):
            return _Entry(found.path, is_folder, found.stat(follow_symlinks=False).st_mtime_ns)
    return None


def _files(paths: Iterable[str]) -> Iterator[str]:
    """Iterate over regular files among these, and in the folders among them."""
    ahead = list(paths)
    for path in ahead:  # it grows meanwhile
        # What somebody has taken away meanwhile is not left.
        with suppress(OSError):
            mode = lstat(path).st_mode
            if S_ISREG(mode):
                yield path
            elif S_ISDIR(mode):
                with scandir(path) as entries:
                    ahead += sorted(entry.path for entry in entries)


def _logs_of_pytest() -> set[str]:
    """Return the log files that pytest writes: what is in them is heard as the log."""
    return {
        handler.baseFilename
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.FileHandler)
        and type(handler).__module__.startswith("_pytest.")
    }
