"""What a worker reported, as values that compare by content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from datetime import datetime
from typing import Any, Final

from pytest_cpjob.service.masked_copies import MaskedCopy, frozen_dataclass

RESULTS: Final = frozenset(
    {
        "PutJobSuccessResult",
        "PutJobFailureResult",
        "PutThirdPartyJobSuccessResult",
        "PutThirdPartyJobFailureResult",
    }
)
"""The operations that report a result."""

POLLS: Final = frozenset({"PollForJobs", "PollForThirdPartyJobs"})
"""The operations that hand jobs out."""


class _Reported(MaskedCopy):
    """A result that a test writes prints in full; one that was reported prints without secrets."""

    __slots__ = ()

    def __repr__(self) -> str:
        # Only the dataclasses below derive from this class, which is not a dataclass itself.
        members = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self))  # type: ignore[arg-type]
        return self._hidden(f"{type(self).__name__}({', '.join(members)})")


@frozen_dataclass(frozen=True, slots=True, repr=False, init=False)
class CurrentRevision(_Reported):
    """The revision that a success result names (model shape `CurrentRevision`).

    >>> CurrentRevision("3f1c2d", change_identifier="main").revision
    '3f1c2d'
    """

    revision: str
    change_identifier: str
    created: datetime | float | None = None
    revision_summary: str | None = None

    def __init__(
        self,
        revision: str,
        change_identifier: str,
        created: datetime | float | None = None,
        revision_summary: str | None = None,
    ) -> None:
        self.__setstate__((revision, change_identifier, created, revision_summary))


@frozen_dataclass(frozen=True, slots=True, repr=False, init=False)
class JobSuccess(_Reported):
    """A success result (PutJobSuccessResult); omitted members have their defaults.

    >>> JobSuccess(output_variables={"pages": "1"}) == JobSuccess(output_variables={"pages": "1"})
    True
    """

    output_variables: Mapping[str, str] = field(default_factory=dict)
    summary: str | None = None
    external_execution_id: str | None = None
    percent_complete: int | None = None
    current_revision: CurrentRevision | None = None
    continuation_token: str | None = None

    def __init__(
        self,
        output_variables: Mapping[str, str] | None = None,
        summary: str | None = None,
        external_execution_id: str | None = None,
        percent_complete: int | None = None,
        current_revision: CurrentRevision | None = None,
        continuation_token: str | None = None,
    ) -> None:
        self.__setstate__(
            (
                {} if output_variables is None else output_variables,
                summary,
                external_execution_id,
                percent_complete,
                current_revision,
                continuation_token,
            )
        )


@frozen_dataclass(frozen=True, slots=True, repr=False, init=False)
class JobFailure(_Reported):
    """A failure result (PutJobFailureResult): its `failureDetails`.

    >>> JobFailure("JobFailed", "the release failed").message
    'the release failed'
    """

    type: str
    message: str
    external_execution_id: str | None = None

    def __init__(self, type: str, message: str, external_execution_id: str | None = None) -> None:
        self.__setstate__((type, message, external_execution_id))


Result = JobSuccess | JobFailure


def success_of(request: Mapping[str, Any]) -> JobSuccess:
    """Read a valid PutJobSuccessResult or PutThirdPartyJobSuccessResult request."""
    details = request.get("executionDetails", {})
    revision = request.get("currentRevision")
    return JobSuccess(
        output_variables=dict(request.get("outputVariables", {})),
        summary=details.get("summary"),
        external_execution_id=details.get("externalExecutionId"),
        percent_complete=details.get("percentComplete"),
        current_revision=None
        if revision is None
        else CurrentRevision(
            revision["revision"],
            revision["changeIdentifier"],
            revision.get("created"),
            revision.get("revisionSummary"),
        ),
        continuation_token=request.get("continuationToken"),
    )


def failure_of(request: Mapping[str, Any]) -> JobFailure:
    """Read a valid PutJobFailureResult or PutThirdPartyJobFailureResult request."""
    details = request["failureDetails"]
    return JobFailure(details["type"], details["message"], details.get("externalExecutionId"))
