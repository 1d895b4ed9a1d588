"""The timeline: what happened to an action's jobs on the job clock, as data and as text.

`actions` gives the data: a report in another format is made of it as well.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from pytest_cpjob.call_sites import Place, Site, place_of
from pytest_cpjob.contract.findings import Finding
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.outcomes import outcome
from pytest_cpjob.contract.passed_over import Polls, passed_over, polls_of
from pytest_cpjob.contract.repeats import Run, runs
from pytest_cpjob.contract.shortening import cut, shortened
from pytest_cpjob.defaults import WIDTH
from pytest_cpjob.errors import text_of
from pytest_cpjob.service.call_log import CallEntry, ChangeEntry, Entry, NoteEntry
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import JobSuccess

MOST_LINES: Final = 20
"""How many lines of one action's timeline are shown, before those in its middle are left out."""

_INDENT: Final = 10
_LONGEST_TEXT: Final = 300

HOLDERS: Final = {
    "job": "the job's credentials",
    "other-job": "another job's credentials",
    "own-role": "the function's own role",
    "nobody": "unknown credentials",
}
"""Whose credentials were used on an artifact, relative to its job."""

LineKind = Literal[
    "job", "event", "call", "change", "note", "passed-over", "result", "finding", "repeat"
]


class TimelineLine(NamedTuple):
    """One line: what happened, when and where.

    Attributes:
        kind: what it is about; `job` begins the lines of one of several jobs of an action.
        at: seconds of job clock; None of what has no time.
        text: what happened, secrets masked.
        change: the job's step from a state to the next.
        place: the line of the user's code that did it.
        error: the error that a call ended with, if it did.
        same_as: what two lines have in common that say the same; by default their text and place.
        by_test: whether the test's own client called.
        service: botocore's name of the service that was called.
        operation: the API's name of the operation.
        target: the artifact, or bucket and key, that a call to S3 was about.
        holder: whose credentials were used on it, a key of `HOLDERS`.
    """

    kind: LineKind
    at: float | None
    text: str
    change: str = ""
    place: Place | None = None
    error: str = ""
    same_as: str = ""
    by_test: bool = False
    service: str = ""
    operation: str = ""
    target: str = ""
    holder: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """What is equal of two lines that say the same."""
        return (self.kind, self.same_as or self.text, self.change, self.place, self.error)


class ActionTimeline(NamedTuple):
    """An action: its job, the jobs that continue it, and what happened to them.

    Attributes:
        heading: where it stands in its pipeline, its action type and how it stands.
        jobs: the jobs' ids, in order.
        status: the last job's.
        lines: everything that happened, none left out or folded.
        findings: those about these jobs.
    """

    heading: str
    jobs: tuple[str, ...]
    status: str
    lines: tuple[tuple[TimelineLine, ...], ...]
    findings: tuple[Finding, ...]


def actions(service: JobService, findings: Sequence[Finding] = ()) -> list[ActionTimeline]:
    """Return what happened to each action, in the order in which the actions were added."""
    by_job: dict[str, list[int]] = {}
    for number, finding in enumerate(findings):
        for job_id in finding.about:
            by_job.setdefault(job_id, []).append(number)
    told = []
    polls = polls_of(service)
    for job in list(service.registry.in_order):
        if job.previous is None:
            about = {number for each in job.continued for number in by_job.get(each.id, ())}
            told.append(_told(service, job, [findings[one] for one in sorted(about)], polls))
    return told


def action_timeline(
    service: JobService, job: JobRecord, findings: Sequence[Finding] = ()
) -> ActionTimeline:
    """Return what happened to the action that a job is of."""
    return _told(service, job, findings, polls_of(service))


def _told(
    service: JobService, job: JobRecord, findings: Sequence[Finding], polls: Polls
) -> ActionTimeline:
    chain = list(job.first.continued)
    last, place, kind = chain[-1], job.place, str(job.facts.action_type)
    heading = f"{kind}: {last.status}" if place == kind else f"{place}, {kind}: {last.status}"
    if len(chain) > 1:
        heading += f", {len(chain)} jobs"
    ids = {each.id for each in chain}
    about = tuple(one for one in findings if not ids.isdisjoint(one.about))
    lines = tuple(tuple(_lines_of(service, each, polls)) for each in chain)
    return ActionTimeline(heading, tuple(each.id for each in chain), last.status, lines, about)


