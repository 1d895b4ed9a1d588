"""What S3 refuses of a signed request before any policy, over HTTP with a job's credentials."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import shutil
import zlib
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
from artifact_clients import credentials_of
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from pytest_cpjob import CodePipelineStub, Endpoint, Job

pytest.importorskip("flask", reason="the endpoint needs the extra server")
pytest.importorskip("cbor2", reason="the endpoint needs the extra server")

BODY = b"content"
SHA256 = hashlib.sha256(BODY).hexdigest()


def digest(name: str, body: bytes) -> str:
    return base64.b64encode(hashlib.new(name, body).digest()).decode()


class _Auth(S3SigV4Auth):
    """Signs as somebody whose clock, region or service is another."""

    def __init__(self, credentials: Any, service: str, region: str, minutes: float) -> None:
        super().__init__(credentials, service, region)
        self._minutes = minutes

    def _modify_request_before_signing(self, request: Any) -> None:
        moment = datetime.now(timezone.utc) + timedelta(minutes=self._minutes)
        request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)


@pytest.fixture
def job(cpjob: CodePipelineStub) -> Job:
    return cpjob.add_lambda_job(
        input_artifacts={"In": BODY},
        output_artifacts=["Out"],
        region="eu-west-1",
        allow=["no-result"],
    )


class Signer:
    """Sends requests of a job's that are signed, rightly but for what is said."""

    def __init__(self, endpoint: Endpoint, job: Job) -> None:
        self._url = endpoint.url
        keys = credentials_of(job)
        self.credentials = Credentials(
            keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
        )
        self.job = job

    def url(self, artifact: str = "Out") -> str:
        one = {**self.job.input_artifacts, **self.job.output_artifacts}[artifact]
        return f"{self._url}/{one.bucket}/{one.key}"

    def put(
        self,
        *,
        service: str = "s3",
        region: str = "eu-west-1",
        minutes: float = 0,
        sent: bytes = BODY,
        **headers: str,
    ) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = AWSRequest("PUT", self.url(), headers=named, data=BODY)
        _Auth(self.credentials, service, region, minutes).add_auth(request)
        return self.send("PUT", self.url(), sent, dict(request.headers.items()))

    def send(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> str:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        code = re.search(r"<Code>(\w+)</Code>", said)
        return f"{code[1] if code else 'done'} {answer.status}"


@pytest.fixture
def signer(cpjob_endpoint: Endpoint, job: Job) -> Signer:
    return Signer(cpjob_endpoint, job)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"minutes": 14},
        {"minutes": -14},
        {"Content_MD5": digest("md5", BODY)},
        {"x_amz_checksum_sha256": digest("sha256", BODY)},
        {"x_amz_checksum_sha1": digest("sha1", BODY)},
        {"x_amz_checksum_crc32": base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": "multipart/form-data; boundary=x"},
    ],
    ids=str,
)
def test_a_right_request_stores_its_body(signer: Signer, job: Job, how: dict[str, Any]) -> None:
    assert signer.put(**how) == "done 200"
    assert job.output_artifacts["Out"].content == BODY


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"minutes": 16}, "RequestTimeTooSkewed 403"),
        ({"minutes": -16}, "RequestTimeTooSkewed 403"),
        ({"minutes": 60 * 24 * 365}, "RequestTimeTooSkewed 403"),
        ({"region": "us-east-1"}, "AuthorizationHeaderMalformed 400"),
        ({"service": "codebuild"}, "AuthorizationHeaderMalformed 400"),
        ({"sent": b"another"}, "XAmzContentSHA256Mismatch 400"),
        ({"sent": b""}, "XAmzContentSHA256Mismatch 400"),
        ({"Content_MD5": digest("md5", b"another")}, "BadDigest 400"),
        ({"Content_MD5": "nonsense"}, "InvalidDigest 400"),
        ({"x_amz_checksum_sha256": digest("sha256", b"another")}, "BadDigest 400"),
        ({"x_amz_checksum_crc32": "AAAAAA=="}, "BadDigest 400"),
    ],
    ids=str,
)
def test_a_wrong_request_is_refused_and_stores_nothing(
    signer: Signer, job: Job, how: dict[str, Any], said: str
) -> None:
    assert signer.put(**how) == said

    assert not job.output_artifacts["Out"].exists
    assert [call.error for call in job.calls] == [said.split()[0]]


def test_a_signature_needs_the_hash_of_the_content(signer: Signer) -> None:
    request = AWSRequest("PUT", signer.url(), data=BODY)
    _Auth(signer.credentials, "s3", "eu-west-1", 0).add_auth(request)
    headers = {k: v for k, v in request.headers.items() if k.lower() != "x-amz-content-sha256"}

    assert signer.send("PUT", signer.url(), BODY, headers) == "InvalidRequest 400"


