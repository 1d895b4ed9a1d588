"""The observer: what a stub learns of the code under test beyond its calls.

The checks read the `Evidence` that it gives.
"""

from __future__ import annotations

import inspect
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from traceback import walk_tb
from types import CodeType
from typing import IO, TYPE_CHECKING, Any

from pytest_cpjob.call_sites import Site
from pytest_cpjob.contract.left_files import MOST_BYTES, Look, left_since, look
from pytest_cpjob.contract.masking import secrets_of
from pytest_cpjob.contract.output_capture import capture_output
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.patching import Undo

if TYPE_CHECKING:
    from pytest_cpjob.artifacts.moto_objects import StoredObject
    from pytest_cpjob.artifacts.store import ArtifactStore
    from pytest_cpjob.contract.masking import Secrets
    from pytest_cpjob.contract.sightings import Sighting
    from pytest_cpjob.service.call_log import StoppedCall
    from pytest_cpjob.service.job_service import JobService
    from pytest_cpjob.service.jobs import JobRecord


class Evidence:
    """Everything one stub knows of what the code under test did.

    Attributes:
        outputs: by job, what each output was when its result was reported.
        stopped_calls: what the network guard has blocked.
        surfaced: whether the test has seen an error, so that it was not swallowed.
        written: texts that the code wrote, by where it wrote them, each with its call site.
        captured: what pytest has captured of the test, by where.
        read_output: opens all that can be read in an output artifact, by where it is.
        forked_calls: what forked children called, which was refused.
        running_threads: names of threads that did not end.
        own_role: whether the handler's own role was let into the bucket.
        seen: secrets in objects of other buckets, and in files that runs have left.
        is_test_code: whether a call site is in the test's own file.
    """

    __slots__ = (
        "captured",
        "forked_calls",
        "is_test_code",
        "outputs",
        "own_role",
        "read_output",
        "running_threads",
        "seen",
        "service",
        "stopped_calls",
        "surfaced",
        "written",
    )

    def __init__(
        self,
        *,
        service: JobService,
        outputs: Mapping[str, Mapping[str, StoredObject | None]],
        stopped_calls: Sequence[StoppedCall],
        surfaced: Callable[[BaseException], bool],
        written: Mapping[str, Sequence[tuple[str, Site | None]]],
        captured: Mapping[str, str],
        read_output: Callable[[JobRecord, str], Iterable[tuple[str, IO[bytes]]]],
        forked_calls: Sequence[str],
        running_threads: Sequence[str],
        own_role: bool,
        seen: Sequence[Sighting],
        is_test_code: Callable[[Site | None], bool],
    ) -> None:
        self.service = service
        self.outputs = outputs
        self.stopped_calls = stopped_calls
        self.surfaced = surfaced
        self.written = written
        self.captured = captured
        self.read_output = read_output
        self.forked_calls = forked_calls
        self.running_threads = running_threads
        self.own_role = own_role
        self.seen = seen
        self.is_test_code = is_test_code

    @property
    def jobs(self) -> list[JobRecord]:
        """The jobs, in the order in which they were created."""
        return list(self.service.registry.jobs.values())

    def label(self, job_id: str | None) -> str:
        """Return how a job is named; nothing where there is none of that id."""
        job = self.service.registry.jobs.get(job_id or "")
        return "" if job is None else job.label


