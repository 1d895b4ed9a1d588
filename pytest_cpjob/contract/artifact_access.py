"""Artifact access: objects of the artifact bucket opened with other than the job's credentials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_cpjob.call_sites import place_of
from pytest_cpjob.contract.findings import JOB, NO_ARTIFACT, NOT_THE_JOBS, Finding
from pytest_cpjob.contract.observer import Evidence
from pytest_cpjob.service.call_log import Call, CallEntry

_VERBS: Final = {
    "Get": "read",
    "Head": "read",
    "List": "read",
    "Put": "wrote",
    "Upload": "wrote",
    "Copy": "wrote",
    "Create": "wrote",
    "Complete": "wrote",
    "Delete": "deleted",
    "Abort": "deleted",
}
_CREDENTIALS: Final = {
    "own-role": "the function's own role",
    "other-job": "another job's artifactCredentials",
}


def foreign_credentials(evidence: Evidence) -> Iterator[Finding]:
    """Find the calls on artifact buckets with any credentials but those of the artifact's job."""
    for entry in evidence.service.call_log.tested():
        if entry.holder in (None, "job") or (evidence.own_role and entry.holder == "own-role"):
            continue
        yield _finding(entry, evidence)


def _finding(entry: CallEntry, evidence: Evidence) -> Finding:
    call = entry.call
    bucket, key, is_source = _object(call, evidence)
    job_id = call.job_ids[0] if call.job_ids else entry.job_id
    job = evidence.service.registry.jobs.get(job_id or "")
    artifact = None if job is None else job.artifact_name(bucket, key)
    is_own_role = entry.holder == "own-role"
    uri = f"s3://{bucket}/{key}" if key else f"s3://{bucket}"
    verb = "read" if is_source else _verb(call.operation)
    target = f"{artifact} of {JOB}" if artifact else f"{uri}, which is not an artifact of any job,"
    whose = _CREDENTIALS.get(entry.holder or "", "unknown credentials")
    finding = Finding(
        "own-role",
        job_id,
        f"the code {verb} {target} with {whose} (s3.{call.operation})",
        None if entry.site is None else place_of(entry.site),
        detail=f"The object: {uri}" if artifact else "",
    )
    if not is_own_role:
        hint = "own_role=True is for the function's own role only, and does not allow this."
        return finding._replace(consequence=NOT_THE_JOBS, hint=hint)
    finding = finding._replace(allowed_by="own_role=True")
    if artifact is None:
        finding = finding._replace(consequence=NO_ARTIFACT, fix=_instead(call, key))
    if evidence.is_test_code(entry.site) and entry.job_id is None:
        direction, _, name = (artifact or "output artifact ...").partition(" artifact ")
        hint = (
            f"If the test itself looks into the bucket: use job.{direction}_artifacts[{name}].files"
            " or .content, or cpjob.client('s3')."
        )
        finding = finding._replace(hint=hint)
    return finding


def _verb(operation: str) -> str:
    return next((verb for start, verb in _VERBS.items() if operation.startswith(start)), "used")


def _instead(call: Call, key: str | None) -> str:
    """Return what to do where no credentials of the job could do it."""
    if call.operation == "GetBucketLocation":
        return (
            "Leave the call out: the artifact bucket is in the pipeline's region, which is the"
            " function's own (AWS_REGION)."
        )
    if key is None:
        return "Take bucket and key from the artifact's s3Location, and call the object itself."
    return (
        "Open only the objects that the job's s3Locations name; keep files of your own in a bucket"
        " of your own."
    )


def _object(call: Call, evidence: Evidence) -> tuple[str | None, str | None, bool]:
    """Return bucket and key that a call touched, and whether it only read there.

    Of a copy's two objects it is the one that is an artifact.
    """
    bucket, key = call.request.get("Bucket"), call.request.get("Key")
    source = call.request.get("CopySource")
    if source and (bucket, key) not in evidence.service.registry.owners:
        if isinstance(source, str):
            bucket, _, key = source.lstrip("/").partition("/")
            return bucket, key, True
        return source.get("Bucket"), source.get("Key"), True
    return bucket, key, False
