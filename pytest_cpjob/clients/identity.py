"""Whose credentials a client signs with, read without asking anybody for new ones."""

from __future__ import annotations

from typing import Any, Final

from pytest_cpjob.artifacts.access import Presented
from pytest_cpjob.clients.environment import DUMMY_CREDENTIALS, MOTOS_KEY

_NOBODY: Final = Presented(None, None, None, own_role=True)
_FROM_THE_MACHINE: Final = frozenset(
    {
        "assume-role",
        "assume-role-with-web-identity",
        "boto-config",
        "config-file",
        "container-role",
        "custom-process",
        "ec2-credentials-file",
        "env",
        "iam-role",
        "login",
        "shared-credentials-file",
        "sso",
    }
)


def is_of_the_machine(credentials: object) -> bool:
    """Whether botocore found these credentials by itself: they are the handler's own role's."""
    return getattr(credentials, "method", None) in _FROM_THE_MACHINE


def read(credentials: object) -> Presented:
    """Read a client's credentials as they are now.

    The attributes are read, not `get_frozen_credentials`: aiobotocore's is a coroutine, and a
    refresh of a developer's own credentials would leave for the network.
    """
    if credentials is None:
        return _NOBODY
    values = vars(credentials)
    key = values.get("access_key", values.get("_access_key"))
    own = values.get("method") != "explicit" or key in (
        DUMMY_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        MOTOS_KEY,
    )
    return Presented(
        key,
        values.get("secret_key", values.get("_secret_key")),
        values.get("token", values.get("_token")),
        own_role=own,
    )


def resolve(credentials: Any, presented: Presented) -> Presented:
    """Let credentials that a handler refreshes itself be renewed, as signing would do next.

    Long jobs wrap GetJobDetails in botocore's RefreshableCredentials. Those that botocore got
    from a profile or a role are the handler's own; they are never asked.
    """
    if not hasattr(credentials, "refresh_needed") or is_of_the_machine(credentials):
        return presented
    frozen = credentials.get_frozen_credentials()
    if not hasattr(frozen, "access_key"):
        return presented
    return Presented(frozen.access_key, frozen.secret_key, frozen.token, own_role=False)
