"""Lambda's runtime: what a function has around it: context, environment, time-out."""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.contract.output_capture import capture_output
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.errors import HandlerError
from pytest_cpjob.harness import Harness
from pytest_cpjob.patching import Undo
from pytest_cpjob.runners.handlers import Handler, asynchronous, load_handler
from pytest_cpjob.service.clock import Clock
from pytest_cpjob.threads import ClientCall, RunEnded, begin_run, end_run
from pytest_cpjob.variables import set_variables
from pytest_cpjob.virtual_time.patches import virtual_time

if TYPE_CHECKING:
    from pytest_cpjob.documents.functions import FunctionCode

FUNCTION_TIMEOUT: Final = 15 * 60.0
"""Seconds until Lambda ends a function: the longest that Lambda allows."""

MEMORY_MB: Final = 128


class LambdaFunction:
    """The function that a pipeline invokes."""

    __slots__ = ("account_id", "name", "region")

    def __init__(self, name: str, region: str, account_id: str) -> None:
        self.name = name
        self.region = region
        self.account_id = account_id

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


class CognitoIdentity:
    """Who invoked the function by way of Amazon Cognito: nobody, so both members are `None`."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self) -> None:
        self.cognito_identity_id: str | None = None
        self.cognito_identity_pool_id: str | None = None


class LambdaContext:
    """The context object of one invocation.

    Source: Lambda developer guide, "Lambda context object"; AWS's runtime interface client for
    Python (aws/aws-lambda-python-runtime-interface-client, `lambda_context.py`).

    Attributes:
        function_name, function_version, invoked_function_arn: which function it is.
        memory_limit_in_mb: a string, as in Lambda.
        aws_request_id: a UUID, the same again when Lambda retries the event.
        log_group_name, log_stream_name: where the function's log would be.
        identity: an object whose members are None, as Lambda's runtime makes it for everyone.
        client_context, tenant_id: None; CodePipeline sends neither.

    >>> cpjob.add_lambda_job(function_name="publish").context.function_name
    'publish'
    """

    client_context: None = None
    tenant_id: None = None
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
        self.identity = CognitoIdentity()
        self._trace_id = _trace_id(stream.at("trace"), clock.date())
        self._clock = clock
        self._region = function.region
        self._timeout = timeout
        self._deadline = clock.now + timeout

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds of job clock until Lambda would end the function."""
        return max(0, round((self._deadline - self._clock.now) * 1000))

    def log(self, msg: object) -> None:
        """Write to the function's log, here standard output; no line break is added."""
        sys.stdout.write(str(msg))

    def __repr__(self) -> str:
        return (
            f"LambdaContext(function_name={self.function_name!r},"
            f" aws_request_id={self.aws_request_id!r})"
        )


def _trace_id(stream: Stream, now: int) -> str:
    """Return the header of an untraced invocation (X-Ray developer guide, "Tracing header")."""
    drawn = stream.values.generator.random.randbytes(20).hex()
    return f"Root=1-{now // 1000:08x}-{drawn[:24]};Parent={drawn[24:]};Sampled=0"


def check_timeout(timeout: object) -> None:
    """Refuse a function's time-out that Lambda does not allow.

    Raises:
        ValueError: it is no number of seconds from 1 to 900.
    """
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    # mypy does not see that `is_number` guards the comparison.
    if not (is_number and 1 <= timeout <= FUNCTION_TIMEOUT):  # type: ignore[operator]
        raise ValueError(f"timeout: Lambda allows 1 to 900 seconds, got {timeout!r}")


class _TaskEnded(RunEnded):
    """Ends a handler, past every `except Exception` of its own, as Lambda ends its process."""


_under_way: Final[list[LambdaRuntime]] = []


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
        self.deadline = float("inf")
        self.is_over = False
        self.job_id: str | None = None
        self._variables: Mapping[str, str] = {}
        self._thread = threading.current_thread()
        self._timed_out = False
        self._failure: BaseException | None = None
        self._undo = Undo()
        self._stack = ExitStack()

    def __enter__(self) -> LambdaRuntime:
        others = [runtime for runtime in _under_way if runtime._thread is not self._thread]
        if others:
            raise HandlerError(
                "another thread invokes a function at this time, and Lambda runs one invocation at"
                " a time in a process: invoke one after the other"
            )
        try:
            self._stack.enter_context(self._harness.observer.looking_for_left_files())
            self._stack.callback(self._end)
            _under_way.append(self)
            self._stack.callback(_under_way.remove, self)
            self._stack.callback(self._undo.all)
            capture_output(self._harness.observer, self._undo)
            self._time = self._stack.enter_context(virtual_time(self, self._clock))
            self._stack.callback(end_run, begin_run(self))
        except BaseException:
            self._stack.close()
            raise
        return self

    def _end(self) -> None:
        self.is_over = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def load(
        self, handler: Handler | str, context: Callable[[], LambdaContext], *, cold: bool
    ) -> Handler:
        """Give the handler; a named one is imported as Lambda's init phase does.

        Raises:
            HandlerError: it cannot be run.
        """
        if not isinstance(handler, str):
            return load_handler(handler, cold=cold, undo=self._undo)
        with _environment(context(), self._variables):
            return load_handler(handler, cold=cold, undo=self._undo)

    def load_code(self, code: FunctionCode, context: Callable[[], LambdaContext]) -> Handler:
        """Return the handler that a definition names; its function's variables stay set.

        Raises:
            HandlerError: there is no code, or no such handler in it.
        """
        from pytest_cpjob.runners.function_code import load_function

        self._variables = code.environment
        with _environment(context(), self._variables):
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
        self.deadline = self._clock.now + self._timeout
        self._timed_out = False
        answer = None
        try:
            with _environment(context, self._variables):
                answer = handler(copied, context)
        except _TaskEnded:
            pass
        finally:
            self.deadline = float("inf")
        if self._failure is not None:
            raise self._failure
        if self._timed_out:
            raise self._timed_out_error(context)
        if inspect.iscoroutine(answer):
            answer.close()
            raise asynchronous(handler)
        return answer

    # -- the function's time-out -----------------------------------------------------------------

    def calling(self, call: ClientCall) -> None:
        """End a function whose time is up before it calls AWS."""
        self.may_go_on()

    def called(self, call: ClientCall, error: BaseException | None) -> None:
        """Take note of a call that ended: nothing to do."""

    def may_go_on(self, *, waited: bool = False) -> None:
        """End a function whose time is up."""
        if self._clock.now >= self.deadline:
            self._timed_out = True
        if self._timed_out or self._failure is not None:
            raise _TaskEnded

    def waits_in_vain(self, seconds: float) -> bool:
        """End what waits for ever while it is imported: later, the time-out does."""
        if seconds >= 0:
            self.fail(
                HandlerError(
                    "the handler's module waits without a time-out, while it is imported, for what"
                    " no other thread can bring about"
                )
            )
        return seconds >= 0

    def fail(self, error: BaseException) -> None:
        """Take note of an error that the run is to end with, and end its waits."""
        self._failure = self._failure or error
        self._time.scheduler.interrupt(self)

    def _timed_out_error(self, context: LambdaContext) -> HandlerError:
        hint = ""
        if not self._time.moves_time_of_day:
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
        "_X_AMZN_TRACE_ID": context._trace_id,
    }
    set_variables(variables, undo)
    try:
        yield
    finally:
        undo.all()
