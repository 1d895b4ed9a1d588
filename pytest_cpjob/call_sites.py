"""Call sites: file and line of the user's code from which a call, a log record or a print came."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType, TracebackType
from typing import Final, NamedTuple, TypeAlias

_PACKAGE: Final = os.path.dirname(__file__) + os.sep
_STANDARD_LIBRARY: Final = os.path.dirname(os.__file__) + os.sep
_PACKAGES_FOLDERS: Final = ("site-packages", "dist-packages")

_BETWEEN: Final = frozenset(
    {
        "aioboto3",
        "aiobotocore",
        "aws_lambda_powertools",
        "aws_xray_sdk",
        "backoff",
        "boto3",
        "botocore",
        "ddtrace",
        "fsspec",
        "moto",
        "opentelemetry",
        "pluggy",
        "_pytest",
        "s3fs",
        "s3transfer",
        "smart_open",
        "tenacity",
        "wrapt",
    }
)
"""Packages that call AWS, or log, on behalf of the code that is looked for."""

_AWS: Final = frozenset({"aioboto3", "aiobotocore", "boto3", "botocore", "moto", "s3transfer"})

_is_users: dict[str, bool] = {}
_is_aws: dict[str, bool] = {}


Site: TypeAlias = tuple[CodeType, int] | tuple[str, int]
"""A noted call site: code and the last instruction in it, or a file and a line.

It is noted at each call, and turned into file and line (`Place`) where it is shown.
"""


class Place(NamedTuple):
    """A line in the user's code.

    Attributes:
        path: the file, as Python names it.
        line: counted from 1.
    """

    path: str
    line: int

    def shown(self, directory: str) -> str:
        """Return `file:line`, the file relative to a directory that it is in."""
        return f"{shown_path(self.path, directory)}:{self.line}"


def place_of(site: Site) -> Place:
    """Return the file and line of a noted call site."""
    where, position = site
    if isinstance(where, str):
        return Place(where, position)
    for start, end, line in where.co_lines():
        if start <= position < end and line is not None:
            return Place(where.co_filename, line)
    return Place(where.co_filename, where.co_firstlineno)


def shown_path(path: str, directory: str) -> str:
    """Return a file's path relative to a directory that it is in, otherwise as it is."""
    folder = directory.rstrip(os.sep) + os.sep
    return path[len(folder) :] if path.startswith(folder) else path


def call_site(depth: int = 1) -> Site | None:
    """Return where the user's code is now that has led here; None where none has.

    Args:
        depth: how many frames, from the caller on, are known to be none of the user's.
    """
    frame: FrameType | None = sys._getframe(depth)
    known = _is_users
    while frame is not None:
        code = frame.f_code
        is_users = known.get(code.co_filename)
        if is_users or (is_users is None and _learn(code.co_filename)):
            return code, frame.f_lasti
        frame = frame.f_back
    return _site_of_transfer(sys._getframe(depth))


def _site_of_transfer(frame: FrameType | None) -> Site | None:
    """Return who waits for the transfer whose thread this is: s3transfer calls in its own threads.

    In such a thread no frame is the user's; the one that called `upload_file` waits in another.
    Where several lines wait for transfers, it is not known which of them this one is for.
    """
    if not _is_in_transfer(frame):
        return None
    waiting = {
        site
        for each in sys._current_frames().values()
        if _is_in_transfer(each) and (site := _innermost_of_user(each)) is not None
    }
    return waiting.pop() if len(waiting) == 1 else None


def _innermost_of_user(frame: FrameType | None) -> Site | None:
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


def _is_in_transfer(frame: FrameType | None) -> bool:
    while frame is not None:
        if package_of(frame.f_code.co_filename) == "s3transfer":
            return True
        frame = frame.f_back
    return False


def is_users(path: str) -> bool:
    """Whether a file is the user's: none of Python's, of AWS's libraries, of pytest's or ours."""
    known = _is_users.get(path)
    return _learn(path) if known is None else known


def is_own(path: str) -> bool:
    """Whether a file is of this package."""
    return path.startswith(_PACKAGE)


def is_of_aws_libraries(path: str) -> bool:
    """Whether a file is of botocore, what is built on it, or moto."""
    known = _is_aws.get(path)
    if known is None:
        known = _is_aws[path] = package_of(path) in _AWS
    return known


def package_of(path: str) -> str | None:
    """Return the top-level package that an installed file is of; None of any other file."""
    parts = path.replace("\\", "/").split("/")
    for number in range(len(parts) - 2, -1, -1):
        if parts[number] in _PACKAGES_FOLDERS:
            return parts[number + 1].removesuffix(".py")
    return None


def _learn(path: str) -> bool:
    package = package_of(path)
    if package is not None:
        learnt = package not in _BETWEEN
    else:
        learnt = not path.startswith((_STANDARD_LIBRARY, "<frozen", "<string>"))
    _is_users[path] = learnt and not is_own(path)
    return _is_users[path]


def site_of_traceback(traceback: TracebackType | None) -> Site | None:
    """Return the innermost place of the user's code that an exception came through.

    A place outside of installed packages comes first: what the user calls is often one of those.
    """
    own: Site | None = None
    installed: Site | None = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_users(code.co_filename):
            installed = code, traceback.tb_lasti
            if package_of(code.co_filename) is None:
                own = installed
        traceback = traceback.tb_next
    return own or installed
