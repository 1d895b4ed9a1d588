"""A job's artifacts as a test sees them: the objects in the bucket, and the key they use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pytest_cpjob.artifacts.archives import read_files
from pytest_cpjob.artifacts.contents import Content, open_content
from pytest_cpjob.artifacts.store import ArtifactStore
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.errors import ArtifactError

Direction = Literal["input", "output"]


class JobArtifact:
    """One input or output artifact of a job, with its object in the artifact bucket.

    Every read looks at the bucket as it is now.

    >>> job = cpjob.add_job(input_artifacts={"Source": {"index.md": "# Hi"}})
    >>> job.input_artifacts["Source"].files
    {'index.md': b'# Hi'}
    """

    def __init__(
        self,
        facts: ArtifactFacts,
        store: ArtifactStore,
        *,
        direction: Direction,
        job_id: str,
        encryption_key: str | None,
    ) -> None:
        self._facts = facts
        self._store = store
        self._direction = direction
        self._job_id = job_id
        self._encryption_key = encryption_key

    @property
    def name(self) -> str:
        """The artifact's name in the pipeline."""
        return self._facts.name

    @property
    def bucket(self) -> str:
        """The artifact bucket."""
        return self._facts.bucket

    @property
    def key(self) -> str:
        """The object's key."""
        return self._facts.key

    @property
    def uri(self) -> str:
        """The object's S3 URI, made of bucket and key."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def revision(self) -> str | None:
        """The artifact's revision in the job's documents; outputs have none."""
        return self._facts.revision

    @property
    def exists(self) -> bool:
        """Whether the object exists."""
        return self._store.head(self._facts) is not None

    @property
    def content(self) -> bytes:
        """The object's bytes.

        Raises:
            ArtifactError: there is no object.
        """
        content = self._store.get(self._facts)
        if content is None:
            raise ArtifactError(
                f"{self._named()} has no object: nothing was uploaded to {self.uri}"
            )
        return content

    @property
    def files(self) -> Mapping[str, bytes]:
        """The archive's files, path -> bytes.

        Raises:
            ArtifactError: there is no object, or it is not an archive; the message says what it is.
        """
        return read_files(self.content, what=self._named())

    def text(self, path: str | None = None, encoding: str = "utf-8") -> str:
        """Return the text of one file of the archive, or, without a path, of the object itself.

        Raises:
            ArtifactError: the object or file does not exist, or is not text in this encoding.
        """
        if path is None:
            data, where = self.content, self._named()
        else:
            files = self.files
            if path not in files:
                listed = "\n".join(f"- {name}" for name in files) or "- (no files)"
                raise ArtifactError(f"{self._named()} has no file {path!r}, only:\n{listed}")
            data, where = files[path], f"{path!r} of {self._named()}"
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            raise ArtifactError(f"{where} is not {encoding} text: {error}") from None

    @property
    def kms_key_id(self) -> str | None:
        """The KMS key that the object was written with, as the writer named it, or None."""
        stored = self._store.head(self._facts)
        return stored.kms_key_id if stored else None

    def put(self, content: Content) -> None:
        """Write the object in place of the handler, with the pipeline's key.

        For handlers that hand the work to CodeBuild, Step Functions or an instance. Takes what
        `input_artifacts` takes; the output counts as uploaded.

        Raises:
            ValueError: an artifact cannot have this content.
        """
        with open_content(content, field="content") as opened:
            if opened is None:
                raise ValueError(
                    "content: expected content, got None; to have none, leave put() out"
                )
            self._store.put(self._facts, opened, self._encryption_key)

    def _named(self) -> str:
        return f"{self._direction} artifact {self.name!r} of job {self._job_id}"

    def __repr__(self) -> str:
        return f"<{self._direction} artifact {self.name!r} at {self.uri}>"


class JobArtifacts(Mapping[str, JobArtifact]):
    """A job's input or output artifacts, by name."""

    def __init__(self, artifacts: Iterator[JobArtifact], direction: Direction, job_id: str) -> None:
        self._artifacts = {artifact.name: artifact for artifact in artifacts}
        self._direction = direction
        self._job_id = job_id

    def __getitem__(self, name: str) -> JobArtifact:
        try:
            return self._artifacts[name]
        except KeyError:
            raise KeyError(
                f"job {self._job_id} has no {self._direction} artifact {name!r},"
                f" only {list(self._artifacts)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._artifacts)

    def __len__(self) -> int:
        return len(self._artifacts)

    def __repr__(self) -> str:
        return repr(self._artifacts)
