"""Request parsing: HTTP requests read as AWS calls.

CodePipeline's protocols are AWS JSON 1.1 and Smithy RPC v2 CBOR, which the newest service model
lists first. S3 requests are path-style: `/bucket/key`. Of requests to other services only the
operation is read, if the protocol names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from io import BytesIO
from typing import Any, Final, Literal, NamedTuple, NoReturn
from urllib.parse import parse_qsl, unquote

from pytest_cpjob.service.errors import ServiceError

TARGET: Final = "CodePipeline_20150709"
DEEPEST: Final = 64
"""The maximum nesting of a CodePipeline request; real ones have four levels."""

# What is repeated has bounds, or is anchored, so that no header of any length takes long.
_BEFORE_PATH: Final = re.compile(r"\A\w{1,20}://[^/?]*")
_RPC_PATH: Final = re.compile(r"/service/(\w+)/operation/(\w+)/?")
_SCOPE: Final = re.compile(
    r"Credential=([^/,\s]{1,256})/\d{1,16}/[^/]{0,64}/([^/]{1,64})/aws4_request"
)
_VERSION_2: Final = re.compile(r"AWS ([^:\s]+):")
_ACTION: Final = re.compile(rb"(?:^|&)Action=(\w+)")
_SIGNED_FOR_S3: Final = re.compile(r"s3(?!tables|vectors)[\w-]*")
"""The services in a signature's scope whose requests moto takes for S3's, as `s3-object-lambda`."""
_SIGNING_NAMES: Final = {"monitoring": "cloudwatch", "states": "stepfunctions"}
_NEED_NO_SIGNATURE: Final = "AWSCognitoIdentity"
"""Prefixes of the target names of JSON APIs that can be called without a signature."""

Protocol = Literal["json", "cbor", "query", "rest-json", "s3"]


@dataclass(frozen=True, slots=True)
class Request:
    """The AWS call of one HTTP request.

    Attributes:
        service, operation: the call; the operation is the API's name if known, else the method
            and the path.
        params: for CodePipeline all parameters, for S3 those that locate objects, else empty.
        protocol: the protocol of the request and of its answer.
        access_key_id, session_token: the credentials that it is signed with.
    """

    service: str
    operation: str
    params: dict[str, Any] = field(default_factory=dict)
    protocol: Protocol = "json"
    access_key_id: str | None = None
    session_token: str | None = None


class Signed(NamedTuple):
    """Who signed a request, and for which service."""

    access_key_id: str | None
    session_token: str | None
    service: str | None


def read(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
    """Parse a request; header names must be in lower case.

    Raises:
        ServiceError: SerializationException if the body does not follow its protocol;
            UnknownOperationException if it is for CodePipeline but names no operation.
    """
    path, query = _split(target)
    signed = signed_by(headers, query)
    who = signed.access_key_id, signed.session_token
    api, operation = _named(path, headers)
    service = signed.service or ""
    protocol = protocol_of(headers)
    if api == TARGET:
        params = _from_cbor(body) if protocol == "cbor" else _from_json(body)
        return Request("codepipeline", operation, params, protocol, *who)
    if service == "codepipeline" or (not service and _names_what_is_not(api, headers)):
        raise unknown_operation()
    if _SIGNED_FOR_S3.fullmatch(service):
        # Whatever else such a request names: the names of other protocols do not concern S3.
        operation, params = read_s3(method, path, query, headers)
        return Request("s3", operation, params, "s3", *who)
    if api:
        return Request(service or api.partition("_")[0].lower(), operation, {}, protocol, *who)
    action = _ACTION.search(body)
    name = query.get("Action") or (action[1].decode() if action else None)
    if signed.service is None and not name:
        operation, params = read_s3(method, path, query, headers)
        return Request("s3", operation, params, "s3", *who)
    if name:
        # Of the calls that need no signature, only these use this protocol.
        return Request(service or "sts", name, {}, "query", *who)
    return Request(service, f"{method} {path}", {}, "rest-json", *who)


def as_s3(request: Request, method: str, target: str, headers: Mapping[str, str]) -> Request:
    """Return a request as the one to S3 that its path says it is, whatever it is signed for."""
    path, query = _split(target)
    operation, params = read_s3(method, path, query, headers)
    return replace(request, service="s3", operation=operation, params=params, protocol="s3")


def protocol_of(headers: Mapping[str, str]) -> Literal["json", "cbor"]:
    """Return which of CodePipeline's two protocols a request uses."""
    return "cbor" if headers.get("smithy-protocol") == "rpc-v2-cbor" else "json"