def timeline(
    service: JobService,
    job: JobRecord,
    findings: Sequence[Finding] = (),
    *,
    width: int = WIDTH,
    most_lines: int = MOST_LINES,
    directory: str = "",
) -> str:
    """Return the timeline of the action that a job is of, secrets masked.

    Each line is `+95s`, the seconds of job clock, and what happened: the operation, the line of
    code that called it, the S3 object and whose credentials touched it, the error if there was
    one, the change of state. What repeats is shown once, with a count.
    """
    told = action_timeline(service, job, findings)
    shown = textwrap.wrap(told.heading, width, break_long_words=False, break_on_hyphens=False)
    marks = ", ".join(_marked(finding, directory) for finding in told.findings)
    lines = [*shown_lines(told), *([TimelineLine("finding", None, marks)] if marks else ())]
    blocks = [_wrapped(line, width, directory) for line in lines]
    room = most_lines - len(shown)
    if sum(map(len, blocks)) > room:
        # What a call was refused with stands at the call, and again where the handler raised it.
        blocks = [
            cut(block, width) if line.kind == "note" else block
            for line, block in zip(lines, blocks, strict=True)
        ]
    return "\n".join(shown + shortened(blocks, room, _made_in(told.findings, lines)))


def is_made_in(finding: Finding, line: TimelineLine) -> bool:
    """Whether a finding is about what a line shows: that was done where the finding was made.

    What was raised may have come from the same line of code as the call that it is about.
    """
    is_there = finding.place is not None and finding.place == line.place
    return is_there and finding.name.startswith("raised") == (line.kind == "note")


def _made_in(findings: Sequence[Finding], lines: Sequence[TimelineLine]) -> set[int]:
    """Return the numbers of the lines that findings are about, the first one of each finding."""
    made = (
        next((number for number, line in enumerate(lines) if is_made_in(finding, line)), None)
        for finding in findings
    )
    return {number for number in made if number is not None}


def _marked(finding: Finding, directory: str) -> str:
    return f"{finding.name}{f' ({finding.place.shown(directory)})' if finding.place else ''}"


def shown_lines(action: ActionTimeline) -> Iterator[TimelineLine]:
    """Iterate over the lines that are shown: repeats are folded.

    Of jobs with equal lines the first and the last are shown.
    """
    count = len(action.jobs)
    keys = [tuple(line.key for line in lines) for lines in action.lines]
    number = 0
    while number < count:
        alike = 1
        while number + alike < count and keys[number + alike] == keys[number]:
            alike += 1
        chosen = [number] if alike < 3 else [number, number + alike - 1]
        step = 1 if alike < 3 else alike
        for one in chosen:
            if one != number:
                text = f"{alike - 2} more jobs with the same lines"
                yield TimelineLine("repeat", None, text)
            if count > 1:
                yield TimelineLine("job", None, f"job {one + 1} of {count}: {action.jobs[one]}")
            yield from _folded(action.lines[one])
        number += step


def _folded(lines: Sequence[TimelineLine]) -> Iterator[TimelineLine]:
    """Iterate over a job's lines, those that repeat once, with what comes again after them."""
    for run in runs([line.key for line in lines]):
        yield from lines[run.start : run.start + run.period]
        if run.times > 1:
            yield TimelineLine("repeat", None, _again(lines, run))


def _again(lines: Sequence[TimelineLine], run: Run) -> str:
    """Say how often some lines come again, and when."""
    first = lines[run.start : run.start + run.period]
    times = run.times - 1
    if any(line.change == "Dispatched -> Queued" for line in first):
        text = f"redelivered {times} time{'s' * (times > 1)}"
    else:
        what = "the same" if run.period == 1 else f"the same {run.period} lines"
        text = f"{what} {times} more time{'s' * (times > 1)}"
    starts = [lines[run.start + number * run.period].at for number in range(run.times)]
    if None in starts:
        return text
    steps = {f"{(after or 0.0) - (before or 0.0):.10g}" for before, after in pairwise(starts)}
    if steps == {"0"}:
        return text
    every = f", every {steps.pop()} s" if len(steps) == 1 else ""
    return f"{text}{every}, until +{starts[-1]:.10g}s"


