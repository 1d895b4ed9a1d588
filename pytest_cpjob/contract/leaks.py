"""Leaks: secrets of a job in what its handler wrote, reported or uploaded."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import accumulate
from typing import Final, TypeAlias

from pytest_cpjob.call_sites import Place, Site, place_of
from pytest_cpjob.contract.findings import JOB, Finding
from pytest_cpjob.contract.let_out import KEEPS_SECRETS, reported_texts
from pytest_cpjob.contract.masking import Secrets, secret_members, secrets_of
from pytest_cpjob.contract.observer import Evidence
from pytest_cpjob.contract.secret_search import Found, SecretIndex
from pytest_cpjob.contract.secret_values import SecretValues
from pytest_cpjob.contract.sightings import LEFT, in_stream
from pytest_cpjob.service.call_log import MASK
from pytest_cpjob.service.jobs import JobRecord

_SIGNED: Final = r"(?i)x-amz-security-token\W{1,6}b?\W?[\w+/=%]+"
"""How botocore logs each request's token, once pytest's `log_level` is DEBUG."""

_FOR_SECRETS: Final = "(?i)password|secret|token|credential|auth|key"
"""Parameters that take a secret property, which is there to log in somewhere."""

_FILES_STAY: Final = (
    "A warm Lambda function keeps the file: the next invocation can read it, whoever it is for."
)
_REMOVE_FILES: Final = (
    "Remove the file before the code returns, whatever happens, as a `with` of"
    " tempfile.TemporaryDirectory() does."
)
_QUOTED: Final = 120
"""How many characters of a line are quoted, about."""

_NEAR: Final = 2 * _QUOTED


class _Text:
    """What was written to one place, as one text, of which each part knows who wrote it."""

    def __init__(self, where: str, parts: Sequence[tuple[str, Site | None]]) -> None:
        self.where = where
        self._sites = [site for _, site in parts]
        self._ends = list(accumulate(len(text) for text, _ in parts))
        self._places: dict[Site, Place] = {}
        self.text = "".join(text for text, _ in parts)

    def place_at(self, position: int) -> Place | None:
        """Return the line of code that wrote what stands there."""
        site = self._sites[bisect_right(self._ends, position)]
        if site is None:
            return None
        place = self._places.get(site)
        if place is None:
            place = self._places[site] = place_of(site)
        return place


class _Leak:
    """Secrets of one job that one line of the user's code has let out."""

    def __init__(self) -> None:
        self.what: dict[str, None] = {}
        self.where: dict[str, None] = {}
        self.quoted = ""


_Leaks: TypeAlias = "dict[str, dict[Place | None, _Leak]]"
"""By job, and by the line of the user's code."""


def leaked_secrets(
    evidence: Evidence, places: Mapping[str, Place | None], mask: Callable[[str], str]
) -> Iterator[Finding]:
    """Find secrets in what was printed, logged, reported, uploaded and left behind.

    Args:
        places: where each job's result was reported.
        mask: hides secrets.
    """
    secrets = secrets_of(evidence.service)
    if not secrets.values:
        return
    leaks: dict[str, dict[Place | None, _Leak]] = {}
    _find_written(leaks, secrets, evidence, mask)
    _find_sent(leaks, secrets, evidence)
    _find_seen(leaks, secrets, evidence)
    for job in evidence.jobs:
        own = secrets.by_job.get(job.id)
        if own and (job.result is not None or job.id in evidence.outputs):
            _find_reported(leaks, job, own, places.get(job.id), evidence)
        yield from _findings(job.id, leaks.get(job.id, {}))


def _find_reported(
    leaks: _Leaks,
    job: JobRecord,
    own: Mapping[str, str],
    place: Place | None,
    evidence: Evidence,
) -> None:
    """Note each secret of a job in its result and its outputs."""
    index = SecretIndex(SecretValues(own))
    texts = ((where, index.find(text)) for where, text in reported_texts(job))
    for where, found in (*texts, *_uploaded(job, index, evidence)):
        # As it is, if it is there as it is, which is found first.
        forms: dict[str, str] = {}
        for value, form, *_ in found:
            forms.setdefault(own[value], form)
        for what, form in forms.items():
            _note(leaks, job.id, place, what, _in_form(where, form))


def _findings(job_id: str, leaks: Mapping[Place | None, _Leak]) -> Iterator[Finding]:
    for place, leak in leaks.items():
        verb = "is" if len(leak.what) == 1 else "are"
        listed, wheres = _listed(leak.what), _listed(leak.where)
        what = f"{listed} of {JOB} {verb} in {wheres}"
        detail = f"The line: {leak.quoted}" if leak.quoted else ""
        found = Finding("leaked-secret", job_id, what, place, detail=detail)
        if all(LEFT in each for each in leak.where):
            found = found._replace(consequence=_FILES_STAY, fix=_REMOVE_FILES)
        yield found


def _find_written(
    leaks: _Leaks, secrets: Secrets, evidence: Evidence, mask: Callable[[str], str]
) -> None:
    """Note each secret that was written; what only pytest has captured has no line of code."""
    written: set[str] = set()
    for where, parts in _written(evidence):
        text = _Text(where, _without_signatures(where, parts))
        _find_in(leaks, secrets, where, text.text, text.place_at, written, mask)
    once = frozenset(written)
    for where, captured in evidence.captured.items():
        told = re.sub(_SIGNED, "", captured) if where == "the log" else captured
        _find_in(leaks, secrets, where, told, lambda position: None, written, mask, once)


