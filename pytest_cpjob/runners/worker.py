"""Workers that were written to run for ever, run until there is nothing left for them to do."""

from __future__ import annotations

import inspect
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack
from itertools import groupby, islice
from typing import Final, NoReturn

from pytest_cpjob.contract.output_capture import capture_output
from pytest_cpjob.errors import WorkerError
from pytest_cpjob.harness import Harness
from pytest_cpjob.patching import Undo
from pytest_cpjob.runners.worker_polls import MOST_HAND_OUTS, Poll, WorkerPolls
from pytest_cpjob.service.results import POLLS
from pytest_cpjob.threads import ClientCall, RunEnded, begin_run, end_run, wait_for_threads
from pytest_cpjob.virtual_time.patches import virtual_time

MOST_CALLS: Final = 10_000
"""Calls without any job's change of state, after which a worker counts as one that never idles."""

MOST_CALLS_AFTER_AN_ERROR: Final = 100
"""The same, once a thread or task has raised, in which the worker may look at a task's future."""

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


class _WorkerEnded(RunEnded, SystemExit):
    """Ends a thread of a worker, past every `except Exception` of its own."""


class WorkerRun:
    """One run of a worker.

    Args:
        harness: whose jobs it works on.
        idle_polls: how many times each of its polls comes back empty before it is ended.

    Raises:
        ValueError: `idle_polls` is no number above 0.
    """

    def __init__(self, harness: Harness, idle_polls: int) -> None:
        if isinstance(idle_polls, bool) or not isinstance(idle_polls, int) or idle_polls < 1:
            raise ValueError(f"idle_polls: expected a number from 1, got {idle_polls!r}")
        self.job_id: str | None = None
        self.is_over = False
        self.deadline = float("inf")
        self._harness = harness
        self._service = harness.service
        self._polls = WorkerPolls(harness.service.registry, idle_polls)
        self._late_sleeps: Counter[threading.Thread] = Counter()
        self._late_pollers = 0
        self._calls = 0
        self._changes = 0
        self._sleeps = 0
        self._continued: dict[str, int] = {}
        self._last: deque[str] = deque(maxlen=_SHOWN)
        self._failure: BaseException | None = None
        self._is_done = False
        self._ended: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def run(self, target: Callable[[], object]) -> None:
        """Run it to its end.

        Raises:
            WorkerError: it does not idle, or threads of it do not end.
            Exception: what it raised, in a task of a pool too unless the worker looked at it, and
                in a plain thread unless `threading.excepthook` is the user's own.
        """
        if inspect.iscoroutinefunction(target):
            raise WorkerError(
                f"{target.__name__} is asynchronous: pass lambda: asyncio.run({target.__name__}())"
            )
        if not callable(target):
            raise WorkerError(f"expected a function without arguments, got {target!r}")
        hanging = self._perform(target)
        failure = self._failure or self._swallowed()
        if failure is not None:
            self._harness.observer.met(failure)
            raise failure
        if hanging:
            names = "\n".join(f"- {thread.name}" for thread in hanging)
            raise WorkerError(f"the worker finished, but these threads are still running:\n{names}")

    def _perform(self, target: Callable[[], object]) -> list[threading.Thread]:
        """Call the worker, and return the threads of it that do not end."""
        before = set(threading.enumerate())
        undo = Undo()
        with ExitStack() as stack:
            stack.enter_context(self._harness.observer.looking_for_left_files())
            stack.callback(self._end)
            stack.callback(undo.all)
            capture_output(self._harness.observer, undo)
            _restore_signal_handlers(undo)
            self._time = stack.enter_context(virtual_time(self, self._service.clock))
            stack.callback(end_run, begin_run(self))
            try:
                target()
            except _WorkerEnded:
                pass
            except BaseException as error:
                self._harness.observer.met(error)
                self._harness.router.record.raised(error)
                raise
            self._ended.add(threading.current_thread())
            self._time.leave(threading.current_thread())
            hanging = wait_for_threads(before, PATIENCE, daemons=False)
            wait_for_threads(before, min(PATIENCE, _DAEMONS_PATIENCE), daemons=True)
        return hanging

    def _end(self) -> None:
        self.is_over = True

    # -- calls -----------------------------------------------------------------------------------

    def calling(self, call: ClientCall) -> None:
        """Look before each call whether this thread has done its part."""
        self._time.may_end(lambda: self._begin_call(call))

    def _begin_call(self, call: ClientCall) -> None:
        if self._failure is not None:
            self._end_thread()
        if call.operation in POLLS:
            self._begin_poll(Poll.of(call.request))
        elif not self._polls.any_open and self._polls.is_idle():
            self._end_thread()
        with self._lock:
            self._sleeps = 0
            changes = len(self._service.registry.changes)
            self._calls = self._calls + 1 if changes == self._changes else 0
            self._changes = changes
            calls = self._calls
        error = self._swallowed() if calls > MOST_CALLS_AFTER_AN_ERROR else None
        if error is not None:
            self.fail(error)
            self._end_thread()
        if calls > MOST_CALLS:
            equal = [(line, len(list(lines))) for line, lines in groupby(self._last)]
            last = "\n".join(f"- {line}{f' ({n} times)' if n > 1 else ''}" for line, n in equal)
            self._give_up(
                f"the worker made {MOST_CALLS} calls without any job changing state"
                f" ({self._open_jobs()}); its last calls were:\n{last}"
            )

    def _open_jobs(self) -> str:
        """Say how many jobs are open, and which of them the worker has in hand."""
        registry = self._service.registry
        in_hand = (job for job in list(registry.in_order) if job.is_open and job.acknowledged)
        named = [f"{job.label} was acknowledged, and has no result" for job in islice(in_hand, 3)]
        return "; ".join([f"{registry.open_jobs} open", *named])

    def _begin_poll(self, poll: Poll) -> None:
        self._ended.discard(threading.current_thread())
        if self._polls.is_idle(poll):
            self._end_thread()
        is_new = threading.current_thread() not in self._polls.pollers
        if is_new and self._pollers_are_done():
            with self._lock:
                self._late_pollers += 1
            if self._late_pollers > _MORE_POLLERS:
                self._end_thread()
        job_id = self._polls.never_acknowledged()
        if job_id is not None:
            self._give_up(
                f"the worker was handed job {job_id} {MOST_HAND_OUTS} times and never acknowledged"
                " it: AcknowledgeJob, with the id and the nonce of the job, is what claims it"
            )

    def called(self, call: ClientCall, error: BaseException | None) -> None:
        """Take note of what a call has changed."""
        ending = f" -> {type(error).__name__}" if error is not None else ""
        self._last.append(f"+{self._service.clock.now:.10g}s {call.name}{ending}")
        if call.operation in _SUCCESSES:
            self._count_continuations(call)
        if error is not None:
            return
        if call.operation in POLLS:
            self._polls.note(call)
        else:
            self._polls.note_acknowledgement(call)

    def _count_continuations(self, call: ClientCall) -> None:
        """Count how often an action was continued: its jobs come one after the other."""
        for job_id in call.job_ids:
            job = self._service.registry.jobs.get(job_id)
            if job is not None and job.continuation is not None:
                self._polls.note_continuation(job.continuation)
                count = self._continued.pop(job_id, 0) + 1
                self._continued[job.continuation.id] = count
                if count > MOST_CONTINUATIONS:
                    self._give_up(
                        f"the worker continued one action {MOST_CONTINUATIONS} times; its last"
                        f" job is {job.continuation.id}, with the continuation token"
                        f" {job.continuation.facts.continuation_token!r:.120}"
                    )

    # -- waits -----------------------------------------------------------------------------------

    def may_go_on(self, *, waited: bool = False) -> None:
        """Look around a wait whether this thread has done its part."""
        if waited:
            self._count_sleep()
        # One that waits for those that poll, or beats beside them, ends after they have.
        late = self._late_sleeps[threading.current_thread()] > _MORE_SLEEPS
        idle = not self._polls.any_open and self._polls.is_idle()
        if self._failure is not None or self._is_done or idle or late:
            self._end_thread()

    def _count_sleep(self) -> None:
        with self._lock:
            self._sleeps += 1
            too_many = self._sleeps > MOST_SLEEPS
            if self._pollers_are_done():
                self._late_sleeps[threading.current_thread()] += 1
        if too_many:
            hint = (
                ""
                if self._time.moves_time_of_day
                else "; time.time() and datetime.now() move with sleeps once time-machine is"
                " installed: pip install 'pytest-cpjob[time]'"
            )
            self._give_up(f"the worker slept {MOST_SLEEPS} times without a call{hint}")

    def waits_in_vain(self, seconds: float) -> bool:
        """End the waits of those that wait for the pollers; show a worker that waits for ever."""
        if self._pollers_are_done():
            self._is_done = True
            return True
        if seconds >= 0 and self._failure is None:
            self._failure = self._swallowed() or WorkerError(
                "the worker waits, without a time-out, for what none of its threads can bring about"
                " any more"
            )
        return seconds >= 0

    def _give_up(self, what: str) -> NoReturn:
        # What a task or thread raised comes first: it may well be why the worker goes on.
        self.fail(self._swallowed() or WorkerError(what))
        self._end_thread()

    def _swallowed(self) -> BaseException | None:
        """Return what ended a thread, or a task of a pool raised and the worker never looked at."""
        errors = self._time.ownership.swallowed(self)
        return next((error for error in errors if not isinstance(error, RunEnded)), None)

    def _end_thread(self) -> NoReturn:
        self._ended.add(threading.current_thread())
        raise _WorkerEnded

    def fail(self, error: BaseException) -> None:
        """Take note of an error that the run is to end with, and end its waits."""
        self._failure = self._failure or error
        self._time.scheduler.interrupt(self)

    def _pollers_are_done(self) -> bool:
        me = threading.current_thread()
        polling = any(
            thread is not me and thread.is_alive() and thread not in self._ended
            for thread in self._polls.pollers
        )
        return not polling and self._polls.are_idle()


def _restore_signal_handlers(undo: Undo) -> None:
    """Put back, at the undo, the handlers that a worker sets for SIGTERM and its like."""
    if threading.current_thread() is not threading.main_thread():
        return
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}

    def restore() -> None:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)

    undo.later(restore)
