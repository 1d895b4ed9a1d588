"""Lambda's runtime: what a function has around it: context, environment, time-out."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.contract.output_capture import capture_output
from pytest_cpjob.documents.functions import FunctionCode
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.errors import HandlerError
from pytest_cpjob.harness import Harness
from pytest_cpjob.patching import Undo
from pytest_cpjob.runners.function_code import load_function
from pytest_cpjob.runners.handlers import Handler, asynchronous, load_handler
from pytest_cpjob.service.clock import Clock
from pytest_cpjob.virtual_time.patches import VirtualTime

if TYPE_CHECKING:
    from pytest_cpjob.clients.pending_call import PendingCall

FUNCTION_TIMEOUT: Final = 15 * 60.0
"""Seconds until Lambda ends a function: the longest that Lambda allows."""

MEMORY_MB: Final = 128


class LambdaFunction(NamedTuple):
    """The function that a pipeline invokes."""

    name: str
    region: str
    account_id: str

    @classmethod
    def named(cls, name: str, region: str, account_id: str) -> LambdaFunction:
        """Give the function that an action names: by its name, its ARN, or a part of that.

        Lambda API reference, FunctionName: an alias or a version may stand behind the name.
        """
        return cls(name.rpartition("function:")[2].partition(":")[0], region, account_id)

    @property
    def arn(self) -> str:
        """The function's ARN."""
        partition = partition_of(self.region)
        return f"arn:{partition}:lambda:{self.region}:{self.account_id}:function:{self.name}"