def _split(target: str) -> tuple[str, dict[str, str]]:
    """Split a request target into path and query; via a proxy it also contains the host."""
    path, _, query = _BEFORE_PATH.sub("", target).partition("?")
    return path or "/", dict(parse_qsl(query, keep_blank_values=True))


def _named(path: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the API and the operation that a request names, empty where it names none."""
    rpc = _RPC_PATH.fullmatch(path)
    if rpc is not None and protocol_of(headers) == "cbor":
        return rpc[1], rpc[2]
    api, _, operation = headers.get("x-amz-target", "").rpartition(".")
    return api, operation


def _names_what_is_not(api: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request without a signature uses JSON or CBOR for an unknown API."""
    if api:
        return not api.startswith(_NEED_NO_SIGNATURE)
    return headers.get("content-type", "").startswith(
        ("application/x-amz-json", "application/cbor")
    )


def signed_by(headers: Mapping[str, str], query: Mapping[str, str]) -> Signed:
    """Read who signed a request, by signature version 4 or 2, in its header or its query."""
    token = headers.get("x-amz-security-token")
    for name, value in query.items():
        if name.lower() == "x-amz-security-token":
            token = value
    authorization = headers.get("authorization", "")
    found = _SCOPE.search(authorization) or _SCOPE.search(
        f"Credential={query.get('X-Amz-Credential', '')}"
    )
    if found is not None:
        service = found[2].lower()
        return Signed(found[1], token, _SIGNING_NAMES.get(service, service))
    old = _VERSION_2.match(authorization)
    key = old[1] if old else query.get("AWSAccessKeyId")
    return Signed(key, token, None)


# -- CodePipeline ----------------------------------------------------------------------------------


def unknown_operation() -> ServiceError:
    """Return what a service of AWS JSON 1.1 answers where no operation is named: no message.

    Measured at Athena in 2026; inferred for CodePipeline.
    """
    return ServiceError("UnknownOperationException", "", 400)


def _unreadable(message: str = "") -> ServiceError:
    """Return the error of a body that cannot be read: malformed ones get no message (measured)."""
    return ServiceError("SerializationException", message)


def _from_json(body: bytes) -> dict[str, Any]:
    try:
        params = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        # JSON escapes can express half of a surrogate pair, which is not valid text.
        json.dumps(params, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise _unreadable() from None
    if isinstance(params, list):
        raise _unreadable("Start of list found where not expected")
    return _an_object(params)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON, whatever Python's reader says")


def _from_cbor(body: bytes) -> dict[str, Any]:
    import cbor2

    if not body:
        return {}
    stream = BytesIO(body)
    try:
        params = cbor2.CBORDecoder(stream).decode()
    except Exception:
        # For CBOR tags, cbor2 lets through whatever the types that they stand for raise.
        raise _unreadable() from None
    if stream.tell() < len(body):
        raise _unreadable()
    return _an_object(_without_undefined(params, cbor2.undefined, DEEPEST))


def _without_undefined(value: Any, undefined: object, depth: int) -> Any:
    """Copy what CBOR carried, `undefined` as null: the specification reads either as absent."""
    if value is undefined:
        return None
    if depth == 0:
        raise _too_deep()
    if isinstance(value, dict):
        return {
            name: _without_undefined(item, undefined, depth - 1) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_without_undefined(item, undefined, depth - 1) for item in value]
    return value


def _an_object(params: object) -> dict[str, Any]:
    if not isinstance(params, dict):
        raise _unreadable()
    present: dict[str, Any] = _present(params, DEEPEST)
    revision = present.get("currentRevision")
    if isinstance(revision, dict) and "created" in revision:
        revision["created"] = _moment(revision["created"])
    return present


def _moment(value: Any) -> datetime:
    """Return a timestamp as Python's clients pass it: on the wire it is seconds since 1970.

    botocore takes texts as well, and sends them as numbers: no text comes so far.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _unreadable("currentRevision.created: Member must be a timestamp")
    try:
        return datetime.fromtimestamp(value, timezone.utc)
    except (OSError, OverflowError, ValueError):
        raise _unreadable("currentRevision.created: Member must be a timestamp") from None


def _present(value: Any, depth: int) -> Any:
    """Copy a value without null members, which the service treats as absent."""
    if depth == 0:
        raise _too_deep()
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise _unreadable("the name of a member is not a string")
        return {name: _present(item, depth - 1) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_present(item, depth - 1) for item in value]
    if value is not None and not isinstance(value, (str, int, float, datetime)):
        # CBOR has more kinds of values than any request of CodePipeline's, bytes among them.
        raise _unreadable(f"no member of a request is of CBOR's type {type(value).__name__!r}")
    return value


def _too_deep() -> ServiceError:
    return _unreadable(f"the body is nested deeper than {DEEPEST}")


# -- S3 --------------------------------------------------------------------------------------------

_BUCKET_OPERATIONS: Final = {
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "versions"): "ListObjectVersions",
    ("POST", "delete"): "DeleteObjects",
    ("GET", None): "ListObjects",
    ("HEAD", None): "HeadBucket",
    ("PUT", None): "CreateBucket",
    ("DELETE", None): "DeleteBucket",
    ("POST", None): "PostObject",
}
_OBJECT_OPERATIONS: Final = {
    ("GET", "uploadId"): "ListParts",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "select"): "SelectObjectContent",
    ("POST", "restore"): "RestoreObject",
    ("GET", None): "GetObject",
    ("HEAD", None): "HeadObject",
    ("PUT", None): "PutObject",
    ("DELETE", None): "DeleteObject",
    ("POST", None): "PostObject",
}
_COPIES: Final = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}
_SUB_RESOURCES: Final = frozenset(
    {"acl", "attributes", "encryption", "legal-hold", "lifecycle", "policy", "retention"}
    | {"tagging", "torrent", "versioning"}
)
_READ_HEADERS: Final = {
    "x-amz-copy-source": "CopySource",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
}


def read_s3(
    method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    """Return the S3 operation of a path-style request, and the parameters that locate objects."""
    bucket, _, key = unquote(path[1:]).partition("/")
    if not bucket:
        return "ListBuckets", {}
    params: dict[str, Any] = {"Bucket": bucket}
    if not key:
        return _s3_operation(method, query, _BUCKET_OPERATIONS, "Bucket"), params
    params["Key"] = key
    for header, name in _READ_HEADERS.items():
        if header in headers:
            params[name] = headers[header]
    operation = _s3_operation(method, query, _OBJECT_OPERATIONS, "Object")
    if "CopySource" in params:
        operation = _COPIES.get(operation, operation)
    return operation, params


def _s3_operation(
    method: str,
    query: Mapping[str, str],
    operations: Mapping[tuple[str, str | None], str],
    kind: str,
) -> str:
    for name in query:
        if (method, name) in operations:
            return operations[method, name]
        if name in _SUB_RESOURCES:
            return f"{method.title()}{kind}{name.title().replace('-', '')}"
    return operations.get((method, None), f"{method.title()}{kind}")
