"""Objects in moto's S3, as the store reads and writes them.

A request for each takes moto a millisecond and more, most of it to find out what was asked for. So
moto's backend is asked itself, which does what the request would have come to. Its methods are not
moto's public API: where they do not look as expected, a client is used instead.
"""

from __future__ import annotations

import base64
import functools
import os
import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

_ACCOUNT_VARIABLE: Final = "MOTO_ACCOUNT_ID"
_EXPECTED: Final = {
    "create_bucket": {"bucket_name", "region_name"},
    "put_bucket_versioning": {"bucket_name", "status"},
    "get_bucket": {"bucket_name"},
    "get_object": {"bucket_name", "key_name", "version_id"},
    "put_object": {
        "bucket_name",
        "key_name",
        "value",
        "encryption",
        "kms_key_id",
        "lock_mode",
        "lock_until",
        "checksum_value",
    },
}
"""The methods of moto's S3 backend that are called here, and the arguments that they are given."""

_ANY_REGION: Final = "us-east-1"
"""From where a bucket of an unknown region is asked for; moto finds it wherever it is."""

_MISSING: Final = frozenset({"404", "NoSuchBucket", "NoSuchKey", "NoSuchVersion"})

_EXPECTED_OF_KEYS: Final = {"acl", "checksum_algorithm", "encryption", "kms_key_id"}
"""The attributes of an object in that backend that are used here."""


class StoredObject(NamedTuple):
    """What S3 says about an object, without its content."""

    size: int
    version_id: str | None
    kms_key_id: str | None


class Objects(Protocol):
    """Buckets and objects in S3."""

    def make_bucket(self, bucket: str, region: str, *, may_exist: bool) -> bool:
        """Create a versioned bucket; return whether it is new."""

    def put(self, bucket: str, key: str, content: bytes, kms_key_id: str | None) -> None:
        """Write an object."""

    def head(self, bucket: str, key: str) -> StoredObject | None:
        """Return what is known of an object, None if it does not exist."""

    def get(self, bucket: str, key: str, version_id: str | None = None) -> bytes | None:
        """Return an object's content, None if it does not exist."""


@functools.cache
def backend_is_as_expected() -> bool:
    """Return whether moto's backend has what is used of it here."""
    from moto.s3.models import FakeKey, S3Backend

    methods = vars(S3Backend)
    return set(FakeKey.__init__.__code__.co_names) >= _EXPECTED_OF_KEYS and all(
        name in methods and names <= set(methods[name].__code__.co_varnames)
        for name, names in _EXPECTED.items()
    )


def objects(client: Callable[[str], Any]) -> Objects:
    """Return the objects in moto, once it is started; `client` makes an S3 client for a region."""
    return BackendObjects() if backend_is_as_expected() else ClientObjects(client)


