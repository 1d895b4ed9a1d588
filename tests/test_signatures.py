"""A request to S3 over HTTP is held to the secret key of the job's credentials."""

from __future__ import annotations

from email.message import Message
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.session import Session

pytest.importorskip("flask", reason="the endpoint needs the extra server")

from pytest_cpjob.endpoint.http_server import HttpRequest
from pytest_cpjob.endpoint.signatures import is_wrong

RIGHT, WRONG = "a-Secret/Access+Key", "another"


class Sent(Exception):
    """What left a client, instead of leaving."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.target)
        self.request = request


def read(prepared: Any) -> HttpRequest:
    """The request as a server reads it."""
    headers = Message()
    if "host" not in prepared.headers:  # awscrt, where it is installed, writes it itself
        headers["Host"] = urlsplit(prepared.url).netloc
    for name, value in prepared.headers.items():
        headers[name] = value.decode("latin-1") if isinstance(value, bytes) else value
    target = prepared.url.partition(urlsplit(prepared.url).netloc)[2]
    body = prepared.body or b""
    return HttpRequest(
        prepared.method, target, headers, body if isinstance(body, bytes) else body.read(), 1
    )


def client(**config: Any) -> Any:
    made = Session().create_client(
        "s3",
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="ASIAABCDEFGHIJKLMNOP",
        aws_secret_access_key=RIGHT,
        aws_session_token="token+/=",
        config=Config(**config),
    )

    def stop(request: Any, **_: Any) -> None:
        raise Sent(read(request))

    made.meta.events.register("before-send", stop)
    return made


PLACE = {"Bucket": "codepipeline-eu-west-1-1", "Key": "pipe/Source/übung & ☕ + (1)*~'!.zip"}


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_object", PLACE),
        ("get_object", {**PLACE, "Key": "a//b/./c=1,2;3@4:5", "Range": "bytes=0-1"}),
        ("head_object", PLACE),
        ("put_object", {**PLACE, "Body": b"content", "Metadata": {"a": "x   y"}}),
        ("put_object", {**PLACE, "Body": BytesIO(b"content"), "ServerSideEncryption": "aws:kms"}),
        ("upload_part", {**PLACE, "PartNumber": 1, "UploadId": "a+b/c=", "Body": b"part"}),
        ("create_multipart_upload", PLACE),
        ("list_objects_v2", {"Bucket": PLACE["Bucket"], "Prefix": "a b+c/é", "Delimiter": "/"}),
        ("copy_object", {**PLACE, "CopySource": {"Bucket": "b", "Key": "k é"}}),
    ],
)
def test_what_botocore_signs_is_right_with_its_key_alone(
    operation: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(Sent) as sent:
        getattr(client(signature_version="s3v4"), operation)(**parameters)

    assert not is_wrong(sent.value.request, RIGHT)
    assert is_wrong(sent.value.request, WRONG)


@pytest.fixture
def presigned() -> HttpRequest:
    url = client(signature_version="s3v4").generate_presigned_url("get_object", Params=PLACE)
    headers = Message()
    headers["Host"] = "127.0.0.1:9"
    return HttpRequest("GET", url.partition("127.0.0.1:9")[2], headers, b"", 1)


def test_a_presigned_url_is_right_with_its_signers_key_alone(presigned: HttpRequest) -> None:
    assert not is_wrong(presigned, RIGHT)
    assert is_wrong(presigned, WRONG)


def test_a_presigned_url_is_good_for_what_it_was_made_for(presigned: HttpRequest) -> None:
    assert is_wrong(presigned._replace(method="PUT"), RIGHT)
    assert is_wrong(presigned._replace(target=presigned.target.replace("pipe", "pine")), RIGHT)


def test_other_versions_of_signatures_are_not_computed() -> None:
    with pytest.raises(Sent) as sent:
        client(signature_version="s3").get_object(**PLACE)

    assert sent.value.request.headers["Authorization"].startswith("AWS ASIA")
    assert not is_wrong(sent.value.request, WRONG)
