"""Values in AWS's formats, drawn from a given `random.Random`, without Faker.

Importing Faker takes several times as long as building a document, so the drawing lives here;
`faker_provider.CodePipelineProvider` offers the same methods as a Faker provider.
"""

from __future__ import annotations

import string
from binascii import b2a_base64
from random import Random
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.aws.regions import partition_of


def _table(alphabet: str) -> bytes:
    """Return a table that translates each byte to a letter: faster than a choice per letter."""
    return bytes(ord(alphabet[number % len(alphabet)]) for number in range(256))


_ALPHANUMERIC = _table(string.ascii_letters + string.digits)
_BASE32 = _table(string.ascii_uppercase + "234567")
_VERSION_ID = str.maketrans("+/", "._")
# STS's session tokens today are the base64 of this, a byte 0x10-0x13, and the rest.
_TOKEN_HEAD = b"!\n\torigin_ec"
_TOKEN_DRAWN = 738
# With head and kind a multiple of three bytes, so that its base64 has no padding.
_TOKEN_RENEWED = 122
_TOKEN_KINDS = (b"\x10", b"\x11", b"\x12", b"\x13")
# Eight words each, so that three bits of a byte choose one.
_SUBJECTS = ("billing", "catalog", "checkout", "docs", "orders", "payments", "search", "website")
_PARTS = ("api", "backend", "frontend", "infra", "jobs", "service", "site", "worker")
_VERBS = ("build", "check", "deploy", "invalidate", "notify", "publish", "sync", "validate")


