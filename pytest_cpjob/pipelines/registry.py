"""The pipelines of one stub: those that a test has added, and those that only jobs tell of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from pytest_cpjob.harness import Harness
from pytest_cpjob.pipelines.progress import Progress
from pytest_cpjob.pipelines.records import PipelineRecord
from pytest_cpjob.pipelines.running import PipelineRuns
from pytest_cpjob.pipelines.single_jobs import SingleJobs


class PipelineRegistry:
    """Every pipeline that a test has, by name.

    Attributes:
        deleted: the names of those that it has deleted.
    """

    def __init__(self, harness: Harness) -> None:
        self.deleted: set[str] = set()
        self._harness = harness
        self._runs: dict[str, PipelineRuns] = {}
        self._singles = SingleJobs(harness)

    def add(self, runs: PipelineRuns) -> None:
        """Take a pipeline in; of two of one name the later counts."""
        self._runs[runs.record.name] = runs

    def delete(self, record: PipelineRecord) -> None:
        """Forget a pipeline."""
        record.is_deleted = True
        self.deleted.add(record.name)
        if self._runs.pop(record.name, None) is None:
            self._singles.delete(record.name)

    def records(self) -> list[PipelineRecord]:
        """Return the pipelines that the test has added."""
        return [each.record for each in self._runs.values()]

    def runs_of(self, name: str) -> PipelineRuns | None:
        """Return what runs a pipeline that the test has added."""
        return self._runs.get(name)

    def find(self, name: str) -> PipelineRecord | None:
        """Return a pipeline with its executions as they are now."""
        runs = self._runs.get(name)
        if runs is not None:
            runs.note()
            return runs.record
        return self._singles.find(name)

    def progress_of(self, record: PipelineRecord) -> Progress:
        """Return what changes a pipeline's executions."""
        runs = self._runs.get(record.name)
        return self._singles.progress_of(record) if runs is None else runs.progress

    def names(self) -> list[str]:
        """Return the names of all pipelines, sorted."""
        return sorted({*self._runs, *self._singles.names()})

    def drive(self) -> None:
        """Do what is due in every pipeline that runs."""
        for runs in list(self._runs.values()):
            runs.drive()

    def is_motos(self, name: str) -> bool:
        """Whether moto has a pipeline of this name."""
        return name in _names_in_moto()


def _names_in_moto() -> set[str]:
    """Return the names of the pipelines in moto's backends while a mock of it is active."""
    models = sys.modules.get("moto.codepipeline.models")
    core = sys.modules.get("moto.core.models")
    if models is None or core is None or not getattr(core.MockAWS, "_nested_count", 0):
        return set()
    return set(_all_names(models.codepipeline_backends))


def _all_names(backends: dict[str, Any]) -> Iterator[str]:
    for account in list(backends.values()):
        for backend in list(account.values()):
            yield from backend.pipelines
