"""Random programs of threads that wait for one another, and what real clocks would make of them.

A program is a list of operations for each of its threads. `possible_histories` works out, on exact
clocks, every history that it may have: threads that are ready at one time may go on in any order.
`history_of` executes it. A history says of each operation when it ended, and how.

Every time-out has a bit of its own, so that no two waits that are under way end at one time.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

OBJECTS = 2
"""Events, locks and queues of each kind."""

MOST_TIMED = 20
UNIT = float(1 << MOST_TIMED)


class Operation(NamedTuple):
    """One step of a thread: what it does, with which object, and how long it waits at most."""

    kind: str
    target: int = 0
    seconds: float | None = None


Program = tuple[tuple[Operation, ...], ...]
Ending = tuple[float, object]
History = tuple[tuple[Ending, ...], ...]


# -- the reference ---------------------------------------------------------------------------------


class State(NamedTuple):
    """Where a program stands. A thread's `waits` is None, or the time at which its wait ends."""

    now: float
    history: History
    waits: tuple[float | None, ...]
    events: tuple[bool, ...] = (False,) * OBJECTS
    owners: tuple[int | None, ...] = (None,) * OBJECTS
    queued: tuple[int, ...] = (0,) * OBJECTS


NEVER = float("inf")


class TooMany(Exception):
    """The program has more histories than can be told apart."""


class Deadlock(Exception):
    """The program may stand still for ever."""


def possible_histories(program: Program, most: int = 3000) -> set[History]:
    """Return every history that a program may have.

    Raises:
        Deadlock: one of them does not end.
        TooMany: more states than `most` had to be looked at.
    """
    nobody: History = tuple(() for _ in program)
    states, seen, histories = [State(0.0, nobody, (None,) * len(program))], set(), set()
    while states:
        state = states.pop()
        if state in seen:
            continue
        seen.add(state)
        if len(seen) > most:
            raise TooMany
        following = list(_following(program, state))
        states.extend(following)
        if not following:
            if any(
                len(done) < len(steps) for done, steps in zip(state.history, program, strict=True)
            ):
                raise Deadlock
            histories.add(state.history)
    return histories


def _following(program: Program, state: State) -> list[State]:
    at_once = [
        after
        for thread in range(len(program))
        if (after := _step(program, state, thread)) is not None
    ]
    if at_once:
        return at_once
    times = [(until, thread) for thread, until in enumerate(state.waits) if until is not None]
    until, thread = min(times, default=(NEVER, 0))
    if until == NEVER:
        return []
    return [_ended(state._replace(now=until), thread, _expired(program, state, thread))]


def _expired(program: Program, state: State, thread: int) -> object:
    return None if program[thread][len(state.history[thread])].kind == "sleep" else False


def _ended(state: State, thread: int, result: object) -> State:
    done = (*state.history[thread], (state.now, result))
    return state._replace(
        history=_with(state.history, thread, done), waits=_with(state.waits, thread, None)
    )


def _with(items: tuple, index: int, item: object) -> tuple:
    return (*items[:index], item, *items[index + 1 :])


def _step(program: Program, state: State, thread: int) -> State | None:
    """Return the state after a thread's next step; None if it cannot take one now."""
    number = len(state.history[thread])
    if number == len(program[thread]):
        return None
    kind, target, seconds = program[thread][number]
    if kind in ("call", "compute"):
        return _ended(state, thread, None)
    if kind == "set":
        state = _set_event(program, state, target)
        return _ended(state, thread, None)
    if kind == "clear":
        return _ended(state._replace(events=_with(state.events, target, False)), thread, None)
    if kind == "release":
        if state.owners[target] == thread:
            state = state._replace(owners=_with(state.owners, target, None))
        return _ended(state, thread, None)
    if kind == "put":
        more = _with(state.queued, target, state.queued[target] + 1)
        return _ended(state._replace(queued=more), thread, None)
    if kind == "wait" and state.events[target] and state.waits[thread] is None:
        return _ended(state, thread, True)
    if kind == "acquire":
        if state.owners[target] == thread:
            return _ended(state, thread, None)
        if state.owners[target] is None:
            taken = _with(state.owners, target, thread)
            return _ended(state._replace(owners=taken), thread, True)
    if kind == "get" and state.queued[target]:
        fewer = _with(state.queued, target, state.queued[target] - 1)
        return _ended(state._replace(queued=fewer), thread, True)
    if kind == "join" and (target == thread or len(state.history[target]) == len(program[target])):
        return _ended(state, thread, True)
    if state.waits[thread] is None:
        until = NEVER if seconds is None else state.now + seconds
        return state._replace(waits=_with(state.waits, thread, until))
    return None


