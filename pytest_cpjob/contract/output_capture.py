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
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.call_sites import Site, call_site, is_users, site_of_traceback
from pytest_cpjob.errors import text_of
from pytest_cpjob.patching import Undo

if TYPE_CHECKING:
    # Not at run time: to make a Protocol takes as long as a dozen plain classes.
    from typing import Protocol

    class Listener(Protocol):
        """Who hears what is written."""

        def wrote(self, where: str, text: str, site: Site | None) -> None:
            """Hear where something was written, what, and the line of code that wrote it."""

        def failed(self, error: Exception) -> None:
            """Hear of an error of ours: raised where it came up, the user's code would catch it."""


def capture_output(listener: Listener, undo: Undo) -> None:
    """Listen to `sys.stdout`, `sys.stderr`, the root logger and Python's hooks until the undo.

    Where the listener is told already, of a whole test say, it is not told again.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, _Tee) and stream.tells(listener):
            continue
        tee = _Tee(stream, name, listener)
        setattr(sys, name, tee)
        undo.later(partial(tee.stop, name))
    root = logging.getLogger()
    if not any(isinstance(each, _LogHandler) and each.tells(listener) for each in root.handlers):
        handler = _unused_handler()
        handler.listener = listener
        root.addHandler(handler)
        undo.later(partial(_release, handler))
    for owner, hook, tell in _HOOKS:
        before = getattr(owner, hook, None)
        if before is None or (isinstance(before, _Hook) and before.tells(listener)):
            continue
        ours = _Hook(before, tell, listener)
        setattr(owner, hook, ours)
        undo.later(partial(ours.stop, owner, hook))


def _tell(listener: Listener | None, told: Callable[[], tuple[str, str, Site | None]]) -> None:
    """Tell what there is to hear, or the error of ours that comes up meanwhile."""
    if listener is None:
        return
    try:
        listener.wrote(*told())
    except Exception as error:
        listener.failed(error)


class _Tee:
    """A text stream whose writes are heard; everything else is the stream's own."""

    def __init__(self, stream: Any, where: str, listener: Listener) -> None:
        self._stream = stream
        self._where = where
        self._listener: Listener | None = listener

    def tells(self, listener: Listener) -> bool:
        """Whether it is this listener that is told."""
        return self._listener is listener

    def stop(self, name: str) -> None:
        """Hear no more, and put back under its name in `sys` what was there, if it is still us."""
        self._listener = None
        stream = getattr(sys, name)
        # Of two that overlapped in threads, the one that ends last takes away both.
        while isinstance(stream, _Tee) and stream._listener is None:
            stream = stream._stream
        setattr(sys, name, stream)

    def write(self, text: str) -> int:
        # First, because what is no text is refused, and no text to be looked through.
        written: int = self._stream.write(text)
        self.heard(text)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> _BytesTee:
        """The stream of bytes below, whose writes are heard as well."""
        return _BytesTee(self._stream.buffer, self)

    def heard(self, text: str) -> None:
        """Tell what was written, to this stream or to that of bytes below."""
        _tell(self._listener, lambda: (self._where, text, call_site(3)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _BytesTee:
    """A stream of bytes whose writes are heard; everything else is the stream's own."""

    def __init__(self, stream: Any, text_stream: _Tee) -> None:
        self._stream = stream
        self._text_stream = text_stream

    def write(self, data: Any) -> int:
        written: int = self._stream.write(data)
        self._text_stream.heard(bytes(data).decode(errors="replace"))
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _LogHandler(logging.Handler):
    listener: Listener | None = None

    def tells(self, listener: Listener) -> bool:
        """Whether it is this listener that is told."""
        return self.listener is listener

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:
            # What the user has logged cannot be shown, about which the handlers of others complain.
            return
        _tell(self.listener, lambda: ("the log", text, _site_of_record(record)))


_spare: Final[list[_LogHandler]] = []
"""Handlers that nobody uses: `logging` keeps a list of all, and to make one takes a while."""


def _unused_handler() -> _LogHandler:
    try:
        return _spare.pop()
    except IndexError:
        return _LogHandler()


def _release(handler: _LogHandler) -> None:
    logging.getLogger().removeHandler(handler)
    handler.listener = None
    # What a test has done to it, as it may to all handlers of the root, is not the next test's.
    if handler.level == logging.NOTSET and handler.formatter is None and not handler.filters:
        _spare.append(handler)


def _site_of_record(record: logging.LogRecord) -> Site | None:
    return (record.pathname, record.lineno) if is_users(record.pathname) else call_site(3)


class _Hook:
    """A hook of the interpreter that is heard before it does what it did."""

    def __init__(self, before: Any, tell: Callable[[Any, Listener], None], listener: Listener):
        self._before = before
        self._tell = tell
        self._listener: Listener | None = listener

    def tells(self, listener: Listener) -> bool:
        """Whether it is this listener that is told."""
        return self._listener is listener

    def stop(self, owner: Any, name: str) -> None:
        """Hear no more, and put back what was there, if it is still us, as `_Tee.stop` does."""
        self._listener = None
        hook = getattr(owner, name)
        while isinstance(hook, _Hook) and hook._listener is None:
            hook = hook._before
        setattr(owner, name, hook)

    def __call__(self, happened: Any) -> None:
        if self._listener is not None:
            self._tell(happened, self._listener)
        self._before(happened)


def nobody_hears_of_threads() -> bool:
    """Whether an exception that ends a thread is only printed, or warned of by pytest.

    Otherwise `threading.excepthook` is the user's own, who deals with such exceptions.
    """
    hook = threading.excepthook
    while isinstance(hook, _Hook):
        hook = hook._before
    function = getattr(hook, "func", hook)  # pytest's is a `functools.partial`
    module = getattr(function, "__module__", None) or ""
    return hook is threading.__excepthook__ or module.partition(".")[0] in ("pytest", "_pytest")


def _tell_warning(warning: Any, listener: Listener) -> None:
    # Of what nobody has caught pytest makes warnings; it was heard already.
    if not warning.category.__module__.startswith(("pytest", "_pytest")):
        _tell(
            listener,
            lambda: ("a warning", f"{text_of(warning.message)}\n", _site_of_warning(warning)),
        )


def _site_of_warning(warning: Any) -> Site | None:
    is_there = is_users(warning.filename)
    return (warning.filename, warning.lineno) if is_there else call_site(3)


def _tell_uncaught(args: Any, listener: Listener) -> None:
    if args.exc_type is SystemExit:
        return  # it ends a thread, silently
    try:
        lines = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
    except Exception:
        # The user's exception cannot be shown as text, and so tells no secret.
        return
    text = "".join(lines)
    _tell(listener, lambda: ("stderr", text, site_of_traceback(args.exc_traceback)))


_HOOKS: Final[tuple[tuple[Any, str, Callable[[Any, Listener], None]], ...]] = (
    # Where warnings are caught, this is another's; `showwarning` is not told of their source.
    (warnings, "_showwarnmsg_impl", _tell_warning),
    (threading, "excepthook", _tell_uncaught),
    (sys, "unraisablehook", _tell_uncaught),
)
