"""AWS's environment variables: what a machine has configured, and what a stub puts before it."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from typing import Final

from pytest_cpjob.patching import Undo
from pytest_cpjob.variables import set_variables, values_of

DUMMY_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "AKIACPJOBOWNROLE0000",
    "AWS_SECRET_ACCESS_KEY": "pytest-cpjob/not-a-real-secret-access-key",
}
"""Credentials of the handler's own role: only this project and moto accept them."""

_CONFIGURING: Final = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_FILES: Final = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}
NOT_WHILE_ACTIVE: Final = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    # Set by aws-vault: botocore would try to renew the credentials once this time has passed.
    "AWS_CREDENTIAL_EXPIRATION",
    # Not every region has these endpoints: tests of other regions would fail on this machine only.
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
)
_LOOKED_AT: Final = (
    *NOT_WHILE_ACTIVE,
    *DUMMY_CREDENTIALS,
    "AWS_DEFAULT_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
)
_LENGTHS: Final = {"AWS_SECRET_ACCESS_KEY": range(40, 41), "AWS_SESSION_TOKEN": range(100, 10_000)}
"""How long real ones are: IAM's and STS's keys are all of one length, STS's tokens of hundreds."""
_BASE64: Final = frozenset(string.ascii_letters + string.digits + "+/=")
MOTOS_KEY: Final = "FOOBARKEY"
"""The access key id that moto sets in the environment."""


def is_configured(environ: Mapping[str, str]) -> bool:
    """Return whether this machine has any AWS configuration, in a variable or in a file."""
    if any(environ.get(name) for name in _CONFIGURING):
        return True
    home = environ.get("HOME") or environ.get("USERPROFILE") or "~"
    return any(
        _says_something(environ.get(variable) or os.path.join(home, ".aws", name))
        for variable, name in _FILES.items()
    )


def _says_something(path: str) -> bool:
    """Return whether a file exists and is not empty (CI may set AWS's variables to `/dev/null`).

    A file that cannot be accessed, such as another user's, does not count; nor does botocore
    read it.
    """
    path = os.path.expanduser(path)
    try:
        return os.path.isfile(path) and os.path.getsize(path) > 0
    except OSError:
        return False


def variables_of_machine() -> Mapping[str, str | None]:
    """Return what a stub hides, or has to know of, as it is now; None for what is not set."""
    return values_of(_LOOKED_AT)


def secrets_of_machine(variables: Mapping[str, str | None]) -> set[str]:
    """Return the secrets among the machine's variables that look like AWS's own.

    A dummy, such as `testing`, is a word that a report may be full of.
    """
    return {
        value
        for name, lengths in _LENGTHS.items()
        if (value := variables[name]) is not None
        and len(value) in lengths
        and _BASE64.issuperset(value)
    }


def hide_machine(undo: Undo, region: str, variables: Mapping[str, str | None]) -> None:
    """Replace a developer's real credentials by dummy ones until the undo.

    A region is set where no variable names one: a hidden profile's, or that of a file that only
    this machine has, would be gone or another on the next machine. Credentials are not touched
    where moto's own are in place already.
    """
    # Sessions read it for the names of its profiles, and with them the keys.
    hidden: dict[str, str | None] = {"AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    for name in NOT_WHILE_ACTIVE:
        if variables[name] is not None:
            hidden[name] = None
    if not variables["AWS_DEFAULT_REGION"]:
        hidden["AWS_DEFAULT_REGION"] = region
    if variables["AWS_ACCESS_KEY_ID"] != MOTOS_KEY:
        hidden.update(DUMMY_CREDENTIALS)
    set_variables(hidden, undo, variables)
