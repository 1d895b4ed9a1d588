"""A worker's endless loop that a test calls directly, not by `run_worker`: it would never end.

It sleeps for real, since nothing runs it. So once a thread has polled without effect, its waits are
cut short, and after some more empty polls it is ended, with an error that says the way out.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from pytest_cpjob.errors import EndlessWorkerError
from pytest_cpjob.patching import Undo
from pytest_cpjob.threads import ClientCall, current_run, is_tests
from pytest_cpjob.virtual_time.activity import real_time
from pytest_cpjob.virtual_time.interrupts import ThreadInterrupter
from pytest_cpjob.virtual_time.rebinding import is_pythons, rebind

ALWAYS_FINE: Final = 5
"""Empty polls in a row that are never too many."""

MOST_REAL: Final = 5.0
"""Seconds of real time that more of them may take."""

_MOST: Final = 10_000
_FIRST_WAIT: Final = 3.0
_OTHER_WAITS: Final = 1.0
_POLLS: Final = frozenset({"PollForJobs", "PollForThirdPartyJobs"})


class _Polling:
    """The empty polls of one thread, in a row."""

    def __init__(self) -> None:
        self.began = real_time()
        self.count = 0
        self.waits = 0


class DirectPolls:
    """The polls of code that no run is responsible for.

    Args:
        undo: when to replace waits no more.
    """

    def __init__(self, undo: Undo) -> None:
        self._undo = undo
        self._polling: dict[threading.Thread, _Polling] = {}
        self._interrupter = ThreadInterrupter()

    def calling(self, call: ClientCall) -> None:
        """End a loop that has polled without effect for too long.

        Raises:
            EndlessWorkerError: it has; the text says the way out.
        """
        if call.operation not in _POLLS:
            return
        polling = self._polling.get(threading.current_thread())
        if polling is None or polling.count <= ALWAYS_FINE:
            return
        if polling.count >= _MOST or real_time() - polling.began >= MOST_REAL:
            error = EndlessWorkerError(
                f"this loop polled {polling.count} times for jobs, and there were none: it has no"
                " end of its own. Let cpjob.run_worker(worker) run it, which ends it once nothing"
                " is left to do, and lets its sleeps take no time; or call what polls once"
            )
            self._interrupter.insist(error)
            raise error

    def called(self, call: ClientCall, error: BaseException | None) -> None:
        """Count the empty polls of this thread."""
        if call.operation not in _POLLS or error is not None:
            return
        me = threading.current_thread()
        if call.job_ids:
            self._polling.pop(me, None)
            return
        polling = self._polling.get(me)
        if polling is None:
            if not self._polling:
                self._replace_waits()
            polling = self._polling[me] = _Polling()
        polling.count += 1

    # -- waits -----------------------------------------------------------------------------------

    def _replace_waits(self) -> None:
        self._undo.later(self._interrupter.stop_insisting)
        self._undo.later(self._polling.clear)
        wait = threading.Condition.wait

        def cut_wait(condition: threading.Condition, timeout: float | None = None) -> bool:
            return wait(condition, self._cut(timeout))

        self._undo.set_attribute(threading.Condition, "wait", cut_wait)
        if is_pythons(time.sleep):
            rebind([("sleep", time.sleep, self._cutting(time.sleep))], self._undo)

    def _cutting(self, original: Callable[[float], None]) -> Callable[[float], None]:
        def cut_sleep(seconds: float) -> None:
            original(self._cut(seconds))

        cut_sleep.stands_for = original  # type: ignore[attr-defined]  # a function's own
        return cut_sleep

    def _cut(self, seconds: Any) -> Any:
        """Return for how long a wait of this thread is to last that wants to last so long."""
        polling = self._polling.get(threading.current_thread())
        if polling is None or current_run() is not None or is_tests():
            return seconds
        if not isinstance(seconds, (int, float)):
            return seconds
        most = _OTHER_WAITS if polling.waits else _FIRST_WAIT
        if seconds <= most:
            return seconds
        if not polling.waits:
            print(
                "pytest-cpjob: a worker's loop waits for real, since the test calls it directly;"
                " cpjob.run_worker(worker) runs it in no time, and ends it",
                file=sys.stderr,
            )
        polling.waits += 1
        return most