def _set_event(program: Program, state: State, target: int) -> State:
    """Set an event; whoever waits for it has heard of it, though it be cleared at once."""
    state = state._replace(events=_with(state.events, target, True))
    for thread, until in enumerate(state.waits):
        if until is not None:
            waiting = program[thread][len(state.history[thread])]
            if waiting.kind == "wait" and waiting.target == target:
                state = _ended(state, thread, True)
    return state


# -- the execution ---------------------------------------------------------------------------------


def execute(
    program: Program,
    *,
    now: Callable[[], float],
    call: Callable[[], object],
    pool: Executor | None = None,
) -> History:
    """Perform a program, in threads of its own or in a pool's, and return its history.

    Args:
        now: the job clock.
        call: makes a call to AWS.
        pool: performs it, with a thread for each; else it has threads of its own.
    """
    begin = now()
    events = [threading.Event() for _ in range(OBJECTS)]
    locks = [threading.Lock() for _ in range(OBJECTS)]
    owners: list[int | None] = [None] * OBJECTS
    queues: list[queue.Queue[int]] = [queue.Queue() for _ in range(OBJECTS)]
    done = [threading.Event() for _ in program]
    gate = threading.Event()
    histories: list[list[Ending]] = [[] for _ in program]

    def perform(thread: int, operation: Operation) -> object:
        kind, target, seconds = operation
        if kind == "sleep":
            assert seconds is not None
            return time.sleep(seconds)
        if kind == "call":
            call()
        elif kind == "compute":
            sum(range(target * 2000))
        elif kind == "set":
            events[target].set()
        elif kind == "clear":
            events[target].clear()
        elif kind == "put":
            queues[target].put(1)
        elif kind == "release":
            if owners[target] == thread:
                owners[target] = None
                locks[target].release()
        elif kind == "wait":
            return events[target].wait(seconds)
        elif kind == "acquire":
            return acquire(thread, target, seconds)
        elif kind == "get":
            try:
                queues[target].get(timeout=seconds)
            except queue.Empty:
                return False
            return True
        elif kind == "join":
            return target == thread or join(target, seconds)
        return None

    def join(target: int, seconds: float | None) -> bool:
        if pool is not None:
            return done[target].wait(seconds)
        threads[target].join(seconds)
        return not threads[target].is_alive()

    def acquire(thread: int, target: int, seconds: float | None) -> object:
        if owners[target] == thread:
            return None
        if not locks[target].acquire(timeout=-1 if seconds is None else seconds):
            return False
        owners[target] = thread
        return True

    def run(thread: int) -> None:
        gate.wait()
        for operation in program[thread]:
            result = perform(thread, operation)
            histories[thread].append((now() - begin, result))
        done[thread].set()

    threads: list[threading.Thread] = []
    if pool is None:
        threads += [threading.Thread(target=run, args=(thread,)) for thread in range(len(program))]
        for each in threads:
            each.start()
        gate.set()
        for each in threads:
            each.join()
    else:
        futures = [pool.submit(run, thread) for thread in range(len(program))]
        gate.set()
        for future in futures:
            future.result()
    return tuple(map(tuple, histories))
