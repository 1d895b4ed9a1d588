"""The call log: every call, what it changed, and what else happened to a job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pytest_cpjob.service.masked_copies import MaskedCopy, frozen_dataclass

if TYPE_CHECKING:
    from pytest_cpjob.call_sites import Site
    from pytest_cpjob.iam.denials import Denial
    from pytest_cpjob.service.faults import Fault

MASK: Final = "<masked>"
_SECRET_PARAMETERS: Final = frozenset({"clientToken", "SSECustomerKey", "SecretString"})


class Parameters(dict[str, Any]):
    """A request's parameters; secrets among them are masked wherever they are shown."""

    def __repr__(self) -> str:
        return repr({k: MASK if k in _SECRET_PARAMETERS else v for k, v in self.items()})


class Caller:
    """Who called: which client object, in which thread, with which access key."""

    __slots__ = ("access_key_id", "by_test", "client", "thread")

    def __init__(
        self, client: int, thread: int, access_key_id: str | None = None, by_test: bool = False
    ) -> None:
        self.client = client
        self.thread = thread
        self.access_key_id = access_key_id
        self.by_test = by_test

    @property
    def worker(self) -> tuple[int, int]:
        """The client and the thread, by which workers are told apart."""
        return self.client, self.thread


@frozen_dataclass(frozen=True, slots=True, repr=False, init=False)
class Call(MaskedCopy):
    """One AWS call of the code under test.

    Attributes:
        service: botocore's name of the service, such as `codepipeline` or `s3`.
        operation: the API's name of the operation, such as `PutJobSuccessResult`.
        request: a copy of the parameters, without streams and bodies of other services.
        error: the error's code, the exception's class name, or None.
        job_ids: the jobs that it concerned; for a poll, those that it returned.
        at: seconds of job clock since the stub was entered.
        thread: the name of the thread that called (not compared).

    >>> job = cpjob.add_lambda_job().invoke(lambda_handler)
    >>> [call.operation for call in cpjob.calls]
    ['PutJobSuccessResult']
    """

    service: str
    operation: str
    request: Mapping[str, Any]
    error: str | None = None
    job_ids: tuple[str, ...] = ()
    at: float = 0.0
    thread: str = field(default="", compare=False)

    # As a frozen dataclass has it, in half the time: each call of a test makes one.
    def __init__(
        self,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        error: str | None = None,
        job_ids: tuple[str, ...] = (),
        at: float = 0.0,
        thread: str = "",
    ) -> None:
        _set_service(self, service)
        _set_operation(self, operation)
        _set_request(self, request)
        _set_error(self, error)
        _set_job_ids(self, job_ids)
        _set_at(self, at)
        _set_thread(self, thread)

    def __repr__(self) -> str:
        return self._hidden(
            f"Call({self.service!r}, {self.operation!r}, {Parameters(self.request)!r},"
            f" error={self.error!r},"
            f" job_ids={self.job_ids!r}, at={self.at!r})"
        )


_set_service, _set_operation, _set_request, _set_error, _set_job_ids, _set_at, _set_thread = (
    vars(Call)[each.name].__set__ for each in fields(Call)
)


class Change:
    """One job's change from one state to another."""

    __slots__ = ("after", "before", "job_id")

    def __init__(self, job_id: str, before: str, after: str) -> None:
        self.job_id = job_id
        self.before = before
        self.after = after


class CallEntry:
    """A call and its effects.

    Attributes:
        at: seconds of job clock.
        caller: who called.
        changes: the jobs' states that it changed.
        message: the error's text.
        holder: whose credentials were used on an artifact, relative to the artifact's job.
        error: the exception that the caller got; kept for rejected requests only.
        fault: the fault that the call ran into.
        state: the job's state when its result was reported.
        job_id: the job for which the calling code was run, or that it had in hand.
        denial: why the function's own role may not make the call.
        site: where the user's code made the call.
    """

    __slots__ = (
        "at",
        "call",
        "caller",
        "changes",
        "denial",
        "error",
        "fault",
        "holder",
        "job_id",
        "message",
        "site",
        "state",
    )

    def __init__(
        self,
        at: float,
        call: Call,
        caller: Caller,
        changes: tuple[Change, ...] = (),
        message: str = "",
        holder: str | None = None,
        error: BaseException | None = None,
        fault: Fault | None = None,
        state: str | None = None,
        job_id: str | None = None,
        denial: Denial | None = None,
        site: Site | None = None,
    ) -> None:
        self.at = at
        self.call = call
        self.caller = caller
        self.changes = changes
        self.message = message
        self.holder = holder
        self.error = error
        self.fault = fault
        self.state = state
        self.job_id = job_id
        self.denial = denial
        self.site = site


class StoppedCall:
    """A call that nothing answered: the network guard blocked it, or moto does not implement it.

    Attributes:
        what: the call, such as `sts.GetCallerIdentity`.
        job_id: the job that it was made for, if any.
        site: where the user's code made it.
        in_moto: whether it reached moto, which does not implement it.
    """

    __slots__ = ("in_moto", "job_id", "site", "what")

    def __init__(
        self, what: str, job_id: str | None, site: Site | None = None, in_moto: bool = False
    ) -> None:
        self.what = what
        self.job_id = job_id
        self.site = site
        self.in_moto = in_moto


