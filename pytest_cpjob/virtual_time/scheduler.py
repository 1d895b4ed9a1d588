"""The scheduler: which thread continues when, on a clock that jumps only when nobody can act.

Design note. Code under test that waits should take no real time, and should see what it would see
on real clocks. So its waits are registered here, each with the time of the job clock at which it
ends (`Wait`), and its threads are held at a gate. The clock jumps to the earliest of these times,
but only when nothing else can happen before it. The parts, and what breaks without each, for whom:

1. *Waits are known, not guessed.* Sleeps, conditions (hence events, semaphores, barriers, queues
   and futures), locks, joins and selectors (hence event loops) register themselves (`patches`,
   `waits`, `locks`). A wait that was notified counts as acting from that moment on, although its
   thread has not run yet. Without this, a worker whose main thread waits for `done.set()` would see
   a time-out that no real clock gives it, now and then, on a busy machine.
2. *A thread in no wait of ours* may be at work, in a system call, or idle in a pool's C code. The
   kernel decides (`activity`): it is idle if it is blocked and has used no processor time for 20
   ms. A thread of the run itself gets up to 5 s, since its wait may end by itself: a socket, a lock
   that is older than the test. Without this, a handler whose pool is older than the run would wait
   300 s of job clock for work that was about to be done.
3. *Child processes* run in real time (`processes`): a sleep beside one is real, for up to 5 s, and
   a wait that somebody can end, for up to 30 s. Without this, a handler that polls
   `process.is_alive()` would use up its fifteen minutes in a moment.
4. *Selectors look first.* A jump needs a look at each selector that is later than the beginning of
   the quiet; one that watches more than its loop's own pipe waits for real, for up to 5 s. Without
   this, asyncio code that awaits `to_thread` or a socket would lose against any timer.
5. *The deadline of a run is a time to jump to as well*, so that a handler that waits for ever
   reaches its time-out. Where nobody waits for a time at all, and nobody acts, the run is notified
   (`waits_in_vain`), and ends the waits with an error. Without this, a deadlock would hang a test.
6. *Actions of the test* (`cpjob.at`) are times to jump to, too. The clock performs them, in the
   thread that moves it; what they raise is kept for the end of the run.
7. *No thread of ours.* The waiting threads watch by themselves: one of them leads, looks every
   millisecond, and hands over when its own wait ends. A thread of ours would be one more to tell
   apart from the user's, and to end. When all threads are known to wait, the last of them moves the
   clock at once: a sleep takes microseconds.

Real time is only ever waited for; it never moves the clock. So a run has the same times on any
machine, except for waits that are real, which `docs/time.md` lists.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Literal, Protocol

from pytest_cpjob.service.clock import Clock
from pytest_cpjob.threads import Run
from pytest_cpjob.virtual_time.activity import MOST_REAL, STEP, Activity, real_time
from pytest_cpjob.virtual_time.processes import MOST_REAL_IN_ALL

MOST_AT_WORK: Final = 60.0
"""Seconds of real time that a wait gives to threads of the run that are at work, at most."""

_LEAST_PATIENCE: Final = 1.0
_NEVER: Final = float("inf")

Outcome = Literal["notified", "expired", "interrupted"]

_LATE: Final = ("interrupted", "notified")
"""What was interrupted may be notified yet, before its thread has its turn: it was in time."""

_new_gate: Final = threading.Lock
_new_lock: Final = threading.RLock

# Reentrant, since the handler of a signal may set an event, whatever it interrupts.
_ending: Final = _new_lock()


class Wait:
    """One thread's wait.

    Args:
        run: whose it is.
        until: the time of the job clock at which it ends; infinity for none.

    Attributes:
        outcome: how it ended; None while it lasts.
        began: the real time of its beginning.
        is_sleep: nobody can end it before its time.
        is_outside: who is to end it may be no part of any run.
        can_be_vain: whether it ends where its run says that it is without hope.
    """

    def __init__(self, run: Run, until: float) -> None:
        self.run = run
        self.until = until
        self.thread_id = threading.get_ident()
        self.began = real_time()
        self.outcome: Outcome | None = None
        self.is_sleep = False
        self.is_outside = False
        self.can_be_vain = True
        self._gate = _new_gate()
        self._gate.acquire()

    def end(self, outcome: Outcome) -> bool:
        """End the wait, unless it has ended; return whether it was this that ended it."""
        with _ending:
            if self.outcome is not None and (self.outcome, outcome) != _LATE:
                return False
            self.outcome = outcome
        self.wake()
        return True

    def release(self) -> None:
        """End the wait, as `Condition.notify` does with those that wait.

        Raises:
            RuntimeError: it has ended otherwise, so that somebody else is to be notified.
        """
        if not self.end("notified"):
            raise RuntimeError("this wait has ended")

    def wake(self) -> None:
        """Let the thread look again."""
        try:
            self._gate.release()
        except RuntimeError:  # it was woken already
            return

    def block(self, seconds: float | None) -> None:
        """Wait for real until woken, at most some seconds."""
        self._gate.acquire(timeout=-1 if seconds is None else seconds)

    def is_fresh(self, since: float, now: float, *, is_mine: bool) -> bool:
        """Whether nothing can have happened that it has not heard of, since the quiet began."""
        return True


class Time(Protocol):
    """What a wait needs to know of the time that is under way."""

    scheduler: Scheduler

    def run_of_a_wait(self, timeout: float | None) -> Run | None:
        """Return the run that waits; None if the wait is not one for the job clock to pass."""

    def may_go_on(self, run: Run, *, waited: bool = False) -> None:
        """Raise if this thread is to end."""

    def until(self, timeout: float | None) -> float:
        """Return the time of the job clock at which a wait that begins now ends."""

    def new_wait(self, run: Run, timeout: float | None) -> Wait:
        """Begin a wait."""

    def pass_wait(
        self,
        run: Run,
        timeout: float | None,
        waits: deque[Wait],
        try_it: Callable[[], bool],
        *,
        is_outside: bool,
    ) -> bool | None:
        """Wait until something can be had, of which `waits` are told one by one.

        Args:
            is_outside: somebody has it who is not a part of any run.
        """

    def real_wait(self, timeout: float | None) -> AbstractContextManager[None]:
        """Let the others know of a wait that is real, and ends by itself."""


class Scheduler:
    """Who waits until when.

    Args:
        clock: the job clock.
        activity: who acts that does not wait here.
    """

    def __init__(self, clock: Clock, activity: Activity) -> None:
        self._clock = clock
        self._activity = activity
        self._waits: list[Wait] = []
        self._lock = _new_lock()
        self._leader: Wait | None = None
        self._moving = 0
        self._quiet_since: float | None = None
        self._last_look = real_time()
        clock.on_advance(self._expire)

    def stop(self) -> None:
        """End all waits; those without an end go on for real."""
        self._clock.forget(self._expire)
        self.interrupt(None)

    def interrupt(self, run: Run | None) -> None:
        """End the waits of one run, or of all."""
        with self._lock:
            for wait in self._waits:
                if run is None or wait.run is run:
                    wait.end("interrupted")

    def pass_time(self, wait: Wait) -> Outcome:
        """Hold this thread until its wait has ended."""
        self._enter(wait)
        try:
            while wait.outcome is None:
                with self._lock:
                    self._leader = self._leader or wait
                self._go_on(wait)
                if wait.outcome is None:
                    wait.block(STEP if self._leader is wait else None)
        finally:
            self._leave(wait)
        return wait.outcome

    def _enter(self, wait: Wait) -> None:
        with self._lock:
            self._waits.append(wait)
            self._quiet_since = None
        if self._leader is not None:
            self._go_on(wait)

    def _leave(self, wait: Wait) -> None:
        with self._lock:
            self._waits.remove(wait)
            self._quiet_since = None
            if self._leader is None or self._leader is wait:
                self._leader = None
                for other in self._waits:
                    if other.outcome is None:
                        other.wake()
                        break

    # -- the jump --------------------------------------------------------------------------------

    def _go_on(self, mine: Wait) -> None:
        """Move the clock to the next time at which something happens, if nobody can act before."""
        with self._lock:
            if not self._is_quiet(mine):
                return
            moment = self._next_moment()
            if moment is None:
                return
            self._moving += 1
        try:
            self._clock.advance_to(moment)
        except Exception as error:
            mine.run.fail(error)
        finally:
            with self._lock:
                self._moving -= 1
                self._quiet_since = None

    def _next_moment(self) -> float | None:
        quiet_for = real_time() - (self._quiet_since or 0.0)
        runs = {id(wait.run): wait.run for wait in self._waits}.values()
        moment = min(self._clock.next_due, min(wait.until for wait in self._waits))
        deadline = min(run.deadline for run in runs)
        if moment == deadline == _NEVER:
            for run in runs:
                if run.waits_in_vain(quiet_for - self._patience()):
                    for wait in self._waits:
                        if wait.run is run and wait.can_be_vain:
                            wait.end("interrupted")
            return None
        if moment == _NEVER and quiet_for < self._patience():
            return None
        return min(moment, deadline)

    def _patience(self) -> float:
        """Return the real seconds after which a wait without an end is without hope.

        A thread that stands still could end it, or a process, or a signal.
        """
        waiting = self._waiting
        if self._activity.is_outside(waiting) or self._activity.processes.live(0.0):
            return MOST_AT_WORK
        return MOST_REAL if threading.active_count() > len(waiting) else _LEAST_PATIENCE

    @property
    def _waiting(self) -> set[int]:
        return {wait.thread_id for wait in self._waits}

    def _expire(self, now: float) -> None:
        """End the waits whose time has come."""
        with self._lock:
            for wait in self._waits:
                if wait.until <= now or wait.run.deadline <= now:
                    wait.end("expired")

    # -- the quiet -------------------------------------------------------------------------------

    def _is_quiet(self, mine: Wait) -> bool:
        now = real_time()
        elapsed, self._last_look = min(now - self._last_look, 2 * STEP), now
        goes_on = bool(self._moving) or self._somebody_goes_on(now, elapsed)
        since = self._quiet_since or now
        self._quiet_since = None if goes_on else since
        # Every one is asked, since asking counts its time.
        fresh = [wait.is_fresh(since, now, is_mine=wait is mine) for wait in self._waits]
        return not goes_on and all(fresh) and not any(wait.outcome for wait in self._waits)

    def _somebody_goes_on(self, now: float, elapsed: float) -> bool:
        for wait in self._waits:
            if wait.outcome or (wait.is_outside and now - wait.began < MOST_REAL):
                return True
        earliest = min(self._waits, key=_until)
        waited = now - earliest.began
        seconds = max(0.0, earliest.until - self._clock.now)
        most = _NEVER if seconds == _NEVER else min(max(seconds, MOST_REAL), MOST_AT_WORK)
        if waited < most and self._activity.goes_on(self._waiting):
            return True
        patience = MOST_REAL if earliest.is_sleep else MOST_REAL_IN_ALL
        return waited < min(seconds, patience) and self._activity.processes.live(elapsed)


def _until(wait: Wait) -> float:
    return wait.until
