"""Whatever comes from outside is read or refused: archives, requests, values of options.

The examples are the same each time. `CPJOB_FUZZ=10000 pytest tests/test_fuzz.py` tries as many of
each property, other ones each time; `CPJOB_PROGRAMS` does it for programs of threads
(test_time_against_a_reference.py).
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_archives import READABLE

from pytest_cpjob import ArtifactError, CodePipelineStub
from pytest_cpjob.artifacts.archives import read_files, readable_parts
from pytest_cpjob.defaults import CHECKS
from pytest_cpjob.plugin.options import _check_layer
from pytest_cpjob.settings import OPTIONS, OptionError, resolve
from pytest_cpjob.sweeps.markers import variations

FUZZ = int(os.environ.get("CPJOB_FUZZ", "0"))
tried = settings(
    max_examples=FUZZ or 150,
    derandomize=not FUZZ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

# -- archives --------------------------------------------------------------------------------------

ARCHIVES = {kind: make() for kind, make in READABLE.items()}
NUMBERS = st.sampled_from([0, 1, 10, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF, 0x8000])


class Mutation(NamedTuple):
    """A change of some bytes, at a place that is a part of the whole."""

    place: float
    length: int
    new: bytes

    def applied(self, content: bytes) -> bytes:
        at = int(self.place * len(content))
        return content[:at] + self.new + content[at + self.length :]


PIECES = st.one_of(
    st.binary(max_size=8),
    NUMBERS.map(lambda number: number.to_bytes(4, "little")),
    st.sampled_from([b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"ustar", b"\0"]),
)
MUTATIONS = st.lists(
    st.builds(Mutation, st.floats(0, 1), st.integers(0, 40), PIECES), min_size=1, max_size=4
)


@tried
@given(kind=st.sampled_from(sorted(ARCHIVES)), mutations=MUTATIONS, inner=st.booleans())
def test_an_archive_is_files_or_a_refusal_and_is_looked_through(
    kind: str, mutations: list[Mutation], inner: bool
) -> None:
    content = ARCHIVES[kind]
    for mutation in mutations:
        content = mutation.applied(content)
    if inner:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("inner", content)
        content = stream.getvalue()

    with suppress(ArtifactError):
        read_files(content, what="output 'Site'")
    for where, opened in readable_parts(io.BytesIO(content), "output 'Site'"):
        assert where.endswith("output 'Site'")
        opened.read()


# -- the wire --------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["jobId", "nonce", "actionTypeId", "failureDetails", "message"])
            | st.text(max_size=10),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def as_cbor(value: Any) -> bytes:
    cbor2 = pytest.importorskip("cbor2", reason="the endpoint needs the extra server")
    try:
        encoded: bytes = cbor2.dumps(value)
    except (ValueError, OverflowError, UnicodeEncodeError):
        return b"\xa0"
    return encoded


def element(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>"


XML = st.recursive(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=10),
    lambda inner: st.builds(
        element,
        st.sampled_from(["Delete", "Object", "Key", "CompleteMultipartUpload", "Part", "Tagging"]),
        inner,
    ),
    max_leaves=6,
).map(str.encode)
BODIES = st.one_of(
    VALUES.map(lambda value: json.dumps(value).encode()),
    VALUES.map(as_cbor),
    XML,
    st.binary(max_size=40),
    st.builds(bytes.__add__, VALUES.map(as_cbor), st.binary(max_size=4)),
)
OPERATIONS = st.sampled_from(
    ["PollForJobs", "AcknowledgeJob", "GetJobDetails", "PutJobSuccessResult", "ListPipelines", ""]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "X-Amz-Target": st.one_of(
            OPERATIONS.map("CodePipeline_20150709.{}".format), st.text(max_size=20)
        ),
        "smithy-protocol": st.sampled_from(["rpc-v2-cbor", "rpc-v2-json"]),
        "Authorization": st.one_of(
            st.builds(
                "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{}/aws4_request,"
                " SignedHeaders={}, Signature={}".format,
                st.sampled_from(["AKIAIOSFODNN7EXAMPLE", "x", ""]),
                st.sampled_from(["us-east-1", "", "x/y"]),
                st.sampled_from(["codepipeline", "s3", "s3-object-lambda", "S3"]),
                st.sampled_from(["host", "", ";;", "host;x-amz-date"]),
                st.text("0123456789abcdef", max_size=8),
            ),
            st.text(max_size=30),
        ),
        "X-Amz-Date": st.sampled_from(["20260101T000000Z", "", "now"]),
        "Content-Type": st.sampled_from(["application/x-amz-json-1.1", "application/cbor", ""]),
        "Content-MD5": st.text(max_size=8),
        "Host": st.sampled_from(["127.0.0.1:80", "here", "evil.example", "[::1", ""]),
        "Origin": st.sampled_from(["null", "http://localhost", "https://evil.example", "::"]),
    },
)
PATHS = st.one_of(
    OPERATIONS.map("/service/CodePipeline_20150709/operation/{}".format),
    st.sampled_from(["/", "//", "/bucket", "/bucket/key", "/%ff/%00", "/?delete", "/?Action=x"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20).map("/{}".format),
)


@pytest.fixture(scope="module")
def respond() -> Iterator[Any]:
    pytest.importorskip("flask", reason="the endpoint needs the extra server")
    from pytest_cpjob.endpoint.http_server import HttpRequest
    from pytest_cpjob.endpoint.server import EndpointServer

    server = EndpointServer()
    allowed = ["unfaked-call", "refused-request", "own-role"]
    with CodePipelineStub(allow=allowed) as cpjob:
        cpjob.add_lambda_job(input_artifacts=["Source"], allow=["no-result"])
        server.wait_until_ready()
        server.serve(cpjob._harness)

        def respond(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
            message = Message()
            for name, value in headers.items():
                message[name] = value.replace("\r", " ").replace("\n", " ")
            request = HttpRequest(method, path, message, body, 1)
            return server._application.respond(request), server._application.failures

        yield respond
        server._application.failures = []
        server.end()
    server.stop()


@tried
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "HEAD", "DELETE"]),
    path=PATHS,
    headers=HEADERS,
    body=BODIES,
)
def test_whatever_is_sent_is_answered_and_no_error_of_ours(
    respond: Any, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    answer, failures = respond(method, path, headers, body)

    assert 200 <= answer.status < 600
    # What moto cannot read is moto's; it is told all the same.
    assert [error for _, error in failures if raised_by(error) == "pytest_cpjob"] == []


def raised_by(error: BaseException) -> str:
    """The package whose code raised an error."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = None if traceback is None else traceback.tb_frame
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in ("pytest_cpjob", "moto"):
            return package
        frame = frame.f_back
    return "moto"  # an answer with the status 500