class ChangeEntry:
    """A change made by the clock: a time-out, or a job that is queued again."""

    __slots__ = ("at", "changes")

    def __init__(self, at: float, changes: tuple[Change, ...]) -> None:
        self.at = at
        self.changes = changes


class NoteEntry:
    """Something else that happened to a job, as text, such as that its handler raised.

    Attributes:
        is_delivery: whether it is that CodePipeline delivered the job's event.
    """

    __slots__ = ("at", "is_delivery", "job_id", "site", "text")

    def __init__(
        self,
        at: float,
        job_id: str,
        text: str,
        site: Site | None = None,
        is_delivery: bool = False,
    ) -> None:
        self.at = at
        self.job_id = job_id
        self.text = text
        self.site = site
        self.is_delivery = is_delivery


Entry: TypeAlias = "CallEntry | ChangeEntry | NoteEntry"


CallNote: TypeAlias = (
    "tuple[str, str, Mapping[str, Any], str | None, tuple[str, ...], float, str,"
    " Caller, tuple[Change, ...], str, str | None, BaseException | None, Fault | None,"
    " str | None, str | None, Denial | None, Site | None]"
)
"""A call as it is noted when it ends: the members of its `Call`, then those of its `CallEntry`
that come after `call`."""

_ERROR: Final = 11
"""Where in it the exception is that a rejected request ended with."""


class CallLog:
    """All entries in order, and the same by job.

    A call that ends is only noted: one tuple, for which no thread waits. Whoever reads the log,
    most often once at the end of a test, first makes an entry of each note, in their order. So a
    call that is read twice is the same object.

    Attributes:
        rejected: the errors of rejected requests, by `id`.
        caller: returns a `Caller`, the same one for equal arguments: a loop's calls share it.
    """

    def __init__(self) -> None:
        self.rejected: dict[int, BaseException] = {}
        self.caller = lru_cache(maxsize=256)(Caller)
        # What has not been read yet. To append to a deque, or to take its first, is one step for
        # all threads.
        self._notes: deque[CallNote | ChangeEntry | NoteEntry] = deque()
        self._entries: list[Entry] = []
        self._by_job: dict[str, list[Entry]] = {}
        self._reading = threading.RLock()

    def add_call(self, note: CallNote) -> None:
        """Append a call; its request belongs to the log from now on."""
        self._notes.append(note)
        error = note[_ERROR]
        if error is not None:
            self.rejected[id(error)] = error

    def add_changes(self, at: float, changes: tuple[Change, ...]) -> None:
        """Append changes made by the clock."""
        self._notes.append(ChangeEntry(at, changes))

    def add_note(self, at: float, job_id: str, text: str, site: Site | None = None) -> None:
        """Append something that happened to a job without a call."""
        self._notes.append(NoteEntry(at, job_id, text, site))

    def add_delivery(self, at: float, job_id: str) -> None:
        """Append that CodePipeline delivered a Lambda job's event."""
        text = "event delivered to the function"
        self._notes.append(NoteEntry(at, job_id, text, is_delivery=True))

    @property
    def entries(self) -> list[Entry]:
        """All entries, in order."""
        with self._reading:
            while self._notes:
                note = self._notes.popleft()
                entry = note if isinstance(note, (ChangeEntry, NoteEntry)) else _entry_of(note)
                self._entries.append(entry)
                for job_id in _jobs_of(entry):
                    self._by_job.setdefault(job_id, []).append(entry)
            return self._entries

    def tested(self) -> Iterator[CallEntry]:
        """Iterate over the calls of the code under test, in order."""
        return _tested(self.entries)

    def calls(self, job_id: str | None = None) -> list[Call]:
        """Return the calls of the code under test in order, of one job if its id is given."""
        if job_id is None:
            return [entry.call for entry in self.tested()]
        entries = _tested(self.of_job(job_id))
        return [entry.call for entry in entries if job_id in entry.call.job_ids]

    def of_job(self, job_id: str) -> Iterator[Entry]:
        """Iterate over every entry that touched the job."""
        return iter(self._by_job.get(job_id, ()) if self.entries else ())


def _entry_of(note: CallNote) -> CallEntry:
    service, operation, request, error, job_ids, at, thread, *_ = note
    # Not what the code under test may still have in hand, and masked where it is shown.
    call = Call(service, operation, Parameters(request), error, job_ids, at, thread)
    return CallEntry(at, call, *note[7:])


def _jobs_of(entry: Entry) -> Iterable[str]:
    """Return the jobs that an entry is about, each once."""
    if isinstance(entry, NoteEntry):
        return (entry.job_id,)
    changed = [change.job_id for change in entry.changes]
    if isinstance(entry, ChangeEntry):
        return dict.fromkeys(changed)
    job_ids, own = entry.call.job_ids, () if entry.job_id is None else (entry.job_id,)
    if not changed and len(job_ids) < 2 and own in ((), job_ids):  # as most are
        return job_ids
    return dict.fromkeys((*job_ids, *own, *changed))


def _tested(entries: Iterable[Entry]) -> Iterator[CallEntry]:
    return (entry for entry in entries if isinstance(entry, CallEntry) and not entry.caller.by_test)
