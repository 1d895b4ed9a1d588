"""One invocation of a Lambda function, as Lambda makes it: event, context, environment."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pytest_cpjob.clients.undo import Undo
from pytest_cpjob.documents.regions import partition_of
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.errors import HandlerError
from pytest_cpjob.service.clock import Clock

Handler = Callable[[Any, Any], Any]
"""A Lambda handler: `handler(event, context)`."""

FUNCTION_TIMEOUT: Final = 15 * 60.0
"""Seconds until Lambda ends a function: the longest that Lambda allows."""

MEMORY_MB: Final = 128


@dataclass(frozen=True, slots=True)
class LambdaFunction:
    """The function that a pipeline invokes."""

    name: str
    region: str
    account_id: str

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

    def __init__(self, function: LambdaFunction, stream: Stream, clock: Clock) -> None:
        values = stream.values
        self.function_name = function.name
        self.invoked_function_arn = function.arn
        self.aws_request_id = values.execution_id()
        self.log_group_name = f"/aws/lambda/{function.name}"
        self.log_stream_name = f"2026/01/01/[$LATEST]{values.execution_id().replace('-', '')}"
        self._clock = clock
        self._deadline = clock.now + FUNCTION_TIMEOUT

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds of job clock until Lambda would end the function."""
        return max(0, round((self._deadline - self._clock.now) * 1000))

    def __repr__(self) -> str:
        return (
            f"LambdaContext(function_name={self.function_name!r},"
            f" aws_request_id={self.aws_request_id!r})"
        )


def load_handler(handler: Handler | str) -> Handler:
    """Give the handler, imported first when it is named as in Lambda's settings.

    Raises:
        HandlerError: it cannot be imported, is not callable, or is asynchronous.
    """
    if isinstance(handler, str):
        handler = _import(handler)
    if not callable(handler):
        raise HandlerError(f"expected a handler(event, context) or its name, got {handler!r}")
    if inspect.iscoroutinefunction(handler):
        raise HandlerError(_asynchronous(handler))
    return handler


def _import(name: str) -> Handler:
    module_name, _, function_name = name.rpartition(".")
    if not module_name:
        raise HandlerError(f"expected 'package.module.function', got {name!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise HandlerError(f"there is no module {error.name!r} for the handler {name!r}") from None
    try:
        handler: Handler = getattr(module, function_name)
    except AttributeError:
        raise HandlerError(f"module {module_name!r} has no function {function_name!r}") from None
    return handler


def _asynchronous(handler: object) -> str:
    name = getattr(handler, "__name__", repr(handler))
    return (
        f"{name} is asynchronous, and Lambda's Python runtime calls handlers without awaiting"
        " them; write a plain function around it:\n"
        f"def lambda_handler(event, context):\n    return asyncio.run({name}(event, context))"
    )


def run(handler: Handler, event: Mapping[str, Any], context: LambdaContext, region: str) -> Any:
    """Call the handler once, with a copy of the event that went through JSON.

    Raises:
        HandlerError: the handler gave back a coroutine.
    """
    with _environment(context, region):
        answer = handler(json.loads(json.dumps(event)), context)
    if asyncio.iscoroutine(answer):
        answer.close()
        raise HandlerError(_asynchronous(handler))
    return answer


@contextmanager
def _environment(context: LambdaContext, region: str) -> Iterator[None]:
    """Set Lambda's own environment variables while a function runs."""
    undo = Undo()
    for name, value in {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": context.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": context.function_version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": context.memory_limit_in_mb,
        "AWS_LAMBDA_LOG_GROUP_NAME": context.log_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": context.log_stream_name,
    }.items():
        undo.set_variable(os.environ, name, value)
    try:
        yield
    finally:
        undo.all()
