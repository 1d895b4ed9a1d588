"""Records: what a report shows of one test, as plain dicts, so that they go through xdist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypedDict

from pytest_cpjob.contract.findings import Finding
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.reports import way_to_allow
from pytest_cpjob.contract.timeline import (
    ActionTimeline,
    LineKind,
    TimelineLine,
    action_timeline,
    actions,
    is_made_in,
    shown_lines,
)
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord, Kind

MOST_STEPS: Final = 200
"""How many steps of one action are shown, repeats folded, before those in its middle are not."""

CODE: Final[dict[Kind, str]] = {
    "lambda": "Handler",
    "custom": "Worker",
    "third-party": "Partner's worker",
}
"""What the code under test is, by the kind of the job."""


class FindingRecord(TypedDict):
    """A finding: what the code did and where, what follows, how it is fixed and allowed."""

    name: str
    place: str
    times: int
    said: str
    consequence: str
    fix: str
    hint: str
    allow: str


class Step(TypedDict):
    """One thing that happened, as in `TimelineLine`.

    `findings` are the numbers, from 1, of those findings of the test that were made in this line.
    """

    kind: LineKind
    at: float | None
    text: str
    change: str
    place: str
    error: str
    by_test: bool
    service: str
    operation: str
    target: str
    holder: str
    findings: list[int]


class ActionRecord(TypedDict):
    """An action, its jobs, and everything that happened to them, in order."""

    place: str
    action_type: str
    code: str
    status: str
    jobs: list[str]
    steps: list[Step]


class _Picture(TypedDict):
    title: str
    html: str


class Block(_Picture, total=False):
    """Something else to show of a test: ready HTML, secrets masked, without scripts or links.

    `mermaid` is the same as a flow chart, for the report in Markdown.
    """

    mermaid: str


class Record(TypedDict):
    """What a report shows of one test."""

    actions: list[ActionRecord]
    findings: list[FindingRecord]
    blocks: list[Block]


def record_of(
    service: JobService,
    findings: Sequence[Finding],
    *,
    directory: str = "",
    blocks: Iterable[Block] = (),
) -> Record:
    """Return the record of everything that a service has seen, secrets masked.

    Args:
        directory: what files are named relative to.
        blocks: what else is shown.
    """
    told = actions(service, findings)
    return _record(service, told, list(findings), directory, list(blocks))


def record_of_job(
    service: JobService, job: JobRecord, findings: Sequence[Finding], *, directory: str = ""
) -> Record:
    """Return the record of the action that a job is of, secrets masked."""
    told = action_timeline(service, job, findings)
    return _record(service, [told], list(told.findings), directory, [])


def _record(
    service: JobService,
    told: list[ActionTimeline],
    findings: list[Finding],
    directory: str,
    blocks: list[Block],
) -> Record:
    record: Record = {
        "actions": [_action(service, action, findings, directory) for action in told],
        "findings": [_finding(finding, directory) for finding in findings],
        "blocks": blocks,
    }
    masked: Record = _masked(record, masking(service))
    return masked


def _masked(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        # xdist can send neither a subclass nor half a surrogate pair.
        return hide(str(value)).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {name: _masked(each, hide) for name, each in value.items()}
    return [_masked(each, hide) for each in value] if isinstance(value, list) else value


def _finding(finding: Finding, directory: str) -> FindingRecord:
    kind = finding.kind
    detail = f". {finding.detail.rstrip('.')}" if finding.detail else ""
    return {
        "name": finding.name,
        "place": "" if finding.place is None else finding.place.shown(directory),
        "times": finding.times,
        "said": f"{finding.said()}{detail}.",
        "consequence": finding.consequence or kind.consequence,
        "fix": finding.fix or kind.fix,
        "hint": finding.hint,
        "allow": way_to_allow(finding),
    }


def _action(
    service: JobService, action: ActionTimeline, findings: list[Finding], directory: str
) -> ActionRecord:
    job = service.registry.jobs[action.jobs[0]]
    numbers = {findings.index(finding) + 1: finding for finding in action.findings}
    lines = _shortened(list(shown_lines(action)))
    steps = [_step(line, _found_in(line, numbers), directory) for line in lines]
    marked = {number for step in steps for number in step["findings"]}
    for number, finding in numbers.items():
        if number not in marked:
            line = TimelineLine("finding", None, finding.name, place=finding.place)
            steps.append(_step(line, [number], directory))
    return {
        "place": job.place,
        "action_type": str(job.facts.action_type),
        "code": CODE[job.kind],
        "status": action.status,
        "jobs": list(action.jobs),
        "steps": steps,
    }


def _found_in(line: TimelineLine, findings: dict[int, Finding]) -> list[int]:
    """Return the numbers of the findings that a line shows."""
    return [number for number, finding in findings.items() if is_made_in(finding, line)]


def _shortened(lines: list[TimelineLine]) -> list[TimelineLine]:
    """Leave out lines in the middle where there are too many for a page."""
    if len(lines) <= MOST_STEPS:
        return lines
    half = MOST_STEPS // 2
    left_out = TimelineLine("repeat", None, f"{len(lines) - 2 * half} more steps")
    return [*lines[:half], left_out, *lines[-half:]]


def _step(line: TimelineLine, findings: list[int], directory: str) -> Step:
    return {
        "kind": line.kind,
        "at": line.at,
        "text": line.text,
        "change": line.change,
        "place": "" if line.place is None else line.place.shown(directory),
        "error": line.error,
        "by_test": line.by_test,
        "service": line.service,
        "operation": line.operation,
        "target": line.target,
        "holder": line.holder,
        "findings": findings,
    }