class LambdaContext:
    """The context object of one invocation (Lambda developer guide, "Lambda context object").

    Attributes:
        function_name, function_version, invoked_function_arn: which function it is.
        memory_limit_in_mb: a string, as in Lambda.
        aws_request_id: a UUID, the same again when Lambda retries the event.
        log_group_name, log_stream_name: where the function's log would be.
        identity, client_context: None; CodePipeline sends neither.
    """

    identity: None = None
    client_context: None = None
    function_version = "$LATEST"
    memory_limit_in_mb = str(MEMORY_MB)

    def __init__(
        self,
        function: LambdaFunction,
        stream: Stream,
        clock: Clock,
        timeout: float = FUNCTION_TIMEOUT,
    ) -> None:
        values = stream.values
        self.function_name = function.name
        self.invoked_function_arn = function.arn
        self.aws_request_id = values.aws_request_id()
        self.log_group_name = f"/aws/lambda/{function.name}"
        self.log_stream_name = f"2026/01/01/[$LATEST]{values.execution_id().replace('-', '')}"
        self._clock = clock
        self._region = function.region
        self._timeout = timeout
        self._deadline = clock.now + timeout

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds of job clock until Lambda would end the function."""
        return max(0, round((self._deadline - self._clock.now) * 1000))

    def __repr__(self) -> str:
        return (
            f"LambdaContext(function_name={self.function_name!r},"
            f" aws_request_id={self.aws_request_id!r})"
        )


def check_timeout(timeout: object) -> None:
    """Refuse a function's time-out that Lambda does not allow.

    Raises:
        ValueError: it is no number of seconds from 1 to 900.
    """
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    # mypy does not see that `is_number` guards the comparison.
    if not (is_number and 1 <= timeout <= FUNCTION_TIMEOUT):  # type: ignore[operator]
        raise ValueError(f"timeout: Lambda allows 1 to 900 seconds, got {timeout!r}")


class _TaskTimedOut(BaseException):
    """Ends a handler, past every `except Exception` of its own, as Lambda ends its process."""


class LambdaRuntime:
    """Where handlers run: until the end of the `with` block, sleeping moves the job clock.

    Args:
        harness: whose clock it is, and who hears what handlers write.
        timeout: seconds of job clock that one invocation may take, at most Lambda's 900.

    Raises:
        ValueError: `timeout` is none of Lambda's.
    """

    def __init__(self, harness: Harness, timeout: float) -> None:
        check_timeout(timeout)
        self._harness = harness
        self._clock = harness.service.clock
        self._timeout = timeout
        self._deadline = float("inf")
        self._timed_out = False
        self.job_id: str | None = None
        self._variables: Mapping[str, str] = {}
        self._undo = Undo()
        self._waiting = VirtualTime(self._slept)

    def __enter__(self) -> LambdaRuntime:
        self._undo.set_attribute(self._harness.router, "running", self)
        capture_output(self._harness.observer.wrote, self._undo)
        self._waiting.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waiting.__exit__(kind, error, traceback)
        self._undo.all()

    def load(self, handler: Handler | str, context: LambdaContext, *, cold: bool) -> Handler:
        """Give the handler; a named one is imported as Lambda's init phase does.

        Raises:
            HandlerError: it cannot be run.
        """
        with _environment(context, self._variables):
            return load_handler(handler, cold=cold, undo=self._undo)

    def load_code(self, code: FunctionCode, context: LambdaContext) -> Handler:
        """Return the handler that a definition names; its function's variables stay set.

        Raises:
            HandlerError: there is no code, or no such handler in it.
        """
        self._variables = code.environment
        with _environment(context, self._variables):
            return load_function(code, self._undo)

    def set_variables(self, variables: Mapping[str, str]) -> None:
        """Set a function's variables for its runs, but for those that the test has set itself."""
        self._variables = {
            name: value for name, value in variables.items() if name not in os.environ
        }

    def run(self, handler: Handler, event: Any, context: LambdaContext) -> Any:
        """Call the handler once, with a copy of the event that went through JSON.

        Raises:
            ValueError: JSON cannot carry the event.
            HandlerError: the handler gave back a coroutine, or took longer than its time-out.
        """
        copied = _through_json(event)
        self._deadline = self._clock.now + self._timeout
        self._timed_out = False
        try:
            with _environment(context, self._variables):
                answer = handler(copied, context)
        except _TaskTimedOut:
            raise self._timed_out_error(context) from None
        finally:
            self._deadline = float("inf")
        if self._timed_out:
            raise self._timed_out_error(context)
        if inspect.iscoroutine(answer):
            answer.close()
            raise asynchronous(handler)
        return answer

    # -- the function's time-out -----------------------------------------------------------------

    def _slept(self, seconds: float) -> None:
        left = self._deadline - self._clock.now
        self._clock.advance(max(0.0, min(seconds, left)))
        self._check_time()

    def calling(self, call: PendingCall) -> None:
        """End a function whose time is up before it calls AWS."""
        if self._waiting.is_mine():
            self._check_time()

    def called(self, call: PendingCall, error: BaseException | None) -> None:
        """Take note of a call that ended: nothing to do."""

    def _check_time(self) -> None:
        if self._clock.now >= self._deadline:
            self._timed_out = True
            raise _TaskTimedOut

    def _timed_out_error(self, context: LambdaContext) -> HandlerError:
        hint = ""
        if not self._waiting.moves_time_of_day:
            hint = (
                "\nIf the function waits until time.time() or datetime.now() has come to a"
                " deadline: these move with its sleeps once time-machine is installed:"
                " pip install 'pytest-cpjob[time]'"
            )
        return HandlerError(
            f"{context.aws_request_id} Task timed out after {self._timeout:.2f} seconds: Lambda"
            f" would have ended {context.function_name!r} here{hint}"
        )


def _through_json(event: Any) -> Any:
    try:
        return json.loads(json.dumps(event))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"event: Lambda passes events as JSON, and this {type(event).__name__} cannot be"
            f" written as such: {error}; give dicts, lists, texts, numbers, True, False and None"
        ) from None


@contextmanager
def _environment(context: LambdaContext, own: Mapping[str, str]) -> Iterator[None]:
    """Set Lambda's environment variables, and the function's own, while a function runs."""
    undo = Undo()
    variables: Mapping[str, str] = {
        **own,
        "AWS_REGION": context._region,
        "AWS_DEFAULT_REGION": context._region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
        "AWS_LAMBDA_FUNCTION_NAME": context.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": context.function_version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": context.memory_limit_in_mb,
        "AWS_LAMBDA_LOG_GROUP_NAME": context.log_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": context.log_stream_name,
    }
    for name, value in variables.items():
        undo.set_variable(os.environ, name, value)
    try:
        yield
    finally:
        undo.all()
