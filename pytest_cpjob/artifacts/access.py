"""Who may do what in the artifact bucket: one pure function, which decides as IAM and S3 do.

A job's credentials carry a session policy for exactly that job's artifact objects
(CodePipeline user guide, "Troubleshooting": keys are cut short so that this policy fits). The
handler's own role has no access to the bucket unless the test allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, Literal, NamedTuple

from pytest_cpjob.artifacts.presented import Presented
from pytest_cpjob.service.errors import ServiceError
from pytest_cpjob.service.grants import Grant

READS: Final = frozenset({"GetObject", "HeadObject"})
"""What a job's credentials may do with all of the job's objects."""

WRITES: Final = frozenset(
    {
        "PutObject",
        "CopyObject",
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "ListParts",
    }
)
"""What they may also do with its output objects."""


Holder = Literal["job", "own-role", "nobody"]


class Verdict(NamedTuple):
    """S3's decision about one request on one object.

    Attributes:
        error: the error of a denied request, None if it is allowed.
        holder: who the credentials belong to: a job, the handler's own role, or nobody known.
        job_id: the job that the credentials belong to, if any.
    """

    error: ServiceError | None
    holder: Holder
    job_id: str | None = None


class Access(NamedTuple):
    """The rules at one moment.

    Attributes:
        grant: finds a job's grant by access key id.
        buckets: the artifact buckets; access to others is not checked here.
        own_role: whether the handler's own role may open the artifact buckets.
        now: seconds of job clock.
    """

    grant: Callable[[str | None], Grant | None]
    buckets: Collection[str]
    own_role: bool
    now: float

    def judge(
        self, operation: str, bucket: str | None, key: str | None, credentials: Presented
    ) -> Verdict | None:
        """Decide about one request; None if the bucket is not an artifact bucket.

        A job's credentials list no buckets either: their policy is for the job's objects.
        """
        grant = self.grant(credentials.access_key_id)
        if operation == "ListBuckets" and grant is not None:
            error = self._judge_job(grant, operation, ("", ""), credentials)
            return Verdict(error, "job", grant.job_id)
        if bucket not in self.buckets:
            return None
        if grant is not None:
            error = self._judge_job(grant, operation, (str(bucket), key or ""), credentials)
            return Verdict(error, "job", grant.job_id)
        if credentials.access_key_id is None or credentials.own_role:
            allowed = self.own_role and credentials.access_key_id is not None
            return Verdict(None if allowed else denied(), "own-role")
        return Verdict(
            ServiceError(
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            ),
            "nobody",
        )

    def _judge_job(
        self, grant: Grant, operation: str, location: tuple[str, str], presented: Presented
    ) -> ServiceError | None:
        if presented.refusal is not None:
            return presented.refusal
        if presented.session_token is None:
            return ServiceError(
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            )
        if presented.secret_access_key not in (None, grant.credentials.secret_access_key):
            return ServiceError(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided."
                " Check your key and signing method.",
            )
        if presented.session_token != grant.credentials.session_token:
            return ServiceError(
                "InvalidToken", "The provided token is malformed or otherwise invalid."
            )
        if self.now >= grant.expires_at:
            return ServiceError("ExpiredToken", "The provided token has expired.")
        if location in grant.outputs and (operation in READS or operation in WRITES):
            return None
        if location in grant.inputs and operation in READS:
            return None
        return denied()


def denied() -> ServiceError:
    """Return S3's AccessDenied error."""
    return ServiceError("AccessDenied", "Access Denied")
