"""Secrets: what of a job nobody may see, and how a text is rid of it."""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Final

from pytest_cpjob.aws import codepipeline_model as model
from pytest_cpjob.contract.secret_search import SecretIndex
from pytest_cpjob.service.call_log import MASK
from pytest_cpjob.service.job_service import JobService

SHORTEST: Final = 8
"""Shorter secret values are found everywhere by chance."""

_OPENS_NOTHING: Final = frozenset({"accessKeyId"})
_RUN: Final = re.compile(
    r"[\w+/-]{16,}"  # a large part of a secret, as differences show it
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


class Secrets:
    """The secrets of one service's jobs, gathered as they come to be; the service is not kept.

    Attributes:
        by_job: value -> what it is, by job.
        jobs_of: the ids of the jobs whose secret a value is; none for a pipeline's own, which are
            only masked.
        index: finds them in a text.
    """

    def __init__(self) -> None:
        self.by_job: dict[str, dict[str, str]] = {}
        self.jobs_of: dict[str, dict[str, None]] = {}
        self.index = SecretIndex()
        self.job_ids: set[str] = set()
        self._counts = (0, 0, 0)
        self._all = ""
        self._is_part: dict[str, bool] = {}

    def gather(self, service: JobService) -> None:
        """Take in those of the grants and jobs that are new."""
        grants, jobs = service.grants.all(), service.registry.jobs
        counts = (len(grants), len(jobs), len(service.secret_texts))
        if counts == self._counts:
            return
        for grant in islice(grants, self._counts[0], None):
            given = dict(grant.credentials.as_dict())
            for name in secret_members():
                if name in given:
                    self._add(grant.job_id, str(given[name]), name)
        for job in islice(list(jobs.values()), self._counts[1], None):
            self.job_ids.add(job.id)
            for name in service.types.secrets(job.facts.action_type):
                for shown in _shown(job.facts.configuration.get(name, "")):
                    self._add(job.id, shown, f"the secret property {name!r}")
            for shown in _shown(job.client_token or ""):
                self._add(job.id, shown, "clientToken")
        for text in list(service.secret_texts):
            for shown in _shown(text):
                self.jobs_of.setdefault(shown, {})
                self.index.add(shown)
        self._counts = counts
        self._all = ""
        self._is_part.clear()

    def _add(self, job_id: str, value: str, what: str) -> None:
        self.by_job.setdefault(job_id, {}).setdefault(value, what)
        self.jobs_of.setdefault(value, {})[job_id] = None
        self.index.add(value)

    def hide(self, text: str) -> str:
        """Return a text without any of them, without encoded ones, and without parts of them."""
        if not self.index:
            return text
        text = _without(text, {(at, at + len(value)) for at, value in self.index.plain(text)})
        text = _without(text, {(one.start, one.end) for one in self.index.encoded(text)})
        return _RUN.sub(self._hide_part, text)

    def _hide_part(self, found: re.Match[str]) -> str:
        run = found[0]
        if run in self.job_ids:  # there may be thousands, each another run
            return run
        is_part = self._is_part.get(run)
        if is_part is None:
            self._all = self._all or "\n".join(self.index)
            is_part = self._is_part[run] = run in self._all
        return MASK if is_part else run


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


def _shown(value: str) -> Iterator[str]:
    """Iterate over a secret as it is, and as Python and JSON show it; a short one is none."""
    if len(value) >= SHORTEST:
        yield from (value, repr(value)[1:-1], json.dumps(value)[1:-1])
