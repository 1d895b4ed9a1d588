"""The inspection: what the checks find that is neither allowed nor was reported before."""

from __future__ import annotations

from pytest_cpjob.contract.checks import find_all
from pytest_cpjob.contract.findings import Finding
from pytest_cpjob.contract.observer import Observer
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.settings import Settings


class Inspection:
    """One stub's findings.

    Attributes:
        findings: what was reported so far.
    """

    def __init__(self, settings: Settings, service: JobService, observer: Observer) -> None:
        self._settings = settings
        self._service = service
        self._observer = observer
        self.findings: list[Finding] = []

    def new_findings(self) -> list[Finding]:
        """Return what is found and neither allowed nor reported before; it is reported now."""
        found = [
            finding
            for finding in find_all(self._observer.evidence())
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
