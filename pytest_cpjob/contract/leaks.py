"""Leaks: secrets of a job in what its handler wrote, reported or uploaded."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import IO, Final

from pytest_cpjob.call_sites import Place, Site, place_of
from pytest_cpjob.contract.findings import JOB, Finding
from pytest_cpjob.contract.masking import secrets_by_job
from pytest_cpjob.contract.observer import Evidence
from pytest_cpjob.service.call_log import MASK
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import JobFailure

_CHUNK: Final = 1024 * 1024
_SIGNED: Final = re.compile(r"x-amz-security-token\W{1,6}b?\W?[\w+/=%]+", re.IGNORECASE)
"""How botocore logs each request's token, once pytest's `log_level` is DEBUG."""


_QUOTED: Final = 120
"""How many characters of a line are quoted, about."""


class _Text:
    """What was written to one place, as one text, of which each part knows who wrote it."""

    def __init__(self, where: str, parts: Sequence[tuple[str, Site | None]]) -> None:
        self.where = where
        self._sites = [site for _, site in parts]
        self._ends = list(accumulate(len(text) for text, _ in parts))
        self.text = "".join(text for text, _ in parts)

    def places_of(self, value: str) -> Iterator[tuple[int, Place | None]]:
        """Iterate over where a value stands in the text, each line of code that wrote it once."""
        seen: set[Place | None] = set()
        position = self.text.find(value)
        while position >= 0:
            number = bisect_right(self._ends, position)
            site = self._sites[number]
            place = None if site is None else place_of(site)
            if place not in seen:
                seen.add(place)
                yield position, place
            position = self.text.find(value, self._ends[number])


class _Leak:
    """Secrets of one job that one line of the user's code has let out."""

    def __init__(self) -> None:
        self.what: dict[str, None] = {}
        self.where: dict[str, None] = {}
        self.quoted = ""


def leaked_secrets(
    evidence: Evidence, places: Mapping[str, Place | None], mask: Callable[[str], str]
) -> Iterator[Finding]:
    """Find secrets in what was printed, logged, reported and uploaded.

    Args:
        places: where each job's result was reported.
        mask: hides secrets.
    """
    secrets_of = secrets_by_job(evidence.service)
    texts = [_Text(where, _without_signatures(where, parts)) for where, parts in _written(evidence)]
    captured = {
        where: _SIGNED.sub("", text) if where == "the log" else text
        for where, text in evidence.captured.items()
    }
    for job in evidence.jobs:
        secrets = secrets_of.get(job.id)
        if not secrets:
            continue
        leaks: dict[Place | None, _Leak] = {}
        _find_written(leaks, secrets, texts, captured, mask)
        reported = [
            (where, {value for value in secrets if value in text}) for where, text in _reported(job)
        ]
        for where, values in (*reported, *_uploaded(job, secrets, evidence)):
            for value in secrets:
                if value in values:
                    _note(leaks, places.get(job.id), secrets[value], where)
        for place, leak in leaks.items():
            verb = "is" if len(leak.what) == 1 else "are"
            listed, wheres = _listed(leak.what), _listed(leak.where)
            what = f"{listed} of {JOB} {verb} in {wheres}"
            detail = f"The line: {leak.quoted}" if leak.quoted else ""
            yield Finding("leaked-secret", job.id, what, place, detail=detail)


def _find_written(
    leaks: dict[Place | None, _Leak],
    secrets: Mapping[str, str],
    texts: Sequence[_Text],
    captured: Mapping[str, str],
    mask: Callable[[str], str],
) -> None:
    """Note each secret that was written; what only pytest has captured has no line of code."""
    for value, what in secrets.items():
        is_written = False
        for text in texts:
            for position, place in text.places_of(value):
                is_written = True
                leak = _note(leaks, place, what, text.where)
                leak.quoted = leak.quoted or _quoted(text.text, position, mask)
        if not is_written:
            for where, told in captured.items():
                position = told.find(value)
                if position >= 0:
                    leak = _note(leaks, None, what, where)
                    leak.quoted = leak.quoted or _quoted(told, position, mask)


def _note(leaks: dict[Place | None, _Leak], place: Place | None, what: str, where: str) -> _Leak:
    leak = leaks.setdefault(place, _Leak())
    leak.what[what] = None
    leak.where[where] = None
    return leak


def _written(evidence: Evidence) -> Iterator[tuple[str, Sequence[tuple[str, Site | None]]]]:
    # Copies: a process or a thread may write meanwhile.
    for where, parts in list(evidence.written.items()):
        yield where, list(parts)


def _without_signatures(
    where: str, parts: Sequence[tuple[str, Site | None]]
) -> Sequence[tuple[str, Site | None]]:
    if where != "the log":
        return parts
    return [(f"{_SIGNED.sub('', text)}\n", site) for text, site in parts]


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _quoted(text: str, position: int, mask: Callable[[str], str]) -> str:
    """Return the line that a secret stands in, masked, without what is far from the secret."""
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = mask(text[start : end if end >= 0 else len(text)])
    middle = max(line.find(MASK), 0)
    first = max(0, min(middle - _QUOTED // 2, len(line) - _QUOTED))
    shown = line[first : first + _QUOTED]
    before = "..." if first else ""
    after = "..." if first + _QUOTED < len(line) else ""
    return f"{before}{shown}{after}"


def _reported(job: JobRecord) -> Iterator[tuple[str, str]]:
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


def _uploaded(
    job: JobRecord, secrets: Collection[str], evidence: Evidence
) -> Iterator[tuple[str, set[str]]]:
    """Look through the outputs piece by piece: they may be large."""
    for name, stored in evidence.outputs.get(job.id, {}).items():
        if stored is not None:
            for where, opened in evidence.read_output(job, name):
                yield where, _in_stream(opened, secrets)


def _in_stream(opened: IO[bytes], secrets: Collection[str]) -> set[str]:
    sought = {value: value.encode(errors="replace") for value in secrets}
    overlap = max(map(len, sought.values()))
    found: set[str] = set()
    end = b""
    while chunk := opened.read(_CHUNK):
        piece = end + chunk
        found |= {value for value, data in sought.items() if data in piece}
        end = piece[-overlap:]
    return found
