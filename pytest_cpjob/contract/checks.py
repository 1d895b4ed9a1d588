"""The checks: each reads the evidence and says what the code did that it should not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Final, NamedTuple

from pytest_cpjob.call_sites import Place, Site, place_of, site_of_traceback
from pytest_cpjob.contract.artifact_access import foreign_credentials
from pytest_cpjob.contract.findings import JOB, KINDS, NO_REPLY, Finding
from pytest_cpjob.contract.leaks import leaked_secrets
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.observer import Evidence
from pytest_cpjob.contract.outcomes import outcome, reported_by
from pytest_cpjob.errors import text_of
from pytest_cpjob.service.call_log import CallEntry
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import RESULTS, JobSuccess

_ACKNOWLEDGES: Final = frozenset({"AcknowledgeJob", "AcknowledgeThirdPartyJob"})
_BY_A_CHILD: Final = frozenset({"no-result", "missing-output"})
_DETAILS: Final = frozenset({"GetJobDetails", "GetThirdPartyJobDetails"})
_LONGEST_REASON: Final = 300
_FAILURE_REPORTS: Final = frozenset({"PutJobFailureResult", "PutThirdPartyJobFailureResult"})
_REFUSED_REPORT: Final = (
    "What was refused is the report of the failure itself: put right what its error names, before"
    " anything is reported."
)
_STUB_REQUEST: Final = "Start moto's mock_aws() in the test, or stub this request."
_NOT_IN_MOTO: Final = (
    "Stub the client that calls it (botocore.stub.Stubber, a fake of your own), or make the call"
    " fail: cpjob.fail('{operation}', 'AccessDeniedException', service='{service}')."
)

Mask = Callable[[str], str]


def find_all(evidence: Evidence) -> list[Finding]:
    """Return every finding, in the order of the jobs and then of the calls, secrets masked."""
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
        found += _outputs(job, _report_place(entries), evidence)
    found += foreign_credentials(evidence)
    found += _refused_requests(evidence, mask)
    if evidence.service.registry.jobs:
        places = {job_id: _report_place(entries) for job_id, entries in called.items()}
        found += leaked_secrets(evidence, places, mask)
    found += _unfaked_calls(evidence)
    if evidence.forked_calls:
        # What the child would have reported or uploaded, nobody else had to.
        found = [finding for finding in found if finding.name not in _BY_A_CHILD]
    found += _forked_calls(evidence)
    found += _unused_faults(evidence)
    found += [
        Finding("running-thread", None, f"thread {name!r} is still running after the test")
        for name in evidence.running_threads
    ]
    hide = cache(mask)  # thousands of jobs may have done the same
    return [
        finding._replace(
            what=hide(finding.what),
            detail=hide(finding.detail),
            label=evidence.label(finding.job_id),
        )
        for finding in found
    ]


def _calls_by_job(evidence: Evidence) -> dict[str, list[CallEntry]]:
    """Sort the calls of the code under test by job, in one pass: there may be thousands of both."""
    called: dict[str, list[CallEntry]] = {}
    for entry in evidence.service.call_log.tested():
        for job_id in entry.call.job_ids:
            called.setdefault(job_id, []).append(entry)
    return called


def _place(site: Site | None) -> Place | None:
    return None if site is None else place_of(site)


def _report_place(entries: list[CallEntry]) -> Place | None:
    """Return where a job's result was reported."""
    for entry in entries:
        if entry.call.operation in RESULTS and entry.changes:
            return _place(entry.site)
    return None


# -- results ---------------------------------------------------------------------------------------


def _no_result(job: JobRecord, mask: Mask) -> Iterator[Finding]:
    if job.result is not None or job.abandoned:
        return
    late = " before it timed out" if job.status == "TimedOut" else ""
    if job.kind != "lambda":
        if job.acknowledged and not job.acknowledged_by_test:
            yield _worded("no-result", job, f"{JOB} was acknowledged, and got no result{late}")
        return
    if job.raised:
        error = job.raised[-1][0]
        what = f"the handler raised {_shown(error, mask)} before any result of {JOB}"
        finding = _worded("raised", job, what)._replace(place=_raised_at(error))
        if getattr(error, "operation_name", "") in _FAILURE_REPORTS:
            finding = finding._replace(fix=_REFUSED_REPORT)
        yield finding
    elif job.delivered:
        what = f"{JOB} was delivered to its function, and got no result{late}"
        yield _worded("no-result", job, what)


