"""The record: every call that the code under test made, and what it changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pytest_cpjob.service.faults import Fault
from pytest_cpjob.service.masked_copies import MaskedCopy

MASK: Final = "<masked>"
_SECRET_PARAMETERS: Final = frozenset({"clientToken", "SSECustomerKey", "SecretString"})


class Parameters(dict[str, Any]):
    """A request's parameters; what is secret in them is masked wherever they are shown."""

    def __repr__(self) -> str:
        return repr({k: MASK if k in _SECRET_PARAMETERS else v for k, v in self.items()})


class Caller(NamedTuple):
    """Who called: which client object, in which thread, with which access key."""

    client: int
    thread: int
    access_key_id: str | None = None
    by_test: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Call(MaskedCopy):
    """One AWS call of the code under test.

    Attributes:
        service: botocore's name of the service, such as `codepipeline` or `s3`.
        operation: the API's name of the operation, such as `PutJobSuccessResult`.
        request: the parameters, a copy; streams and bodies of other services are left out.
        error: the error's code, or the exception's class name, or None.
        job_ids: the jobs it was about; for a poll, those that it handed out.
        at: seconds of job clock since the stub was entered.
        thread: the name of the thread that called (not compared).
    """

    service: str
    operation: str
    request: Mapping[str, Any]
    error: str | None = None
    job_ids: tuple[str, ...] = ()
    at: float = 0.0
    thread: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return self._hidden(
            f"Call({self.service!r}, {self.operation!r}, {Parameters(self.request)!r},"
            f" error={self.error!r},"
            f" job_ids={self.job_ids!r}, at={self.at!r})"
        )


class Change(NamedTuple):
    """One job's step from a state to the next."""

    job_id: str
    before: str
    after: str


class Entry(NamedTuple):
    """One line of the record: a call with its caller; without one, what else befell a job.

    Attributes:
        changes: the jobs' states that it changed.
        message: the error's text.
        holder: whose credentials touched an artifact, seen from the artifact's job.
        error: what the caller saw raised, kept of refused requests only.
        fault: the fault that the call met.
        state: the job's state when its result was put.
        note: what else befell a job, in words.
        job_id: the job that the note is about, or that the caller was run for.
    """

    at: float
    call: Call | None
    caller: Caller | None
    changes: tuple[Change, ...] = ()
    message: str = ""
    holder: str | None = None
    error: BaseException | None = None
    fault: Fault | None = None
    state: str | None = None
    note: str = ""
    job_id: str | None = None


class CallLog:
    """All entries in order; appending is atomic, so threads need no lock.

    Attributes:
        refused: the errors of refused requests, by `id`.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.refused: dict[int, BaseException] = {}

    def add(self, entry: Entry) -> None:
        """Append one entry."""
        self.entries.append(entry)
        if entry.error is not None:
            self.refused[id(entry.error)] = entry.error

    def note(self, at: float, job_id: str, text: str) -> None:
        """Append what befell a job without a call."""
        self.add(Entry(at, None, None, note=text, job_id=job_id))

    def calls(self, job_id: str | None = None) -> list[Call]:
        """The calls of the code under test in order, of one job if its id is given."""
        return [
            entry.call
            for entry in self.entries
            if entry.call is not None
            and not (entry.caller and entry.caller.by_test)
            and (job_id is None or job_id in entry.call.job_ids)
        ]

    def of_job(self, job_id: str) -> Iterable[Entry]:
        """Every entry that touched the job, the clock's and notes included."""
        for entry in self.entries:
            if (
                (entry.call is not None and job_id in entry.call.job_ids)
                or entry.job_id == job_id
                or any(change.job_id == job_id for change in entry.changes)
            ):
                yield entry
