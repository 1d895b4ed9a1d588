"""Invocations: a handler run on a job as Lambda does, with retries and continuation."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.call_sites import site_of_traceback
from pytest_cpjob.errors import HandlerError, repr_of
from pytest_cpjob.harness import Harness
from pytest_cpjob.runners.handlers import Handler
from pytest_cpjob.runners.lambda_runtime import (
    FUNCTION_TIMEOUT,
    LambdaContext,
    LambdaFunction,
    LambdaRuntime,
    check_timeout,
)
from pytest_cpjob.service.jobs import JobRecord

if TYPE_CHECKING:
    from pytest_cpjob.documents.functions import FunctionCode

_SHOWN_TOKENS: Final = 3

MOST_RETRIES: Final = 2
"""How often Lambda retries an asynchronous event at most (its API, MaximumRetryAttempts)."""

RETRY_WAITS: Final = (60.0, 120.0)
"""Seconds that Lambda waits before each retry of a failed asynchronous event."""


class Limits:
    """How often and how long a handler may run for one job.

    Args:
        max_invocations: the maximum number of jobs, continued ones included.
        retries: how often Lambda retries an event whose invocation raised.
        timeout: the function's time-out in seconds of job clock.
        follow: whether the jobs that continue the action are run too.
    """

    __slots__ = ("follow", "max_invocations", "retries", "timeout")

    def __init__(
        self,
        max_invocations: int = 10,
        retries: int = 0,
        timeout: float = FUNCTION_TIMEOUT,
        follow: bool = True,
    ) -> None:
        self.max_invocations = max_invocations
        self.retries = retries
        self.timeout = timeout
        self.follow = follow

    def check(self) -> None:
        """Reject what Lambda does not allow.

        Raises:
            ValueError: naming the argument.
        """
        for argument, number, least in (
            ("max_invocations", self.max_invocations, 1),
            ("retries", self.retries, 0),
        ):
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise ValueError(
                    f"{argument}: expected a whole number from {least}, got {number!r}"
                )
        if self.retries > MOST_RETRIES:
            raise ValueError(
                f"retries: Lambda retries an event at most {MOST_RETRIES} times, got"
                f" {self.retries!r}"
            )
        check_timeout(self.timeout)


def invoke_job(
    harness: Harness, job: JobRecord, handler: Handler | str | None, limits: Limits, *, cold: bool
) -> JobRecord:
    """Run a handler on a job, and on those that continue it; return the last.

    Without a handler it is the one that the job's pipeline names.

    Raises:
        ValueError: a limit that Lambda does not allow.
        HandlerError: the handler cannot be run, continues after `max_invocations`, or was ended
            by its time-out.
        Exception: what the handler raised, after the last retry.
    """
    limits.check()
    first, tokens = job, []
    with LambdaRuntime(harness, limits.timeout) as runtime:
        try:
            function = _loaded(harness, job, runtime, handler, limits, cold=cold)
        except Exception as error:
            harness.observer.met(error)
            raise
        if harness.builder.is_warm:
            _invoke_once(harness, harness.builder.add_twin(job), runtime, function, limits)
        for _ in range(limits.max_invocations):
            _invoke_once(harness, job, runtime, function, limits)
            if job.continuation is None or not limits.follow:
                return job
            job = job.continuation
            tokens.append(str(job.facts.continuation_token))
    raise HandlerError(
        f"job {first.id} was still continuing after max_invocations={limits.max_invocations}"
        " invocations. If the handler needs more, raise max_invocations; if not, it never reports"
        f" its end. Its continuation tokens were:\n{_listed(tokens)}"
    )


def _listed(tokens: list[str]) -> str:
    """List tokens, equal ones in a row once, and of many the first and the last ones."""
    lines = []
    for token, equal in groupby(tokens):
        count = len(list(equal))
        lines.append(f"- {token[:120]!r}{f' ({count} times)' if count > 1 else ''}")
    if len(lines) > 2 * _SHOWN_TOKENS:
        left_out = len(lines) - 2 * _SHOWN_TOKENS
        lines[_SHOWN_TOKENS:-_SHOWN_TOKENS] = [f"- ... {left_out} more"]
    return "\n".join(lines)


def _loaded(
    harness: Harness,
    job: JobRecord,
    runtime: LambdaRuntime,
    handler: Handler | str | None,
    limits: Limits,
    *,
    cold: bool,
) -> Handler:
    code = harness.builder.function_of(job)
    context = partial(context_of, harness, job, limits.timeout)
    if handler is None:
        if code is None:
            raise HandlerError(
                f"expected a handler(event, context) or its name, since {job.label} does not say"
                " which code it runs, as one of a pipeline's definition does: job.invoke(handler)"
            )
        return runtime.load_code(code, context)
    if code is not None:
        runtime.set_variables(code.environment)
    return runtime.load(handler, context, cold=cold)


def timeout_of(harness: Harness, job: JobRecord) -> float:
    """Return the time-out of a job's function: its definition's, or the longest there is."""
    code = harness.builder.function_of(job)
    return FUNCTION_TIMEOUT if code is None or code.timeout is None else code.timeout


def _invoke_once(
    harness: Harness, job: JobRecord, runtime: LambdaRuntime, handler: Handler, limits: Limits
) -> None:
    service = harness.service
    service.clock.advance_to(job.created_at + job.delay)
    for attempt in range(limits.retries + 1):
        event = service.event(job)
        runtime.job_id = job.id
        try:
            runtime.run(handler, event, context_of(harness, job, limits.timeout))
        except (Exception, SystemExit) as error:
            job.raised += ((error, job.result is not None),)
            service.call_log.add_note(
                service.clock.now,
                job.id,
                f"the handler raised {repr_of(error)}",
                site_of_traceback(error.__traceback__),
            )
            harness.observer.met(error)
            if attempt == limits.retries:
                raise
            service.clock.advance(RETRY_WAITS[min(attempt, 1)])
        else:
            return


def context_of(
    harness: Harness, job: JobRecord, timeout: float = FUNCTION_TIMEOUT
) -> LambdaContext:
    """Return the context object of a job's first invocation."""
    facts = job.facts
    function = LambdaFunction.named(
        facts.configuration["FunctionName"], facts.region, facts.account_id
    )
    return LambdaContext(function, job.stream.at("invocation"), harness.service.clock, timeout)