# -- values of options -----------------------------------------------------------------------------

GIVEN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["us-east-1", "cn-north-1", "123456789012", *CHECKS]),
    st.lists(st.sampled_from(CHECKS) | st.text(max_size=5) | st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.binary(max_size=4),
)
LAYERS = st.dictionaries(st.sampled_from(OPTIONS) | st.text(max_size=8), GIVEN, max_size=3)


@tried
@given(layers=st.lists(LAYERS, max_size=3))
def test_options_are_settings_or_an_error_that_names_one(layers: list[dict[str, Any]]) -> None:
    refusal = ""
    try:
        resolve(layers)
        for layer in layers:
            _check_layer(layer)
    except ValueError as error:
        refusal = str(error)
    first = refusal.partition(":")[0]
    assert first in ("", *OPTIONS) or first.startswith("unknown option ")


@tried
@given(
    marker=st.sampled_from(["cpjob_faults", "cpjob_job_variants", "cpjob_warm"]),
    names=st.lists(GIVEN | st.just("plain"), max_size=3),
    options=st.dictionaries(st.sampled_from(["without", "only"]), GIVEN, max_size=2),
)
def test_a_sweep_is_variations_or_an_error_that_names_the_marker(
    marker: str, names: list[Any], options: dict[str, Any]
) -> None:
    refusal = ""
    try:
        variations(marker, tuple(names), options)
    except OptionError as error:
        refusal = str(error)
    assert refusal == "" or refusal.startswith(f"@pytest.mark.{marker}: ")
