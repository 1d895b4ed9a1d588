"""One call on its way: what the handlers of one client call need to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from pytest_cpjob.service.call_log import Caller, Change
from pytest_cpjob.service.faults import Fault
from pytest_cpjob.service.jobs import JobRecord


@dataclass(slots=True, eq=False)
class PendingCall:
    """A client's call between its beginning and its end.

    Attributes:
        request: our own copy of the parameters, CodePipeline's as the user's hooks have left them.
        by_test: the test's own client: answered, but never recorded and met by no fault.
        endpoint_url: the client's.
        is_async: it is of aiobotocore.
        signer: what the client signs with.
        job: the job that it names, looked up once.
        hides_missing: S3 would say AccessDenied of a missing object to these credentials.
        fault: what the test set up for it to meet.
        holder: whose credentials touched an artifact, seen from the artifact's job.
        state: the job's state before a result was put.
        is_in_store: moto alone can answer it, since it is about what is in the artifact store.
        is_the_endpoints: it goes to the stub's own endpoint, which notes it.
    """

    service: str
    operation: str
    request: Mapping[str, Any]
    by_test: bool
    caller: Caller
    endpoint_url: str = ""
    is_async: bool = False
    signer: Any = None
    job: JobRecord | None = None
    job_ids: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    fault: Fault | None = None
    hides_missing: bool = False
    message: str = ""
    holder: str | None = None
    state: str | None = None
    is_in_store: bool = False
    is_the_endpoints: bool = False

    @property
    def name(self) -> str:
        """The call as messages name it, such as `sts.GetCallerIdentity`."""
        return f"{self.service}.{self.operation}"


pending_call: ContextVar[PendingCall | None] = ContextVar("pytest_cpjob_call", default=None)
"""The innermost call of this thread or task."""


def plain_copy(value: Any) -> Any:
    """Copy parameters; bodies and streams are only named, so that a record stays small."""
    if isinstance(value, dict):
        return {key: plain_copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_copy(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value)} bytes>"
    return value if hasattr(value, "isoformat") else f"<{type(value).__name__}>"