def invoke_function(
    harness: Harness,
    handler: Handler | str | FunctionCode,
    event: object,
    number: int,
    *,
    timeout: float,
    cold: bool,
) -> Any:
    """Run a Lambda function that is not an action, and return what it returns.

    Args:
        handler: a function or its name; or the code that a definition names.
        number: the number of the test's invocation, from which the context's values are drawn.

    Raises:
        ValueError: the event is not JSON, or Lambda does not allow the time-out.
        HandlerError: the handler cannot be run, or was ended by its time-out.
        Exception: what the handler raised.
    """
    from pytest_cpjob.documents.functions import FunctionCode

    check_timeout(timeout)
    settings = harness.settings
    if isinstance(handler, FunctionCode):
        name = handler.name
    else:
        name = handler if isinstance(handler, str) else getattr(handler, "__name__", "function")
    function = LambdaFunction(name.rpartition(".")[2], settings.region, settings.account_id)
    stream = harness.stream.at("invocation", number)
    context = LambdaContext(function, stream, harness.service.clock, timeout)
    with LambdaRuntime(harness, timeout) as runtime:
        try:
            if isinstance(handler, FunctionCode):
                loaded = runtime.load_code(handler, lambda: context)
            else:
                loaded = runtime.load(handler, lambda: context, cold=cold)
            return runtime.run(loaded, event, context)
        except (Exception, SystemExit) as error:
            harness.observer.met(error)
            raise
