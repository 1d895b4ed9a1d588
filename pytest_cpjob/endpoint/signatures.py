"""Signatures: checks that a request to S3 was signed with the right secret key.

Signature version 4, in the header or in the query of a presigned URL, as the S3 API reference
computes it ("Authenticating Requests (AWS Signature Version 4)"). Other versions are not checked.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, unquote

from pytest_cpjob.endpoint.http_server import HttpRequest

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_HEADER: Final = re.compile(
    _ALGORITHM
    + r"\s+Credential=[^/,\s]+/([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=(\w+)\s*"
)


class Signature(NamedTuple):
    """A signature, and its inputs other than the request and the secret key.

    Attributes:
        scope: what the signing key is good for: `date/region/service/aws4_request`.
        expires: of a presigned URL the seconds that it is good for, else `None`.
    """

    scope: str
    signed_headers: str
    moment: str
    payload: str
    digest: str
    expires: str | None = None


def signature_of(http: HttpRequest) -> Signature | None:
    """Return a request's signature of version 4, from its header or its query."""
    return _in_header(http) or _in_query(dict(_members(http)))


def _members(http: HttpRequest) -> list[tuple[str, str]]:
    query = http.target.partition("?")[2]
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)


def is_wrong(http: HttpRequest, secret_access_key: str) -> bool:
    """Return whether a request's signature was made with another secret key."""
    path, members = http.target.partition("?")[0], _members(http)
    signature = signature_of(http)
    if signature is None:
        return False
    # SDKs sign the path that they send, and some encode less of it than the reference says.
    paths = {path, quote(unquote(path), safe="/-_.~")}
    return not any(
        hmac.compare_digest(
            _digest(_canonical(http, each, members, signature), signature, secret_access_key),
            signature.digest,
        )
        for each in paths
    )


def _in_header(http: HttpRequest) -> Signature | None:
    found = _HEADER.fullmatch(http.header("Authorization") or "")
    if found is None:
        return None
    scope, signed_headers, digest = found.groups()
    payload = http.header("X-Amz-Content-Sha256") or hashlib.sha256(http.body).hexdigest()
    moment = http.header("X-Amz-Date") or http.header("Date") or ""
    return Signature(scope, signed_headers, moment, payload, digest)


def _in_query(query: dict[str, str]) -> Signature | None:
    if query.get("X-Amz-Algorithm") != _ALGORITHM:
        return None
    return Signature(
        query.get("X-Amz-Credential", "").partition("/")[2],
        query.get("X-Amz-SignedHeaders", ""),
        query.get("X-Amz-Date", ""),
        query.get("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
        query.get("X-Amz-Signature", ""),
        query.get("X-Amz-Expires", ""),
    )


def _canonical(
    http: HttpRequest, path: str, members: list[tuple[str, str]], signature: Signature
) -> bytes:
    """Return the request in its canonical form, which is signed."""
    encoded = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in members
        if name != "X-Amz-Signature"
    )
    headers = [
        f"{name}:{' '.join((http.header(name) or '').split())}\n"
        for name in signature.signed_headers.split(";")
    ]
    lines = (
        http.method,
        path,
        "&".join(f"{name}={value}" for name, value in encoded),
        "".join(headers),
        signature.signed_headers,
        signature.payload,
    )
    # The server decodes header bytes as Latin-1, so encoding them so gives the bytes sent.
    return "\n".join(lines).encode("latin-1", "replace")


def _digest(canonical: bytes, signature: Signature, secret_access_key: str) -> str:
    key = f"AWS4{secret_access_key}".encode()
    for part in signature.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    hashed = hashlib.sha256(canonical).hexdigest()
    signed = "\n".join((_ALGORITHM, signature.moment, signature.scope, hashed))
    return hmac.digest(key, signed.encode("latin-1", "replace"), "sha256").hex()
