"""The credentials with which clients sign while a stub is active: never a developer's own.

A client created at import keeps the credentials that botocore found then: a profile's keys, or a
role's, which are renewed when they expire. Signing with these would put a real key id into a URL,
call STS, or start a `credential_process`. So if botocore found the credentials itself, or found
none, dummy credentials replace them; those that a handler passed to a client are not changed.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore
from botocore.credentials import Credentials, EnvProvider, RefreshableCredentials
from botocore.session import Session
from botocore.signers import RequestSigner

from pytest_cpjob.aws.environment import DUMMY_CREDENTIALS, MOTOS_KEY
from pytest_cpjob.patching import Patches, Undo

if TYPE_CHECKING:
    from pytest_cpjob.artifacts.presented import Presented

OWN_ROLE = Credentials(*DUMMY_CREDENTIALS.values())
"""Dummy credentials of the handler's own role."""


def presented_by(
    signer: RequestSigner | None, client_config: Any, is_issued: Callable[[str | None], bool]
) -> object:
    """Return the credentials that a call will be signed with, or None if it is not signed.

    A job's credentials are the job's even if the code under test put them into the environment.
    """
    if getattr(client_config, "signature_version", None) is botocore.UNSIGNED:
        return None
    credentials = getattr(signer, "_credentials", None)
    if _needs_stand_in(credentials) and not is_issued(access_key_of(credentials)):
        return OWN_ROLE
    return credentials


def key_signed_with(credentials: object, access_key_id: str | None) -> str | None:
    """Return the access key id of what `presented_by` returns for a call that is signed.

    Args:
        access_key_id: that of the client's credentials, which were issued to no job.
    """
    if credentials is None or getattr(credentials, "method", None) in _FROM_THE_MACHINE:
        return DUMMY_CREDENTIALS["AWS_ACCESS_KEY_ID"]
    return access_key_id


def sign_with_dummies(undo: Undo) -> None:
    """Neither sign with the machine's credentials nor renew them until the undo."""
    _SIGNING.put_in_place(undo)


@functools.cache
def _asynchronous_signing() -> Patches:
    signer = sys.modules["aiobotocore.signers"].AioRequestSigner
    own_role = sys.modules["aiobotocore.credentials"].AioCredentials(*DUMMY_CREDENTIALS.values())
    return Patches((signer, "get_auth_instance", functools.partial(_signing_as, own_role)))


def sign_asynchronously_with_dummies(undo: Undo) -> None:
    """Do the same for aiobotocore, which must already be imported."""
    _asynchronous_signing().put_in_place(undo)


def _needs_stand_in(credentials: object) -> bool:
    return credentials is None or is_of_the_machine(credentials)


def _signing_as(own_role: object, original: Callable[..., Any]) -> Callable[..., Any]:
    def get_auth_instance(
        self: Any,
        signing_name: str,
        region_name: str,
        signature_version: str | None = None,
        request_credentials: object = None,
        **kwargs: Any,
    ) -> Any:
        if request_credentials is None and is_active() and _needs_stand_in(self._credentials):
            request_credentials = own_role
        return original(
            self, signing_name, region_name, signature_version, request_credentials, **kwargs
        )

    return get_auth_instance


def _resting(original: Callable[..., None]) -> Callable[..., None]:
    """Wrap `_refresh` to not renew the machine's credentials.

    botocore also renews them outside of signing, to get the account id for an endpoint.
    """

    def _refresh(self: RefreshableCredentials) -> None:
        if not (is_active() and is_of_the_machine(self)):
            original(self)

    return _refresh


# Values of botocore's `Credentials.method`: one per provider of the credential chain. Credentials
# passed to a client have "explicit".
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
    """Return whether botocore found these credentials itself: then they are the own role's."""
    return getattr(credentials, "method", None) in _FROM_THE_MACHINE


def access_key_of(credentials: object) -> str | None:
    """Return the access key id of a client's credentials as they are now."""
    if credentials is None:
        return None
    values = vars(credentials)
    key: str | None
    key = values["access_key"] if "access_key" in values else values.get("_access_key")
    return key


