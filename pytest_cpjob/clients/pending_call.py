"""A pending call: what the handlers of one client call share."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pytest_cpjob.call_sites import Site
from pytest_cpjob.service.call_log import Caller, Change
from pytest_cpjob.service.errors import ServiceError
from pytest_cpjob.service.faults import Fault
from pytest_cpjob.service.jobs import JobRecord

if TYPE_CHECKING:
    from pytest_cpjob.iam.denials import Denial


class PendingCall:
    """A client's call from its beginning to its end.

    Attributes:
        request: our own copy of the parameters, CodePipeline's as the user's hooks have left them.
        by_test: whether the client is the test's own: not recorded, and exempt from faults.
        endpoint_url: the client's endpoint.
        site: where the user's code made the call.
        is_async: whether the client is aiobotocore's.
        signer: what the client signs with.
        job: the job that it names, looked up once.
        hides_missing: whether S3 answers AccessDenied to these credentials for a missing object.
        fault: the fault that applies to it.
        refusal: what the service has refused it with, before botocore was asked to tell of it.
        holder: whose credentials were used on an artifact, relative to the artifact's job.
        state: the job's state before a result was reported.
        is_in_store: whether it is about something in the artifact store, so only moto can answer.
        denial: why the function's own role may not make it.
        is_the_endpoints: whether it goes to the stub's own endpoint, which records it.
    """

    __slots__ = (
        "by_test",
        "caller",
        "changes",
        "denial",
        "endpoint_url",
        "fault",
        "hides_missing",
        "holder",
        "is_async",
        "is_in_store",
        "is_the_endpoints",
        "job",
        "job_ids",
        "message",
        "operation",
        "refusal",
        "request",
        "service",
        "signer",
        "site",
        "state",
    )

    def __init__(
        self,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        by_test: bool,
        caller: Caller,
        endpoint_url: str = "",
        site: Site | None = None,
    ) -> None:
        self.service = service
        self.operation = operation
        self.request = request
        self.by_test = by_test
        self.caller = caller
        self.endpoint_url = endpoint_url
        self.site = site
        self.is_async = False
        self.signer: Any = None
        self.job: JobRecord | None = None
        self.job_ids: tuple[str, ...] = ()
        self.changes: tuple[Change, ...] = ()
        self.fault: Fault | None = None
        self.hides_missing = False
        self.message = ""
        self.holder: str | None = None
        self.state: str | None = None
        self.is_in_store = False
        self.is_the_endpoints = False
        self.denial: Denial | None = None
        self.refusal: ServiceError | None = None

    @property
    def name(self) -> str:
        """The call as messages name it, such as `sts.GetCallerIdentity`."""
        return f"{self.service}.{self.operation}"


pending_call: ContextVar[PendingCall | None] = ContextVar("pytest_cpjob_call", default=None)
"""The innermost pending call of this thread or task."""


def plain_copy(value: Any) -> Any:
    """Copy parameters; bodies and streams are replaced by their type, to keep the log small."""
    if isinstance(value, dict):
        return {key: item if type(item) is str else plain_copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_copy(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value)} bytes>"
    return value if hasattr(value, "isoformat") else f"<{type(value).__name__}>"