def test_a_presigned_url_is_good_until_it_expires(signer: Signer) -> None:
    said = []
    for expires, minutes in ((60, 0), (60, -2), (3600, -2)):
        request = AWSRequest("GET", signer.url("In"))
        auth = S3SigV4QueryAuth(signer.credentials, "s3", "eu-west-1", expires=expires)
        moment = datetime.now(timezone.utc) + timedelta(minutes=minutes)

        def keep(request: Any, moment: datetime = moment) -> None:
            request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")

        original = auth._modify_request_before_signing

        def modified(request: Any, original: Any = original, keep: Any = keep) -> None:
            keep(request)
            original(request)

        auth._modify_request_before_signing = modified
        auth.add_auth(request)
        said.append(signer.send("GET", request.url, b"", {}))

    assert said == ["done 200", "AccessDenied 403", "done 200"]


def test_a_jobs_credentials_list_no_buckets(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint, signer: Signer
) -> None:
    request = AWSRequest("GET", f"{cpjob_endpoint.url}/")
    _Auth(signer.credentials, "s3", "us-east-1", 0).add_auth(request)

    said = signer.send("GET", request.url, b"", dict(request.headers.items()))

    assert said == "AccessDenied 403"


def test_the_right_region_is_named_for_sdks_that_follow(signer: Signer) -> None:
    request = AWSRequest("PUT", signer.url(), data=BODY)
    _Auth(signer.credentials, "s3", "us-east-1", 0).add_auth(request)
    parts = urlsplit(signer.url())
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    connection.request("PUT", parts.path, BODY, dict(request.headers.items()))
    answer = connection.getresponse()
    said = answer.read()
    connection.close()

    assert answer.getheader("x-amz-bucket-region") == "eu-west-1"
    assert b"the region 'us-east-1' is wrong; expecting 'eu-west-1'" in said


def curl(endpoint: Endpoint, job: Job, *arguments: str) -> str:
    found = shutil.which("curl")
    if found is None:
        pytest.skip("there is no curl")
    keys = credentials_of(job)
    done = endpoint.run(
        [
            found,
            "--silent",
            "--show-error",
            "--user",
            f"{keys['accessKeyId']}:{keys['secretAccessKey']}",
            "--header",
            f"x-amz-security-token: {keys['sessionToken']}",
            *arguments,
        ]
    )
    if "aws-sigv4" in done.stderr and "unknown" in done.stderr:
        pytest.skip("this curl cannot sign")
    assert (done.returncode, done.stderr) == (0, "")
    output: str = done.stdout
    return output


def test_curl_puts_and_gets_an_artifact(
    cpjob_endpoint: Endpoint, job: Job, signer: Signer, tmp_path: Any
) -> None:
    (tmp_path / "site.zip").write_bytes(b"PK\x00&a=b=\xff+")
    sign = ("--aws-sigv4", "aws:amz:eu-west-1:s3")

    curl(
        cpjob_endpoint,
        job,
        *sign,
        "--header",
        f"x-amz-content-sha256: {hashlib.sha256((tmp_path / 'site.zip').read_bytes()).hexdigest()}",
        "--request",
        "PUT",
        "--data-binary",
        f"@{tmp_path / 'site.zip'}",
        signer.url("Out"),
    )

    assert job.output_artifacts["Out"].content == b"PK\x00&a=b=\xff+"
    unsigned = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    assert curl(cpjob_endpoint, job, *sign, *unsigned, signer.url("In")) == "content"


def test_a_call_that_is_not_served_is_never_answered_by_s3(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint, job: Job, signer: Signer
) -> None:
    import cbor2

    json_type, cbor_type = "application/x-amz-json-1.1", "application/cbor"
    scope = "Credential=testing/20260301/us-east-1/codepipeline/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=abc"}
    where = urlsplit(cpjob_endpoint.url)
    for who in ({}, signed):
        for operation, expected in (("ListPipelines", 200), ("NoSuchOperation", 400)):
            in_json = (
                "/",
                {"X-Amz-Target": f"CodePipeline_20150709.{operation}"},
                b"{}",
                json_type,
            )
            path = f"/service/CodePipeline_20150709/operation/{operation}"
            in_cbor = (path, {"smithy-protocol": "rpc-v2-cbor"}, cbor2.dumps({}), cbor_type)
            for place, headers, body, kind in (in_json, in_cbor):
                connection = http.client.HTTPConnection(str(where.hostname), where.port)
                connection.request("POST", place, body, {**who, **headers, "Content-Type": kind})
                answer = connection.getresponse()
                said = answer.read()
                connection.close()
                assert (answer.status, answer.getheader("Content-Type")) == (expected, kind)
                assert b"Buckets" not in said
