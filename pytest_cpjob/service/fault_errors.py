"""What an operation can fail with: the errors that AWS's models and documentation list for it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Final

from pytest_cpjob.aws import botocore_models as aws_services

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


def check_operation(service: object, operation: str) -> None:
    """Reject a service or an operation that does not exist.

    Raises:
        ValueError: naming the argument, and the nearest that exists.
    """
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


def check_error(service: str, operation: str, error: object) -> None:
    """Reject what the operation cannot fail with.

    Raises:
        ValueError: with all that it can fail with.
    """
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


def check_message(error: object, message: object) -> None:
    """Reject a text that is none, or that is for an exception, which has its own.

    Raises:
        ValueError: naming what there was.
    """
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
