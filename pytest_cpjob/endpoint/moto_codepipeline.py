"""CodePipeline's operations that moto answers: signed, and in JSON alone."""

from __future__ import annotations

import json
from email.message import Message
from typing import Any, Final

from pytest_cpjob.endpoint.http_server import Answer, HttpRequest
from pytest_cpjob.endpoint.request_parsing import TARGET, Request
from pytest_cpjob.endpoint.responses import written, written_error
from pytest_cpjob.service.errors import ServiceError

_CONTENT_TYPE: Final = "application/x-amz-json-1.1"
_SIGNED: Final = (
    "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/codepipeline/aws4_request,"
    " SignedHeaders=host, Signature=0"
)
_DROPPED: Final = frozenset({"content-type", "smithy-protocol", "x-amz-target"})


def codepipeline_request(request: Request, http: HttpRequest) -> HttpRequest:
    """Return the request in JSON, at the one path and signed: an unsigned one moto takes for S3's.

    Who signed it stays; moto looks at no signature's digits.
    """
    headers = Message()
    for name, value in http.headers.items():
        if name.lower() not in _DROPPED:
            headers[name] = value
    headers["Content-Type"] = _CONTENT_TYPE
    headers["X-Amz-Target"] = f"{TARGET}.{request.operation}"
    if headers["Authorization"] is None:
        headers["Authorization"] = _SIGNED.format(key=request.access_key_id or "testing")
    body = http.body
    if request.protocol == "cbor":
        body = json.dumps(request.params, default=_seconds).encode()
    return http._replace(method="POST", target="/", headers=headers, body=body)


def codepipeline_answer(answer: Answer) -> Answer:
    """Return moto's answer with the content type of CodePipeline's, which moto leaves to Flask."""
    told = [(name, value) for name, value in answer.headers if name.lower() != "content-type"]
    return answer._replace(headers=[*told, ("Content-Type", _CONTENT_TYPE)])


def as_cbor(operation: str, answer: Answer) -> Answer:
    """Return an answer in JSON as one in CBOR, its timestamps as CBOR has them."""
    if answer.status >= 400:
        told = json.loads(answer.body)
        error = ServiceError(told["__type"].rpartition("#")[2], told.get("message", ""))
        return written_error(error, "cbor")
    return written(_parsed(operation, answer), "cbor")


def _parsed(operation: str, answer: Answer) -> dict[str, Any]:
    from botocore.loaders import create_loader
    from botocore.model import ServiceModel
    from botocore.parsers import JSONParser

    model = ServiceModel(create_loader().load_service_model("codepipeline", "service-2"))
    response = {"status_code": answer.status, "headers": {}, "body": answer.body}
    parsed = JSONParser().parse(response, model.operation_model(operation).output_shape)
    return {name: value for name, value in parsed.items() if name != "ResponseMetadata"}


def _seconds(value: Any) -> float:
    """Return a timestamp as JSON has it; nothing else that JSON has not comes so far."""
    seconds: float = value.timestamp()
    return seconds
