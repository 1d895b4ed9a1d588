"""Which threads and pieces of work are a run's: those that it starts, and what it gives to pools.

A pool may be older than the run that gives it work, and its threads are nobody's between two tasks.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from pytest_cpjob.contract.output_capture import nobody_hears_of_threads
from pytest_cpjob.patching import Patches, Undo, when_imported
from pytest_cpjob.threads import Run, RunEnded, begin_run, current_run, join_run, mark_idle
from pytest_cpjob.virtual_time.waits import thread_begun, thread_ended


class Task:
    """A function given to a pool of threads by a run.

    Attributes:
        future: its future, once it is known.
        error: what it raised.
    """

    def __init__(self, ownership: Ownership, run: Run, function: Callable[..., Any]) -> None:
        self.run = run
        self.future: Any = None
        self.error: BaseException | None = None
        self._ownership = ownership
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Perform it in this thread, as a part of its run."""
        __tracebackhide__ = True
        with self._ownership.at_work(self):
            return join_run(self.run, lambda: self._function(*args, **kwargs))


class _AtWork:
    """A pool's thread while it performs a task."""

    def __init__(self, ownership: Ownership, task: Task) -> None:
        self._ownership = ownership
        self._task = task

    def __enter__(self) -> None:
        thread = threading.current_thread()
        self._ownership.pool_threads.add(thread)
        self._ownership.working[thread] = self._task.run
        mark_idle(False)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._ownership.working.pop(threading.current_thread(), None)
        mark_idle(True)
        if error is not None:
            self._task.error = error
            self._ownership.failed.append(self._task)


class Ownership:
    """Threads and tasks by the run that they belong to.

    Attributes:
        working: threads that work for a run at this time, but were not started by it.
        pool_threads: threads that perform tasks, one after another.
        failed: tasks that raised.
        fatal: runs, each with an exception that ended a thread of it.
    """

    def __init__(self) -> None:
        self.working: dict[threading.Thread, Run] = {}
        self.pool_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self.failed: list[Task] = []
        self.fatal: list[tuple[Run, BaseException]] = []
        self._before: dict[int, Run | None] = {}
        self._looked_at: weakref.WeakSet[Any] = weakref.WeakSet()
        self._started: weakref.WeakKeyDictionary[threading.Thread, Run] = (
            weakref.WeakKeyDictionary()
        )

    def begin(self, run: Run) -> None:
        """Let this thread work for a run, until its end."""
        thread = threading.current_thread()
        self._before[id(run)] = self.working.get(thread)
        self.working[thread] = run

    def end(self, run: Run) -> None:
        """Let this thread work for the run before, or for none."""
        before = self._before.pop(id(run), None)
        if before is None:
            self.working.pop(threading.current_thread(), None)
        else:
            self.working[threading.current_thread()] = before

    def is_of_a_run(self, thread: threading.Thread) -> bool:
        """Whether a thread is at work for a run that is not over."""
        run = self.working.get(thread)
        if run is None and thread not in self.pool_threads:
            run = self._started.get(thread)
        return run is not None and not run.is_over

    def at_work(self, task: Task) -> _AtWork:
        """Let this thread, a pool's, work for the run that the task is of."""
        return _AtWork(self, task)

    def swallowed(self, run: Run) -> list[BaseException]:
        """Return what threads and tasks of a run raised, and nobody looked at."""
        return [
            *(error for whose, error in self.fatal if whose is run),
            *(
                task.error
                for task in self.failed
                if task.run is run and task.error is not None and task.future not in self._looked_at
            ),
        ]

    # -- what is inherited -----------------------------------------------------------------------

    def patch(self, undo: Undo) -> None:
        """Let threads and tasks belong to the run that begins them, until the undo."""
        global _current
        _current = self
        undo.later(_forget)
        _THREADS.put_in_place(undo)
        when_imported("concurrent.futures.thread", lambda: _pools().put_in_place(undo), undo)
        when_imported("concurrent.futures", lambda: _futures().put_in_place(undo), undo)

    def begin_thread(self, thread: threading.Thread, run: Run) -> None:
        """Let a thread begin as a part of a run."""
        self._started[thread] = run
        thread_begun(thread)
        _begin_with(self, thread, run)

    def looked_at(self, future: Any) -> None:
        """Take note that somebody has asked for a future's outcome."""
        self._looked_at.add(future)


_current: Ownership | None = None


def _forget() -> None:
    global _current
    _current = None


def _starting(original: Callable[..., None]) -> Callable[..., None]:
    def start(thread: threading.Thread) -> None:
        run, ownership = current_run(), _current
        if run is not None and ownership is not None and thread.ident is None:
            ownership.begin_thread(thread, run)
        original(thread)

    return start


def _submitting(original: Callable[..., Any]) -> Callable[..., Any]:
    def submit(executor: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        run, ownership = current_run(), _current
        if run is None or ownership is None:
            return original(executor, function, *args, **kwargs)
        task = Task(ownership, run, function)
        task.future = original(executor, task, *args, **kwargs)
        return task.future

    return submit


def _looking(original: Callable[..., Any]) -> Callable[..., Any]:
    def look(future: Any, timeout: float | None = None) -> Any:
        ownership = _current
        if ownership is not None:
            ownership.looked_at(future)
        return original(future, timeout)

    return look


_THREADS: Final = Patches((threading.Thread, "start", _starting))


@cache
def _pools() -> Patches:
    pool = sys.modules["concurrent.futures.thread"].ThreadPoolExecutor
    return Patches((pool, "submit", _submitting))


@cache
def _futures() -> Patches:
    future_class = sys.modules["concurrent.futures"].Future
    return Patches(*((future_class, name, _looking) for name in ("result", "exception")))


def _begin_with(ownership: Ownership, thread: threading.Thread, run: Run) -> None:
    """Let a thread begin as a part of a run, and tell of its end."""
    function = thread.run

    def run_thread() -> None:
        del thread.run  # else it would keep itself alive
        begin_run(run)
        try:
            function()
        except RunEnded:
            # Nobody's mistake, so nothing for `threading.excepthook` to tell of.
            return
        except SystemExit:
            raise  # it ends a thread, silently
        except BaseException as error:
            if not run.is_over and nobody_hears_of_threads():
                ownership.fatal.append((run, error))
            raise
        finally:
            thread_ended(thread)

    thread.run = run_thread  # type: ignore[method-assign]  # of this one thread
