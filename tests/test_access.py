"""Who may do what in the artifact bucket: the rules as one table, without any client."""

from __future__ import annotations

import itertools
from typing import Final, NamedTuple

import pytest

from pytest_cpjob.artifacts.access import READS, WRITES, Access, Verdict
from pytest_cpjob.artifacts.presented import Presented
from pytest_cpjob.documents.facts import Credentials
from pytest_cpjob.service.grants import Grant

BUCKET: Final = "codepipeline-us-east-1-123456789012"
ELSEWHERE: Final = "the-users-own"
EXPIRES: Final = 900.0

MINE: Final = Credentials("ASIAMINEMINEMINEMINE", "m" * 40, "my-token")
THEIRS: Final = Credentials("ASIATHEIRSTHEIRSTHEI", "t" * 40, "their-token")

GRANTS: Final = {
    MINE.access_key_id: Grant(
        MINE,
        "my-job",
        frozenset({(BUCKET, "web/Source/aaaaaaa")}),
        frozenset({(BUCKET, "web/Site/bbbbbbb")}),
        EXPIRES,
    ),
    THEIRS.access_key_id: Grant(
        THEIRS,
        "their-job",
        frozenset({(BUCKET, "web/Theirs/ccccccc")}),
        frozenset(),
        EXPIRES,
    ),
}

LOCATIONS: Final = {
    "input": (BUCKET, "web/Source/aaaaaaa"),
    "output": (BUCKET, "web/Site/bbbbbbb"),
    "another job's": (BUCKET, "web/Theirs/ccccccc"),
    "no job's": (BUCKET, "web/Source/nowhere"),
    "the bucket": (BUCKET, None),
}

# What IAM would ask about, written down again from the API's names rather than taken from the code.
OPERATIONS: Final = {
    "read": ("GetObject", "HeadObject"),
    "write": (
        "PutObject",
        "CopyObject",
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "ListParts",
    ),
    "list": ("ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"),
    "bucket": ("GetBucketLocation", "HeadBucket", "GetBucketVersioning", "CreateBucket"),
    "remove": ("DeleteObject", "DeleteObjects", "DeleteBucket"),
    "object's settings": ("PutObjectAcl", "PutObjectTagging", "GetObjectAcl", "RestoreObject"),
}

JOBS_OWN: Final = frozenset({("read", "input"), ("read", "output"), ("write", "output")})
"""All that a job's credentials open: (kind of operation, location)."""


class Holder(NamedTuple):
    """Whose credentials, and what S3 says of them wherever they are presented (None: look on)."""

    presented: Presented
    whose: str
    job_id: str | None
    always: str | None


def job_keys(
    *, secret: str | None = MINE.secret_access_key, token: str | None = MINE.session_token
) -> Presented:
    return Presented(MINE.access_key_id, secret, token, own_role=False)


HOLDERS: Final = {
    "the job": Holder(job_keys(), "job", "my-job", None),
    # A presigned URL's request, and a signer that hides it: the signature is S3's to check.
    "the job, its secret unseen": Holder(job_keys(secret=None), "job", "my-job", None),
    "wrong secret": Holder(job_keys(secret="x" * 40), "job", "my-job", "SignatureDoesNotMatch"),
    "wrong token": Holder(job_keys(token="stale"), "job", "my-job", "InvalidToken"),
    "another job's token": Holder(
        job_keys(token=THEIRS.session_token), "job", "my-job", "InvalidToken"
    ),
    # A temporary key without its token is none that S3 knows.
    "no token": Holder(job_keys(token=None), "job", "my-job", "InvalidAccessKeyId"),
    "wrong secret and token": Holder(
        job_keys(secret="x" * 40, token="stale"), "job", "my-job", "SignatureDoesNotMatch"
    ),
    "a key that nobody has": Holder(
        Presented("AKIAIOSFODNN7EXAMPLE", "s" * 40, None, own_role=False),
        "nobody",
        None,
        "InvalidAccessKeyId",
    ),
}


def access(*, own_role: bool = False, now: float = 0.0) -> Access:
    return Access(lambda key: GRANTS.get(str(key)), {BUCKET}, own_role, now)


def code_of(verdict: Verdict | None) -> str | None:
    assert verdict is not None
    return verdict.error.code if verdict.error else None


def test_the_table_knows_every_operation_that_the_rules_name() -> None:
    assert set(OPERATIONS["read"]) == READS
    assert set(OPERATIONS["write"]) == WRITES