def _worded(name: str, job: JobRecord, what: str) -> Finding:
    """Return a finding whose advice names what such a job is reported with."""
    kind = KINDS[name]
    partner = "third_party_" if job.kind == "third-party" else ""
    no_reply = "."
    if job.kind == "lambda":
        is_given = {"function_name", "configuration"} & job.first.given
        function = job.facts.configuration["FunctionName"] if is_given else "..."
        begin = NO_REPLY[: NO_REPLY.index(".")].replace("{name}", function)
        no_reply = f' ("{begin}. ...").'
    success, failure = (f"put_{partner}job_{ending}_result" for ending in ("success", "failure"))
    return Finding(
        name,
        job.id,
        what,
        consequence=kind.consequence.replace("{no_reply}", no_reply),
        fix=kind.fix.replace("{success}", success)
        .replace("{failure}", failure)
        .replace("{acknowledge}", f"acknowledge_{partner}job"),
    )


def _raised_after_result(job: JobRecord, mask: Mask) -> Iterator[Finding]:
    after = [error for error, had_result in job.raised if had_result]
    if after:
        what = f"the handler raised {_shown(after[0], mask)} after the result of {JOB}"
        yield Finding("raised-after-result", job.id, what, _raised_at(after[0]))


def _answer_was_lost(entries: list[CallEntry]) -> bool:
    """Return whether a job's result took effect and its answer was lost.

    Whoever raises then knows of no result; the same result from the next attempt is answered.
    """
    return any(
        entry.call.operation in RESULTS and entry.changes and entry.fault is not None
        for entry in entries
    )


def _raised_at(error: BaseException) -> Place | None:
    return _place(site_of_traceback(error.__traceback__))


def _shown(error: BaseException, mask: Mask) -> str:
    text = mask(text_of(error)).partition("\n")[0]
    if len(text) > 120:
        text = f"{text[:120]}..."
    return f"{type(error).__name__} ({text})" if text else type(error).__name__


class _Reported(NamedTuple):
    """What is known of a job's result while its calls are read."""

    entry: CallEntry
    answer_lost: bool


def _wrong_results(job: JobRecord, entries: list[CallEntry]) -> Iterator[Finding]:
    """Find what was reported, or asked, by who should not have, or more than once."""
    losers: set[tuple[int, int]] = set()
    unaware_owners: set[tuple[int, int]] = set()
    reported: _Reported | None = None
    for entry in entries:
        call, worker = entry.call, entry.caller.worker
        if call.operation in _ACKNOWLEDGES:
            if call.error is None:
                losers.discard(worker)
            elif entry.changes:  # the answer was lost: the worker has the job, and cannot know
                unaware_owners.add(worker)
            elif call.error == "InvalidNonceException" and worker not in unaware_owners:
                losers.add(worker)
        elif call.operation in RESULTS | _DETAILS and worker in losers:
            what = f"{call.operation} for {JOB} after its acknowledgement was refused"
            yield Finding("not-owner", job.id, what, _place(entry.site))
        elif call.operation in RESULTS and call.error == "InvalidJobStateException":
            if entry.state in ("Queued", "Dispatched"):
                what = f"{call.operation} for {JOB}, which it had not acknowledged"
                yield _worded("not-acknowledged", job, what)._replace(place=_place(entry.site))
            elif reported is not None and entry.fault is None and not reported.answer_lost:
                yield _second_result(job, reported.entry, entry)
        if call.operation in RESULTS and entry.changes:
            lost = reported is not None and reported.answer_lost
            first = entry if reported is None else reported.entry
            reported = _Reported(first, lost or entry.fault is not None)


def _second_result(job: JobRecord, first: CallEntry, second: CallEntry) -> Finding:
    one, other = (outcome(reported_by(each.call)) for each in (first, second))
    what = f"{second.call.operation} for {JOB}, which had its result already"
    detail = f"First: {one}. Then: {other}."
    return Finding("second-result", job.id, what, _place(second.site), detail=detail)


# -- outputs ---------------------------------------------------------------------------------------


def _outputs(job: JobRecord, place: Place | None, evidence: Evidence) -> Iterator[Finding]:
    result = job.result
    if not isinstance(result, JobSuccess) or result.continuation_token is not None:
        return
    for name, stored in evidence.outputs.get(job.id, {}).items():
        if stored is None:
            what = f"success of {JOB} was reported, and output artifact {name!r} not uploaded"
            yield Finding("missing-output", job.id, what, place)
        elif job.facts.encryption_key and not _same_key(
            stored.kms_key_id, job.facts.encryption_key
        ):
            with_what = f"with {stored.kms_key_id}" if stored.kms_key_id else "without a KMS key"
            what = (
                f"output artifact {name!r} of {JOB} was uploaded {with_what}, not with the"
                f" pipeline's key {job.facts.encryption_key}"
            )
            yield Finding("output-encryption", job.id, what, place)


