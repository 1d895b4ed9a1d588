"""The credentials that a request came with, as every call has some."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_cpjob.service.errors import ServiceError


class Presented(NamedTuple):
    """The credentials that a request came with.

    Attributes:
        refusal: what is wrong with a signed request itself, which only HTTP shows.
        own_role: whether they are the handler's own, from the environment, a profile or a role.
    """

    access_key_id: str | None
    secret_access_key: str | None
    session_token: str | None
    own_role: bool
    refusal: ServiceError | None = None
