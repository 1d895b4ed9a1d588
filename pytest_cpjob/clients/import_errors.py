"""The error of a call that is stopped while code is imported."""

from __future__ import annotations

from botocore.exceptions import NoCredentialsError

from pytest_cpjob.errors import UnfakedCallError


# botocore has no types.
class CallAtImportError(UnfakedCallError, NoCredentialsError):  # type: ignore[misc]
    """A call had no credentials: code that expects that error goes on as it would without us."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.kwargs: dict[str, object] = {}

    def __reduce__(self) -> tuple[type[CallAtImportError], tuple[str]]:
        return (type(self), (str(self),))
