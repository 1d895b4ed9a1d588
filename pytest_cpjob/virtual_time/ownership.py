"""Which threads and pieces of work are a run's: those that it starts, and what it gives to pools.

A pool may be older than the run that gives it work, and its threads are nobody's between two tasks.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from pytest_cpjob.patching import Undo, when_imported
from pytest_cpjob.threads import Run, RunEnded, begin_run, current_run, join_run, mark_idle
from pytest_cpjob.virtual_time.waits import Joins


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
    """

    def __init__(self) -> None:
        self.working: dict[threading.Thread, Run] = {}
        self.pool_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self.failed: list[Task] = []
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
        """Return what tasks of a run raised, and nobody looked at."""
        return [
            task.error
            for task in self.failed
            if task.run is run and task.error is not None and task.future not in self._looked_at
        ]

    # -- what is inherited -----------------------------------------------------------------------

    def patch(self, joins: Joins, undo: Undo) -> None:
        """Let threads and tasks belong to the run that begins them, until the undo."""
        original = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            run = current_run()
            if run is not None and thread.ident is None:
                self._started[thread] = run
                joins.begun(thread)
                _begin_with(thread, run, joins)
            original(thread)

        undo.set_attribute(threading.Thread, "start", start)
        when_imported("concurrent.futures.thread", lambda: self._patch_pools(undo), undo)
        when_imported("concurrent.futures", lambda: self._patch_futures(undo), undo)

    def _patch_pools(self, undo: Undo) -> None:
        pool = sys.modules["concurrent.futures.thread"].ThreadPoolExecutor
        original = pool.submit

        def submit(executor: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            run = current_run()
            if run is None:
                return original(executor, function, *args, **kwargs)
            task = Task(self, run, function)
            task.future = original(executor, task, *args, **kwargs)
            return task.future

        undo.set_attribute(pool, "submit", submit)

    def _patch_futures(self, undo: Undo) -> None:
        future_class = sys.modules["concurrent.futures"].Future
        for name in ("result", "exception"):
            undo.set_attribute(future_class, name, self._looking(getattr(future_class, name)))

    def _looking(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def look(future: Any, timeout: float | None = None) -> Any:
            self._looked_at.add(future)
            return original(future, timeout)

        return look


def _begin_with(thread: threading.Thread, run: Run, joins: Joins) -> None:
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
        finally:
            joins.ended(thread)

    thread.run = run_thread  # type: ignore[method-assign]
