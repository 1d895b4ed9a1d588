"""The checks: each reads the evidence and says what the code did that it should not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pytest_cpjob.contract.findings import NO_REPLY, NOT_THE_JOBS, OWN_ROLE, Finding
from pytest_cpjob.contract.leaks import leaked_secrets
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.observer import Evidence
from pytest_cpjob.service.call_log import Call, CallEntry
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import RESULTS, JobSuccess

_ACKNOWLEDGES: Final = frozenset({"AcknowledgeJob", "AcknowledgeThirdPartyJob"})
_BY_A_CHILD: Final = frozenset({"no-result", "missing-output"})
_DETAILS: Final = frozenset({"GetJobDetails", "GetThirdPartyJobDetails"})


def find_all(evidence: Evidence) -> list[Finding]:
    """Give every finding, in the order of the jobs and then of the calls."""
    found: list[Finding] = []
    called = _calls_by_job(evidence)
    mask = masking(evidence.service)
    found += _not_permitted(evidence)
    for job in evidence.jobs:
        entries = called.get(job.id, [])
        found += _no_result(job, mask)
        if not _answer_was_lost(entries):
            found += _raised_after_result(job, mask)
        found += _wrong_results(job, entries)
        found += _outputs(job, evidence)
    found += _own_role(evidence)
    found += _refused_requests(evidence, mask)
    if evidence.service.registry.jobs:
        found += leaked_secrets(evidence)
    found += [
        Finding(
            "unfaked-call",
            job_id,
            f"{what}{f' for {evidence.label(job_id)}' if job_id else ''} was about to leave for the"
            " network.",
        )
        for what, job_id in dict.fromkeys(evidence.stopped_calls)
    ]
    if evidence.forked_calls:
        # What the child would have reported or uploaded, nobody else had to.
        found = [finding for finding in found if finding.name not in _BY_A_CHILD]
    found += [
        Finding(
            "unfaked-call",
            None,
            f"{what} was called in a process that was forked from the test's, and refused there.",
        )
        for what in evidence.forked_calls
    ]
    found += [
        Finding(
            "unused-fault",
            None,
            f"{fault.code} was set up {_times(fault.times)} for {fault.service}.{fault.operation}"
            f" and met {_times(fault.met)}.",
        )
        for fault in evidence.service.faults.unmet()
    ]
    found += [
        Finding("running-thread", None, f"thread {name!r} was still running at the end.")
        for name in evidence.running_threads
    ]
    masked = (finding._replace(what=mask(finding.what)) for finding in found)
    return list(dict.fromkeys(masked))  # what happened again is one finding


def _calls_by_job(evidence: Evidence) -> dict[str, list[CallEntry]]:
    """Sort the calls of the code under test by job, in one pass: there may be thousands of both."""
    called: dict[str, list[CallEntry]] = {}
    for entry in evidence.service.call_log.tested():
        for job_id in entry.call.job_ids:
            called.setdefault(job_id, []).append(entry)
    return called


def _times(count: int) -> str:
    return f"{count} time{'s' * (count != 1)}"


def _no_result(job: JobRecord, mask: Callable[[str], str]) -> Iterator[Finding]:
    if job.result is not None or job.abandoned:
        return
    late = " before it timed out" if job.status == "TimedOut" else ""
    if job.kind != "lambda":
        if job.acknowledged and not job.acknowledged_by_test:
            what = f"{job.label} was acknowledged, and got no result{late}."
            yield Finding("no-result", job.id, what)
        return
    words = NO_REPLY.replace("{name}", job.facts.configuration["FunctionName"])
    if job.raised:
        error = job.raised[-1][0]
        what = f"the handler raised {_shown(error, mask)} before any result of {job.label}."
        yield Finding("raised", job.id, what, words)
    elif job.delivered:
        what = f"{job.label} was delivered to its function, and got no result{late}."
        yield Finding("no-result", job.id, what, words)


def _raised_after_result(job: JobRecord, mask: Callable[[str], str]) -> Iterator[Finding]:
    after = [error for error, had_result in job.raised if had_result]
    if after:
        what = f"the handler raised {_shown(after[0], mask)} after the result of {job.label}."
        yield Finding("raised-after-result", job.id, what)


def _answer_was_lost(entries: list[CallEntry]) -> bool:
    """Return whether a job's result took effect and its answer was lost.

    Whoever raises then knows of no result; the same result from the next attempt is answered.
    """
    return any(
        entry.call.operation in RESULTS and entry.changes and entry.fault is not None
        for entry in entries
    )


def _shown(error: BaseException, mask: Callable[[str], str]) -> str:
    text = mask(str(error)).partition("\n")[0]
    if len(text) > 120:
        text = f"{text[:120]}..."
    return f"{type(error).__name__} ({text})" if text else type(error).__name__


def _wrong_results(job: JobRecord, entries: list[CallEntry]) -> Iterator[Finding]:
    """Find what was reported, or asked, by who should not have, or more than once."""
    losers: set[tuple[int, int]] = set()
    unaware_owners: set[tuple[int, int]] = set()
    reported = answer_lost = False
    for entry in entries:
        call, worker = entry.call, entry.caller[:2]
        if call.operation in _ACKNOWLEDGES:
            if call.error is None:
                losers.discard(worker)
            elif entry.changes:  # the answer was lost: the worker has the job, and cannot know
                unaware_owners.add(worker)
            elif call.error == "InvalidNonceException" and worker not in unaware_owners:
                losers.add(worker)
        elif call.operation in RESULTS | _DETAILS and worker in losers:
            what = f"{call.operation} for {job.label} after its acknowledgement was refused."
            yield Finding("not-owner", job.id, what)
        elif call.operation in RESULTS and call.error == "InvalidJobStateException":
            if entry.state in ("Queued", "Dispatched"):
                what = f"{call.operation} for {job.label}, which it had not acknowledged."
                yield Finding("not-acknowledged", job.id, what)
            elif reported and entry.fault is None and not answer_lost:
                what = f"{call.operation} for {job.label}, which had its result already."
                yield Finding("second-result", job.id, what)
        if call.operation in RESULTS and entry.changes:
            reported = True
            answer_lost = answer_lost or entry.fault is not None


def _outputs(job: JobRecord, evidence: Evidence) -> Iterator[Finding]:
    result = job.result
    if not isinstance(result, JobSuccess) or result.continuation_token is not None:
        return
    for name, stored in evidence.outputs.get(job.id, {}).items():
        if stored is None:
            what = (
                f"success of {job.label} was reported, and output artifact {name!r} not uploaded."
            )
            yield Finding("missing-output", job.id, what)
        elif job.facts.encryption_key and not _same_key(
            stored.kms_key_id, job.facts.encryption_key
        ):
            with_what = f"with {stored.kms_key_id}" if stored.kms_key_id else "without a KMS key"
            what = (
                f"output artifact {name!r} of {job.label} was uploaded {with_what}, not with the"
                f" pipeline's key {job.facts.encryption_key}."
            )
            yield Finding("output-encryption", job.id, what)


def _same_key(one: str | None, other: str) -> bool:
    """Whether two names are one key's: in its own account an ARN's last part may stand for it."""
    if one is None or (one.startswith("arn:") and other.startswith("arn:")):
        return one == other
    short, its = (name.rpartition(":")[2].removeprefix("key/") for name in (one, other))
    return short == its


def _own_role(evidence: Evidence) -> Iterator[Finding]:
    seen = set()
    for entry in evidence.service.call_log.tested():
        call = entry.call
        if entry.holder in (None, "job"):
            continue
        if evidence.own_role and entry.holder == "own-role":
            continue
        job_id = call.job_ids[0] if call.job_ids else None
        about = f"an artifact of {evidence.label(job_id)}" if job_id else "no job's artifact"
        whose = {
            "own-role": "the handler's own role",
            "other-job": "another job's artifactCredentials",
        }.get(entry.holder or "", "credentials that are nobody's")
        what = (
            f"s3.{call.operation} on {_object(call, evidence)}, {about}, was called with {whose}."
        )
        if what not in seen:
            seen.add(what)
            words = OWN_ROLE if entry.holder == "own-role" else NOT_THE_JOBS
            yield Finding("own-role", job_id, what, words)


def _object(call: Call, evidence: Evidence) -> str:
    """Name the object that a call touched: of a copy's two, the one that is an artifact."""
    bucket, key = call.request.get("Bucket"), call.request.get("Key")
    source = call.request.get("CopySource")
    if source and (bucket, key) not in evidence.service.registry.owners:
        if isinstance(source, str):
            return f"s3://{source.lstrip('/')}"
        bucket, key = source.get("Bucket"), source.get("Key")
    return f"s3://{bucket}/{key}" if key else f"s3://{bucket}"


