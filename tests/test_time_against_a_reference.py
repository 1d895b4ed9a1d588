"""Programs of threads have, on the job clock, a history that they could have on exact clocks.

`CPJOB_PROGRAMS=10000 pytest tests/test_time_against_a_reference.py` looks at more of them.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from time_programs import (
    MOST_TIMED,
    OBJECTS,
    UNIT,
    Deadlock,
    Operation,
    Program,
    TooMany,
    execute,
    possible_histories,
)

from pytest_cpjob import CodePipelineStub

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
PROGRAMS = int(os.environ.get("CPJOB_PROGRAMS", "100"))
POOL = ThreadPoolExecutor(5, thread_name_prefix="older than any run")
THREADS = st.integers(0, 4)
TARGETS = st.integers(0, OBJECTS - 1)
UNITS = st.integers(1, 12)
PATIENCE = st.one_of(UNITS, UNITS, UNITS, st.none())

MOST_SECONDS = 30.0
"""Of real time, for one program."""


def histories_of(program: Program, *, in_pool: bool = False) -> tuple[object, object]:
    """Execute a program, and return its history, and those that it may have."""
    possible = possible_histories(program)
    with CodePipelineStub(allow=["running-thread"]) as cpjob:
        got: list[object] = []
        began = time.perf_counter()
        cpjob.run_worker(
            lambda: got.append(
                execute(
                    program,
                    now=lambda: cpjob.now,
                    call=CLIENT.list_action_types,
                    pool=POOL if in_pool else None,
                )
            )
        )
        assert time.perf_counter() - began < MOST_SECONDS
    return got[0], possible


class Programs(RuleBasedStateMachine):
    """Writes a program, and executes it at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[list[Operation]] = [[] for _ in range(5)]
        self.timed = 0
        self.in_pool = False

    def add(self, thread: int, kind: str, target: int = 0, units: int | None = None) -> None:
        seconds = None
        if units is not None:
            seconds = units * UNIT + float(1 << self.timed)
            self.timed += 1
        self.threads[thread].append(Operation(kind, target, seconds))

    @precondition(lambda self: self.timed < MOST_TIMED)
    @rule(thread=THREADS, units=UNITS)
    def sleep(self, thread: int, units: int) -> None:
        self.add(thread, "sleep", units=units)

    @precondition(lambda self: self.timed < MOST_TIMED)
    @rule(
        thread=THREADS,
        kind=st.sampled_from(["wait", "acquire", "get"]),
        which=TARGETS,
        units=PATIENCE,
    )
    def wait(self, thread: int, kind: str, which: int, units: int | None) -> None:
        self.add(thread, kind, which, units)

    @precondition(lambda self: self.timed < MOST_TIMED)
    @rule(thread=THREADS, which=THREADS, units=PATIENCE)
    def join(self, thread: int, which: int, units: int | None) -> None:
        self.add(thread, "join", which, units)

    @rule(thread=THREADS, kind=st.sampled_from(["set", "clear", "release", "put"]), which=TARGETS)
    def act(self, thread: int, kind: str, which: int) -> None:
        self.add(thread, kind, which)

    @rule(thread=THREADS, kind=st.sampled_from(["call", "compute"]), much=st.integers(0, 9))
    def work(self, thread: int, kind: str, much: int) -> None:
        self.add(thread, kind, much)

    @rule()
    def use_the_pool(self) -> None:
        self.in_pool = True

    def teardown(self) -> None:
        program = tuple(tuple(thread) for thread in self.threads if thread)
        used = {op.target for thread in program for op in thread if op.kind == "join"}
        if not program or max(used, default=0) >= len(program):
            return
        try:
            history, possible = histories_of(program, in_pool=self.in_pool)
        except (Deadlock, TooMany):
            return
        assert history in possible, program


def test_programs_of_threads_have_a_history_that_real_clocks_allow() -> None:
    run_state_machine_as_test(
        Programs,
        settings=settings(
            max_examples=PROGRAMS,
            stateful_step_count=30,
            deadline=None,
            derandomize="CPJOB_PROGRAMS" not in os.environ,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
