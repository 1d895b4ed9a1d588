"""One job's facts, from which each of its documents is rendered."""

# Without `from __future__ import annotations`, which would leave texts of the members' types: a
# NamedTuple compiles each of them, at the first test of each run.

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.aws.text import plain
from pytest_cpjob.documents.refusals import check, refuse, shortened
from pytest_cpjob.documents.values import (
    CREDENTIALS_DRAWN,
    RENEWAL_DRAWN,
    credentials_of,
    renewed_credentials_of,
)

if TYPE_CHECKING:
    from random import Random

    from pytest_cpjob.documents.streams import Stream
    from pytest_cpjob.documents.type_defs import ActionTypeId, AWSSessionCredentials

_WAY_OUT = (
    "write 'Category:Owner:Provider:Version', such as 'Build:Custom:Docs:1', or a dict of the four"
)


class ActionType(NamedTuple):
    """The type of a job's action, such as `Build:Custom:Docs:1`; model shape ActionTypeId."""

    category: str
    owner: str
    provider: str
    version: str

    def __str__(self) -> str:
        return ":".join(self)

    def as_dict(self) -> "ActionTypeId":
        """Return the `actionTypeId` of a document, as a new dict."""
        category, owner, provider, version = self
        return {
            "category": category,  # type: ignore[typeddict-item]  # one of AWS's
            "owner": owner,  # type: ignore[typeddict-item]
            "provider": provider,
            "version": version,
        }

    @classmethod
    def parse(cls, value: object) -> "ActionType":
        """Return the action type that a test gave as text, as a dict, or as an `ActionType`.

        Raises:
            ValueError: naming `action_type`, AWS's rule and the value.

        >>> ActionType.parse("Build:Custom:Docs:1").provider
        'Docs'
        """
        if isinstance(value, str):
            return _parse_text(value)
        if isinstance(value, ActionType):
            return cls.parse(value._asdict())
        if not isinstance(value, Mapping):
            refuse("action_type", "Member must be a string or a dict", value, _WAY_OUT)
        for key in value:
            if key not in cls._fields:
                refuse(f"action_type[{shortened(key)}]", "AWS has no such member", value, _WAY_OUT)
        check("action_type", "ActionTypeId", value, _WAY_OUT)
        return cls(*(plain(value[field]) for field in cls._fields))


@lru_cache(maxsize=256)
def _parse_text(text: str) -> ActionType:
    parts = text.split(":")
    if len(parts) != len(ActionType._fields):
        refuse("action_type", "Member must have four parts", text, _WAY_OUT)
    return ActionType.parse(dict(zip(ActionType._fields, parts, strict=True)))


LAMBDA = ActionType("Invoke", "AWS", "Lambda", "1")
"""The type of an action that invokes a Lambda function."""


class ArtifactFacts(NamedTuple):
    """One artifact: its name, its object, and the revision that it was built from, if known."""

    name: str
    bucket: str
    key: str
    revision: str | None


class Credentials(NamedTuple):
    """A job's artifact credentials; their `repr` shows only the access key's id."""

    access_key_id: str
    secret_access_key: str
    session_token: str

    def __repr__(self) -> str:
        return (
            f"Credentials(access_key_id={self.access_key_id!r}, "
            "secret_access_key='****', session_token='****')"
        )

    def as_dict(self) -> "AWSSessionCredentials":
        """Return the `artifactCredentials` of a document, as a new dict."""
        return {
            "accessKeyId": self.access_key_id,
            "secretAccessKey": self.secret_access_key,
            "sessionToken": self.session_token,
        }

    @classmethod
    def draw(cls, random: "Random") -> "Credentials":
        """Return the credentials at the beginning of a stream."""
        return cls(*credentials_of(random.randbytes(CREDENTIALS_DRAWN)))

    @classmethod
    def of_job(cls, stream: "Stream", number: int, before: "Credentials | None") -> "Credentials":
        """Return one of the credentials that a job gets in the course of time, counted from 1.

        Args:
            before: the job's latest ones, if it has any that were drawn.
        """
        if before is None:
            return cls(
                *credentials_of(stream.first_bytes(CREDENTIALS_DRAWN, "credentials", number))
            )
        drawn = stream.first_bytes(RENEWAL_DRAWN, "credentials", number)
        # As `_make` does, in half the time: each GetJobDetails comes by here.
        return tuple.__new__(cls, renewed_credentials_of(drawn, before.session_token))


class JobFacts(NamedTuple):
    """What a job's documents say, except for credentials and nonces, which change as it runs.

    >>> cpjob.add_job(pipeline_name="web").facts.pipeline_name
    'web'
    """

    id: str
    account_id: str
    region: str
    pipeline_name: str
    stage_name: str
    action_name: str
    action_type: ActionType
    configuration: Mapping[str, str]
    inputs: tuple[ArtifactFacts, ...]
    outputs: tuple[ArtifactFacts, ...]
    continuation_token: str | None
    encryption_key: str | None
    pipeline_execution_id: str
    action_execution_id: str
    execution_retries: int = 0
    """How often a stage of the pipeline's execution had been retried when the job began."""

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}"
            for name, value in self._asdict().items()
            if name != "configuration"  # may hold secrets
        )
        return f"JobFacts({shown})"

    @property
    def partition(self) -> str:
        """The partition of the job's region, as in its ARNs."""
        return partition_of(self.region)

    @property
    def pipeline_arn(self) -> str:
        """The ARN of the job's pipeline."""
        region = self.region
        owner = f"arn:{partition_of(region)}:codepipeline:{region}:{self.account_id}"
        return f"{owner}:{self.pipeline_name}"
