"""The wire: HTTP requests read as calls, and answers written in the protocol they came in.

CodePipeline speaks AWS JSON 1.1, and Smithy RPC v2 CBOR, which the newest service model lists
first. S3 is read by path: `/bucket/key`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from pytest_cpjob.service.errors import ServiceError

TARGET: Final = "CodePipeline_20150709"
_CBOR_PATH: Final = re.compile(rf"/service/{TARGET}/operation/(\w+)/?")
_SCOPE: Final = re.compile(r"Credential=([^/,\s]+)/\d+/[^/]*/([^/]+)/aws4_request")

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, with the AWS call that it is.

    Attributes:
        service, operation: the call; the operation is the API's name where it is known.
        params: its parameters: all of CodePipeline's, the bucket and key of S3's.
        cbor: whether it is in CBOR, and is to be answered so.
        access_key_id, session_token: the credentials it is signed with.
    """

    service: str
    operation: str
    params: dict[str, Any] = field(default_factory=dict)
    cbor: bool = False
    access_key_id: str | None = None
    session_token: str | None = None


def read(
    method: str, path: str, query_string: str, headers: Mapping[str, str], body: bytes
) -> Request:
    """Read a request; header names are in lower case.

    Raises:
        ServiceError: SerializationException, the body is not what its protocol says.
    """
    query = {k: v[0] for k, v in parse_qs(query_string, keep_blank_values=True).items()}
    key, token, scope = _credentials(headers, query)
    cbor = _CBOR_PATH.fullmatch(path)
    target, _, operation = headers.get("x-amz-target", "").rpartition(".")
    if cbor:
        return Request("codepipeline", cbor[1], _from_cbor(body), True, key, token)
    if target.endswith(TARGET):
        return Request("codepipeline", operation, _from_json(body), False, key, token)
    if target:
        return Request(scope or target.partition("_")[0].lower(), operation, {}, False, key, token)
    if scope in (None, "s3"):
        operation, params = read_s3(method, path, query, headers)
        return Request("s3", operation, params, False, key, token)
    action = parse_qs(body[:4096].decode("latin-1")).get("Action", [f"{method} {path}"])[0]
    return Request(scope or "", query.get("Action", action), {}, False, key, token)


def _credentials(
    headers: Mapping[str, str], query: Query
) -> tuple[str | None, str | None, str | None]:
    signed = _SCOPE.search(headers.get("authorization", ""))
    if signed is None and "X-Amz-Credential" in query:
        signed = _SCOPE.search(f"Credential={query['X-Amz-Credential']}")
    token = headers.get("x-amz-security-token", query.get("X-Amz-Security-Token"))
    if signed is None:
        return None, token, None
    return signed[1], token, signed[2].lower()


def _from_json(body: bytes) -> dict[str, Any]:
    try:
        params = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"the body is no JSON: {error}") from None
    return _an_object(params)


def _from_cbor(body: bytes) -> dict[str, Any]:
    import cbor2

    try:
        params = cbor2.loads(body) if body else {}
    except (cbor2.CBORDecodeError, ValueError, EOFError) as error:
        raise ServiceError("SerializationException", f"the body is no CBOR: {error}") from None
    return _an_object(params)


def _an_object(params: object) -> dict[str, Any]:
    if not isinstance(params, dict):
        raise ServiceError("SerializationException", "the body is no object")
    return {name: value for name, value in params.items() if value is not None}


# -- S3 --------------------------------------------------------------------------------------------

_BUCKET_OPERATIONS: Final = {
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "versioning"): "GetBucketVersioning",
    ("GET", "versions"): "ListObjectVersions",
    ("POST", "delete"): "DeleteObjects",
}
_OBJECT_OPERATIONS: Final = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST": "PostObject",
}
_UPLOAD_OPERATIONS: Final = {
    "GET": "ListParts",
    "PUT": "UploadPart",
    "POST": "CompleteMultipartUpload",
    "DELETE": "AbortMultipartUpload",
}
_SUB_RESOURCES: Final = frozenset({"acl", "tagging", "retention", "legal-hold", "attributes"})


def read_s3(
    method: str, path: str, query: Query, headers: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    """Tell which S3 operation a request by path is, with its bucket, key, copy source and key."""
    bucket, _, key = unquote(path.lstrip("/")).partition("/")
    if not bucket:
        return "ListBuckets", {}
    params: dict[str, Any] = {"Bucket": bucket}
    if not key:
        for (verb, name), operation in _BUCKET_OPERATIONS.items():
            if verb == method and name in query:
                return operation, params
        plain = {"GET": "ListObjectsV2", "HEAD": "HeadBucket", "PUT": "CreateBucket"}
        return plain.get(method, f"{method}Bucket"), params
    params["Key"] = key
    for header, name in (
        ("x-amz-copy-source", "CopySource"),
        ("x-amz-server-side-encryption", "ServerSideEncryption"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "SSEKMSKeyId"),
    ):
        if header in headers:
            params[name] = headers[header]
    copy = "CopySource" in params
    if "uploadId" in query:
        operation = _UPLOAD_OPERATIONS.get(method, f"{method}Object")
        return ("UploadPartCopy" if copy and operation == "UploadPart" else operation), params
    if method == "POST" and "uploads" in query:
        return "CreateMultipartUpload", params
    for name in _SUB_RESOURCES & set(query):
        return f"{method.title()}Object{name.title().replace('-', '')}", params
    return (
        "CopyObject" if copy and method == "PUT" else _OBJECT_OPERATIONS.get(method, method)
    ), params


# -- answers ---------------------------------------------------------------------------------------


def written(answer: Mapping[str, Any], *, cbor: bool) -> tuple[str, bytes]:
    """Write a CodePipeline answer: its content type and body; nothing for an empty one in JSON."""
    if cbor:
        import cbor2

        return "application/cbor", cbor2.dumps(dict(answer))
    return "application/x-amz-json-1.1", json.dumps(answer).encode() if answer else b""


def written_error(error: ServiceError, *, cbor: bool) -> tuple[str, bytes]:
    """Write a CodePipeline error as AWS does: `__type` short in JSON, a whole name in CBOR."""
    kind = f"com.amazonaws.codepipeline#{error.code}" if cbor else error.code
    return written({"__type": kind, "message": error.message}, cbor=cbor)


def written_s3_error(code: str, message: str, *, head: bool) -> tuple[str, bytes]:
    """Write an S3 error; a HEAD has no body."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    )
    return "application/xml", b"" if head else body.encode()
