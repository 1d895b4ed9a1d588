"""Threads that outlive their test: cut off from AWS until they end."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import Any

from botocore.client import BaseClient

from pytest_cpjob.clients.undo import Undo
from pytest_cpjob.errors import UnfakedCallError

_cut_off: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_undo = Undo()


def is_cut_off() -> bool:
    """Whether this thread is one that outlived its test."""
    return bool(_cut_off) and threading.current_thread() in _cut_off


def cut_off(threads: Iterable[threading.Thread]) -> None:
    """Let these threads call AWS no more; the process is as it was once they have ended."""
    release()
    _cut_off.update(threads)
    if not _cut_off:
        return
    original = BaseClient._make_api_call

    def _make_api_call(client: Any, operation_name: str, api_params: Any) -> Any:
        if is_cut_off():
            raise UnfakedCallError(
                f"thread {threading.current_thread().name!r} called {operation_name} after its"
                " test had ended: let the code under test end its threads"
            )
        return original(client, operation_name, api_params)

    _undo.set_attribute(BaseClient, "_make_api_call", _make_api_call)


def release() -> None:
    """Take the guard away where all threads have ended."""
    for thread in list(_cut_off):
        if not thread.is_alive():
            _cut_off.discard(thread)
    if not _cut_off:
        _undo.all()
