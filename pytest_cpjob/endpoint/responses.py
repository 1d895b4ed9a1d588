"""Responses: answers and errors, encoded in the protocol of the request."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape

from pytest_cpjob.endpoint.http_server import Answer
from pytest_cpjob.endpoint.request_parsing import Protocol
from pytest_cpjob.service.errors import ServiceError

_EXPECTED_REGION: Final = re.compile(r"expecting '([a-z0-9-]+)'")
_NAMESPACE = "com.amazonaws.codepipeline"


def written(response: Mapping[str, Any], protocol: Protocol) -> Answer:
    """Encode a CodePipeline answer; one without members has no body (API reference)."""
    return _of_codepipeline(200, response, protocol)


def written_error(error: ServiceError, protocol: Protocol, *, head: bool = False) -> Answer:
    """Encode an error as AWS does; the answer to a HEAD has no body.

    In JSON `__type` is the short name, as CodePipeline sends it; in CBOR it is the shape's full
    name, as the protocol's specification requires.
    """
    if protocol == "s3":
        answer = _xml(error, "<Error>{}</Error>", head=head)
        expected = _EXPECTED_REGION.search(error.message)
        if error.code == "AuthorizationHeaderMalformed" and expected is not None:
            # SDKs try again in the region that S3 names.
            answer.headers.append(("x-amz-bucket-region", expected[1]))
        return answer
    if protocol == "query":
        return _xml(error, "<ErrorResponse><Error>{}</Error></ErrorResponse>", head=head)
    kind = f"{_NAMESPACE}#{error.code}" if protocol == "cbor" else error.code
    content = {"__type": kind, "message": error.message} if error.message else {"__type": kind}
    answer = _of_codepipeline(error.status, content, protocol)
    if protocol == "rest-json":
        answer.headers.append(("x-amzn-ErrorType", error.code))
    return answer


def _of_codepipeline(status: int, content: Mapping[str, Any], protocol: Protocol) -> Answer:
    headers = [("x-amzn-RequestId", str(uuid.uuid4()))]
    if protocol != "cbor":
        headers.append(("Content-Type", "application/x-amz-json-1.1"))
        body = json.dumps(content, default=_seconds).encode() if content else b""
        return Answer(status, headers, body)
    import cbor2

    headers.append(("smithy-protocol", "rpc-v2-cbor"))
    if not content:  # the specification: no content type without a body
        return Answer(status, headers, b"")
    headers.append(("Content-Type", "application/cbor"))
    return Answer(status, headers, cbor2.dumps(dict(content), datetime_as_timestamp=True))


def _seconds(moment: datetime) -> float:
    """Return a time as the JSON protocol has it: seconds with three decimals."""
    return round(moment.timestamp(), 3)


def _xml(error: ServiceError, form: str, *, head: bool) -> Answer:
    request_id = uuid.uuid4().hex[:16].upper()
    headers = [("Content-Type", "application/xml"), ("x-amz-request-id", request_id)]
    content = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{form.format(content)}'
    return Answer(error.status, headers, b"" if head else body.encode())
