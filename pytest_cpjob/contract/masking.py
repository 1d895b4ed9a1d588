"""Secrets: what of a job nobody may see, and how a text is rid of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from pytest_cpjob.aws import codepipeline_model as model
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


def secrets_by_job(service: JobService) -> dict[str, dict[str, str]]:
    """Give the secrets of every job that has some, value -> what it is.

    They are the artifact credentials (see `secret_members`), the client token of a partner's job,
    and the configuration values that their action type's `secret` flags name. A value stands there
    as it is, and as `repr` and JSON show it.
    """
    found: dict[str, dict[str, str]] = {}
    for grant in service.grants.all():
        given = dict(grant.credentials.as_dict())
        found.setdefault(grant.job_id, {}).update(
            {str(given[name]): name for name in secret_members() if name in given}
        )
    for job in list(service.registry.jobs.values()):
        for name in service.types.secrets(job.facts.action_type):
            for shown in _shown(job.facts.configuration.get(name, "")):
                found.setdefault(job.id, {})[shown] = f"the secret property {name!r}"
        for shown in _shown(job.client_token or ""):
            found.setdefault(job.id, {})[shown] = "clientToken"
    return found


def masking(service: JobService) -> Callable[[str], str]:
    """Give what masks every secret of every job in a text; they are gathered at its first use.

    Parts of a secret are masked as well: pytest shortens what it shows to `'IQoJb3Jp...Zw=='`, and
    leaves out what two texts have in common.
    """
    longest_first: list[str] | None = None
    all_of_them = ""

    def hide_part(found: re.Match[str]) -> str:
        return MASK if found[0] in all_of_them else found[0]

    def hide(text: str) -> str:
        nonlocal longest_first, all_of_them
        if longest_first is None:
            longest_first = sorted(_masked_values(service), key=len, reverse=True)
            all_of_them = "\n".join(longest_first)
        for value in longest_first:
            text = text.replace(value, MASK)
        return _RUN.sub(hide_part, text) if longest_first else text

    return hide


def mask(service: JobService, text: str) -> str:
    """Give a text with every secret of every job masked."""
    return masking(service)(text)


def _masked_values(service: JobService) -> set[str]:
    return {value for secrets in secrets_by_job(service).values() for value in secrets}


def _shown(value: str) -> Iterator[str]:
    """Give a secret as it is, and as Python and JSON show it; one that is too short is none."""
    if len(value) >= SHORTEST:
        yield from (value, repr(value)[1:-1], json.dumps(value)[1:-1])
