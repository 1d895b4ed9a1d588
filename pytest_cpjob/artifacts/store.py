"""The store: artifact objects in moto's S3, with the keys they need in moto's KMS.

It is there from the first job with artifacts on; nothing here runs before.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pytest_cpjob.aws.plain_client import own_client
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_cpjob.artifacts.moto_session import MotoSession

LARGEST_KEPT = 1024 * 1024
"""Maximum bytes of an object that is kept in memory after it was read, to not read it again."""

LARGEST_SENT = 8 * 1024 * 1024
"""Maximum bytes of an object that is put by a request; larger ones go to moto's backend."""

_CHUNK = 1024 * 1024


class StoredObject(NamedTuple):
    """What S3 says about an object, without its content."""

    size: int
    version_id: str | None
    kms_key_id: str | None


class ArtifactStore:
    """The artifact buckets of one stub.

    Attributes:
        buckets: bucket name -> region, of each bucket created so far.
        keys: the id and the ARN of each KMS key created so far.
        on_client: called with each client of the store's own, which must not be checked.
    """

    def __init__(self, moto: MotoSession, on_client: Callable[[Any], None]) -> None:
        self.buckets: dict[str, str] = {}
        self.keys: set[str] = set()
        self._kept: dict[tuple[str, str], tuple[str | None, bytes]] = {}
        self._on_client = on_client
        self._moto = moto
        self._made: list[Callable[[], object]] = []

    def start(self) -> None:
        """Start moto, unless it was already started here."""
        self._moto.start()

    @property
    def is_started(self) -> bool:
        """Whether there are objects to read."""
        return self._moto.is_started

    def stop(self) -> None:
        """Forget all objects; where a `mock_aws` of the user's goes on, they go out of it."""
        self.buckets.clear()
        self.keys.clear()
        self._kept.clear()
        made, self._made = self._made, []
        if self._moto.stop():
            for take_out in made:
                take_out()

    def make_bucket(self, bucket: str, region: str) -> None:
        """Create the artifact bucket in the job's region, versioned as CodePipeline's are."""
        self.start()
        if bucket in self.buckets:
            return
        s3 = self._client("s3", region)
        # In a moto that was started here, nobody has made a bucket of this name.
        if not (self._moto.was_there and _exists(s3, bucket)):
            where = {} if region == "us-east-1" else {"LocationConstraint": region}
            s3.create_bucket(
                Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {})
            )
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            self._made.append(functools.partial(_take_out_bucket, bucket))
        self.buckets[bucket] = region

    def put(self, artifact: ArtifactFacts, content: IO[bytes], kms_key_id: str | None) -> None:
        """Write an object as CodePipeline or another action would, with the pipeline's key."""
        extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
        s3 = self._client("s3", self._region_of(artifact))
        first = content.read(LARGEST_SENT + 1)
        if len(first) <= LARGEST_SENT:
            s3.put_object(Bucket=artifact.bucket, Key=artifact.key, Body=first, **extra)
            return
        # Handed to the backend: for a request, moto holds several copies in memory at a time.
        content.seek(0)
        del first
        _backend_of(artifact.bucket).put_object(
            artifact.bucket,
            artifact.key,
            content.read(),
            encryption=extra.get("ServerSideEncryption"),
            kms_key_id=kms_key_id,
        )

    def head(self, artifact: ArtifactFacts) -> StoredObject | None:
        """Return what S3 says about an object, or None if it does not exist."""
        s3 = self._client("s3", self._region_of(artifact))
        try:
            found = s3.head_object(Bucket=artifact.bucket, Key=artifact.key)
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchBucket"):
                return None
            raise
        is_kms = str(found.get("ServerSideEncryption", "")).startswith("aws:kms")
        kms_key_id = found.get("SSEKMSKeyId") if is_kms else None
        if is_kms and kms_key_id is None:
            # moto answers with the key of `aws:kms` only, not with that of `aws:kms:dsse`.
            stored = _backend_of(artifact.bucket).get_object(artifact.bucket, artifact.key)
            kms_key_id = getattr(stored, "kms_key_id", None)
        return StoredObject(found["ContentLength"], found.get("VersionId"), kms_key_id)

    def get(self, artifact: ArtifactFacts) -> bytes | None:
        """Return an object's content, or None if it does not exist."""
        s3 = self._client("s3", self._region_of(artifact))
        try:
            found = s3.get_object(Bucket=artifact.bucket, Key=artifact.key)
        except s3.exceptions.NoSuchKey:
            return None
        with found["Body"] as body:
            content: bytes = body.read()
        if len(content) <= LARGEST_KEPT:
            self._kept[artifact.bucket, artifact.key] = (found.get("VersionId"), content)
        return content

    @contextmanager
    def open(self, artifact: ArtifactFacts, version_id: str | None) -> Iterator[IO[bytes] | None]:
        """Open one version of an object, or None if it is gone; a large one is spooled to disk."""
        kept = self._kept.get((artifact.bucket, artifact.key))
        if kept is not None and version_id is not None and kept[0] == version_id:
            yield io.BytesIO(kept[1])
            return
        s3 = self._client("s3", self._region_of(artifact))
        version = {"VersionId": version_id} if version_id else {}
        with SpooledTemporaryFile(max_size=LARGEST_KEPT) as spooled:
            try:
                found = s3.get_object(Bucket=artifact.bucket, Key=artifact.key, **version)
            except s3.exceptions.ClientError:
                yield None
                return
            with closing(found["Body"]):
                for chunk in found["Body"].iter_chunks(_CHUNK):
                    spooled.write(chunk)
            spooled.seek(0)
            yield spooled

    def make_key(self, key_arn: str, region: str) -> None:
        """Create the pipeline's KMS key in moto, under the ARN that the documents contain.

        KMS chooses key ids itself, so the new key is renamed inside moto's backend; otherwise
        `describe_key` with the ARN of the document would fail. A region that is too new for moto
        has no KMS backend: then the key is only a name in the documents.
        """
        self.start()
        key_id = key_arn.rpartition("/")[2]
        kms = self._client("kms", region)
        try:
            made = kms.create_key(Description="The pipeline's artifact key")["KeyMetadata"]
        except KeyError:
            return
        account_id = made["Arn"].split(":")[4]
        from moto.backends import get_backend

        keys = get_backend("kms")[account_id][region].keys
        key = keys.pop(made["KeyId"])
        key.id, key.arn, key.account_id = key_id, key_arn, key_arn.split(":")[4]
        keys[key_id] = key
        self.keys.update((key_id, key_arn))
        self._made.append(lambda: keys.pop(key_id, None))

    def has(self, service: str, params: Mapping[str, Any]) -> bool:
        """Return whether the bucket or key that a call names is in this store."""
        if service == "s3":
            return params.get("Bucket") in self.buckets
        return service == "kms" and params.get("KeyId") in self.keys

    def _region_of(self, artifact: ArtifactFacts) -> str:
        """Return the region of an artifact's bucket.

        Raises:
            ArtifactError: the store was stopped.
        """
        if artifact.bucket not in self.buckets:
            raise ArtifactError(
                f"artifact {artifact.name!r} cannot be opened: the stub is not active any more, and"
                f" bucket {artifact.bucket} is gone; read artifacts while the stub is active"
            )
        return self.buckets[artifact.bucket]

    def _client(self, service: str, region: str) -> Any:
        client = own_client(service, region)
        self._on_client(client)
        return client


def _exists(s3: Any, bucket: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket)
    except s3.exceptions.ClientError:
        return False
    return True


def _backend_of(bucket: str) -> Any:
    """Return the part of moto's S3 backend that contains the bucket."""
    from moto.backends import get_backend

    s3: Any = get_backend("s3")
    partition, account_id = s3.bucket_accounts[bucket]
    return s3[account_id][partition]


def _take_out_bucket(name: str) -> None:
    """Remove a bucket from moto's backend, as the test's own mock stays active after ours."""
    from moto.backends import get_backend

    s3: Any = get_backend("s3")
    if name in s3.bucket_accounts:
        partition, account_id = s3.bucket_accounts.pop(name)
        bucket = s3[account_id][partition].buckets.pop(name)
        for key in list(bucket.keys):
            bucket.keys.pop(key)
        for upload in bucket.multiparts.values():
            upload.dispose()
