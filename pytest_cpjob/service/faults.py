"""Faults: errors that a test sets up for its handler's calls."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pytest_cpjob.aws import botocore_models as aws_services
from pytest_cpjob.documents.facts import JobFacts

COMMON_ERRORS: Final = (
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InternalFailure",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MalformedHttpRequestException",
    "NotAuthorized",
    "OptInRequired",
    "RequestAbortedException",
    "RequestEntityTooLargeException",
    "RequestExpired",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationError",
    "ValidationException",
)
"""Errors that AWS documents as common to all operations ("Common Errors")."""

QUERY_ERRORS: Final = ("AccessDenied", "Throttling")
"""Further errors of services with the query protocol, such as CloudFormation (seen in
aws/aws-sam-cli#2671; botocore retries `Throttling`)."""

S3_ERRORS: Final = (
    "AccessDenied",
    "ExpiredToken",
    "InternalError",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NoSuchBucket",
    "NoSuchKey",
    "RequestTimeout",
    "ServiceUnavailable",
    "SignatureDoesNotMatch",
    "SlowDown",
)
"""S3's own common errors (its API reference, "Error responses")."""

_UNLISTED: Final = {
    ("codepipeline", "CreateCustomActionType"): ("ActionTypeAlreadyExistsException",),
}
"""Errors that the model has, and lists at no operation, where they can only be meant for one."""

_OFTEN_CALLED: Final = (
    "s3",
    "kms",
    "sts",
    "lambda",
    "cloudformation",
    "codebuild",
    "codepipeline",
    "dynamodb",
    "ecs",
    "events",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
)
"""Services that actions often call: searched to suggest a service for a mistaken operation."""


Aim = Callable[[str, str], bool]
"""Whether a fault is for the calls about an action's jobs, by its stage and name."""

_REFUSALS: Final = ("SlowDown", "Throttling", "ThrottlingException")
"""Errors that any operation may answer with: S3's, those of the query protocol, and the others."""


@dataclass(slots=True, eq=False)
class Fault:
    """One fault: what the caller gets, how often, and whether the call takes effect first.

    With an `aim` it is for calls about certain jobs only.
    """

    service: str
    operation: str
    error: str | Exception
    times: int
    after: bool
    message: str | None = None
    met: int = 0
    may_stay_unmet: bool = False
    aim: Aim | None = None

    @property
    def code(self) -> str:
        """The error's code, or the exception's class name."""
        return self.error if isinstance(self.error, str) else type(self.error).__name__


@dataclass(slots=True, eq=False)
class FaultAtCall:
    """The fault of one of the calls about certain jobs, whichever call that is.

    Attributes:
        number: which of them, counted from 1.
        lost: what the caller gets instead of the answer if the call takes effect; None if it is
            refused.
        seen: how many there have been.
    """

    number: int
    aim: Aim
    lost: Exception | None
    seen: int = 0

    @property
    def is_met(self) -> bool:
        """Whether a call has run into it."""
        return self.seen >= self.number

    def next(self, service: str, operation: str) -> Fault | None:
        """Count one call, and return its fault if it is the one."""
        self.seen += 1
        if self.seen != self.number:
            return None
        error: str | Exception | None = self.lost
        if error is None:
            possible = valid_errors(service, operation)
            error = next(each for each in _REFUSALS if each in possible)
        text = f"call {self.number} of the action, {operation}, failed as the sweep has it"
        message = text if isinstance(error, str) else None
        return Fault(service, operation, error, 1, self.lost is not None, message, met=1)


class Faults:
    """The faults that a test has set up; calls run into them in that order.

    Attributes:
        at_call: the fault of a call that has a number, if there is one.
    """

    def __init__(self) -> None:
        self.all: list[Fault] = []
        self.at_call: FaultAtCall | None = None
        self._lock = threading.Lock()

    def add(
        self,
        operation: str,
        error: str | Exception,
        *,
        times: int,
        service: str,
        after: bool,
        message: str | None = None,
    ) -> Fault:
        """Set up one fault.

        Raises:
            ValueError: AWS has no such service, operation or error, `times` is below 1, `after` is
                not a bool, or `message` is not a string or is given with an exception.
        """
        _check_operation(service, operation)
        _check_error(service, operation, error)
        if not isinstance(times, int) or isinstance(times, bool) or times < 1:
            raise ValueError(f"times: expected a whole number of at least 1, got {times!r}")
        if not isinstance(after, bool):
            raise ValueError(f"after: expected True or False, got {after!r}")
        _check_message(error, message)
        fault = Fault(service, operation, error, times, after, message)
        self.all.append(fault)
        return fault

    @property
    def is_set_up(self) -> bool:
        """Whether there is any fault, met or not."""
        return bool(self.all) or self.at_call is not None

    def take(
        self, service: str, operation: str, about: Callable[[], Iterable[JobFacts]]
    ) -> Fault | None:
        """Use up and return the next fault for this call, if there is one.

        Args:
            about: returns the jobs that the call is about.
        """
        if not self.is_set_up:
            return None
        with self._lock:
            for fault in self.all:
                if (
                    fault.operation == operation
                    and fault.service == service
                    and fault.met < fault.times
                    and (fault.aim is None or _is_meant(fault.aim, about()))
                ):
                    fault.met += 1
                    return fault
            numbered = self.at_call
            if numbered is not None and _is_meant(numbered.aim, about()):
                return numbered.next(service, operation)
        return None

    def unmet(self) -> list[Fault]:
        """Return the faults that calls ran into fewer times than the test asked for."""
        return [fault for fault in self.all if fault.met < fault.times and not fault.may_stay_unmet]


def _is_meant(aim: Aim, jobs: Iterable[JobFacts]) -> bool:
    return any(aim(facts.stage_name, facts.action_name) for facts in jobs)


def _check_operation(service: object, operation: str) -> None:
    services = aws_services.services()
    if not isinstance(service, str) or service not in services:
        raise ValueError(f"service: botocore knows no {service!r}{_nearest(service, services)}")
    operations = aws_services.operations(service)
    if operation not in operations:
        for other in _OFTEN_CALLED:
            if other in services and operation in aws_services.operations(other):
                raise ValueError(
                    f"operation: {service} has no operation {operation!r}, but {other} has: add"
                    f" service={other!r}"
                )
        raise ValueError(
            f"operation: {service} has no operation {operation!r}"
            f"{_nearest(operation, operations)} (the API's own name, such as 'PutJobSuccessResult')"
        )


def _check_error(service: str, operation: str, error: object) -> None:
    if isinstance(error, str):
        known = valid_errors(service, operation)
        if error not in known:
            listed = "\n".join(f"- {code}" for code in known)
            raise ValueError(
                f"error: {service} does not answer {operation} with {error!r}"
                f"{_nearest(error, known)}\nIt can answer with:\n{listed}\n"
                "or give a botocore exception, such as ReadTimeoutError(endpoint_url='...')"
            )
        return
    if isinstance(error, Exception) and _is_botocores(type(error)):
        # ReadTimeoutError and similar have a `response` too, but it is None.
        if isinstance(getattr(error, "response", None), Mapping):
            raise ValueError(
                f"error: give a service's error by its code, such as 'ThrottlingException',"
                f" not {error!r}"
            )
        return
    listed = "\n".join(f"- {code}" for code in valid_errors(service, operation))
    raise ValueError(
        "error: expected a code, such as 'ThrottlingException', or a botocore exception,"
        f" such as ReadTimeoutError(endpoint_url='...'), got {error!r}\n{service} can answer"
        f" {operation} with:\n{listed}"
    )


def _check_message(error: object, message: object) -> None:
    if message is None:
        return
    if not isinstance(message, str):
        raise ValueError(f"message: expected the text of the error, got {message!r}")
    if not isinstance(error, str):
        raise ValueError(
            f"message: {type(error).__name__} has a text of its own; a message is for an error"
            " that is given by its code"
        )


def valid_errors(service: str, operation: str) -> list[str]:
    """Return an operation's possible error codes: its modelled ones, then the common ones."""
    common = S3_ERRORS if service == "s3" else COMMON_ERRORS
    of_protocol = QUERY_ERRORS if aws_services.speaks_query(service) else ()
    modelled = aws_services.operation_errors(service, operation)
    unlisted = _UNLISTED.get((service, operation), ())
    return list(dict.fromkeys((*modelled, *unlisted, *common, *of_protocol)))


def _is_botocores(kind: type) -> bool:
    return any(base.__module__ == "botocore.exceptions" for base in kind.__mro__)


def _nearest(word: object, words: Collection[str]) -> str:
    near = difflib.get_close_matches(str(word), list(words), 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
