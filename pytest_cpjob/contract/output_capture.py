"""What code writes while it runs: to standard output, standard error, logging and warnings.

What nobody catches, in a thread or a `__del__`, Python writes to standard error too.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from pytest_cpjob.call_sites import Site, call_site, is_users, site_of_traceback
from pytest_cpjob.patching import Undo

Hear = Callable[[str, str, Site | None], None]
"""Called with where something was written, what, and the line of the user's code that wrote it."""


def capture_output(hear: Hear, undo: Undo) -> None:
    """Listen to `sys.stdout`, `sys.stderr`, the root logger and Python's hooks until the undo.

    Where `hear` is told already, of a whole test say, it is not told again.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, _Tee) and stream.tells(hear):
            continue
        tee = _Tee(stream, name, hear)
        setattr(sys, name, tee)
        undo.later(partial(tee.stop, name))
    root = logging.getLogger()
    if not any(isinstance(each, _Listener) and each.tells(hear) for each in root.handlers):
        handler = _Listener(hear)
        root.addHandler(handler)
        undo.later(lambda: root.removeHandler(handler))
    for owner, hook, tell in _HOOKS:
        before = getattr(owner, hook, None)
        if before is None or (isinstance(before, _Hook) and before.tells(hear)):
            continue
        ours = _Hook(before, tell, hear)
        setattr(owner, hook, ours)
        undo.later(partial(ours.stop, owner, hook))


class _Tee:
    """A text stream whose writes are heard; everything else is the stream's own."""

    def __init__(self, stream: Any, where: str, hear: Hear) -> None:
        self._stream = stream
        self._where = where
        self._hear: Hear | None = hear

    def tells(self, hear: Hear) -> bool:
        """Whether it is this listener that is told."""
        return self._hear == hear

    def stop(self, name: str) -> None:
        """Hear no more, and put back under its name in `sys` what was there, if it is still us."""
        self._hear = None
        stream = getattr(sys, name)
        # Of two that overlapped in threads, the one that ends last takes away both.
        while isinstance(stream, _Tee) and stream._hear is None:
            stream = stream._stream
        setattr(sys, name, stream)

    def write(self, text: str) -> int:
        # First, because what is no text is refused, and no text to be looked through.
        written: int = self._stream.write(text)
        self.heard(text, call_site(2))
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> _BytesTee:
        """The stream of bytes below, whose writes are heard as well."""
        return _BytesTee(self._stream.buffer, self)

    def heard(self, text: str, site: Site | None) -> None:
        """Tell what was written, to this stream or to that of bytes below."""
        if self._hear is not None:
            self._hear(self._where, text, site)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _BytesTee:
    """A stream of bytes whose writes are heard; everything else is the stream's own."""

    def __init__(self, stream: Any, text_stream: _Tee) -> None:
        self._stream = stream
        self._text_stream = text_stream

    def write(self, data: Any) -> int:
        written: int = self._stream.write(data)
        self._text_stream.heard(bytes(data).decode(errors="replace"), call_site(2))
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Listener(logging.Handler):
    def __init__(self, hear: Hear) -> None:
        super().__init__()
        self._hear = hear

    def tells(self, hear: Hear) -> bool:
        """Whether it is this listener that is told."""
        return self._hear == hear

    def emit(self, record: logging.LogRecord) -> None:
        try:
            site = (record.pathname, record.lineno)
            self._hear(
                "the log",
                self.format(record),
                site if is_users(record.pathname) else call_site(2),
            )
        except Exception:
            # A record that cannot be formatted is for the handlers of others to complain about.
            return


class _Hook:
    """A hook of the interpreter that is heard before it does what it did."""

    def __init__(self, before: Any, tell: Callable[[Any, Hear], None], hear: Hear) -> None:
        self._before = before
        self._tell = tell
        self._hear: Hear | None = hear

    def tells(self, hear: Hear) -> bool:
        """Whether it is this listener that is told."""
        return self._hear == hear

    def stop(self, owner: Any, name: str) -> None:
        """Hear no more, and put back what was there, if it is still us, as `_Tee.stop` does."""
        self._hear = None
        hook = getattr(owner, name)
        while isinstance(hook, _Hook) and hook._hear is None:
            hook = hook._before
        setattr(owner, name, hook)

    def __call__(self, happened: Any) -> None:
        if self._hear is not None:
            # What cannot be shown as text tells no secret; what was there says so.
            with suppress(Exception):
                self._tell(happened, self._hear)
        self._before(happened)


def _tell_warning(warning: Any, hear: Hear) -> None:
    # Of what nobody has caught pytest makes warnings; it was heard already.
    if not warning.category.__module__.startswith(("pytest", "_pytest")):
        site = (warning.filename, warning.lineno)
        text = f"{warning.message}\n"
        hear("a warning", text, site if is_users(warning.filename) else call_site(3))


def _tell_uncaught(args: Any, hear: Hear) -> None:
    if args.exc_type is SystemExit:
        return  # it ends a thread, silently
    lines = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
    hear("stderr", "".join(lines), site_of_traceback(args.exc_traceback))


_HOOKS: Final[tuple[tuple[Any, str, Callable[[Any, Hear], None]], ...]] = (
    # Where warnings are caught, this is another's; `showwarning` is not told of their source.
    (warnings, "_showwarnmsg_impl", _tell_warning),
    (threading, "excepthook", _tell_uncaught),
    (sys, "unraisablehook", _tell_uncaught),
)
