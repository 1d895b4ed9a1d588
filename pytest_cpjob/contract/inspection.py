"""The inspection: what the checks find that is neither allowed nor was reported before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cpjob.contract.suspicion import is_suspicious

if TYPE_CHECKING:
    from pytest_cpjob.contract.findings import Finding
    from pytest_cpjob.contract.observer import Observer
    from pytest_cpjob.service.job_service import JobService
    from pytest_cpjob.settings import Settings

_MAY_STILL_BE_DONE = frozenset({"no-result", "raised", "unused-fault"})
"""Findings that something was not done, which code that still runs may yet do."""


class Inspection:
    """One stub's findings.

    Attributes:
        findings: what was reported so far.
    """

    def __init__(self, settings: Settings, service: JobService, observer: Observer) -> None:
        self._settings = settings
        self._service = service
        self._observer = observer
        self._reported: set[Finding] = set()
        self.findings: list[Finding] = []

    def new_findings(self) -> list[Finding]:
        """Return what is found and neither allowed nor reported before; it is reported now."""
        return self._new(self._found())

    def settled_findings(self, code_runs: Callable[[], bool]) -> list[Finding]:
        """Return those of the new findings that nothing can change any more.

        A job that a worker has acknowledged may be reported on by a fixture's teardown.

        Args:
            code_runs: tells whether code that the test has started is still running.
        """
        found = self._found()
        if not found:
            return []
        running = code_runs()
        return self._new([each for each in found if not self._may_change(each, code_runs=running)])

    def _found(self) -> list[Finding]:
        evidence = self._observer.evidence()
        if not is_suspicious(evidence):
            return []
        from pytest_cpjob.contract.checks import find_all

        return find_all(evidence)

    def _new(self, found: list[Finding]) -> list[Finding]:
        if not found:
            return []
        from pytest_cpjob.contract.findings import folded

        jobs = self._service.registry.in_order
        by_any: frozenset[str] = frozenset().union(*(job.allow for job in jobs))
        new = [
            finding
            for finding in found
            if finding not in self._reported and not self._is_allowed(finding, by_any)
        ]
        self._reported.update(new)
        together = folded(new)
        self.findings += together
        return together

    def _may_change(self, finding: Finding, *, code_runs: bool) -> bool:
        if finding.name == "running-thread" or (code_runs and finding.name in _MAY_STILL_BE_DONE):
            return True
        job = self._service.registry.jobs.get(finding.job_id or "")
        return finding.name == "no-result" and job is not None and job.kind != "lambda"

    def _is_allowed(self, finding: Finding, by_any: frozenset[str]) -> bool:
        """Whether the test allows it, its job, or, if it is about none, any of its jobs."""
        job = self._service.registry.jobs.get(finding.job_id or "")
        by_job = by_any if job is None else job.allow
        return finding.name in self._settings.allow or finding.name in by_job