def uuid_of(drawn: bytes) -> str:
    """Return the UUID (version 4) of 16 random bytes, three times as fast as the uuid module."""
    digits, variant = drawn.hex(), "89ab"[drawn[8] & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _base64(drawn: bytes) -> str:
    return b2a_base64(drawn, newline=False).decode()


def _access_key_id(drawn: bytes) -> str:
    return "ASIA" + drawn.translate(_BASE32).decode()


def _secret_access_key(drawn: bytes) -> str:
    return _base64(drawn)


def _session_token(drawn: bytes) -> str:
    kind = _TOKEN_KINDS[drawn[1] & 3]
    # 600 to 749 bytes; a captured token of 2022 had about 860 characters.
    length = 588 + drawn[0] * 149 // 255
    return _base64(_TOKEN_HEAD + kind + drawn[2 : 2 + length])


CREDENTIALS_DRAWN: Final = _TOKEN_DRAWN + 46
"""How many bytes are drawn for one set of credentials: by one draw for all three."""

RENEWAL_DRAWN: Final = _TOKEN_RENEWED + 46
"""How many bytes are drawn for a later set of the same job: as many as one round of SHAKE gives."""


def credentials_of(drawn: bytes) -> tuple[str, str, str]:
    """Return an access key's id, its secret and a session token."""
    return (
        _access_key_id(drawn[_TOKEN_DRAWN : _TOKEN_DRAWN + 16]),
        _secret_access_key(drawn[_TOKEN_DRAWN + 16 :]),
        _session_token(drawn),
    )


def renewed_credentials_of(drawn: bytes, token: str) -> tuple[str, str, str]:
    """Return the same from fewer bytes, the end of the session token from the one before."""
    key_id, rest = drawn[:16], drawn[16:]
    text = b2a_base64(_TOKEN_HEAD + _TOKEN_KINDS[rest[0] & 3] + rest, newline=False).decode()
    return _access_key_id(key_id), text[-40:], text[:-40] + token[len(text) - 40 :]


if TYPE_CHECKING:
    # Not at run time: to make a Protocol takes as long as a dozen plain classes.
    from typing import Protocol

    class RandomSource(Protocol):
        """What a provider needs of a Faker `Generator`: the `random.Random` to draw from."""

        @property
        def random(self) -> Random:
            """The generator of random numbers to draw from."""
            ...

else:
    RandomSource = Any  # for `typing.get_type_hints`


class Draws:
    """CodePipeline's values, all drawn from `self.generator.random` only.

    Only `randbytes` is used: it is the one method that needs a single call on any `Random`.

    Formats follow the samples in AWS's documentation and public issue threads; where the service's
    model has a pattern, every value matches it.
    """

    generator: RandomSource

    def __init__(self, generator: RandomSource) -> None:
        self.generator = generator

    def _uuid(self) -> str:
        return uuid_of(self.generator.random.randbytes(16))

    def _number(self, start: int, stop: int) -> int:
        drawn = int.from_bytes(self.generator.random.randbytes(8), "big")
        return start + drawn % (stop - start)

    def account_id(self) -> str:
        """Return an AWS account id: 12 digits, a string because it may begin with 0.

        >>> len(values.account_id())
        12

        Model shape: AccountId.
        """
        return f"{self._number(1, 10**12):012d}"

    def job_id(self) -> str:
        """Return a job's id: a lower-case UUID.

        >>> values.job_id()[14]
        '4'

        Model shape: JobId.
        """
        return self._uuid()

    def client_id(self) -> str:
        """Return the id of a partner's client in CodePipeline: a lower-case UUID.

        >>> len(values.client_id())
        36

        Model shape: ClientId.
        """
        return self._uuid()

    def client_token(self) -> str:
        """Return the secret that a partner's worker stores for a client: here a UUID.

        >>> len(values.client_token())
        36

        Model shape: ClientToken, which may be any 1 to 256 characters.
        """
        return self._uuid()

    def execution_id(self) -> str:
        """Return a pipeline or action execution's id: a lower-case UUID.

        >>> values.execution_id().count("-")
        4

        Model shapes: PipelineExecutionId, ActionExecutionId.
        """
        return self._uuid()

    def aws_request_id(self) -> str:
        """Return a Lambda invocation's request id: a lower-case UUID.

        >>> len(values.aws_request_id())
        36

        Source: the Lambda developer guide, "AWS Lambda context object".
        """
        return self._uuid()

    def pipeline_name(self) -> str:
        """Return a pipeline's name as people write them: words joined by hyphens.

        >>> values.pipeline_name().endswith("-pipeline")
        True

        Model shape: PipelineName.
        """
        subject, part = self.generator.random.randbytes(2)
        return f"{_SUBJECTS[subject & 7]}-{_PARTS[part & 7]}-pipeline"

    def function_name(self) -> str:
        """Return a Lambda function's name: words joined by hyphens.

        >>> values.function_name().islower()
        True

        Source: the Lambda developer guide; at most 64 letters, digits, hyphens and underscores.
        """
        verb, subject, part = self.generator.random.randbytes(3)
        return f"{_VERBS[verb & 7]}-{_SUBJECTS[subject & 7]}-{_PARTS[part & 7]}"

    def pipeline_arn(
        self,
        pipeline_name: str | None = None,
        *,
        region: str = "us-east-1",
        account_id: str | None = None,
    ) -> str:
        """Return a pipeline's ARN; omitted parts are drawn.

        >>> values.pipeline_arn("web", region="cn-north-1", account_id="123456789012")
        'arn:aws-cn:codepipeline:cn-north-1:123456789012:web'

        Model shape: PipelineArn (no resource type before the name).
        """
        account = self.account_id() if account_id is None else account_id
        name = self.pipeline_name() if pipeline_name is None else pipeline_name
        return f"arn:{partition_of(region)}:codepipeline:{region}:{account}:{name}"

    def artifact_bucket_name(self, region: str = "us-east-1") -> str:
        """Return the name of the artifact bucket that CodePipeline creates for a region.

        >>> values.artifact_bucket_name("eu-west-3")[:23]
        'codepipeline-eu-west-3-'

        Source: the user guide, "Create a pipeline in CodePipeline that uses resources from another
        AWS account"; buckets seen in public have 11 or 12 digits.
        """
        return f"codepipeline-{region}-{self._number(10**10, 10**12)}"

    def artifact_object_key(self, pipeline_name: str, artifact_name: str) -> str:
        """Return an artifact's key: 20 characters of its pipeline, 10 of its name, 7 drawn ones.

        >>> values.artifact_object_key("a-rather-long-pipeline-name", "SourceArtifact")[:-7]
        'a-rather-long-pipeli/SourceArti/'

        Source: the user guide's troubleshooting page, "Folder names are truncated".
        """
        tail = self.generator.random.randbytes(7).translate(_ALPHANUMERIC)
        return f"{pipeline_name[:20]}/{artifact_name[:10]}/{tail.decode()}"

    def access_key_id(self) -> str:
        """Return a temporary access key's id: `ASIA` and 16 characters of base 32.

        >>> values.access_key_id()[:4]
        'ASIA'

        Source: the IAM user guide, "Unique identifiers".
        """
        return _access_key_id(self.generator.random.randbytes(16))

    def secret_access_key(self) -> str:
        """Return a secret access key: 40 characters of base 64, `/` and `+` among them.

        >>> len(values.secret_access_key())
        40

        Model shape: SecretAccessKey.
        """
        return _secret_access_key(self.generator.random.randbytes(30))

    def session_token(self) -> str:
        """Return an STS session token: 800 to 1,000 characters of base 64, with today's beginning.

        >>> values.session_token()[:17]
        'IQoJb3JpZ2luX2VjE'

        Model shape: SessionToken. STS promises no maximum length.
        """
        return _session_token(self.generator.random.randbytes(_TOKEN_DRAWN))

    def kms_key_id(self) -> str:
        """Return a KMS key's id: a lower-case UUID.

        >>> len(values.kms_key_id())
        36

        Source: the KMS developer guide, "Key identifiers".
        """
        return self._uuid()

    def kms_key_arn(self, region: str = "us-east-1", account_id: str | None = None) -> str:
        """Return a KMS key's ARN in `region`; the account is drawn when not given.

        >>> values.kms_key_arn("eu-west-1", "123456789012")[:39]
        'arn:aws:kms:eu-west-1:123456789012:key/'

        Source: the KMS developer guide, "Key ARN".
        """
        account = self.account_id() if account_id is None else account_id
        return f"arn:{partition_of(region)}:kms:{region}:{account}:key/{self.kms_key_id()}"

    def commit_id(self) -> str:
        """Return a Git commit's id (the revision of a repository's artifact): 40 hex digits.

        >>> len(values.commit_id())
        40

        Model shape: Revision.
        """
        return self.generator.random.randbytes(20).hex()

    def s3_version_id(self) -> str:
        """Return an S3 version id (the revision of an artifact from S3): 32 characters.

        >>> len(values.s3_version_id())
        32

        Source: the API reference of PutActionRevision.
        """
        return _base64(self.generator.random.randbytes(24)).translate(_VERSION_ID)

    def image_digest(self) -> str:
        """Return a container image's digest (the revision of an artifact from ECR).

        >>> len(values.image_digest())
        71

        Source: the API reference of ArtifactRevision.
        """
        return f"sha256:{self.generator.random.randbytes(32).hex()}"

    def nonce(self) -> str:
        """Return a job's nonce as in AWS's samples: a small number, as a string.

        >>> values.nonce().isdecimal()
        True

        Model shape: Nonce; the samples of PollForJobs show "3".
        """
        return str(self._number(1, 10))
