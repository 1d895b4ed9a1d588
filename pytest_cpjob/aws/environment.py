"""AWS's environment variables: dummy values that let clients be created, in place of real ones."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Final

from pytest_cpjob.patching import Undo

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


def configure_nothing(environ: MutableMapping[str, str], region: str, undo: Undo) -> None:
    """Set a region and dummy credentials where there is no configuration at all."""
    if is_configured(environ):
        return
    undo.set_variable(environ, "AWS_DEFAULT_REGION", region)
    for name, value in DUMMY_CREDENTIALS.items():
        undo.set_variable(environ, name, value)


def hide_machine(environ: MutableMapping[str, str], undo: Undo, region: str) -> None:
    """Replace a developer's real credentials by dummy ones until the undo.

    A region is set if no variable names one: the region of a hidden profile, or of a config file
    on this machine, would be different or missing on the next machine. Credentials are left
    alone if the dummies, or moto's own, are already set.
    """
    for name in NOT_WHILE_ACTIVE:
        if name in environ:
            undo.set_variable(environ, name, None)
    if not environ.get("AWS_DEFAULT_REGION"):
        undo.set_variable(environ, "AWS_DEFAULT_REGION", region)
    if environ.get("AWS_ACCESS_KEY_ID") in (DUMMY_CREDENTIALS["AWS_ACCESS_KEY_ID"], MOTOS_KEY):
        return
    before = {name: environ.get(name) for name in DUMMY_CREDENTIALS}
    for name, value in DUMMY_CREDENTIALS.items():
        undo.set_variable(environ, name, value)
    undo.later(lambda: _tell_mocks_that_go_on(environ, before))


def _tell_mocks_that_go_on(environ: Mapping[str, str], before: Mapping[str, str | None]) -> None:
    """Correct what a `mock_aws`, started under the stub and stopped after it, will restore.

    It saved our dummy credentials as the original ones, and only the mock object holds them.
    """
    if environ.get("AWS_ACCESS_KEY_ID") != MOTOS_KEY or "moto.core.models" not in sys.modules:
        return
    from moto.core.models import MockAWS

    for mock in gc.get_objects():
        kept = mock._orig_creds if type(mock) is MockAWS else {}
        for name, value in before.items():
            if kept.get(name) == DUMMY_CREDENTIALS[name]:
                kept[name] = value