def _find_in(
    leaks: _Leaks,
    secrets: Secrets,
    where: str,
    text: str,
    place_at: Callable[[int], Place | None],
    written: set[str],
    mask: Callable[[str], str],
    known: Set[str] = frozenset(),
) -> None:
    seen: set[tuple[str, str, Place | None]] = set()
    for found in secrets.index.find(text):
        value, form, position, _ = found
        if value in known:
            continue
        written.add(value)
        place = place_at(position)
        for job_id in secrets.jobs_of(value):
            what = secrets.by_job[job_id][value]
            if (job_id, what, place) not in seen:
                seen.add((job_id, what, place))
                leak = _note(leaks, job_id, place, what, _in_form(where, form))
                leak.quoted = leak.quoted or _quoted(text, found, secrets.index, mask)


def _find_sent(leaks: _Leaks, secrets: Secrets, evidence: Evidence) -> None:
    """Note each secret that was given to another service, for whoever reads what is kept there."""
    stored = {(seen.value, seen.site) for seen in evidence.seen}
    for entry in evidence.service.call_log.tested():
        call = entry.call
        if call.service in KEEPS_SECRETS or call.request.get("Type") == "SecureString":
            continue
        for name, text in _texts(call.request):
            for value, form, *_ in secrets.index.find(text):
                if name == "Body" and (value, entry.site) in stored:
                    continue  # it is told as what it has come to be, an object
                for job_id in secrets.jobs_of(value):
                    what = secrets.by_job[job_id][value]
                    if what not in secret_members() and re.search(_FOR_SECRETS, name):
                        continue
                    where = _in_form(f"{name} of {call.service}.{call.operation}", form)
                    place = None if entry.site is None else place_of(entry.site)
                    _note(leaks, job_id, place, what, where)


def _find_seen(leaks: _Leaks, secrets: Secrets, evidence: Evidence) -> None:
    """Note each secret that was seen in what the code has stored or left."""
    for seen in list(evidence.seen):
        for job_id in secrets.jobs_of(seen.value):
            what = secrets.by_job[job_id][seen.value]
            place = None if seen.site is None else place_of(seen.site)
            _note(leaks, job_id, place, what, _in_form(seen.where, seen.form))


def _texts(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Iterate over the texts of a request's parameters, names of members that users choose too."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if name and isinstance(key, str):
                yield name, key
            yield from _texts(item, f"{name}.{key}".lstrip("."))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, name)


def _in_form(where: str, form: str) -> str:
    return f"{where} ({form})" if form else where


def _note(leaks: _Leaks, job_id: str, place: Place | None, what: str, where: str) -> _Leak:
    leak = leaks.setdefault(job_id, {}).setdefault(place, _Leak())
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
    return [(f"{re.sub(_SIGNED, '', text)}\n", site) for text, site in parts]


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _quoted(text: str, found: Found, index: SecretIndex, mask: Callable[[str], str]) -> str:
    """Return the line that a secret stands in, masked, without what is far from the secret.

    The line may be as long as all that was printed, so that only what is near is looked at, and
    cut between words; a secret with spaces in it is not cut in two either.
    """
    if found.end - found.start > 8 * _NEAR:
        return MASK
    first, last = max(0, found.start - _NEAR), min(len(text), found.end + _NEAR)
    start = text.rfind("\n", first, found.start) + 1
    end = text.find("\n", found.end, last)
    is_cut = not start and first > 0, end < 0 and last < len(text)
    if is_cut[0]:
        space = text.find(" ", first, found.start)
        start = found.start if space < 0 else space
    if end < 0:
        space = text.rfind(" ", found.end, last) if is_cut[1] else last
        end = found.end if space < 0 else space
    # Between words only a secret that has a space in it is cut in two.
    is_in_word = not f"{text[start - 1 : start]} {text[end : end + 1]}".isspace()
    reach = index.values.longest if is_in_word else index.values.longest_with_space
    low = max(0, start - reach)
    spans = [
        (low + at, low + at + len(value))
        for at, value in index.plain(text[low : end + reach] if reach else "")
    ]
    start = min([start, *(left for left, right in spans if left < start < right)])
    end = max([end, *(right for left, right in spans if left < end < right)])
    line = mask(text[start:end])
    middle = max(line.find(MASK), 0)
    shown = max(0, min(middle - _QUOTED // 2, len(line) - _QUOTED))
    before = "..." if shown or is_cut[0] else ""
    after = "..." if shown + _QUOTED < len(line) or is_cut[1] else ""
    return f"{before}{line[shown : shown + _QUOTED]}{after}"


def _uploaded(
    job: JobRecord, index: SecretIndex, evidence: Evidence
) -> Iterator[tuple[str, Iterable[Found]]]:
    """Look through the outputs piece by piece: they may be large."""
    for name, stored in evidence.outputs.get(job.id, {}).items():
        if stored is not None:
            for where, opened in evidence.read_output(job, name):
                yield where, list(in_stream(opened, index))
