"""Requests are read as the AWS calls that they are, and answers written in their protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import botocore.session
import pytest
from botocore import parsers, serialize
from botocore.auth import HmacV1Auth, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from pytest_cpjob.endpoint import request_parsing as wire
from pytest_cpjob.endpoint.responses import written, written_error
from pytest_cpjob.service.errors import ServiceError

cbor2 = pytest.importorskip("cbor2", reason="the endpoint's CBOR needs the extra server")

TARGET = {"x-amz-target": "CodePipeline_20150709.GetJobDetails"}
CBOR = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
CBOR_PATH = "/service/CodePipeline_20150709/operation/GetJobDetails"
JOB_ID = "11111111-2222-4333-8444-555555555555"
NO_TIMESTAMP = "currentRevision.created: Member must be a timestamp"
CREATED = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=timezone.utc)


def signed_for(service: str) -> dict[str, str]:
    return {
        "authorization": "AWS4-HMAC-SHA256"
        f" Credential=ASIAKEY/20260301/us-east-1/{service}/aws4_request,"
        " SignedHeaders=host, Signature=abc"
    }


def refusal(*arguments: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        wire.read(*arguments)
    return caught.value


# -- CodePipeline, JSON ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "params"),
    [
        (b'{"jobId": "j"}', {"jobId": "j"}),
        (b"{}", {}),
        (b'{"jobId": null, "nonce": "3"}', {"nonce": "3"}),
        (b'{"a": {"b": null, "c": [{"d": null}]}}', {"a": {"c": [{}]}}),
        ('{"message": "caf\u00e9 \\u2615"}'.encode(), {"message": "café ☕"}),
    ],
    ids=["members", "no members", "null", "nulls inside", "unicode"],
)
def test_json_is_read_and_its_nulls_are_absent(body: bytes, params: dict[str, Any]) -> None:
    read = wire.read("POST", "/", TARGET, body)

    assert (read.service, read.operation, read.protocol) == (
        "codepipeline",
        "GetJobDetails",
        "json",
    )
    assert read.params == params


def test_a_timestamp_is_the_moment_that_it_is_in_the_other_protocol() -> None:
    body = b'{"currentRevision": {"revision": "r", "created": 1772368215.25}}'

    read = wire.read("POST", "/", TARGET, body)

    assert read.params == {"currentRevision": {"revision": "r", "created": CREATED}}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", ""),
        (b"{", ""),
        (b'{"jobId": "a",}', ""),
        (b"\xff\xfe", ""),
        (b'{"a": "\\ud800"}', ""),
        (b"[" * 100_000, ""),
        (b"[]", "Start of list found where not expected"),
        (b'"text"', ""),
        (b"null", ""),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "the body is nested deeper than 64"),
        (b'{"currentRevision": {"created": 1e300}}', NO_TIMESTAMP),
        (b'{"currentRevision": {"created": "2026-03-01T12:30:15Z"}}', NO_TIMESTAMP),
        (b'{"currentRevision": {"created": "1772368215"}}', NO_TIMESTAMP),
        (b'{"currentRevision": {"created": true}}', NO_TIMESTAMP),
        (b'{"currentRevision": {"created": [1772368215]}}', NO_TIMESTAMP),
        (b'{"currentRevision": {"created": NaN}}', ""),
        (b'{"executionDetails": {"percentComplete": Infinity}}', ""),
    ],
    ids=[
        "no body",
        "cut off",
        "a comma too many",
        "not UTF-8",
        "half a surrogate",
        "endless",
        "list",
        "text",
        "null",
        "deep",
        "time that never was",
        "date as text",
        "seconds as text",
        "time that is a flag",
        "time that is a list",
        "NaN",
        "Infinity",
    ],
)
def test_a_json_body_that_is_none_is_a_serialization_error(body: bytes, says: str) -> None:
    error = refusal("POST", "/", TARGET, body)

    assert (error.code, error.status, error.message) == ("SerializationException", 400, says)


def test_a_signed_request_that_names_no_operation_of_codepipeline_is_refused() -> None:
    for headers in (
        signed_for("codepipeline"),
        {**signed_for("codepipeline"), "x-amz-target": "CodePipeline_20991231.GetJobDetails"},
    ):
        assert refusal("POST", "/", headers, b"{}").code == "UnknownOperationException"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-target": "Nobody_20990101.GetJobDetails"},
        {"x-amz-target": "CodePipeline.GetJobDetails"},
        {"content-type": "application/x-amz-json-1.1"},
        {**CBOR, "content-type": "application/cbor"},
    ],
    ids=["another target", "a short target", "no target", "no target in CBOR"],
)
def test_a_request_without_a_signature_that_names_no_api_is_refused(
    headers: dict[str, str],
) -> None:
    assert refusal("POST", "/", headers, b"{}").code == "UnknownOperationException"


def test_an_api_that_needs_no_signature_is_named() -> None:
    target = {"x-amz-target": "AWSCognitoIdentityService.GetId"}

    assert wire.read("POST", "/", target, b"{}").operation == "GetId"


# -- CodePipeline, CBOR ----------------------------------------------------------------------------


def test_cbor_is_read_with_its_timestamps() -> None:
    body = cbor2.dumps(
        {
            "jobId": JOB_ID,
            "nonce": None,
            "currentRevision": {"revision": "r", "changeIdentifier": "c", "created": CREATED},
        }
    )

    read = wire.read("POST", CBOR_PATH, CBOR, body)

    assert (read.operation, read.protocol) == ("GetJobDetails", "cbor")
    assert read.params == {
        "jobId": JOB_ID,
        "currentRevision": {"revision": "r", "changeIdentifier": "c", "created": CREATED},
    }


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\xa1", ""),
        (b"\xff", ""),
        (b"\xa0\xa0", ""),
        (b"\xc1\x61a", ""),  # a timestamp that is a text
        (b"\xc0\x63abc", ""),  # a date that is none
        (b"\x80", ""),
        (b"\xa1\x01\x02", "the name of a member is not a string"),
        (b"\xa1\x61a" * 100 + b"\xa0", "the body is nested deeper than 64"),
        (b"\xa1\x61a\x41b", "no member of a request is of CBOR's type 'bytes'"),
        (b"\xa1\x61a\xe0", "no member of a request is of CBOR's type 'CBORSimpleValue'"),
        (cbor2.dumps({"currentRevision": {"created": "2026-03-01T12:30:15Z"}}), NO_TIMESTAMP),
    ],
    ids=[
        "cut off",
        "break",
        "two objects",
        "bad timestamp",
        "bad date",
        "list",
        "number as a name",
        "deep",
        "bytes",
        "simple value",
        "date as text",
    ],
)
def test_a_cbor_body_that_is_none_is_a_serialization_error(body: bytes, says: str) -> None:
    error = refusal("POST", CBOR_PATH, CBOR, body)

    assert error.code == "SerializationException"
    # What cannot be decoded at all is answered without a message.
    assert error.message == says


def test_cbors_undefined_is_an_absent_member() -> None:
    body = cbor2.dumps({"jobId": JOB_ID, "continuationToken": cbor2.undefined})

    assert wire.read("POST", CBOR_PATH, CBOR, body).params == {"jobId": JOB_ID}


def test_an_error_without_a_message_has_none_on_the_wire() -> None:
    error = refusal("POST", "/", {"x-amz-target": "CodePipeline_20150709.GetJobDetails"}, b"")

    assert written_error(error, "json").body == b'{"__type": "SerializationException"}'
    assert cbor2.loads(written_error(error, "cbor").body) == {
        "__type": "com.amazonaws.codepipeline#SerializationException"
    }


def test_a_path_alone_does_not_make_a_request_cbor() -> None:
    read = wire.read("GET", CBOR_PATH, signed_for("s3"), b"")

    assert read.params == {"Bucket": "service", "Key": CBOR_PATH.removeprefix("/service/")}


def botocores(part: Any) -> tuple[Any, Any]:
    """botocore's own CBOR serializer or parser, with CodePipeline's model."""
    if "smithy-rpc-v2-cbor" not in serialize.SERIALIZERS:
        pytest.skip("this botocore does not know Smithy RPC v2 CBOR")
    session = botocore.session.get_session()
    return part("smithy-rpc-v2-cbor"), session.get_service_model("codepipeline")


def test_what_botocores_cbor_serializer_writes_is_read() -> None:
    serializer, model = botocores(lambda name: serialize.create_serializer(name, False))
    params = {
        "jobId": JOB_ID,
        "executionDetails": {"summary": "café", "percentComplete": 100},
        "currentRevision": {"revision": "r", "changeIdentifier": "c", "created": CREATED},
        "outputVariables": {"pages": "1"},
    }
    request = serializer.serialize_to_request(params, model.operation_model("PutJobSuccessResult"))
    headers = {name.lower(): value for name, value in request["headers"].items()}

    read = wire.read(request["method"], request["url_path"], headers, request["body"])

    assert (read.service, read.operation) == ("codepipeline", "PutJobSuccessResult")
    assert read.params == params


def test_what_is_written_in_cbor_botocores_parser_reads() -> None:
    parser, model = botocores(lambda name: parsers.create_parser(name))
    answer = written({"jobDetails": {"id": JOB_ID, "accountId": "123456789012"}}, "cbor")
    headers = {name.lower(): value for name, value in answer.headers}
    output = model.operation_model("GetJobDetails").output_shape

    parsed = parser.parse({"body": answer.body, "headers": headers, "status_code": 200}, output)

    assert parsed["jobDetails"] == {"id": JOB_ID, "accountId": "123456789012"}
    assert parsed["ResponseMetadata"]["RequestId"] == headers["x-amzn-requestid"]


def test_an_error_in_cbor_has_its_code_for_botocores_parser() -> None:
    parser, model = botocores(lambda name: parsers.create_parser(name))
    answer = written_error(ServiceError("JobNotFoundException", "no such job"), "cbor")
    headers = {name.lower(): value for name, value in answer.headers}
    output = model.operation_model("GetJobDetails").output_shape

    parsed = parser.parse(
        {"body": answer.body, "headers": headers, "status_code": answer.status}, output
    )

    assert parsed["Error"] == {"Code": "JobNotFoundException", "Message": "no such job"}


# -- answers ---------------------------------------------------------------------------------------


def test_a_json_answer_has_aws_content_type_and_a_request_id() -> None:
    answer = written({"status": "InProgress"}, "json")

    headers = dict(answer.headers)
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "InProgress"})
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert len(headers["x-amzn-RequestId"]) == 36


def test_a_json_error_is_as_seen_of_codepipeline_a_short_type_and_a_small_message() -> None:
    answer = written_error(ServiceError("ValidationException", "1 validation error"), "json")

    assert answer.status == 400
    assert answer.body == b'{"__type": "ValidationException", "message": "1 validation error"}'
    assert "x-amzn-RequestId" in dict(answer.headers)


def test_a_result_is_answered_without_a_body() -> None:
    assert written({}, "json").body == b""
    answer = written({}, "cbor")
    assert (answer.body, "Content-Type" in dict(answer.headers)) == (b"", False)


def test_a_cbor_answer_says_so() -> None:
    answer = written({"status": "InProgress"}, "cbor")

    headers = dict(answer.headers)
    assert cbor2.loads(answer.body) == {"status": "InProgress"}
    assert (headers["Content-Type"], headers["smithy-protocol"]) == (
        "application/cbor",
        "rpc-v2-cbor",
    )


def test_a_cbor_error_has_the_shapes_whole_name() -> None:
    answer = written_error(ServiceError("JobNotFoundException", "gone"), "cbor")

    assert cbor2.loads(answer.body) == {
        "__type": "com.amazonaws.codepipeline#JobNotFoundException",
        "message": "gone",
    }


@pytest.mark.parametrize(
    ("protocol", "parser", "code"),
    [
        ("s3", "rest-xml", "AccessDenied"),
        ("query", "query", "ThrottlingException"),
        ("rest-json", "rest-json", "ThrottlingException"),
        ("json", "json", "ThrottlingException"),
    ],
)
def test_an_error_in_any_protocol_is_read_by_botocores_parser(
    protocol: wire.Protocol, parser: str, code: str
) -> None:
    answer = written_error(ServiceError(code, "<no> & again"), protocol)
    headers = {name.lower(): value for name, value in answer.headers}
    response = {"body": answer.body, "headers": headers, "status_code": answer.status}

    parsed = parsers.create_parser(parser).parse(response, None)

    assert parsed["Error"]["Code"] == code
    assert parsed["Error"]["Message"] == "<no> & again"


def test_the_refusal_of_a_head_has_no_body() -> None:
    answer = written_error(ServiceError("AccessDenied", "no"), "s3", head=True)

    assert (answer.status, answer.body) == (403, b"")


# -- S3 --------------------------------------------------------------------------------------------

S3_REQUESTS: list[tuple[str, str, dict[str, str], str, dict[str, str]]] = [
    ("GET", "/", {}, "ListBuckets", {}),
    ("GET", "/b/k", {}, "GetObject", {"Key": "k"}),
    ("GET", "/b/web/Source/abc.zip", {}, "GetObject", {"Key": "web/Source/abc.zip"}),
    ("GET", "/b/k?versionId=3", {}, "GetObject", {"Key": "k"}),
    ("GET", "/b/a%20b%2Bc%2Fd", {}, "GetObject", {"Key": "a b+c/d"}),
    ("GET", "/b/a+b", {}, "GetObject", {"Key": "a+b"}),
    ("GET", "/b/caf%C3%A9/%E2%98%95", {}, "GetObject", {"Key": "café/☕"}),
    ("GET", "/b/100%25", {}, "GetObject", {"Key": "100%"}),
    ("GET", "/b/what%3Facl", {}, "GetObject", {"Key": "what?acl"}),
    ("GET", "/b//twice//slashed", {}, "GetObject", {"Key": "/twice//slashed"}),
    ("GET", "http://127.0.0.1:8080/b/k?x-id=GetObject", {}, "GetObject", {"Key": "k"}),
    ("HEAD", "/b/k", {}, "HeadObject", {"Key": "k"}),
    ("PUT", "/b/k?x-id=PutObject", {}, "PutObject", {"Key": "k"}),
    ("DELETE", "/b/k", {}, "DeleteObject", {"Key": "k"}),
    ("POST", "/b/k?uploads", {}, "CreateMultipartUpload", {"Key": "k"}),
    ("PUT", "/b/k?partNumber=1&uploadId=u", {}, "UploadPart", {"Key": "k"}),
    ("GET", "/b/k?uploadId=u", {}, "ListParts", {"Key": "k"}),
    ("POST", "/b/k?uploadId=u", {}, "CompleteMultipartUpload", {"Key": "k"}),
    ("DELETE", "/b/k?uploadId=u", {}, "AbortMultipartUpload", {"Key": "k"}),
    ("GET", "/b/k?acl", {}, "GetObjectAcl", {"Key": "k"}),
    ("PUT", "/b/k?legal-hold", {}, "PutObjectLegalHold", {"Key": "k"}),
    (
        "PUT",
        "/b/k",
        {"x-amz-copy-source": "/b/other"},
        "CopyObject",
        {"Key": "k", "CopySource": "/b/other"},
    ),
    (
        "PUT",
        "/b/k?partNumber=1&uploadId=u",
        {"x-amz-copy-source": "b/other?versionId=3"},
        "UploadPartCopy",
        {"Key": "k", "CopySource": "b/other?versionId=3"},
    ),
    (
        "PUT",
        "/b/k",
        {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": "arn:key",
        },
        "PutObject",
        {"Key": "k", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:key"},
    ),
    ("GET", "/b", {}, "ListObjects", {}),
    ("GET", "/b/?list-type=2&prefix=web", {}, "ListObjectsV2", {}),
    ("GET", "/b?location", {}, "GetBucketLocation", {}),
    ("GET", "/b?uploads", {}, "ListMultipartUploads", {}),
    ("PUT", "/b?versioning", {}, "PutBucketVersioning", {}),
    ("PUT", "/b", {}, "CreateBucket", {}),
    ("HEAD", "/b", {}, "HeadBucket", {}),
    ("POST", "/b?delete", {}, "DeleteObjects", {}),
]


@pytest.mark.parametrize(
    ("method", "target", "headers", "operation", "params"),
    S3_REQUESTS,
    ids=[f"{method} {target}" for method, target, *_ in S3_REQUESTS],
)
def test_s3_is_read_by_path(
    method: str, target: str, headers: dict[str, str], operation: str, params: dict[str, str]
) -> None:
    read = wire.read(method, target, {**signed_for("s3"), **headers}, b"")

    bucket = {} if operation == "ListBuckets" else {"Bucket": "b"}
    assert (read.service, read.operation, read.protocol) == ("s3", operation, "s3")
    assert read.params == {**bucket, **params}


# -- who signed ------------------------------------------------------------------------------------

KEYS = Credentials("ASIAKEY", "secret", "token/+=")
SIGNERS: dict[str, Callable[[], Any]] = {
    "version 4": lambda: S3SigV4Auth(KEYS, "s3", "us-east-1"),
    "version 4, presigned": lambda: S3SigV4QueryAuth(KEYS, "s3", "us-east-1"),
    "version 2": lambda: HmacV1Auth(KEYS, "s3", "us-east-1"),
    "version 2, presigned": lambda: botocore_presigner(),
}


def botocore_presigner() -> Any:
    from botocore.auth import HmacV1QueryAuth

    return HmacV1QueryAuth(KEYS)


@pytest.mark.parametrize("sign", SIGNERS.values(), ids=SIGNERS.keys())
def test_the_key_and_the_token_are_found_wherever_a_signature_has_them(
    sign: Callable[[], Any],
) -> None:
    request = AWSRequest("GET", "http://127.0.0.1/b/k", headers={"Host": "127.0.0.1"})
    request.context["payload_signing_enabled"] = False
    sign().add_auth(request)
    prepared = request.prepare()
    headers = {name.lower(): str(value) for name, value in prepared.headers.items()}

    read = wire.read("GET", prepared.url, headers, b"")

    assert (read.access_key_id, read.session_token) == ("ASIAKEY", "token/+=")
    assert (read.service, read.operation) == ("s3", "GetObject")


def test_a_request_without_a_signature_is_nobodys() -> None:
    read = wire.read("GET", "/b/k", {}, b"")

    assert (read.access_key_id, read.session_token) == (None, None)


# -- other services --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "method", "target", "body", "call"),
    [
        (signed_for("sts"), "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", "sts"),
        ({}, "POST", "/", b"Version=1&Action=AssumeRoleWithWebIdentity", "sts"),
        (signed_for("sns"), "GET", "/?Action=Publish", b"", "sns"),
        (
            {**signed_for("dynamodb"), "x-amz-target": "DynamoDB_20120810.PutItem"},
            "POST",
            "/",
            b"{}",
            "dynamodb",
        ),
        (
            {**signed_for("monitoring"), **CBOR},
            "POST",
            "/service/GraniteServiceVersion20100801/operation/PutMetricData",
            b"",
            "cloudwatch",
        ),
        (signed_for("lambda"), "GET", "/2015-03-31/functions?MaxItems=1", b"", "lambda"),
    ],
    ids=["query", "query, unsigned", "query in the URL", "json", "cbor", "rest"],
)
def test_other_services_calls_are_named_by_what_their_protocol_tells(
    headers: dict[str, str], method: str, target: str, body: bytes, call: str
) -> None:
    read = wire.read(method, target, headers, body)

    operations = {
        "sts": ("GetCallerIdentity", "AssumeRoleWithWebIdentity"),
        "sns": ("Publish",),
        "dynamodb": ("PutItem",),
        "cloudwatch": ("PutMetricData",),
        "lambda": ("GET /2015-03-31/functions",),
    }
    assert read.service == call
    assert read.operation in operations[call]
    assert read.params == {}
