"""What the code under test has let out: the texts of a job's result, and whether there is any text.

Few tests have one in which a secret could be. `leaks` looks for secrets in them, and is imported
for the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pytest_cpjob.service.results import JobFailure

if TYPE_CHECKING:
    from pytest_cpjob.contract.observer import Evidence
    from pytest_cpjob.service.jobs import JobRecord

KEEPS_SECRETS: Final = frozenset({"codepipeline", "kms", "secretsmanager", "sts"})
"""Services that are given secrets to keep; what is reported to CodePipeline is looked at apart."""


def is_anything_let_out(evidence: Evidence) -> bool:
    """Return whether anything was written, sent, stored, left, uploaded or reported as a text."""
    return bool(
        evidence.written
        or any(evidence.captured.values())
        or evidence.seen
        or evidence.outputs
        or any(
            entry.call.service not in KEEPS_SECRETS for entry in evidence.service.call_log.tested()
        )
        or any(text for job in evidence.jobs for _, text in reported_texts(job))
    )


def reported_texts(job: JobRecord) -> Iterator[tuple[str, str]]:
    """Iterate over the texts in a job's result, each with what it is there."""
    result = job.result
    if result is None:
        return
    yield "the externalExecutionId", result.external_execution_id or ""
    if isinstance(result, JobFailure):
        yield "the failure message", result.message
        return
    yield "the summary", result.summary or ""
    yield "the continuationToken", result.continuation_token or ""
    for name, value in result.output_variables.items():
        yield f"the output variable {name!r}", f"{name}\n{value}"
    revision = result.current_revision
    if revision is not None:
        yield "currentRevision.revision", revision.revision
        yield "currentRevision.changeIdentifier", revision.change_identifier
        yield "currentRevision.revisionSummary", revision.revision_summary or ""
