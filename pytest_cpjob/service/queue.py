"""The queue: which job a poll gets, and what happens to jobs as time passes.

Each duration is the same for all jobs of a kind, so one first-in-first-out queue per kind of timer
is always in the order of its deadlines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from pytest_cpjob.documents.facts import ActionType
from pytest_cpjob.service import limits
from pytest_cpjob.service.jobs import JobRecord, Kind, Status

SetStatus = Callable[[JobRecord, Status], None]


def why_passed_over(operation: str, request: Mapping[str, Any], job: JobRecord) -> str | None:
    """Return why a poll did not hand a waiting job out, as the end of a sentence; None if it could.

    Such as `with PipelineName=web: its PipelineName is 'webb'`.
    """
    if (operation == "PollForThirdPartyJobs") != (job.kind == "third-party"):
        return None
    asked = request.get("actionTypeId") or {}
    own = job.facts.action_type.as_dict()
    if asked != own:
        polled = ":".join(str(asked.get(name)) for name in own)
        return f"for {polled}: it is of {job.facts.action_type}"
    for name, value in (request.get("queryParam") or {}).items():
        there = job.facts.configuration.get(name)
        if there != value:
            has = f"its {name} is {there!r}" if there is not None else f"it has no {name}"
            return f"with {name}={value}: {has}"
    return None


class Queue:
    """The jobs that wait for a worker, by action type, oldest first."""

    def __init__(self, set_status: SetStatus) -> None:
        self._set_status = set_status
        self._waiting: dict[ActionType, deque[JobRecord]] = {}
        # A job that was handed out by other means than a poll (`dispatch`) still stands in line, so
        # often: it is then passed over. These come first if it has joined the line again.
        self._taken_out: dict[JobRecord, int] = {}
        self._unacknowledged: deque[tuple[float, int, JobRecord]] = deque()
        self._timeouts: dict[Kind, deque[JobRecord]] = {
            "custom": deque(),
            "third-party": deque(),
            "lambda": deque(),
        }

    def add(self, job: JobRecord) -> None:
        """Start the job's time-out; a job for workers joins the queue."""
        self._timeouts[job.kind].append(job)
        if job.kind != "lambda":
            self._enqueue(job)

    def _enqueue(self, job: JobRecord) -> None:
        self._waiting.setdefault(job.facts.action_type, deque()).append(job)

    def take(
        self, action_type: ActionType, at_most: int, query: Mapping[str, str] | None, now: float
    ) -> list[JobRecord]:
        """Hand out up to `at_most` waiting jobs whose configuration matches `query`."""
        taken: list[JobRecord] = []
        waiting = self._waiting.get(action_type)
        if not waiting:
            return taken
        passed_over: list[JobRecord] = []
        while waiting and len(taken) < at_most:
            job = waiting.popleft()
            if self._is_taken_out(job) or job.status != "Queued":
                continue
            if query and any(job.facts.configuration.get(k) != v for k, v in query.items()):
                passed_over.append(job)
                continue
            self._hand_out(job, now)
            taken.append(job)
        waiting.extendleft(reversed(passed_over))
        return taken

    def _is_taken_out(self, job: JobRecord) -> bool:
        """Return whether a place in the line is one that its job has left, and forget the place."""
        places = self._taken_out.pop(job, 0)
        if places > 1:
            self._taken_out[job] = places - 1
        return places > 0

    def dispatch(self, job: JobRecord, now: float) -> None:
        """Hand out one job that waits in the line, wherever it stands there."""
        self._taken_out[job] = self._taken_out.get(job, 0) + 1
        self._hand_out(job, now)

    def _hand_out(self, job: JobRecord, now: float) -> None:
        """Set a new nonce, and start the time to acknowledge it."""
        job.hand_out()
        self._set_status(job, "Dispatched")
        self._unacknowledged.append((now + limits.REDELIVERY, job.hand_outs, job))

    def elapse(self, now: float) -> None:
        """Apply what is due by `now`: time-outs, then jobs that no worker acknowledged in time."""
        for line in self._timeouts.values():
            while line and line[0].created_at + line[0].timeout <= now:
                job = line.popleft()
                if job.is_open:
                    self._set_status(job, "TimedOut")
        while self._unacknowledged and self._unacknowledged[0][0] <= now:
            _, hand_out, job = self._unacknowledged.popleft()
            if job.status == "Dispatched" and job.hand_outs == hand_out:
                self._set_status(job, "Queued")
                self._enqueue(job)
