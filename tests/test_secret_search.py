"""Leaks that are not written as they are: encoded, in other places, and what no report shows."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import string
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode

import boto3
import pytest
from artifact_clients import place, s3_of
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, ContractError
from pytest_cpjob.contract.long_words import long_words
from pytest_cpjob.contract.masking import mask, masking
from pytest_cpjob.contract.part_index import PartIndex
from pytest_cpjob.contract.secret_search import SecretIndex
from pytest_cpjob.contract.secret_values import SecretValues

CLIENT = boto3.client("codepipeline", region_name="us-east-1")


def run(cpjob: CodePipelineStub, leak: Callable[[str], object]) -> str:
    """Run a handler that does something with its secret key, and return the finding."""
    secrets = []

    def handler(event: Any, context: Any) -> None:
        job = event["CodePipeline.job"]
        secrets.append(job["data"]["artifactCredentials"]["secretAccessKey"])
        leak(secrets[0])
        CLIENT.put_job_success_result(jobId=job["id"])

    cpjob.add_lambda_job().invoke(handler)
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("leaked-secret",)
    said = str(caught.value)
    assert secrets[0] not in said
    assert base64.b64encode(secrets[0].encode()).decode()[:40] not in said
    return said


# -- encoded ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encode", "form"),
    [
        (lambda text: base64.b64encode(text.encode()).decode(), "base64"),
        (lambda text: base64.b64encode(f"a{text}".encode()).decode(), "base64"),
        (lambda text: base64.b64encode(f"ab{text}c".encode()).decode(), "base64"),
        (lambda text: f"key/{base64.b64encode(json.dumps([text]).encode()).decode()}", "base64"),
        (lambda text: base64.urlsafe_b64encode(f"\xff?>{text}".encode()).decode(), "base64"),
        (lambda text: base64.encodebytes(b"x" * 40 + text.encode()).decode(), "base64"),
        (lambda text: text.encode().hex(), "hex"),
        (lambda text: f"a{text.encode().hex().upper()}", "hex"),
        (lambda text: "".join(f"%{byte:02X}" for byte in text.encode()), "URL-encoded"),
        (lambda text: urlencode({"key": f"{text[:20]}{text[20:]}", "%": quote("/")}), ""),
        (lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text), "escaped"),
    ],
)
def test_an_encoded_secret_is_found(
    cpjob: CodePipelineStub, encode: Callable[[str], str], form: str
) -> None:
    said = run(cpjob, lambda secret: print("it is", encode(secret)))
    assert " is in stdout" in said
    assert f"stdout ({form})" in said or not form


def test_a_secret_in_two_writes_is_found(cpjob: CodePipelineStub) -> None:
    import sys

    def leak(secret: str) -> None:
        sys.stdout.write(secret[:20])
        sys.stdout.write(secret[20:])

    assert " is in stdout." in run(cpjob, leak)


def test_bytes_below_standard_output_are_heard(cpjob: CodePipelineStub) -> None:
    import sys

    said = run(cpjob, lambda secret: sys.stdout.buffer.write(secret.encode()))
    assert said.startswith("leaked-secret (tests/test_secret_search.py:")


# -- other places ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sends",
    [
        lambda secret: boto3.client("sns", "us-east-1").publish(
            TopicArn=boto3.client("sns", "us-east-1").create_topic(Name="a")["TopicArn"],
            Message=f"it is {secret}",
        ),
        lambda secret: boto3.client("ssm", "us-east-1").put_parameter(
            Name="a", Value=secret, Type="String"
        ),
        lambda secret: boto3.client("sqs", "us-east-1").send_message(
            QueueUrl=boto3.client("sqs", "us-east-1").create_queue(QueueName="a")["QueueUrl"],
            MessageBody=base64.b64encode(secret.encode()).decode(),
        ),
    ],
    ids=["sns", "ssm", "sqs"],
)
def test_what_another_service_is_given_is_looked_through(
    sends: Callable[[str], object], cpjob: CodePipelineStub
) -> None:
    with mock_aws():
        said = run(cpjob, sends)
    assert said.startswith("leaked-secret (tests/test_secret_search.py:")
    assert any(f" of {name}." in said for name in ("sns", "ssm", "sqs"))


def test_what_is_kept_as_a_secret_is_no_leak(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        job = event["CodePipeline.job"]
        secret = job["data"]["artifactCredentials"]["secretAccessKey"]
        boto3.client("secretsmanager", "us-east-1").create_secret(Name="a", SecretString=secret)
        boto3.client("ssm", "us-east-1").put_parameter(Name="a", Value=secret, Type="SecureString")
        CLIENT.put_job_success_result(jobId=job["id"])

    with mock_aws():
        cpjob.add_lambda_job().invoke(handler)
    cpjob.check()


def zipped(secret: str, where: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(secret.replace("/", "_") if where == "name" else "a", "b")
        archive.comment = secret.encode() if where == "comment" else b""
    return stream.getvalue()


@pytest.mark.parametrize("where", ["metadata", "tags", "comment"])
def test_what_is_beside_an_outputs_files_is_looked_through(
    cpjob: CodePipelineStub, where: str
) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"])

    def handler(event: Any, context: Any) -> None:
        data = event["CodePipeline.job"]["data"]
        secret = data["artifactCredentials"]["secretAccessKey"]
        more: dict[str, Any] = {}
        if where == "metadata":
            more = {"Metadata": {"by": secret}}
        if where == "tags":
            more = {"Tagging": urlencode({"by": secret})}
        s3_of(job).put_object(**place(job, "Site"), Body=zipped(secret, where), **more)
        CLIENT.put_job_success_result(jobId=job.id)

    job.invoke(handler)
    with pytest.raises(ContractError, match="leaked-secret"):
        cpjob.check()


# -- the search ------------------------------------------------------------------------------------


FEW = st.text("ab", max_size=40) | st.text("ab €", max_size=40)
"""Texts of few letters, so that values overlap, repeat, and stand in each other."""


@given(values=st.lists(FEW, max_size=30), around=st.lists(FEW), start=st.integers(0, 40))
def test_every_value_is_found_wherever_it_stands(
    values: list[str], around: list[str], start: int
) -> None:
    text = "".join(around) + "".join(values)[start:]
    many = SecretIndex(SecretValues([*values, *(f"{number:020}" for number in range(20))]))

    for index in (SecretIndex(SecretValues(values)), many):
        assert index.plain(text) == [
            (at, value)
            for at in range(len(text))
            for value in sorted({value for value in values if len(value) >= 8})
            if text.startswith(value, at)
        ]


@given(text=st.text("aZ9+/_-=é€\n ", max_size=80), least=st.integers(1, 20))
def test_long_words_are_those_that_a_pattern_finds(text: str, least: int) -> None:
    words = re.finditer(f"[A-Za-z0-9+/_-]{{{least},}}", text)
    assert long_words(text, least) == [word.span() for word in words]


@given(values=st.lists(FEW, min_size=1), start=st.integers(0, 40), other=FEW)
def test_a_part_is_one_of_some_value(values: list[str], start: int, other: str) -> None:
    parts = PartIndex(values, 16)
    everything = "\n".join(values)

    for part in (other, *(value[start : start + 16] for value in values)):
        assert parts.has(part) == (part in everything)


def test_parts_of_many_values_that_come_one_after_the_other_are_found() -> None:
    draw, values = random.Random(7), []
    parts = PartIndex(values, 16)
    for number in range(7_000):  # some 600,000 pieces
        values.append("".join(draw.choices(string.ascii_letters, k=1_000)))
        if not number % 100:
            chosen = draw.choice(values)
            at = draw.randrange(900)
            assert parts.has(chosen[at : at + draw.randrange(16, 60)])
            assert not parts.has(chosen[at : at + 40][::-1])


def test_what_many_secrets_have_in_common_leads_to_no_more_of_them() -> None:
    begin, end = "-----BEGIN PRIVATE KEY-----\n", "\n-----END PRIVATE KEY-----\n"
    values = [f"{begin}{'M' * 30}{number:05}{'A' * 30}{end}" for number in range(3_000)]
    index = SecretIndex(SecretValues(values))

    assert len(index.plain("".join(values))) == 3_000
    assert max(map(len, index._with_word._spans.values())) < 100


def test_a_long_line_of_many_secrets_is_quoted_in_part_and_shows_none(
    cpjob: CodePipelineStub,
) -> None:
    jobs = [cpjob.add_lambda_job() for _ in range(60)]
    tokens = [
        job.details["jobDetails"]["data"]["artifactCredentials"]["sessionToken"] for job in jobs
    ]

    def handler(event: Any, context: Any) -> None:
        print("x" * 3_000, *tokens[:30], "and", *tokens[30:], "y" * 3_000, sep="")
        for job in jobs:
            CLIENT.put_job_success_result(jobId=job.id)

    handler(jobs[0].event, None)
    with pytest.raises(ContractError) as caught:
        cpjob.check()

    text = str(caught.value)
    assert "The line: ...<masked>" in text
    assert not any(token[at : at + 8] in text for token in tokens for at in range(40, 400, 4))


def test_a_secret_encoded_over_several_lines_is_quoted_in_none(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    token = job.details["jobDetails"]["data"]["artifactCredentials"]["sessionToken"]
    encoded = base64.encodebytes(b"the token is " + token.encode()).decode()

    def handler(event: Any, context: Any) -> None:
        print("sent:", encoded, "and done")
        CLIENT.put_job_success_result(jobId=job.id)

    handler(job.event, None)
    with pytest.raises(ContractError) as caught:
        cpjob.check()

    text = str(caught.value)
    assert "stdout (base64)" in text
    assert not any(encoded[at : at + 12] in text for at in range(20, len(encoded) - 12))


@pytest.mark.parametrize("following", ["hello world", "123 456\nabc"])
def test_what_comes_after_an_encoded_secret_is_shown(
    cpjob: CodePipelineStub, following: str
) -> None:
    """Base64 goes on in the next line, as mails break it; a log's next line may look like that."""
    job = cpjob.add_lambda_job()
    key = job.details["jobDetails"]["data"]["artifactCredentials"]["secretAccessKey"]
    encoded = base64.b64encode(f"{key}.".encode()).decode().rstrip("=")

    shown = masking(cpjob._harness.service)(f"sent {encoded}\n{following}")

    assert shown == f"sent <masked>\n{following}"


