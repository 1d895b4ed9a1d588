"""What clients sign with while a stub is active: never a developer's own credentials.

A client made at import keeps what botocore found then: a profile's keys, or a role's that are
renewed on the way. Signing for moto with these would put a real key id into a URL, call STS, or
start a `credential_process`. So wherever botocore found the credentials by itself, or none, the
handler's own role stands in; what a handler gave a client itself is used as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import botocore
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.signers import RequestSigner

from pytest_cpjob.clients.environment import DUMMY_CREDENTIALS
from pytest_cpjob.clients.identity import is_of_the_machine, read
from pytest_cpjob.clients.undo import Undo

OWN_ROLE = Credentials(*DUMMY_CREDENTIALS.values())
"""The handler's own role."""


def presented_by(
    signer: RequestSigner | None, client_config: Any, is_issued: Callable[[str | None], bool]
) -> object:
    """Give the credentials that a call will be signed with; None where it is not signed.

    A job's own, that the code under test put into the environment, are the job's even so.
    """
    if getattr(client_config, "signature_version", None) is botocore.UNSIGNED:
        return None
    credentials = getattr(signer, "_credentials", None)
    if _needs_stand_in(credentials) and not is_issued(read(credentials).access_key_id):
        return OWN_ROLE
    return credentials


def sign_with_dummies(undo: Undo, is_active: Callable[[], bool]) -> None:
    """Let nothing of the machine's be signed with, or renewed, until the undo."""
    undo.set_attribute(
        RequestSigner,
        "get_auth_instance",
        _signing_as(OWN_ROLE, RequestSigner.get_auth_instance, is_active),
    )
    undo.set_attribute(
        RefreshableCredentials, "_refresh", _resting(RefreshableCredentials._refresh, is_active)
    )


def sign_asynchronously_with_dummies(undo: Undo, is_active: Callable[[], bool]) -> None:
    """Do the same to aiobotocore, which is imported already."""
    signer = sys.modules["aiobotocore.signers"].AioRequestSigner
    own_role = sys.modules["aiobotocore.credentials"].AioCredentials(*DUMMY_CREDENTIALS.values())
    undo.set_attribute(
        signer,
        "get_auth_instance",
        _signing_as(own_role, signer.get_auth_instance, is_active),
    )


def _needs_stand_in(credentials: object) -> bool:
    return credentials is None or is_of_the_machine(credentials)


def _signing_as(
    own_role: object, original: Callable[..., Any], is_active: Callable[[], bool]
) -> Callable[..., Any]:
    def get_auth_instance(
        self: Any,
        signing_name: str,
        region_name: str,
        signature_version: str | None = None,
        request_credentials: object = None,
        **kwargs: Any,
    ) -> Any:
        if is_active() and request_credentials is None and _needs_stand_in(self._credentials):
            request_credentials = own_role
        return original(
            self, signing_name, region_name, signature_version, request_credentials, **kwargs
        )

    return get_auth_instance


def _resting(original: Callable[..., None], is_active: Callable[[], bool]) -> Callable[..., None]:
    """Leave the machine's credentials alone; an account id in an endpoint asks for new ones."""

    def _refresh(self: RefreshableCredentials) -> None:
        if not (is_active() and is_of_the_machine(self)):
            original(self)

    return _refresh
