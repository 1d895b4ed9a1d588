"""Tracebacks: the user's own frames, without ours above them and AWS's libraries' below."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from types import TracebackType

from pytest_cpjob.call_sites import is_of_aws_libraries, is_own, is_users
from pytest_cpjob.patching import Undo


def hide_frames(error: BaseException, undo: Undo, *, of_aws: bool) -> None:
    """Leave frames out of an exception's traceback, and of those it came from, until the undo.

    pytest makes its report meanwhile, in whichever style; the exception itself stays whole.

    Args:
        of_aws: whether frames of botocore, what is built on it, and moto are left out as well.
    """
    for each in _chain(error):
        frames = list(_entries(each.__traceback__))
        kept = [entry for entry in frames if not _is_hidden(entry, of_aws)]
        if len(kept) == len(frames) or not any(is_users(_path(entry)) for entry in kept):
            continue  # what went wrong in our own code, or a library's, is seen there only
        undo.later(_restore(each, frames))
        for entry, following in pairwise((*kept, None)):
            assert entry is not None
            entry.tb_next = following
        each.__traceback__ = kept[0]


def _restore(error: BaseException, frames: list[TracebackType]) -> Callable[[], None]:
    def restore() -> None:
        for entry, following in pairwise((*frames, None)):
            assert entry is not None
            entry.tb_next = following
        error.__traceback__ = frames[0]

    return restore


def _is_hidden(entry: TracebackType, of_aws: bool) -> bool:
    path = _path(entry)
    return is_own(path) or (of_aws and is_of_aws_libraries(path))


def _path(entry: TracebackType) -> str:
    return entry.tb_frame.f_code.co_filename


def _entries(entry: TracebackType | None) -> Iterator[TracebackType]:
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Iterate over an exception and those that it was raised from, or while handling."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