def _same_key(one: str | None, other: str) -> bool:
    """Whether two names are one key's: in its own account an ARN's last part may stand for it."""
    if one is None or (one.startswith("arn:") and other.startswith("arn:")):
        return one == other
    short, its = (name.rpartition(":")[2].removeprefix("key/") for name in (one, other))
    return short == its


# -- calls -----------------------------------------------------------------------------------------


def _not_permitted(evidence: Evidence) -> Iterator[Finding]:
    for entry in evidence.service.call_log.tested():
        denial = entry.denial
        if denial is None:
            continue
        call = entry.call
        job_id = call.job_ids[0] if call.job_ids else entry.job_id
        known = job_id in evidence.service.registry.jobs
        about = f" for {JOB}" if known else f" for job {job_id}"
        on = _resource(denial.resource)
        what = (
            f"{call.service}.{call.operation}{about if job_id else ''} was called with the"
            f" function's own role, and {denial.role} does not allow {denial.action} on {on}"
        )
        yield Finding(
            "not-permitted",
            job_id,
            what,
            _place(entry.site),
            consequence=f"AWS refuses the call: {denial.why}.",
            fix=f"Write: {denial.way_out}",
        )


def _resource(resource: str) -> str:
    return '"*"' if resource == "*" else resource


def _refused_requests(evidence: Evidence, mask: Mask) -> Iterator[Finding]:
    for entry in evidence.service.call_log.tested():
        call = entry.call
        if entry.error is None or evidence.surfaced(entry.error):
            continue
        job_id = call.job_ids[0] if call.job_ids else entry.job_id
        known = job_id in evidence.service.registry.jobs
        about = f" for {JOB}" if known else f" for job {job_id}, which does not exist,"
        what = (
            f"{call.service}.{call.operation}{about if job_id else ''} was rejected, and the code"
            f" swallowed the error: {_reason(entry.error, entry.message, mask)}"
        )
        yield Finding("refused-request", job_id, what, _place(entry.site))


def _reason(error: BaseException, message: str, mask: Mask) -> str:
    """Return what is wrong with a request; botocore writes one violation a line."""
    text = text_of(error)
    reason = mask(message or text.partition("calling the ")[2] or text)
    first, *violations = [" ".join(line.split()) for line in reason.splitlines() if line.strip()]
    text = f"{first} {'; '.join(violations)}".strip() if first.endswith(":") else first
    if violations and not first.endswith(":"):
        text = "; ".join((first, *violations))
    return text[:_LONGEST_REASON].rstrip(".")


def _unfaked_calls(evidence: Evidence) -> Iterator[Finding]:
    for stopped in evidence.stopped_calls:
        what = stopped.what
        service, _, operation = what.partition(".")
        fix = KINDS["unfaked-call"].fix if operation.isalnum() else _STUB_REQUEST
        if stopped.in_moto:
            fix = _NOT_IN_MOTO
        fix = fix.replace("{operation}", operation).replace("{service}", service)
        about = f" for {JOB}" if stopped.job_id else ""
        became = (
            "went to moto, which does not implement it"
            if stopped.in_moto
            else "was blocked before it reached the network"
        )
        yield Finding(
            "unfaked-call",
            stopped.job_id,
            f"{what}{about} {became}",
            _place(stopped.site),
            fix=fix,
        )


def _forked_calls(evidence: Evidence) -> Iterator[Finding]:
    for what in evidence.forked_calls:
        yield Finding(
            "unfaked-call",
            None,
            f"{what} was called in a process that was forked from the test's, and refused there",
            fix="Call AWS in the test's own process, or start another one with cpjob_endpoint.",
        )


def _unused_faults(evidence: Evidence) -> Iterator[Finding]:
    for fault in evidence.service.faults.unmet():
        what = (
            f"{fault.code} was set up {_times(fault.times)} for {fault.service}.{fault.operation}"
            f" and met {_times(fault.met)}"
        )
        yield Finding("unused-fault", None, what)


def _times(count: int) -> str:
    return f"{count} time{'s' * (count != 1)}"
