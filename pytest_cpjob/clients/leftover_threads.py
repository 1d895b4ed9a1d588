"""Threads that outlive their test, and those that they start: blocked from calling AWS.

Otherwise a thread of one test would call the stub of a later one, or AWS itself.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from botocore.client import BaseClient

from pytest_cpjob.errors import UnfakedCallError
from pytest_cpjob.patching import Undo

_cut_off: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_guards: weakref.WeakSet[Any] = weakref.WeakSet()
_undo = Undo()
_are_there_any = False


def is_cut_off() -> bool:
    """Return whether this thread is one that outlived its test."""
    return _are_there_any and threading.current_thread() in _cut_off


def threads_cut_off() -> frozenset[threading.Thread]:
    """Return the threads that outlived their test, and those that they have started."""
    return frozenset(_cut_off) if _guards else frozenset()


def cut_off(threads: Iterable[threading.Thread]) -> None:
    """Block these threads from calling AWS; the patch is removed once all of them have ended."""
    global _are_there_any
    release()
    _cut_off.update(threads)
    _are_there_any = bool(_cut_off)
    for client_class in _client_classes():
        original = client_class._make_api_call
        if not _is_guarded(original):
            _undo.set_attribute(client_class, "_make_api_call", _guarded(original))
    start = threading.Thread.start
    if not _is_guarded(start):
        _undo.set_attribute(threading.Thread, "start", _by_descent(start))


def release() -> None:
    """Remove the guard if all threads have ended."""
    global _are_there_any
    if not _guards:
        return
    for thread in list(_cut_off):
        if not thread.is_alive():
            _cut_off.discard(thread)
    if not _cut_off:
        _are_there_any = False
        _undo.all()


def _client_classes() -> Iterator[Any]:
    yield BaseClient
    aiobotocore = sys.modules.get("aiobotocore.client")
    if aiobotocore is not None:
        yield aiobotocore.AioBaseClient


def _is_guarded(function: Any) -> bool:
    """Return whether the guard is already installed, perhaps inside the wrapper of a tracer."""
    while function is not None and function not in _guards:
        function = getattr(function, "__wrapped__", None)
    return function is not None


def _guarded(original: Callable[..., Any]) -> Callable[..., Any]:
    def _make_api_call(client: Any, operation_name: str, api_params: Any) -> Any:
        if is_cut_off():
            raise UnfakedCallError(
                f"thread {threading.current_thread().name!r} called {operation_name} after its"
                " test had ended: the code under test must end its threads"
            )
        return original(client, operation_name, api_params)

    _guards.add(_make_api_call)
    return _make_api_call


def _by_descent(original: Callable[..., Any]) -> Callable[..., Any]:
    """Cut off what a thread that is cut off starts: a timer's next one, a pool's."""

    def start(thread: threading.Thread) -> None:
        if is_cut_off():
            _cut_off.add(thread)
        original(thread)

    _guards.add(start)
    return start
