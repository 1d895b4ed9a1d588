"""Workers that were written to run for ever, run until there is nothing left for them to do."""

from __future__ import annotations

import inspect
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pytest_cpjob.contract.output_capture import capture_output
from pytest_cpjob.errors import WorkerError
from pytest_cpjob.harness import Harness
from pytest_cpjob.patching import Undo
from pytest_cpjob.service.results import POLLS
from pytest_cpjob.threads import wait_for_threads
from pytest_cpjob.virtual_time.patches import VirtualTime

if TYPE_CHECKING:
    from pytest_cpjob.clients.pending_call import PendingCall

MOST_CALLS: Final = 10_000
"""Calls without any job's change of state, after which a worker counts as one that never idles."""

MOST_CONTINUATIONS: Final = 1_000
"""Times that a worker may continue one action, after which it counts as one that never ends it."""

MOST_SLEEPS: Final = 100_000
"""Sleeps without a call, after which a worker counts as waiting for a time that never comes."""

PATIENCE: Final = 5.0
"""Seconds of real time that a worker's threads have to end."""

_DAEMONS_PATIENCE: Final = 0.5
"""Seconds of real time that its daemon threads have, which would end with their process."""

_MORE_SLEEPS: Final = 10
"""Sleeps of a thread that does not poll, once the others are done: it may have work to finish."""

_MORE_POLLERS: Final = 10
"""Threads that begin to poll once the others are done: a timer starts a new one for each poll."""

_SUCCESSES: Final = frozenset({"PutJobSuccessResult", "PutThirdPartyJobSuccessResult"})
_SHOWN: Final = 5


class _WorkerEnded(SystemExit):
    """Ends a thread of a worker, past every `except Exception` of its own."""


