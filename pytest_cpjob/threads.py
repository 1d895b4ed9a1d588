"""Threads: whose run each belongs to, which of them are idle, and real waits.

A run is one invocation of a handler or one run of a worker. Threads that it starts, and tasks and
pieces of work for a pool that come from it, belong to it: what they call and how long they sleep is
its business, and nobody else's, however many runs there are.
"""

from __future__ import annotations

import itertools
import queue
import sys
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Final, Protocol, TypeVar

from pytest_cpjob.patching import Patches, Undo

OURS: Final = "pytest-cpjob"
"""How the names of this project's own threads begin."""

_STEP: Final = 0.01
_CONDITION_WAIT: Final = threading.Condition.wait.__code__

_never_released: Final = threading.Lock()
_never_released.acquire()

_T = TypeVar("_T")


class ClientCall(Protocol):
    """What a run is told of a call."""

    @property
    def name(self) -> str:
        """Service and operation, such as `sts.GetCallerIdentity`."""

    @property
    def operation(self) -> str:
        """The operation's name in the API."""

    @property
    def request(self) -> Mapping[str, Any]:
        """The parameters."""

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The jobs that it is about; of a poll, those that were handed out."""


class CallListener(Protocol):
    """Who is told of calls."""

    def calling(self, call: ClientCall) -> None:
        """Take note of a call before it is made; what is raised here ends it."""

    def called(self, call: ClientCall, error: BaseException | None) -> None:
        """Take note of a call that has ended."""


class RunEnded(BaseException):
    """Ends a thread of a run, past every `except Exception` of its code."""


class Run(CallListener, Protocol):
    """Code under test that is run by us.

    Attributes:
        job_id: the job that the code is run for, if it is run for one.
        is_over: whether it has ended; a thread of it that goes on belongs to no run any more.
        deadline: the time of the job clock at which it is ended; infinity if there is none.
    """

    job_id: str | None
    is_over: bool
    deadline: float

    def may_go_on(self, *, waited: bool = False) -> None:
        """Raise if this thread is to end: before a wait, or when it has `waited` to its end."""

    def waits_in_vain(self, seconds: float) -> bool:
        """Whether its waits are to end, since nobody has been able to end them for so long."""

    def fail(self, error: BaseException) -> None:
        """Take note of an error that the run is to end with, and end its waits."""


_run: ContextVar[Run | None] = ContextVar("pytest_cpjob_run", default=None)
_is_tests: ContextVar[bool] = ContextVar("pytest_cpjob_is_tests", default=False)


def current_run() -> Run | None:
    """Return the run that this thread or task belongs to, if it belongs to one that is not over."""
    run = _run.get()
    return None if run is None or run.is_over else run


def begin_run(run: Run) -> Token[Run | None]:
    """Let this thread belong to a run, until `end_run`."""
    return _run.set(run)


def end_run(token: Token[Run | None]) -> None:
    """Let this thread belong to the run before, or to none."""
    _run.reset(token)


def join_run(run: Run | None, function: Callable[[], _T]) -> _T:
    """Call a function as a part of a run."""
    __tracebackhide__ = True
    token = _run.set(run)
    try:
        return function()
    finally:
        _run.reset(token)


def is_tests() -> bool:
    """Whether this thread runs an action of the test's own, whoever's thread it is."""
    return _is_tests.get()


def as_test(action: Callable[[], object]) -> Callable[[], object]:
    """Return the action as the test's own: its calls and waits belong to no run."""

    def act() -> object:
        token, run = _is_tests.set(True), _run.set(None)
        try:
            return action()
        finally:
            _run.reset(run)
            _is_tests.reset(token)

    return act


# -- real waits ------------------------------------------------------------------------------------


def pause(seconds: float) -> None:
    """Wait for real, whatever a test or a library has put in the place of sleep and the clocks."""
    _never_released.acquire(timeout=seconds)


def wait_until(is_so: Callable[[], bool], seconds: float | None) -> bool:
    """Wait for real until something is so; return whether it is.

    Args:
        is_so: asked every hundredth of a second.
        seconds: about the most, None for no limit. They are counted in steps: freezegun stops
            clocks.
    """
    steps = itertools.count() if seconds is None else range(round(seconds / _STEP))
    for _ in steps:
        if is_so():
            return True
        pause(_STEP)
    return is_so()


# -- idle threads ----------------------------------------------------------------------------------

_idle: Final[weakref.WeakSet[threading.Thread]] = weakref.WeakSet()


def mark_idle(idle: bool) -> None:
    """Count this thread as idle from now on: it waits for work, without an end; or do not."""
    (_idle.add if idle else _idle.discard)(threading.current_thread())


@contextmanager
def idle_thread() -> Iterator[None]:
    """Count this thread as idle."""
    mark_idle(True)
    try:
        yield
    finally:
        mark_idle(False)


def watch_idle_threads(undo: Undo) -> None:
    """Know, until the undo, which threads wait at a queue without a time-out."""
    _QUEUES.put_in_place(undo)


def _noting_idle(original: Callable[..., Any]) -> Callable[..., Any]:
    def get(self: queue.Queue[Any], block: bool = True, timeout: float | None = None) -> Any:
        if not block or timeout is not None:
            return original(self, block, timeout)
        with idle_thread():
            return original(self)

    return get


_QUEUES: Final = Patches((queue.Queue, "get", _noting_idle))


def wait_for_threads(
    before: Collection[threading.Thread], seconds: float, *, daemons: bool
) -> list[threading.Thread]:
    """Wait until the threads that were not there `before` have ended; return those that have not.

    Threads of a pool with nothing to do, and those that wait for ever at a queue, do not count.

    Args:
        seconds: of real time, about the most. They are counted in steps: freezegun stops clocks.
        daemons: whether daemon threads are waited for as well.
    """
    if all(thread in before for thread in threading.enumerate()):
        return []
    steps_left = round(seconds / _STEP)
    while True:
        running = [
            thread
            for thread in threading.enumerate()
            if thread not in before
            and not thread.name.startswith(OURS)
            and thread is not threading.current_thread()
            and (daemons or not thread.daemon)
            and thread not in _idle
            and not _waits_for_work(thread)
        ]
        if not running or steps_left <= 0:
            return running
        pause(_STEP)
        steps_left -= 1


def _waits_for_work(thread: threading.Thread) -> bool:
    """Whether a thread waits at a Condition without an end, or manages processes that are idle.

    Looked at when it is asked for only: so it costs nothing while code runs.
    """
    if not getattr(thread, "pending_work_items", True):
        return True  # concurrent.futures' own, of a ProcessPoolExecutor
    if not thread.daemon:
        return False
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None and frame.f_code is not _CONDITION_WAIT:
        frame = frame.f_back
    if frame is None or frame.f_locals.get("timeout") is not None:
        return False
    # An Event, a Barrier and a join wait at a Condition as well: for what ends, not for work.
    return frame.f_back is not None and frame.f_back.f_code.co_filename != threading.__file__
