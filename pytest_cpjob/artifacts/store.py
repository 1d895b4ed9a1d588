"""The store: artifact objects in moto's S3, with the keys they need in moto's KMS.

It is there from the first job with artifacts on; nothing here runs before.
"""

from __future__ import annotations

import functools
import sys
from typing import IO, TYPE_CHECKING, Any

from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_cpjob.artifacts.moto_objects import Objects, StoredObject
    from pytest_cpjob.artifacts.moto_session import MotoSession


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
        self._on_client = on_client
        self._moto = moto
        self._made: list[Callable[[], object]] = []
        self._objects: Objects | None = None

    def start(self) -> None:
        """Start moto, unless it was already started here."""
        self._moto.start()
        if self._objects is None:
            self._objects = self._all_objects()

    @property
    def is_started(self) -> bool:
        """Whether there are objects to read."""
        return self._moto.is_started

    def stop(self) -> None:
        """Forget all objects; where a `mock_aws` of the user's goes on, they go out of it."""
        self.buckets.clear()
        self.keys.clear()
        made, self._made = self._made, []
        if self._moto.stop():
            for take_out in made:
                take_out()

    def make_bucket(self, bucket: str, region: str) -> None:
        """Create the artifact bucket in the job's region, versioned as CodePipeline's are."""
        if bucket in self.buckets:
            return
        # In a moto that was started here, nobody has made a bucket of this name.
        if self._started().make_bucket(bucket, region, may_exist=self._moto.was_there):
            from pytest_cpjob.artifacts.moto_objects import take_out_bucket

            self._made.append(functools.partial(take_out_bucket, bucket))
        self.buckets[bucket] = region

    def put(self, artifact: ArtifactFacts, content: IO[bytes], kms_key_id: str | None) -> None:
        """Write an object as CodePipeline or another action would, with the pipeline's key."""
        self._objects_for(artifact).put(artifact.bucket, artifact.key, content.read(), kms_key_id)

    def head(self, artifact: ArtifactFacts) -> StoredObject | None:
        """Return what S3 says about an object, or None if it does not exist."""
        return self._objects_for(artifact).head(artifact.bucket, artifact.key)

    def get(self, artifact: ArtifactFacts, version_id: str | None = None) -> bytes | None:
        """Return the content of one version of an object, or None if it does not exist."""
        return self._objects_for(artifact).get(artifact.bucket, artifact.key, version_id)

    def stored(self, bucket: str, key: str) -> bytes | None:
        """Return the content of any object in moto, also of a bucket that is not in this store."""
        if "moto.s3.models" not in sys.modules:
            return None  # a local emulator has it
        return (self._objects or self._all_objects()).get(bucket, key)

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

    def _all_objects(self) -> Objects:
        from pytest_cpjob.artifacts.moto_objects import objects

        return objects(functools.partial(self._client, "s3"))

    def _started(self) -> Objects:
        self.start()
        assert self._objects is not None
        return self._objects

    def _objects_for(self, artifact: ArtifactFacts) -> Objects:
        """Return the objects that an artifact's is among.

        Raises:
            ArtifactError: the store was stopped.
        """
        if artifact.bucket not in self.buckets:
            raise ArtifactError(
                f"artifact {artifact.name!r} cannot be opened: the stub is not active any more, and"
                f" bucket {artifact.bucket} is gone; read artifacts while the stub is active"
            )
        return self._started()

    def _client(self, service: str, region: str) -> Any:
        from pytest_cpjob.aws.plain_client import own_client

        client = own_client(service, region)
        self._on_client(client)
        return client
