"""The observer: what a stub knows of the code under test beyond its calls, and what it finds."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import walk_tb
from types import CodeType
from typing import IO

from pytest_cpjob.artifacts.store import ArtifactStore, StoredObject
from pytest_cpjob.contract.checks import find_all
from pytest_cpjob.contract.findings import Finding
from pytest_cpjob.contract.inspection import Evidence
from pytest_cpjob.contract.output_capture import capture_output
from pytest_cpjob.patching import Undo
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.settings import Settings


class Observer:
    """Keeps what the code wrote, raised and left running, and finds what CodePipeline would mind.

    Attributes:
        findings: what was found, neither allowed nor found twice.
        running_threads: the threads that did not end with the test.
        test_code: the code whose frames are the test's own.
    """

    def __init__(self, settings: Settings, service: JobService, store: ArtifactStore) -> None:
        self._settings = settings
        self._service = service
        self._store = store
        self._written: dict[str, list[str]] = {}
        self._captured: dict[str, str] = {}
        self._met: set[int] = set()
        self._outputs: dict[str, dict[str, StoredObject | None]] = {}
        self.stopped_calls: list[tuple[str, str | None]] = []
        self.findings: list[Finding] = []
        self.running_threads: list[threading.Thread] = []
        self.test_code: set[CodeType] = set()

    def is_tested_by(self, function: Callable[..., object]) -> None:
        """Learn whose frames are the test's own: a refused call that raises there, it met."""
        # Hypothesis keeps the test itself inside.
        inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
        self.test_code.add(inspect.unwrap(inner).__code__)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Overhear what is written meanwhile; a test may read away what pytest has captured."""
        undo = Undo()
        try:
            capture_output(self.wrote, undo)
            yield
        finally:
            undo.all()

    def wrote(self, where: str, text: str) -> None:
        """Keep what the code writes, to find secrets in."""
        self._written.setdefault(where, []).append(text)

    def captured(self, where: str, text: str) -> None:
        """Keep what somebody else has captured of the test so far."""
        self._captured[where] = text

    def met(self, error: BaseException) -> None:
        """Note what the test has met, with what it was raised from.

        It came out of an invocation or a worker, or the test expected it. Only refusals are of
        interest, which the record keeps; any other error is forgotten, and with it its frames.
        """
        refused = self._service.call_log.refused
        walked: set[int] = set()
        chain: BaseException | None = error
        while chain is not None and id(chain) not in walked:
            walked.add(id(chain))
            if id(chain) in refused:
                self._met.add(id(chain))
            chain = chain.__cause__ or chain.__context__

    def look_at_outputs(self, job: JobRecord) -> None:
        """Keep what the outputs were at the moment when the result was reported."""
        if job.facts.outputs:
            self._outputs[job.id] = {
                artifact.name: self._store.head(artifact) for artifact in job.facts.outputs
            }

    def new_findings(self) -> list[Finding]:
        """Give what is found and neither allowed nor reported before; it is reported now."""
        found = [
            finding
            for finding in find_all(self._evidence())
            if finding not in self.findings and not self._is_allowed(finding)
        ]
        self.findings += found
        return found

    def _is_allowed(self, finding: Finding) -> bool:
        """Whether the test allows it, its job, or, if it is about none, any of its jobs."""
        jobs = self._service.registry.jobs
        about = [jobs[finding.job_id]] if finding.job_id in jobs else list(jobs.values())
        return finding.name in self._settings.allow or any(
            finding.name in job.allow for job in about
        )

    def _evidence(self) -> Evidence:
        return Evidence(
            service=self._service,
            outputs=self._outputs,
            stopped_calls=self.stopped_calls,
            surfaced=self._surfaced,
            printed={
                where: "".join(self._written.get(where, ())) + self._captured.get(where, "")
                for where in (*self._written, *self._captured)
            },
            running_threads=[thread.name for thread in self.running_threads],
            read_output=self._read_output,
            own_role=self._settings.own_role,
        )

    def _surfaced(self, error: BaseException) -> bool:
        """Whether the test itself met an error, or it reached the test's own frame."""
        if id(error) in self._met:
            return True
        # unittest's assertRaises takes the traceback off what it has caught.
        traceback = error.__traceback__
        return traceback is None or any(
            frame.f_code in self.test_code for frame, _ in walk_tb(traceback)
        )

    def _read_output(self, job: JobRecord, name: str) -> Iterator[tuple[str, IO[bytes]]]:
        from pytest_cpjob.artifacts.archives import readable_parts

        if not self._store.is_started:
            return  # left already, and looked through then
        [artifact] = [each for each in job.facts.outputs if each.name == name]
        stored = self._outputs[job.id][name]
        with self._store.open(artifact, stored.version_id if stored else None) as opened:
            if opened is not None:
                yield from readable_parts(opened, f"output artifact {name!r}")
