"""Pipelines that nobody has defined: what a single job tells of the one that it belongs to.

Such a pipeline has two stages: one Source action that gives all inputs, and the job's action.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from pytest_cpjob.harness import Harness
from pytest_cpjob.pipelines.added_jobs import add_execution, note_added
from pytest_cpjob.pipelines.progress import Progress
from pytest_cpjob.pipelines.records import ActionRun, ExecutionRecord, PipelineRecord
from pytest_cpjob.pipelines.variables import Action
from pytest_cpjob.service.jobs import JobRecord

SOURCE: Final = "Source"
"""What the stage of the inputs and its action are called, unless the job's stage has the name."""


class SingleJobs:
    """The pipelines of jobs that were added alone."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._records: dict[str, PipelineRecord] = {}
        self._seen = 0

    def names(self) -> list[str]:
        """Return the names of the pipelines."""
        self._take_in()
        return list(self._records)

    def find(self, name: str) -> PipelineRecord | None:
        """Return a pipeline as its jobs tell of it now."""
        self._take_in()
        record = self._records.get(name)
        if record is not None:
            progress = self.progress_of(record)
            for execution in record.executions:
                note_added(execution, record, progress)
        return record

    def delete(self, name: str) -> None:
        """Forget a pipeline; a job that is added later makes another of its name."""
        del self._records[name]

    def progress_of(self, record: PipelineRecord) -> Progress:
        """Return what changes a pipeline; nothing begins by itself in it."""
        service = self._harness.service
        stream = self._harness.stream.at("pipeline of a job", record.name)
        return Progress(
            record,
            lambda: service.clock.now,
            stream,
            prepare=_nothing_begins,
            abandon=service.registry.abandon,
        )

    def _take_in(self) -> None:
        jobs = self._harness.service.registry.jobs
        new = list(islice(jobs.values(), self._seen, None))
        self._seen = len(jobs)
        for job in new:
            if job.previous is None and not job.is_declared:
                self._add(job)

    def _add(self, job: JobRecord) -> None:
        facts = job.facts
        record = self._records.get(facts.pipeline_name)
        if record is None:
            record = self._records[facts.pipeline_name] = PipelineRecord(
                _declaration(job, self._harness),
                facts.region,
                facts.account_id,
                job.created_at,
                self._harness.service.clock.start,
            )
        else:
            record.declare(_stage(job))
        add_execution(record, job, job.facts.pipeline_execution_id, self.progress_of(record))


def _nothing_begins(execution: ExecutionRecord, action: Action) -> ActionRun:
    raise AssertionError("nothing begins by itself in the pipeline of a single job")


def _declaration(job: JobRecord, harness: Harness) -> dict[str, Any]:
    facts = job.facts
    bucket = facts.inputs[0].bucket if facts.inputs else "codepipeline-artifacts"
    source_stage = SOURCE if facts.stage_name != SOURCE else "Sources"
    source = {
        "name": SOURCE,
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
        "runOrder": 1,
        "configuration": {"S3Bucket": f"{bucket}-source"[:63], "S3ObjectKey": "source.zip"},
        "inputArtifacts": [],
        "outputArtifacts": [{"name": each.name} for each in facts.inputs],
    }
    store: dict[str, Any] = {"type": "S3", "location": bucket}
    if facts.encryption_key is not None:
        store["encryptionKey"] = {"id": facts.encryption_key, "type": "KMS"}
    stages = [_stage(job)]
    if facts.action_type.category != "Source":
        stages.insert(0, {"name": source_stage, "actions": [source]})
    return {
        "name": facts.pipeline_name,
        "roleArn": f"arn:{facts.partition}:iam::{facts.account_id}:role/{job.role}",
        "artifactStore": store,
        "stages": stages,
        "pipelineType": "V1",
        "executionMode": "SUPERSEDED",
    }


def _stage(job: JobRecord) -> dict[str, Any]:
    facts = job.facts
    action = {
        "name": facts.action_name,
        "actionTypeId": dict(facts.action_type.as_dict()),
        "runOrder": 1,
        "configuration": dict(facts.configuration),
        "inputArtifacts": [{"name": each.name} for each in facts.inputs],
        "outputArtifacts": [{"name": each.name} for each in facts.outputs],
    }
    return {"name": facts.stage_name, "actions": [action]}