def read(credentials: object) -> Presented:
    """Read a client's credentials as they are now.

    The attributes are read instead of calling `get_frozen_credentials`: aiobotocore's is a
    coroutine, and it could renew a developer's own credentials over the network.
    """
    from pytest_cpjob.artifacts.presented import Presented

    if credentials is None:
        return Presented(None, None, None, own_role=True)
    values = vars(credentials)
    key = access_key_of(credentials)
    own = values.get("method") != "explicit" or key in (
        DUMMY_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        MOTOS_KEY,
    )
    return Presented(
        key,
        values.get("secret_key", values.get("_secret_key")),
        values.get("token", values.get("_token")),
        own_role=own,
        refusal=values.get("refusal"),
    )


def resolve(credentials: Any, presented: Presented) -> Presented:
    """Renew credentials that a handler refreshes itself, as signing would do next.

    Workers with long jobs wrap GetJobDetails in botocore's RefreshableCredentials: without this,
    the expired ones would be checked. Those of a profile or a role are never renewed.
    """
    if not hasattr(credentials, "refresh_needed") or is_of_the_machine(credentials):
        return presented
    frozen = credentials.get_frozen_credentials()
    if not hasattr(frozen, "access_key"):
        return presented
    return type(presented)(frozen.access_key, frozen.secret_key, frozen.token, own_role=False)


def leave_sessions_alone(undo: Undo) -> None:
    """Let sessions look for credentials in the environment only, and remember none, until the undo.

    A profile of any kind, on this machine or not, works on the dummies: neither its program nor its
    files are asked, nor a token's. boto3's default session is the one of before again afterwards.
    """
    undo.later(_restore_default_session)
    _SESSIONS.put_in_place(undo)


def _finding(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_credentials(self: Any) -> Any:
        if self._credentials is not None or not is_active():
            return original(self)
        for provider in self.get_component("credential_provider").providers:
            # A project's own, such as one for a job's credentials, is asked as ever.
            if _is_of_botocore(provider) and not isinstance(provider, EnvProvider):
                continue
            credentials = provider.load()
            if credentials is not None:
                return credentials
        return EnvProvider().load() or Credentials(*DUMMY_CREDENTIALS.values(), method="env")

    return get_credentials


def _is_of_botocore(provider: object) -> bool:
    return type(provider).__module__.startswith("botocore.")


def _tokenless(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_auth_token(self: Any, **kwargs: Any) -> Any:
        return None if is_active() else original(self, **kwargs)

    return get_auth_token


def _of_no_profile(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_scoped_config(self: Any) -> Any:
        if is_active() and self.get_config_variable("profile") is not None:
            return {}
        return original(self)

    return get_scoped_config


def _noting(original: Callable[..., None]) -> Callable[..., None]:
    def setup_default_session(**kwargs: Any) -> None:
        before = boto3.DEFAULT_SESSION
        original(**kwargs)
        if is_active():
            _made.append((boto3.DEFAULT_SESSION, before))

    return setup_default_session


_made: Final[list[tuple[object, object]]] = []
"""The default sessions that were made while a stub is active, and what was there before each."""


def _restore_default_session() -> None:
    while _made:
        session, before = _made.pop()
        if boto3.DEFAULT_SESSION is session:
            boto3.DEFAULT_SESSION = before


def is_active() -> bool:
    """Whether a stub is active; what it patches may be kept by sessions that outlive it."""
    return _SIGNING.are_in_place


_SIGNING: Final = Patches(
    (RequestSigner, "get_auth_instance", functools.partial(_signing_as, OWN_ROLE)),
    (RefreshableCredentials, "_refresh", _resting),
)
_SESSIONS: Final = Patches(
    (Session, "get_credentials", _finding),
    (Session, "get_auth_token", _tokenless),
    (Session, "get_scoped_config", _of_no_profile),
    (boto3, "setup_default_session", _noting),
)