def test_secrets_that_come_later_are_masked_too(
    cpjob: CodePipelineStub,
) -> None:
    service = cpjob._harness.service
    for number in range(3):
        job = cpjob.add_lambda_job()
        old = job.details["jobDetails"]["data"]["artifactCredentials"]["secretAccessKey"]
        CLIENT.get_job_details(jobId=job.id)  # which renews them
        new = job.details["jobDetails"]["data"]["artifactCredentials"]["secretAccessKey"]
        partner = cpjob.add_third_party_job(client_token=f"token number {number}")
        text = f"{old} {new} {partner.client_token}"
        assert mask(service, text) == "<masked> <masked> <masked>"


def test_the_index_finds_what_a_search_of_each_value_finds() -> None:
    draw = random.Random(7)
    values = {"".join(draw.choices("abcd", k=draw.randrange(8, 40))) for _ in range(200)}
    listed = sorted(values)
    for _ in range(50):
        text = "".join(
            draw.choice(listed) if draw.random() < 0.5 else "".join(draw.choices("abcd", k=30))
            for _ in range(20)
        )
        expected = {
            (at, value) for value in values for at in range(len(text)) if text.startswith(value, at)
        }
        assert set(SecretIndex(SecretValues(values)).plain(text)) == expected


@pytest.mark.parametrize("shape", ["{:018} is the key", "key: {:018}", "{:07} {:07}", "{:040}="])
def test_many_values_are_found_whatever_words_they_consist_of(shape: str) -> None:
    values = [shape.format(number, number) for number in range(100)]
    text = "\n".join(f"{'-' * number}{value}" for number, value in enumerate(values))

    assert [value for _, value in SecretIndex(SecretValues(values)).plain(text)] == values


# -- no false alarms -------------------------------------------------------------------------------


def test_an_output_encrypted_twice_has_the_pipelines_key(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"], encryption_key=True)

    def handler(event: Any, context: Any) -> None:
        s3_of(job).put_object(
            **place(job, "Site"),
            Body=b"x",
            ServerSideEncryption="aws:kms:dsse",
            SSEKMSKeyId=job.encryption_key,
        )
        CLIENT.put_job_success_result(jobId=job.id)

    job.invoke(handler)
    cpjob.check()


def test_threads_that_wait_for_work_are_not_running() -> None:
    condition = threading.Condition()

    def work() -> None:
        with condition:
            condition.wait()

    with CodePipelineStub():
        waiting = threading.Thread(target=work, daemon=True)
        waiting.start()
        pool = ProcessPoolExecutor(1)
        assert pool.submit(int, "7").result() == 7
    with condition:
        condition.notify_all()
    waiting.join()
    pool.shutdown()
