"""Who performs an action does so: handlers, pollers, workers and stand-ins."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Final

from pytest_cpjob.documents.functions import FunctionCode
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.errors import WorkerError
from pytest_cpjob.harness import Harness
from pytest_cpjob.pipelines.definition import Definition
from pytest_cpjob.pipelines.performers import Performance
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, Failure
from pytest_cpjob.pipelines.stand_ins import StandIn
from pytest_cpjob.pipelines.standing_in import stand_in_for
from pytest_cpjob.runners.handlers import Handler
from pytest_cpjob.runners.invocations import (
    MOST_RETRIES,
    Limits,
    invoke_function,
    invoke_job,
    timeout_of,
)
from pytest_cpjob.runners.lambda_runtime import FUNCTION_TIMEOUT

MOST_INVOCATIONS: Final = 50
"""How often the handler of one action is continued: the limit of `Job.invoke` is 10."""


class Performing:
    """Performs the actions of one pipeline's executions.

    Args:
        end: ends a stand-in's action, with why it fails, None if it succeeds.
        drive: does what is due.
    """

    def __init__(
        self,
        harness: Harness,
        definition: Definition,
        stream: Stream,
        *,
        end: Callable[[ExecutionRecord, ActionRun, Failure | None], None],
        drive: Callable[[], None],
    ) -> None:
        self._harness = harness
        self._definition = definition
        self._stream = stream
        self._clock = harness.service.clock
        self._end = end
        self._drive = drive
        self._polls = 0

    def invoke(self, run: ActionRun, performance: Performance, *, follow: bool) -> None:
        """Invoke a handler; after `start` its continuation waits for the clock."""
        job, by = run.last_job, performance.by
        assert job is not None
        assert not isinstance(by, StandIn)
        _note_performed(run, self._clock.now)
        sweep = self._harness.builder.variation
        is_faulty = (
            sweep is not None
            and sweep.has_fault
            and sweep.is_for(run.action.stage, run.action.name)
        )
        # Lambda retries what raised: a call that a sweep lets fail need not end the run.
        retries = MOST_RETRIES if is_faulty else 0
        bounds = Limits(MOST_INVOCATIONS, retries, timeout_of(self._harness, job), follow)
        last = invoke_job(self._harness, job, by, bounds, cold=False)
        if follow:
            _note_performed(run, self._clock.now)
        elif last.continuation is not None:
            following = last.continuation
            self._clock.at(following.created_at + following.delay, self._drive)

    def invoke_poller(
        self, execution: ExecutionRecord, run: ActionRun, performance: Performance
    ) -> None:
        """Invoke a poller with the event that the action has started."""
        _note_performed(run, self._clock.now)
        event = next(
            each
            for each in reversed(execution.events)
            if each["detail"].get("action-execution-id") == run.id
            and each["detail"]["state"] == "STARTED"
        )
        self._polls -= 1  # below 0, so that the test's own invocations keep their values
        invoke_function(
            self._harness,
            self._poller(performance),
            copy.deepcopy(event),
            self._polls,
            timeout=FUNCTION_TIMEOUT,
            cold=False,
        )

    def _poller(self, performance: Performance) -> Handler | FunctionCode:
        if performance.function is None:
            return performance.by  # type: ignore[return-value]  # a function of two arguments
        function = self._definition.function_of(performance.function)
        assert function is not None
        return function.code

    def run_workers(self, due: list[tuple[ActionRun, Performance]]) -> None:
        """Run the workers of all actions that wait for one, side by side."""
        from pytest_cpjob.runners.worker import WorkerRun

        mains: dict[object, Callable[[], object]] = {}
        for run, performance in due:
            run.is_performed = True
            _note_performed(run, self._clock.now)
            mains[performance.by] = _main(performance)
        targets = list(mains.values())
        WorkerRun(self._harness, 1).run(
            targets[0] if len(targets) == 1 else lambda: _side_by_side(targets)
        )

    def stand_in(
        self, execution: ExecutionRecord, run: ActionRun, performance: Performance
    ) -> None:
        """Hand on what a stand-in gives."""
        values = self._stream.at("stand-in", execution.number, run.number).values
        store = self._harness.store
        failure = stand_in_for(
            run,
            performance.stand_in,
            self._definition,
            store,
            values,
            revision=execution.source_revisions.get(run.action.name),
        )
        if failure is None:
            execution.objects |= {
                (each.bucket, each.key)
                for each in run.outputs
                if performance.stand_in.content_of(each.name) is not None
            }
        self._end(execution, run, failure)


def _note_performed(run: ActionRun, now: float) -> None:
    run.performed_job, run.performed_at = run.last_job, now


def _main(performance: Performance) -> Callable[[], object]:
    """Return a worker's main function, imported where it is given by its name."""
    by = performance.by
    if not isinstance(by, str):
        return by  # type: ignore[return-value]  # a function without arguments
    import importlib

    module_name, _, name = by.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise WorkerError(f"no module {module_name!r} found for the worker {by!r}") from None
    found: Callable[[], object] | None = getattr(module, name, None)
    if not callable(found):
        raise WorkerError(f"module {module_name!r} has no function {name!r}")
    return found


def _side_by_side(targets: list[Callable[[], object]]) -> None:
    """Run workers in threads of their own; what one has raised is raised."""
    raised: list[BaseException] = []

    def run(target: Callable[[], object]) -> None:
        try:
            target()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
