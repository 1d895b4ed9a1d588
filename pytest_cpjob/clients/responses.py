"""Answers in the form that botocore's own HTTP layer returns."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Generator, Mapping
from functools import cached_property
from typing import Any, Final

from botocore.awsrequest import AWSResponse, HeadersDict

from pytest_cpjob.documents.values import uuid_of
from pytest_cpjob.service.errors import ServiceError

Answer = tuple[AWSResponse, dict[str, Any]]
"""What a `before-call` handler returns to skip the request: HTTP response and parsed response."""


_JSON: Final = "application/x-amz-json-1.1"


_REST_OF_ID: Final = uuid_of(os.urandom(16))[8:]
_numbers: Final = itertools.count()
_SPREAD: Final = 0x9E3779B1
"""An odd number, so that its multiples have all the values of 32 bits before one comes again."""


class _Content(bytes):
    """A body that botocore's handlers read directly, and that aiobotocore's can await."""

    def __await__(self) -> Generator[None, None, bytes]:
        yield from ()
        return self


class _Response(AWSResponse):  # type: ignore[misc]  # botocore has no types
    """A response with its body: GetBucketLocation's handler reads it even from an error."""

    def __init__(self, url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        # super().__init__ is skipped for speed: headers and body of most answers are never read.
        self.url = url
        self.status_code = status
        self._headers = headers
        self._body = body
        self._content = None

    @cached_property
    def headers(self) -> HeadersDict:
        return HeadersDict(self._headers)

    @cached_property
    def raw(self) -> io.BytesIO:
        return io.BytesIO(self._body)

    @property
    def content(self) -> bytes:
        return _Content(self.raw.getvalue())


def answered(url: str, response: Mapping[str, Any]) -> Answer:
    """Return a JSON service's response with HTTP status 200."""
    return _answer(url, 200, dict(response), _JSON)


def success(response: dict[str, Any]) -> dict[str, Any]:
    """Return what botocore's client returns of a JSON service's response, which it adds to."""
    response["ResponseMetadata"] = _metadata(200, _JSON)
    return response


def refused(url: str, error: ServiceError) -> Answer:
    """Return a JSON service's error."""
    parsed = {"Error": {"Message": error.message, "Code": error.code}}
    return _answer(url, error.status, parsed, _JSON)


def refused_by_s3(url: str, error: ServiceError, *, head: bool) -> Answer:
    """Return S3's error; a HEAD has no body, so botocore gets only the status."""
    if head:
        reason = "Not Found" if error.status == 404 else "Forbidden"
        if error.status == 400:
            reason = "Bad Request"
        parsed = {"Error": {"Code": str(error.status), "Message": reason}}
        return _answer(url, error.status, parsed, "application/xml")
    from xml.sax.saxutils import escape

    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
    )
    parsed = {"Error": {"Code": error.code, "Message": error.message}}
    return _answer(url, error.status, parsed, "application/xml", body.encode())


def _answer(
    url: str, status: int, parsed: dict[str, Any], content_type: str, body: bytes = b""
) -> Answer:
    metadata = parsed["ResponseMetadata"] = _metadata(status, content_type)
    return _Response(url, status, metadata["HTTPHeaders"].copy(), body), parsed


def _metadata(status: int, content_type: str) -> dict[str, Any]:
    # A UUID each, of which the first eight digits differ: drawing all takes three times as long.
    request_id = f"{next(_numbers) * _SPREAD & 0xFFFFFFFF:08x}{_REST_OF_ID}"
    return {
        "RequestId": request_id,
        "HTTPStatusCode": status,
        "HTTPHeaders": {"x-amzn-requestid": request_id, "content-type": content_type},
        "RetryAttempts": 0,
    }