class BackendObjects:
    """Objects, read and written in moto's backend.

    It finds a bucket where it is, whatever its account, partition and region.
    """

    def __init__(self) -> None:
        self._s3 = _all_of_s3()

    def make_bucket(self, bucket: str, region: str, *, may_exist: bool) -> bool:
        """Create a versioned bucket where a request from its region would; see `Objects`."""
        from moto.core.models import DEFAULT_ACCOUNT_ID
        from moto.utilities.utils import get_partition

        if bucket in self._s3.bucket_accounts:
            return False
        account_id = os.environ.get(_ACCOUNT_VARIABLE, DEFAULT_ACCOUNT_ID)
        backend = self._s3[account_id][get_partition(region)]
        backend.create_bucket(bucket_name=bucket, region_name=region)
        backend.put_bucket_versioning(bucket_name=bucket, status="Enabled")
        return True

    def put(self, bucket: str, key: str, content: bytes, kms_key_id: str | None) -> None:
        """Write an object, with the checksum that the SDK sends along; see `Objects`."""
        backend = self._backend_of(bucket)
        place = backend.get_bucket(bucket_name=bucket)
        is_locked = place.object_lock_enabled and place.has_default_lock
        written = backend.put_object(
            bucket_name=bucket,
            key_name=key,
            value=content,
            encryption="aws:kms" if kms_key_id else None,
            kms_key_id=kms_key_id,
            lock_mode=place.default_lock_mode if is_locked else None,
            lock_until=place.default_retention() if is_locked else None,
            checksum_value=base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode(),
        )
        written.acl = place.acl
        written.checksum_algorithm = "CRC32"

    def head(self, bucket: str, key: str) -> StoredObject | None:
        """Return what is known of an object; see `Objects`."""
        found = self._find(bucket, key, None)
        if found is None:
            return None
        return StoredObject(
            found.size,
            None if found.version_id == "null" else found.version_id,
            found.kms_key_id if str(found.encryption).startswith("aws:kms") else None,
        )

    def get(self, bucket: str, key: str, version_id: str | None = None) -> bytes | None:
        """Return an object's content; see `Objects`."""
        found = self._find(bucket, key, version_id)
        if found is None:
            return None
        content: bytes = found.value
        return content

    def _find(self, bucket: str, key: str, version_id: str | None) -> Any:
        if bucket not in self._s3.bucket_accounts:
            return None
        return self._backend_of(bucket).get_object(
            bucket_name=bucket, key_name=key, version_id=version_id
        )

    def _backend_of(self, bucket: str) -> Any:
        """Return the part of moto's S3 backend that contains the bucket."""
        partition, account_id = self._s3.bucket_accounts[bucket]
        return self._s3[account_id][partition]


class ClientObjects:
    """Objects, read and written by requests.

    Args:
        client: makes an S3 client for a region.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self._regions: dict[str, str] = {}

    def make_bucket(self, bucket: str, region: str, *, may_exist: bool) -> bool:
        """Create a versioned bucket; see `Objects`."""
        self._regions[bucket] = region
        s3 = self._client(region)
        if may_exist and _exists(s3, bucket):
            return False
        where = {} if region == "us-east-1" else {"LocationConstraint": region}
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {}))
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return True

    def put(self, bucket: str, key: str, content: bytes, kms_key_id: str | None) -> None:
        """Write an object; see `Objects`."""
        extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
        self._s3_of(bucket).put_object(Bucket=bucket, Key=key, Body=content, **extra)

    def head(self, bucket: str, key: str) -> StoredObject | None:
        """Return what is known of an object; see `Objects`."""
        s3 = self._s3_of(bucket)
        try:
            found = s3.head_object(Bucket=bucket, Key=key)
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        is_kms = str(found.get("ServerSideEncryption")).startswith("aws:kms")
        return StoredObject(
            found["ContentLength"],
            found.get("VersionId"),
            found.get("SSEKMSKeyId") if is_kms else None,
        )

    def get(self, bucket: str, key: str, version_id: str | None = None) -> bytes | None:
        """Return an object's content; see `Objects`."""
        s3 = self._s3_of(bucket)
        version = {"VersionId": version_id} if version_id else {}
        try:
            found = s3.get_object(Bucket=bucket, Key=key, **version)
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        with found["Body"] as body:
            content: bytes = body.read()
        return content

    def _s3_of(self, bucket: str) -> Any:
        return self._client(self._regions.get(bucket, _ANY_REGION))


def _exists(s3: Any, bucket: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket)
    except s3.exceptions.ClientError:
        return False
    return True


def take_out_bucket(name: str) -> None:
    """Remove a bucket from moto's backend, as the test's own mock stays active after ours."""
    s3 = _all_of_s3()
    if name in s3.bucket_accounts:
        partition, account_id = s3.bucket_accounts.pop(name)
        bucket = s3[account_id][partition].buckets.pop(name)
        for key in list(bucket.keys):
            bucket.keys.pop(key)
        for upload in bucket.multiparts.values():
            upload.dispose()


def _all_of_s3() -> Any:
    from moto.backends import get_backend

    return get_backend("s3")
