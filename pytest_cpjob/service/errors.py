"""The errors that the service returns, as its callers see them: a code and a message."""

from __future__ import annotations

from pytest_cpjob.errors import CpjobError

_STATUS = {
    "ExpiredTokenException": 403,
    "ExpiredToken": 400,
    "UnrecognizedClientException": 403,
    "NotAuthorized": 401,
    "RequestEntityTooLargeException": 413,
    "RequestTimeoutException": 408,
    "UnknownOperationException": 404,
    "AccessDenied": 403,
    "InvalidAccessKeyId": 403,
    "SignatureDoesNotMatch": 403,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "InternalFailure": 500,
    "InternalError": 500,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
}


class ServiceError(CpjobError):
    """An error that AWS returns for a request.

    Attributes:
        code: the error's code, such as `JobNotFoundException`. Callers may rely on the code only:
            most messages are this project's own (the real ones are not publicly known).
        message: the text of `Error.Message`.
        status: the HTTP status; CodePipeline documents 400 for all modelled errors.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(code, message, status)
        self.code = code
        self.message = message
        self.status = status if status is not None else _STATUS.get(code, 400)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def invalid(message: str) -> ServiceError:
    """Return a ValidationException with this message."""
    return ServiceError("ValidationException", message)
