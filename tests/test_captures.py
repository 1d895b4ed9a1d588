"""`redact`: a safe copy of whatever somebody has captured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_cpjob import JobDetailsFactory, LambdaEventFactory
from pytest_cpjob.__main__ import main

Redact = Callable[..., tuple[int, str, str]]


@pytest.fixture
def redact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Redact:
    """Redacts these bytes; gives the exit code, the output and the errors."""

    def run(content: bytes, *options: str) -> tuple[int, str, str]:
        path = tmp_path / "captured"
        path.write_bytes(content)
        code = main(["redact", str(path), *options])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def event(cpjob_event_factory: LambdaEventFactory) -> Any:
    """An event whose user parameters would mislead whoever counts brackets."""
    return cpjob_event_factory(user_parameters={"a": "b'}]", "quote": '"{'})


def in_json(event: Any) -> str:
    return json.dumps(event)


def in_python(event: Any) -> str:
    return repr(event)


def in_a_log_line(event: Any) -> str:
    return f"[INFO]\t2026-11-29T01:02:03Z\t{{request}} it's the event: {event!r} (end)\n"


def among_other_lines(event: Any) -> str:
    return f'START\n{{"level": "INFO"}}\nevent = {json.dumps(event, indent=2)}\nEND\n'


def in_a_structured_log(event: Any) -> str:
    return json.dumps({"level": "INFO", "message": json.dumps(event), "timestamp": "now"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "written", [in_json, in_python, in_a_log_line, among_other_lines, in_a_structured_log]
)
def test_the_document_is_found_in_whatever_somebody_has(
    redact: Redact, event: Any, written: Callable[[Any], str], encoding: str
) -> None:
    if encoding == "utf-16-be" and written is in_a_log_line:
        pytest.skip("without a mark only text that begins as JSON is known by its zeros")
    code, out, err = redact(written(event).encode(encoding))

    assert (code, err) == (0, "")
    copied = json.loads(out)["CodePipeline.job"]["data"]
    real = event["CodePipeline.job"]["data"]
    assert copied["actionConfiguration"]["configuration"].keys() == {
        "FunctionName",
        "UserParameters",
    }
    for secret in real["artifactCredentials"].values():
        assert str(secret) not in out
    assert isinstance(copied["artifactCredentials"]["expirationTime"], int)


def test_a_printed_answer_of_boto3_is_a_document(
    redact: Redact, cpjob_details_factory: JobDetailsFactory
) -> None:
    answer = {
        **cpjob_details_factory(),
        "ResponseMetadata": {"HTTPStatusCode": 200, "RetryAttempts": 0},
    }

    code, out, _ = redact(repr(answer).encode())

    assert code == 0
    assert json.loads(out)["jobDetails"]["data"].keys() == answer["jobDetails"]["data"].keys()


def test_one_element_of_a_poll_is_a_document(
    redact: Redact, cpjob_details_factory: JobDetailsFactory
) -> None:
    polled = {**cpjob_details_factory()["jobDetails"], "nonce": "3"}

    code, out, _ = redact(json.dumps(polled).encode())

    assert (code, json.loads(out)["nonce"]) == (0, "3")


def test_the_copy_goes_into_a_file(redact: Redact, event: Any, tmp_path: Path) -> None:
    wanted = tmp_path / "safe.json"

    code, out, err = redact(json.dumps(event).encode(), "-o", str(wanted))

    assert (code, out, err) == (0, "", "")
    assert json.loads(wanted.read_text("utf-8")).keys() == event.keys()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds neither JSON nor a printed Python dict"),
        (b"no document", "holds neither JSON nor a printed Python dict"),
        (b"{}", "holds no document of a job"),
        (b'{"a": [1]}', "holds no document of a job"),
        (b"\x89PNG\r\n\x1a\n", "is not text"),
        (b"{" * 100_000, "holds neither JSON nor a printed Python dict"),
    ],
)
def test_what_holds_no_document_is_told_in_one_line(
    redact: Redact, tmp_path: Path, content: bytes, says: str
) -> None:
    code, out, err = redact(content)

    assert (code, out) == (2, "")
    assert err.startswith(f"pytest-cpjob: error: {tmp_path / 'captured'} {says}")
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.json"

    assert main(["redact", str(missing)]) == 2

    err = capsys.readouterr().err
    assert str(missing) in err
    assert err.count("\n") == 1