# -- what happened ---------------------------------------------------------------------------------


def _lines_of(service: JobService, job: JobRecord, polls: Polls) -> Iterator[TimelineLine]:
    mask = cache(masking(service))  # a loop's calls have their text in common
    for first, text in passed_over(job, polls):
        yield TimelineLine("passed-over", first.call.at, text, place=_place(first.site))
    for entry in service.call_log.of_job(job.id):
        if isinstance(entry, CallEntry) and entry.caller.by_test and entry.call.service == "s3":
            continue  # the test's own looks into the bucket
        line = _line_of(entry, job)
        yield line._replace(text=mask(line.text), error=mask(line.error))
    if job.result is not None:
        continues = isinstance(job.result, JobSuccess) and job.result.continuation_token is not None
        same_as = "continues" if continues else ""
        yield TimelineLine("result", None, mask(outcome(job.result)), same_as=same_as)


def _line_of(entry: Entry, job: JobRecord) -> TimelineLine:
    if isinstance(entry, NoteEntry):
        kind: LineKind = "event" if entry.is_delivery else "note"
        return TimelineLine(kind, entry.at, entry.text, place=_place(entry.site))
    changes = "; ".join(
        f"{change.before} -> {change.after}" for change in entry.changes if change.job_id == job.id
    )
    if isinstance(entry, ChangeEntry):
        return TimelineLine("change", entry.at, "", changes)
    error = entry.call.error or ""
    if error and entry.message:
        error = f"{error}: {entry.message}"
    elif error and entry.error is not None:
        error = f"{error}: {text_of(entry.error)}"
    return TimelineLine(
        "call",
        entry.at,
        _called(entry, job),
        changes,
        _place(entry.site),
        error,
        by_test=entry.caller.by_test,
        service=entry.call.service,
        operation=entry.call.operation,
        target=_target(entry, job),
        holder=entry.holder or "",
    )


def _place(site: Site | None) -> Place | None:
    return None if site is None else place_of(site)


def _called(entry: CallEntry, job: JobRecord) -> str:
    call, text = entry.call, entry.call.operation
    if call.service != "codepipeline":
        text = f"{call.service}.{text}"
    if call.service == "s3":
        text += f" {_target(entry, job)}"
        if entry.holder is not None:
            text += f" with {HOLDERS[entry.holder]}"
    return text


def _target(entry: CallEntry, job: JobRecord) -> str:
    """Return what a call to S3 was about: the job's artifact by its name, otherwise its place."""
    if entry.call.service != "s3":
        return ""
    bucket, key = entry.call.request.get("Bucket"), entry.call.request.get("Key", "")
    return job.artifact_name(bucket, key) or f"{bucket}/{key}"


# -- how it is shown -------------------------------------------------------------------------------


def _wrapped(line: TimelineLine, width: int, directory: str) -> list[str]:
    """Return one line as text, a mark and what happened beside it; no word of it is broken."""
    if line.kind == "job":
        return [f"  {line.text}"]
    mark = {"result": "result", "finding": "!", "repeat": "..."}.get(line.kind, "")
    if line.at is not None:
        mark = f"+{line.at:.10g}s"
    return textwrap.wrap(
        _text(line, directory),
        width,
        initial_indent=f"  {mark:<{_INDENT - 3}} ",
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(line: TimelineLine, directory: str) -> str:
    """Return what a line says: the call and who made it, its place, its error, what changed."""
    said = line.text
    if line.by_test:
        said += " (the test's own client)"
    if line.place is not None:
        said += f" ({line.place.shown(directory)})"
    if line.error:
        said += f" -> {line.error}"
    shown = " ".join("; ".join(part for part in (said, line.change) if part).split())
    return f"{shown[:_LONGEST_TEXT]}..." if len(shown) > _LONGEST_TEXT else shown