class WorkerRun:
    """One run of a worker.

    Args:
        harness: whose jobs it works on.
        idle_polls: how many empty polls, while no job is queued or open, end it.

    Raises:
        ValueError: `idle_polls` is no number above 0.
    """

    def __init__(self, harness: Harness, idle_polls: int) -> None:
        if isinstance(idle_polls, bool) or not isinstance(idle_polls, int) or idle_polls < 1:
            raise ValueError(f"idle_polls: expected a number from 1, got {idle_polls!r}")
        self._harness = harness
        self._service = harness.service
        self._idle_polls = idle_polls
        self.job_id = None
        self._idle: Counter[threading.Thread] = Counter()
        self._late_sleeps: Counter[threading.Thread] = Counter()
        self._late_pollers = 0
        self._calls = 0
        self._changes = 0
        self._sleeps = 0
        self._continued: dict[str, int] = {}
        self._last: deque[str] = deque(maxlen=_SHOWN)
        self._failure: WorkerError | None = None
        self._is_over = False
        self._lock = threading.Lock()
        self._waiting = VirtualTime(self._slept, self._end_if_done)

    def run(self, target: Callable[[], object]) -> None:
        """Run it to its end.

        Raises:
            WorkerError: it does not idle, or threads of it do not end.
            Exception: what it raised.
        """
        if inspect.iscoroutinefunction(target):
            raise WorkerError(
                f"{target.__name__} is asynchronous: pass lambda: asyncio.run({target.__name__}())"
            )
        if not callable(target):
            raise WorkerError(f"expected a function without arguments, got {target!r}")
        before = set(threading.enumerate())
        undo = Undo()
        try:
            undo.set_attribute(self._harness.router, "running", self)
            capture_output(self._harness.observer.wrote, undo)
            with self._waiting:
                try:
                    target()
                except _WorkerEnded:
                    pass
                except BaseException as error:
                    self._harness.observer.met(error)
                    self._harness.router.raised(error)
                    raise
                self._waiting.leave(threading.current_thread())
                hanging = wait_for_threads(before, PATIENCE, daemons=False)
                wait_for_threads(before, min(PATIENCE, _DAEMONS_PATIENCE), daemons=True)
        finally:
            self._is_over = True
            undo.all()
        if self._failure is not None:
            raise self._failure
        if hanging:
            names = "\n".join(f"- {thread.name}" for thread in hanging)
            raise WorkerError(f"the worker finished, but these threads are still running:\n{names}")

    # -- what ends it ----------------------------------------------------------------------------

    def calling(self, call: PendingCall) -> None:
        """Look before each call whether this thread has done its part."""
        if self._waiting.is_mine() and not self._is_over:
            self._waiting.may_end(lambda: self._begin_call(call.operation))

    def _begin_call(self, operation: str) -> None:
        if self._failure is not None or self._has_idled():
            raise _WorkerEnded
        if operation in POLLS:
            self._begin_poll()
        with self._lock:
            self._sleeps = 0
            changes = len(self._service.registry.changes)
            self._calls = self._calls + 1 if changes == self._changes else 0
            self._changes = changes
            too_many = self._calls > MOST_CALLS
        if too_many:
            last = "\n".join(f"- {line}" for line in self._last)
            open_jobs = self._service.registry.open_jobs
            self._fail(
                f"the worker made {MOST_CALLS} calls without any job changing state"
                f" ({open_jobs} open); its last calls were:\n{last}"
            )

    def _begin_poll(self) -> None:
        is_new = threading.current_thread() not in self._idle
        if is_new and self._pollers_are_done():
            with self._lock:
                self._late_pollers += 1
            if self._late_pollers > _MORE_POLLERS:
                raise _WorkerEnded

    def called(self, call: PendingCall, error: BaseException | None) -> None:
        """Count a poll that came back empty while nothing is left to do."""
        ending = f" -> {type(error).__name__}" if error is not None else ""
        self._last.append(f"+{self._service.clock.now:.10g}s {call.name}{ending}")
        if call.operation in _SUCCESSES:
            self._count_continuations(call)
        if call.operation not in POLLS or error is not None:
            return
        thread = threading.current_thread()
        if call.job_ids or self._service.registry.open_jobs:
            self._idle[thread] = 0
        else:
            self._idle[thread] += 1

    def _count_continuations(self, call: PendingCall) -> None:
        """Count how often an action was continued: its jobs come one after the other."""
        for job_id in call.job_ids:
            job = self._service.registry.jobs.get(job_id)
            if job is not None and job.continuation is not None:
                count = self._continued.pop(job_id, 0) + 1
                self._continued[job.continuation.id] = count
                if count > MOST_CONTINUATIONS:
                    self._fail(
                        f"the worker continued one action {MOST_CONTINUATIONS} times; its last"
                        f" job is {job.continuation.id}, with the continuation token"
                        f" {job.continuation.facts.continuation_token!r:.120}"
                    )

    def _slept(self, seconds: float) -> None:
        with self._lock:
            self._sleeps += 1
            too_many = self._sleeps > MOST_SLEEPS
            if self._pollers_are_done():
                self._late_sleeps[threading.current_thread()] += 1
        self._end_if_done(in_vain=False)
        self._service.clock.advance(seconds)
        if too_many:
            hint = (
                ""
                if self._waiting.moves_time_of_day
                else "; time.time() and datetime.now() move with sleeps once time-machine is"
                " installed: pip install 'pytest-cpjob[time]'"
            )
            self._fail(f"the worker slept {MOST_SLEEPS} times without a call{hint}")

    def _fail(self, what: str) -> None:
        self._failure = self._failure or WorkerError(what)
        raise _WorkerEnded

    def _end_if_done(self, *, in_vain: bool) -> None:
        """Look before a rest whether this thread has done its part."""
        # One that waits for those that poll, or beats beside them, ends after they have.
        late = self._late_sleeps[threading.current_thread()] > _MORE_SLEEPS
        if self._failure is not None or self._has_idled() or late:
            raise _WorkerEnded
        if in_vain and self._pollers_are_done():
            raise _WorkerEnded

    def _has_idled(self) -> bool:
        """Whether this thread has polled often enough in vain, and nothing is left to do."""
        idle = self._idle[threading.current_thread()] >= self._idle_polls
        return idle and not self._service.registry.open_jobs

    def _pollers_are_done(self) -> bool:
        me = threading.current_thread()
        polling = any(
            thread is not me and thread.is_alive() and not self._waiting.has_left(thread)
            for thread in list(self._idle)
        )
        idle = sum(self._idle.values()) >= self._idle_polls
        return idle and not polling and not self._service.registry.open_jobs
