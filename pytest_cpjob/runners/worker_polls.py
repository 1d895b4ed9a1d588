"""What a worker polls for, and which jobs are its business: when it has nothing left to do."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pytest_cpjob.service.jobs import JobRecord, JobRegistry
from pytest_cpjob.threads import ClientCall

MOST_HAND_OUTS: Final = 40
"""Times that a worker may be handed one job which it never acknowledges."""

_WAITING: Final = frozenset({"Created", "Queued", "Dispatched"})
_ACKNOWLEDGES: Final = frozenset({"AcknowledgeJob", "AcknowledgeThirdPartyJob"})


class Poll(NamedTuple):
    """What a poll asks for: the action type, and the query on its configuration."""

    action_type: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Poll:
        """Return what a request asks for."""
        action_type, query = request.get("actionTypeId"), request.get("queryParam")
        return cls(_items(action_type), _items(query))

    def matches(self, job: JobRecord) -> bool:
        """Whether this poll could hand out a job, or could have."""
        asked = dict(self.action_type)
        type_of_job = job.facts.action_type
        if any(getattr(type_of_job, name, None) != value for name, value in asked.items()):
            return False
        return all(job.facts.configuration.get(name) == value for name, value in self.query)


def _items(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        return ()
    return tuple(sorted((str(name), str(item)) for name, item in value.items()))


class WorkerPolls:
    """The polls of one worker by thread, and the jobs that it was handed.

    Args:
        registry: the service's jobs.
        idle_polls: how many empty polls of each kind make a thread idle.
    """

    def __init__(self, registry: JobRegistry, idle_polls: int) -> None:
        self._registry = registry
        self._idle_polls = idle_polls
        self._idle: dict[threading.Thread, Counter[Poll]] = {}
        self._held: set[str] = set()
        self._hand_outs: Counter[str] = Counter()

    @property
    def pollers(self) -> list[threading.Thread]:
        """The threads that have polled."""
        return list(self._idle)

    @property
    def any_open(self) -> bool:
        """Whether any job at all is open, be it this worker's business or not."""
        return bool(self._registry.open_jobs)

    def note(self, call: ClientCall) -> None:
        """Take note of a poll that was answered."""
        poll, counts = Poll.of(call.request), self._counts()
        self._held.update(call.job_ids)
        self._hand_outs.update(call.job_ids)
        if call.job_ids or self.has_business(poll):
            counts[poll] = 0
        else:
            counts[poll] += 1

    def note_acknowledgement(self, call: ClientCall) -> None:
        """Take note of jobs that the worker has taken."""
        if call.operation in _ACKNOWLEDGES:
            for job_id in call.job_ids:
                self._held.add(job_id)
                self._hand_outs.pop(job_id, None)

    def note_continuation(self, job: JobRecord) -> None:
        """Take note of a job that continues one of the worker's."""
        self._held.add(job.id)

    def never_acknowledged(self) -> str | None:
        """Return the id of a job that was handed out too often, and would be again."""
        for job_id, count in self._hand_outs.items():
            if count >= MOST_HAND_OUTS and self._registry.jobs[job_id].status in _WAITING:
                return job_id
        return None

    def is_idle(self, poll: Poll | None = None) -> bool:
        """Whether this thread has polled often enough without effect.

        Args:
            poll: one that it is about to make: it must have come back empty, too.
        """
        counts = self._idle.get(threading.current_thread())
        if not counts or (poll is not None and poll not in counts):
            return False
        if min(counts.values()) < self._idle_polls:
            return False
        return not any(map(self.has_business, counts)) and not self.holds_open()

    def are_idle(self) -> bool:
        """Whether all threads together have polled often enough without effect."""
        empty = sum(sum(counts.values()) for counts in list(self._idle.values()))
        return empty >= self._idle_polls and not self.holds_open()

    def holds_open(self) -> bool:
        """Whether a job that the worker was handed is open."""
        if not self._registry.open_jobs:
            return False
        return any(self._registry.jobs[job_id].is_open for job_id in list(self._held))

    def has_business(self, poll: Poll) -> bool:
        """Whether a job is open that this worker holds, or that this poll may hand out yet."""
        if not self._registry.open_jobs:
            return False
        return self.holds_open() or any(
            job.status in _WAITING and poll.matches(job)
            for job in list(self._registry.jobs.values())
        )

    def _counts(self) -> Counter[Poll]:
        return self._idle.setdefault(threading.current_thread(), Counter())