class Observer:
    """Keeps what the code under test wrote, raised, uploaded and left running.

    Attributes:
        stopped_calls: what the network guard has blocked.
        forked_calls: returns what forked children of the process have called.
        running_threads: the threads that did not end with the test.
        test_code: the code whose frames are the test's own.
        directory: what files are named relative to in a report.
    """

    def __init__(self, service: JobService, store: ArtifactStore, *, own_role: bool) -> None:
        self._service = service
        self._store = store
        self._own_role = own_role
        self._written: dict[str, list[tuple[str, Site | None]]] = {}
        self._captured: dict[str, str] = {}
        self._met: set[int] = set()
        self._seen: list[Sighting] = []
        self._defects: list[Exception] = []
        self._outputs: dict[str, dict[str, StoredObject | None]] = {}
        self.stopped_calls: list[StoppedCall] = []
        self.forked_calls: Callable[[], Sequence[str]] = tuple
        self.running_threads: list[threading.Thread] = []
        self.test_code: set[CodeType] = set()
        self.directory = os.getcwd()

    def is_tested_by(self, function: Any) -> None:
        """Learn whose frames are the test's own: an error that is raised there, the test saw.

        What is no function of Python's, such as a doctest, has none.
        """
        # Hypothesis keeps the test itself inside.
        inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
        if hasattr(inner, "__wrapped__"):
            inner = inspect.unwrap(inner)
        code = getattr(inner, "__code__", None)
        if code is not None:
            self.test_code.add(code)

    def listen(self, undo: Undo) -> None:
        """Hear what is written until the undo; a test may read away what pytest has captured."""
        capture_output(self, undo)

    def wrote(self, where: str, text: str, site: Site | None) -> None:
        """Keep what the code writes, to find secrets in, and the line that wrote it."""
        self._written.setdefault(where, []).append((text, site))

    def captured(self, where: str, text: str) -> None:
        """Keep what somebody else has captured of the test so far."""
        self._captured[where] = text

    def met(self, error: BaseException) -> None:
        """Note an error that the test has seen, with what it was raised from.

        It left an invocation or a worker, or the test expected it. Only rejected requests are of
        interest, which the call log keeps; any other error is forgotten, and with it its frames.
        """
        rejected = self._service.call_log.rejected
        walked: set[int] = set()
        chain: BaseException | None = error
        while chain is not None and id(chain) not in walked:
            walked.add(id(chain))
            if id(chain) in rejected:
                self._met.add(id(chain))
            chain = chain.__cause__ or chain.__context__

    def look_at_outputs(self, job: JobRecord) -> None:
        """Keep what the outputs were at the moment when the result was reported."""
        if job.facts.outputs:
            self._outputs[job.id] = {
                artifact.name: self._store.head(artifact) for artifact in job.facts.outputs
            }

    def look_at_object(self, bucket: str, key: str, site: Site | None) -> None:
        """Look for secrets in an object that the code has stored, if it is no job's artifact."""
        secrets = secrets_of(self._service)
        if not secrets.values or (bucket, key) in self._service.registry.owners:
            return
        with self._looking():
            content = self._store.stored(bucket, key)
            if content is not None:
                where = f"the object s3://{bucket}/{key}"
                self._look_into(io.BytesIO(content), where, secrets, site=site)

    @contextmanager
    def looking_for_left_files(self) -> Iterator[None]:
        """Look for secrets in what is written under the temporary folder, and still there after."""
        before = None
        with self._looking():
            before = look()
        try:
            yield
        finally:
            with self._looking():
                if before is not None:
                    self._look_at_files(before)

    def _look_at_files(self, before: Look) -> None:
        for path, opened in left_since(before):
            with suppress(OSError):  # it cannot be read
                secrets = secrets_of(self._service)
                self._look_into(opened, f"the file {path}", secrets, is_left=True)

    def _look_into(
        self,
        opened: IO[bytes],
        where: str,
        secrets: Secrets,
        *,
        site: Site | None = None,
        is_left: bool = False,
    ) -> None:
        from pytest_cpjob.contract.sightings import LEFT, sightings

        if is_left:
            parts = _readable_parts(opened, f"{where}{LEFT}", MOST_BYTES)
        else:
            parts = _readable_parts(opened, where)
        self._seen += sightings(parts, secrets.index, site)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Keep an error of ours: where it comes up, the code under test would catch it."""
        try:
            yield
        except Exception as error:
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Keep an error of ours, for which the test fails when it is checked."""
        self._defects.append(error)

    def evidence(self) -> Evidence:
        """Return what is known now.

        Raises:
            CpjobError: it may not be all, as something of ours has failed; told once.
        """
        if self._defects:
            error = self._defects.pop(0)
            self._defects.clear()
            raise CpjobError(
                "pytest-cpjob itself has failed while it looked for secrets, so that they may not"
                f" be found; please report it: {error!r}"
            ) from error
        return Evidence(
            service=self._service,
            outputs=self._outputs,
            stopped_calls=self.stopped_calls,
            forked_calls=self.forked_calls(),
            surfaced=self._surfaced,
            written=self._written,
            captured=self._captured,
            running_threads=[thread.name for thread in self.running_threads],
            read_output=self._read_output,
            own_role=self._own_role,
            seen=self._seen,
            is_test_code=self._is_test_code,
        )

    def _is_test_code(self, site: Site | None) -> bool:
        """Whether a call came from the test function itself."""
        return site is not None and site[0] in self.test_code

    def _surfaced(self, error: BaseException) -> bool:
        """Whether the test itself saw an error, or it reached the test's own frame."""
        if id(error) in self._met:
            return True
        # unittest's assertRaises takes the traceback off what it has caught.
        traceback = error.__traceback__
        return traceback is None or any(
            frame.f_code in self.test_code for frame, _ in walk_tb(traceback)
        )

    def _read_output(self, job: JobRecord, name: str) -> Iterator[tuple[str, IO[bytes]]]:
        if not self._store.is_started:
            return  # the stub was left already, and the output looked through then
        [artifact] = [each for each in job.facts.outputs if each.name == name]
        stored = self._outputs[job.id][name]
        content = self._store.get(artifact, stored.version_id if stored else None)
        if content is not None:
            yield from _readable_parts(io.BytesIO(content), f"output artifact {name!r}")


def _readable_parts(
    stream: IO[bytes], where: str, most: int | None = None
) -> Iterator[tuple[str, IO[bytes]]]:
    """Open all that can be read in an object or a file, with what few tests need to do so."""
    from pytest_cpjob.artifacts import archives

    return archives.readable_parts(stream, where, archives.MOST if most is None else most)