@pytest.mark.parametrize("own_role", [False, True])
@pytest.mark.parametrize("now", [0.0, EXPIRES - 0.001, EXPIRES, EXPIRES * 9])
@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
def test_what_a_jobs_and_nobodys_credentials_open(
    holder: Holder, now: float, *, own_role: bool
) -> None:
    rules = access(own_role=own_role, now=now)

    for (kind, operations), (where, location) in itertools.product(
        OPERATIONS.items(), LOCATIONS.items()
    ):
        expected = None if (kind, where) in JOBS_OWN else "AccessDenied"
        if now >= EXPIRES:
            expected = "ExpiredToken"
        for operation in operations:
            verdict = rules.judge(operation, *location, holder.presented)
            assert code_of(verdict) == (holder.always or expected), (operation, where)
            assert verdict is not None
            assert (verdict.holder, verdict.job_id) == (holder.whose, holder.job_id)


@pytest.mark.parametrize("now", [0.0, EXPIRES])
@pytest.mark.parametrize("own_role", [False, True])
def test_the_handlers_own_role_opens_all_of_the_bucket_or_nothing(
    now: float, *, own_role: bool
) -> None:
    role = Presented("AKIACPJOBOWNROLE0000", "r" * 40, None, own_role=True)
    rules = access(own_role=own_role, now=now)

    for operations, location in itertools.product(OPERATIONS.values(), LOCATIONS.values()):
        for operation in operations:
            verdict = rules.judge(operation, *location, role)
            assert code_of(verdict) == (None if own_role else "AccessDenied")
            assert verdict is not None
            assert (verdict.holder, verdict.job_id) == ("own-role", None)


@pytest.mark.parametrize("own_role", [False, True])
def test_an_unsigned_request_opens_nothing_even_where_the_own_role_does(*, own_role: bool) -> None:
    unsigned = Presented(None, None, None, own_role=True)

    for operations, location in itertools.product(OPERATIONS.values(), LOCATIONS.values()):
        for operation in operations:
            verdict = access(own_role=own_role).judge(operation, *location, unsigned)
            assert code_of(verdict) == "AccessDenied"


def test_a_jobs_key_stays_the_jobs_wherever_botocore_found_it() -> None:
    """A handler may put the credentials into the environment: they are no own role for that."""
    from_environment = job_keys()._replace(own_role=True)

    verdict = access(own_role=True).judge("ListObjectsV2", BUCKET, None, from_environment)

    assert code_of(verdict) == "AccessDenied"
    assert verdict is not None
    assert (verdict.holder, verdict.job_id) == ("job", "my-job")


def test_a_bucket_that_is_no_artifact_bucket_is_not_judged() -> None:
    anybody = [holder.presented for holder in HOLDERS.values()]
    anybody += [Presented(None, None, None, own_role=True), Presented("A", "b", None, True)]

    for presented, operations in itertools.product(anybody, OPERATIONS.values()):
        for operation, bucket in itertools.product(operations, (ELSEWHERE, None)):
            assert access(now=EXPIRES).judge(operation, bucket, "a/b", presented) is None


def test_a_key_opens_its_object_in_its_own_bucket_only() -> None:
    """Two artifact buckets may have an object of the same key."""
    rules = Access(lambda key: GRANTS.get(str(key)), {BUCKET, "other"}, False, 0.0)

    here = rules.judge("GetObject", *LOCATIONS["input"], job_keys())
    there = rules.judge("GetObject", "other", LOCATIONS["input"][1], job_keys())

    assert (code_of(here), code_of(there)) == (None, "AccessDenied")


@pytest.mark.parametrize(
    ("presented", "now", "code", "status", "message"),
    [
        (
            Presented("AKIAIOSFODNN7EXAMPLE", "s" * 40, None, own_role=False),
            0.0,
            "InvalidAccessKeyId",
            403,
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        (
            job_keys(secret="x" * 40),
            0.0,
            "SignatureDoesNotMatch",
            403,
            "The request signature we calculated does not match the signature you provided."
            " Check your key and signing method.",
        ),
        (
            job_keys(token="stale"),
            0.0,
            "InvalidToken",
            400,
            "The provided token is malformed or otherwise invalid.",
        ),
        (job_keys(), EXPIRES, "ExpiredToken", 400, "The provided token has expired."),
        (
            Presented("AKIACPJOBOWNROLE0000", "r" * 40, None, own_role=True),
            0.0,
            "AccessDenied",
            403,
            "Access Denied",
        ),
    ],
)
def test_each_refusal_has_s3s_documented_status_and_text(
    presented: Presented, now: float, code: str, status: int, message: str
) -> None:
    verdict = access(now=now).judge("GetObject", *LOCATIONS["input"], presented)

    assert verdict is not None
    assert verdict.error is not None
    assert (verdict.error.code, verdict.error.status, verdict.error.message) == (
        code,
        status,
        message,
    )
