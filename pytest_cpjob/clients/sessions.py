"""Sessions after the stub: none keeps what it found while the stub was active."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.session import Session

from pytest_cpjob.clients.undo import Undo


def leave_sessions_alone(undo: Undo, is_active: Callable[[], bool]) -> None:
    """Let sessions forget the dummy credentials, and boto3 its default session, at the undo."""
    undo.set_attribute(Session, "get_credentials", _forgetting(Session.get_credentials, is_active))
    made: list[tuple[object, object]] = []
    undo.later(lambda: _restore_default_session(made))
    undo.set_attribute(
        boto3, "setup_default_session", _noting(boto3.setup_default_session, made, is_active)
    )


def _forgetting(original: Callable[..., Any], is_active: Callable[[], bool]) -> Callable[..., Any]:
    def get_credentials(self: Any) -> Any:
        if self._credentials is not None or not is_active():
            return original(self)
        try:
            return original(self)
        finally:
            self._credentials = None

    return get_credentials


def _noting(
    original: Callable[..., None],
    made: list[tuple[object, object]],
    is_active: Callable[[], bool],
) -> Callable[..., None]:
    def setup_default_session(**kwargs: Any) -> None:
        before = boto3.DEFAULT_SESSION
        original(**kwargs)
        if is_active():
            made.append((boto3.DEFAULT_SESSION, before))

    return setup_default_session


def _restore_default_session(made: list[tuple[object, object]]) -> None:
    for session, before in reversed(made):
        if boto3.DEFAULT_SESSION is session:
            boto3.DEFAULT_SESSION = before