def _not_permitted(evidence: Evidence) -> Iterator[Finding]:
    for entry in evidence.service.call_log.tested():
        denial = entry.denial
        if denial is None:
            continue
        call = entry.call
        job_id = call.job_ids[0] if call.job_ids else entry.job_id
        about = f" for {evidence.label(job_id)}" if job_id else ""
        where = f" ({denial.place})" if denial.place else ""
        on = _resource(denial.resource)
        what = (
            f"{call.service}.{call.operation}{about}{where} was called with the function's own"
            f" role, and {denial.role} does not allow {denial.action} on {on}."
        )
        yield Finding("not-permitted", job_id, what, f"{denial.why}.\n  Write: {denial.way_out}")


def _resource(resource: str) -> str:
    return '"*"' if resource == "*" else resource


def _refused_requests(evidence: Evidence, mask: Callable[[str], str]) -> Iterator[Finding]:
    for entry in evidence.service.call_log.tested():
        call = entry.call
        if entry.error is None or evidence.surfaced(entry.error):
            continue
        job_id = call.job_ids[0] if call.job_ids else entry.job_id
        about = f" for {evidence.label(job_id)}" if job_id else ""
        reason = str(entry.error).partition("calling the ")[2] or str(entry.error)
        reason = " ".join(mask(entry.message or reason).split())[:300]
        what = (
            f"{call.service}.{call.operation}{about} was refused, and the test did not hear of it:"
            f" {reason}"
        )
        yield Finding("refused-request", job_id, what)
