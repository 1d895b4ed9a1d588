"""Which objects a call of S3's uses, as its parameters name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote


def touched(operation: str, params: Mapping[str, Any]) -> list[tuple[str, str | None, str | None]]:
    """Return each object that an S3 call uses: (operation, bucket, key), also a copy's source."""
    bucket = params.get("Bucket")
    touched = [(operation, _bucket_name(bucket), params.get("Key"))]
    source = params.get("CopySource")
    if isinstance(source, Mapping):
        touched.append(("GetObject", source.get("Bucket"), source.get("Key")))
    elif isinstance(source, str):
        path = unquote(source.partition("?versionId=")[0]).lstrip("/")
        source_bucket, _, key = path.partition("/")
        touched.append(("GetObject", source_bucket, key))
    return touched


def _bucket_name(bucket: object) -> str | None:
    return None if bucket is None else str(bucket)
