"""Secrets: what of a job nobody may see, and how a text is rid of it."""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, Literal

from pytest_cpjob.aws import codepipeline_model as model
from pytest_cpjob.contract.secret_values import SHORTEST, SecretValues
from pytest_cpjob.documents.facts import ActionType, Credentials
from pytest_cpjob.service.call_log import MASK
from pytest_cpjob.service.job_service import JobService

if TYPE_CHECKING:
    from pytest_cpjob.contract.part_index import PartIndex
    from pytest_cpjob.contract.secret_search import SecretIndex

_LONG_PART: Final = 16
_OPENS_NOTHING: Final = frozenset({"accessKeyId"})
_RUN: Final = (
    rf"[\w+/-]{{{_LONG_PART},}}"  # a large part of a secret, as differences show it
    rf"|(?<=\.\.\.)[\w+/-]{{{SHORTEST},}}"  # what `...` has left of one
    rf"|[\w+/-]{{{SHORTEST},}}(?=\.\.\.)"
)


@cache
def secret_members() -> tuple[str, ...]:
    """Give the members of a job's credentials that are secret.

    The model's `sensitive` flags say so; the access key id alone opens nothing, and is left out.
    """
    members = model.load().shapes["AWSSessionCredentials"]["members"]
    return tuple(
        name
        for name, member in members.items()
        if name not in _OPENS_NOTHING and model.is_sensitive(member["shape"])
    )


@cache
def _secret_places() -> tuple[tuple[Literal[0, 1, 2], str], ...]:
    """Return where in `Issued` the secret members are, and their names."""
    key_id, key, token = Credentials("", "", "").as_dict()
    members: tuple[tuple[Literal[0, 1, 2], str], ...] = ((0, key_id), (1, key), (2, token))
    return tuple((at, name) for at, name in members if name in secret_members())


class Secrets:
    """The secrets of one service's jobs, gathered as they come to be; the service is not kept.

    Attributes:
        by_job: value -> what it is, by job.
        values: all of them.
    """

    def __init__(self) -> None:
        self.by_job: dict[str, dict[str, str]] = {}
        # Thousands of lists of one would have the collector at work.
        self._first_job: dict[str, str] = {}
        self._more_jobs: dict[str, list[str]] = {}
        self.values = SecretValues()
        self._counts = (0, 0, 0)

    @cached_property
    def index(self) -> SecretIndex:
        """Finds them in a text."""
        from pytest_cpjob.contract.secret_search import SecretIndex

        return SecretIndex(self.values)

    @cached_property
    def _parts(self) -> PartIndex:
        from pytest_cpjob.contract.part_index import PartIndex

        return PartIndex(self.values.listed, _LONG_PART)

    def gather(self, service: JobService) -> None:
        """Take in those of the grants and jobs that are new."""
        granted, known, _ = self._counts
        grants, jobs = service.grants.since(granted), service.registry.in_order[known:]
        counts = (granted + len(grants), known + len(jobs), len(service.secret_texts))
        if counts == self._counts:
            return
        members = _secret_places()
        for issued in grants:
            for at, name in members:
                self._note(issued[3], issued[at], name)
        self.values.add(issued[at] for issued in grants for at, _ in members)
        names: dict[ActionType, Iterable[str]] = {}
        for job in jobs:
            kind = job.facts.action_type
            if kind not in names:
                names[kind] = service.types.secrets(kind)
            for name in names[kind]:
                shown = _shown(job.facts.configuration.get(name, ""))
                self._take(job.id, shown, f"the secret property {name!r}")
            if job.client_token:
                self._take(job.id, _shown(job.client_token), "clientToken")
        for text in list(service.secret_texts):
            self.values.add(_shown(text))
        self._counts = counts

    def _take(self, job_id: str, values: Iterable[str], what: str) -> None:
        for value in values:
            self._note(job_id, value, what)
        self.values.add(values)

    def _note(self, job_id: str, value: str, what: str) -> None:
        own = self.by_job.get(job_id)
        if own is None:
            own = self.by_job[job_id] = {}
        if value not in own:
            own[value] = what
            if self._first_job.setdefault(value, job_id) != job_id:
                self._more_jobs.setdefault(value, []).append(job_id)

    def jobs_of(self, value: str) -> list[str]:
        """Return the ids of the jobs whose secret a value is.

        There are none for what is a secret of a pipeline itself, which is only masked.
        """
        first = self._first_job.get(value)
        return [] if first is None else [first, *self._more_jobs.get(value, ())]

    def hide(self, text: str) -> str:
        """Return a text without any of them, without encoded ones, and without parts of them."""
        if len(text) < SHORTEST or not self.values:
            return text
        text = _without(text, {(at, at + len(value)) for at, value in self.index.plain(text)})
        text = _without(text, {(one.start, one.end) for one in self.index.encoded(text)})
        return re.sub(_RUN, self._hide_part, text)

    def _hide_part(self, found: re.Match[str]) -> str:
        return MASK if self._parts.has(found[0]) else found[0]


_kept: Final[weakref.WeakKeyDictionary[JobService, tuple[int, Secrets]]] = (
    weakref.WeakKeyDictionary()
)


def secrets_of(service: JobService) -> Secrets:
    """Return the secrets of every job of a service.

    They are the artifact credentials (see `secret_members`), a partner's client tokens, and the
    configuration values that their action type's `secret` flags name. A value stands there as it
    is, and as `repr` and JSON show it.
    """
    version, secrets = _kept.get(service, (-1, None))
    if secrets is None or version != service.types.version:
        secrets = Secrets()
        _kept[service] = service.types.version, secrets
    secrets.gather(service)
    return secrets


def masking(service: JobService) -> Callable[[str], str]:
    """Return what masks every secret of every job in a text.

    Parts of a secret are masked as well: pytest shortens what it shows to `'IQoJb3Jp...Zw=='`, and
    leaves out what two texts have in common.
    """

    def hide(text: str) -> str:
        return secrets_of(service).hide(text)

    return hide


def mask(service: JobService, text: str) -> str:
    """Return a text with every secret of every job masked."""
    return secrets_of(service).hide(text)


def _without(text: str, spans: set[tuple[int, int]]) -> str:
    """Return a text with a mask in the place of each span; what overlaps is one."""
    if not spans:
        return text
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if start >= done:
            parts += (text[done:start], MASK)
        done = max(done, end)
    return "".join((*parts, text[done:]))


def _shown(value: str) -> tuple[str, ...]:
    """Return a secret as it is, and as Python and JSON show it; a short one is none."""
    if len(value) < SHORTEST:
        return ()
    return value, repr(value)[1:-1], json.dumps(value)[1:-1]
