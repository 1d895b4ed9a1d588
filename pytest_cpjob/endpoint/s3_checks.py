"""What S3 checks of a signed request before any policy: scope, date, hashes of the content.

Texts and statuses: S3 API reference, "Error responses". Requests with a signature of version 2,
or none, are not checked: there is no scope, and nothing is hashed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Final

from pytest_cpjob.endpoint.http_server import HttpRequest
from pytest_cpjob.endpoint.signatures import Signature, signature_of
from pytest_cpjob.service.errors import ServiceError

SKEW: Final = 15 * 60
"""Seconds between the date of a request and S3's own that S3 lets pass."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_CHECKSUMS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}
"""The checksums that Python itself can compute; CRC32C and CRC64NVME pass unseen."""


def refusal(http: HttpRequest, region: str) -> ServiceError | None:
    """Return what S3 refuses a request to a bucket of this region with, before any policy."""
    signature = signature_of(http)
    if signature is None:
        return None
    return (
        _of_scope(signature, region)
        or _of_date(signature, _now())
        or _of_content(http, signature)
        or _of_digests(http)
    )


def _of_scope(signature: Signature, region: str) -> ServiceError | None:
    date, signed_region, service, *_ = (*signature.scope.split("/"), "", "", "")
    fault = ""
    if service != "s3":
        fault = f'incorrect service "{service}". This endpoint belongs to "s3".'
    elif signed_region != region:
        fault = f"the region '{signed_region}' is wrong; expecting '{region}'"
    elif date != signature.moment[:8]:
        fault = (
            f'Invalid credential date "{date}". This date is not the same as X-Amz-Date:'
            f' "{signature.moment[:8]}".'
        )
    if not fault:
        return None
    where = "authorization header is malformed"
    if signature.expires is not None:
        return ServiceError(
            "AuthorizationQueryParametersError", f"Error parsing the X-Amz-Credential; {fault}"
        )
    return ServiceError("AuthorizationHeaderMalformed", f"The {where}; {fault}")


def _of_date(signature: Signature, clocks: Iterable[float]) -> ServiceError | None:
    try:
        signed = datetime.strptime(signature.moment, "%Y%m%dT%H%M%SZ")
        expires = None if signature.expires is None else int(signature.expires)
    except ValueError:
        text = "AWS authentication requires a valid Date or x-amz-date header"
        return ServiceError("AccessDenied", text)
    at = signed.replace(tzinfo=timezone.utc).timestamp()
    if expires is None:
        if any(abs(now - at) <= SKEW for now in clocks):
            return None
        return ServiceError(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            403,
        )
    if any(at - SKEW <= now <= at + expires for now in clocks):
        return None
    return ServiceError("AccessDenied", "Request has expired")


def _now() -> tuple[float, float]:
    """Return the time of day as this process has it, and as the machine has it.

    Time-machine and freezegun move the first alone; another process signs with the second, which
    only the kernel still tells.
    """
    with tempfile.TemporaryFile() as fresh:
        return time.time(), os.fstat(fresh.fileno()).st_mtime


def _of_content(http: HttpRequest, signature: Signature) -> ServiceError | None:
    """Hold the body against the hash that was signed."""
    given = http.header("X-Amz-Content-Sha256")
    if given is None:
        if signature.expires is not None:
            return None
        text = "Missing required header for this request: x-amz-content-sha256"
        return ServiceError("InvalidRequest", text)
    if given == "UNSIGNED-PAYLOAD" or given.startswith("STREAMING-"):
        return None
    if not _SHA256.fullmatch(given):
        text = (
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or"
            " a valid sha256 value."
        )
        return ServiceError("InvalidArgument", text)
    if hashlib.sha256(http.body).hexdigest() != given:
        text = "The provided 'x-amz-content-sha256' header does not match what was computed."
        return ServiceError("XAmzContentSHA256Mismatch", text)
    return None


def _of_digests(http: HttpRequest) -> ServiceError | None:
    """Hold the body against Content-MD5 and the checksums; one sent in chunks passes unseen."""
    if "aws-chunked" in (http.header("Content-Encoding") or "") or (
        http.header("X-Amz-Content-Sha256") or ""
    ).startswith("STREAMING-"):
        return None
    given = http.header("Content-MD5")
    if given is not None:
        digest = _decoded(given)
        if len(digest) != 16:
            return ServiceError("InvalidDigest", "The Content-MD5 you specified was invalid.")
        if digest != hashlib.md5(http.body, usedforsecurity=False).digest():
            text = "The Content-MD5 you specified did not match what we received."
            return ServiceError("BadDigest", text)
    if http.method != "PUT":
        return None
    for name, digest_of in _CHECKSUMS.items():
        given = http.header(f"x-amz-checksum-{name.lower()}")
        if given is not None and _decoded(given) != digest_of(http.body):
            text = f"The {name} you specified did not match the calculated checksum."
            return ServiceError("BadDigest", text)
    return None


def _decoded(given: str) -> bytes:
    try:
        return base64.b64decode(given, validate=True)
    except (ValueError, binascii.Error):
        return b""
