"""What code writes while it runs: to standard output, standard error and logging."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from pytest_cpjob.call_sites import Site, call_site, is_users
from pytest_cpjob.patching import Undo

Hear = Callable[[str, str, Site | None], None]
"""Called with where something was written, what, and the line of the user's code that wrote it."""


def capture_output(hear: Hear, undo: Undo) -> None:
    """Listen to `sys.stdout`, `sys.stderr` and the root logger until the undo.

    Where `hear` is told already, of a whole test say, it is not told again.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, _Tee) and stream.tells(hear):
            continue
        tee = _Tee(stream, name, hear)
        setattr(sys, name, tee)
        undo.later(partial(tee.stop, name))
    _hear_warnings(hear, undo)
    root = logging.getLogger()
    if not any(isinstance(each, _Listener) and each.tells(hear) for each in root.handlers):
        handler = _Listener(hear)
        root.addHandler(handler)
        undo.later(lambda: root.removeHandler(handler))


def _hear_warnings(hear: Hear, undo: Undo) -> None:
    """Listen to warnings that nobody catches: they end in a summary, which is kept like a log."""
    show = vars(warnings).get("_showwarnmsg_impl")
    if show is None or getattr(show, "tells", None) == hear:
        return

    def heard(message: warnings.WarningMessage) -> None:
        is_users_own = is_users(message.filename)
        site = (message.filename, message.lineno) if is_users_own else call_site(2)
        hear("a warning", f"{message.message}\n", site)
        show(message)

    vars(heard)["tells"] = hear
    undo.set_attribute(warnings, "_showwarnmsg_impl", heard)


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
        if self._hear is not None:
            self._hear(self._where, text, call_site(2))
        written: int = self._stream.write(text)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> _BytesTee:
        """The stream of bytes below, whose writes are heard as well."""
        return _BytesTee(self._stream.buffer, self)

    def heard(self, text: str, site: Site | None) -> None:
        """Tell what was written past the text stream."""
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
        self._text_stream.heard(bytes(data).decode(errors="replace"), call_site(2))
        written: int = self._stream.write(data)
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
