"""`--redact` makes a captured document safe: no secret of it is left, and all of its shape is."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cpjob.cli.parser import main
from pytest_cpjob.cli.redaction import redacted

COMMANDS = ("details", "poll", "third-party", "event")
KEY = "--encryption-key"
SECRETS = {
    "accessKeyId",
    "secretAccessKey",
    "sessionToken",
    "accountId",
    "id",
    "actionExecutionId",
    "pipelineExecutionId",
    "bucketName",
    "revision",
    "continuationToken",
    "clientToken",
    "Theme",
    "Password",
    "UserParameters",
}
"""The members whose values must be others afterwards; an object's key is cut into its parts."""


def captured(command: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([command, "--seed", "the real one", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, name))
    else:
        yield path, value


def secrets_of(document: Any) -> set[str]:
    found = set()
    for path, value in leaves(document):
        if path[-1] in SECRETS and isinstance(value, str):
            found.add(value)
        if path[-1] == "objectKey":
            found.add(value.rpartition("/")[2])
        found |= set(re.findall(r"\b\d{12}\b|[0-9a-f]{8}-[0-9a-f-]{27}", str(value)))
    return found


@pytest.mark.parametrize(
    "old",
    [
        "12345678-1234-4234-8234-123456789012",
        "a2345678-1234-4234-8234-123456789012",
        "A2345678-1234-4234-8234-123456789012",
    ],
)
def test_an_id_keeps_its_case(old: str) -> None:
    new = redacted({"jobDetails": {"id": old}})["jobDetails"]["id"]

    assert new != old
    assert new == (new.upper() if old.startswith("A") else new.lower())


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_secret_survives_and_the_shape_stays(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    arguments = ["--account-id", "998877665544", "--continuation-token", "a real token", KEY]
    arguments += ["--configuration", "Theme=midnight", "--configuration", "Password=hunter2hunter2"]
    real = captured(command, capsys, *arguments)
    file = tmp_path / "captured.json"
    file.write_text(json.dumps(real), "utf-8")

    assert main([command, "--redact", str(file)]) == 0
    text = capsys.readouterr().out
    safe = json.loads(text)

    secrets = secrets_of(real)
    assert len(secrets) > 10
    assert {secret for secret in secrets if secret in text} == set()
    assert [path for path, _ in leaves(safe)] == [path for path, _ in leaves(real)]
    for (path, before), (_, after) in zip(leaves(real), leaves(safe), strict=True):
        assert type(before) is type(after), path


def test_names_and_types_stay(capsys: pytest.CaptureFixture[str]) -> None:
    real = captured("details", capsys, "--pipeline-name", "web", "--input-artifact", "Source")

    before, after = real["jobDetails"]["data"], redacted(real)["jobDetails"]["data"]

    assert after["actionTypeId"] == before["actionTypeId"]
    assert after["pipelineContext"]["pipelineName"] == "web"
    assert after["pipelineContext"]["stage"] == before["pipelineContext"]["stage"]
    assert [one["name"] for one in after["inputArtifacts"]] == ["Source"]
    key = after["inputArtifacts"][0]["location"]["s3Location"]["objectKey"]
    assert re.fullmatch(r"web/Source/[A-Za-z0-9]{7}", key)


def test_what_was_one_value_is_one_value_again(capsys: pytest.CaptureFixture[str]) -> None:
    real = captured("details", capsys, "--region", "eu-west-1", KEY)

    safe = redacted(real)["jobDetails"]

    account, data = safe["accountId"], safe["data"]
    context = data["pipelineContext"]
    name = context["pipelineName"]
    assert context["pipelineArn"] == f"arn:aws:codepipeline:eu-west-1:{account}:{name}"
    assert data["encryptionKey"]["id"].startswith(f"arn:aws:kms:eu-west-1:{account}:key/")
    places = [
        data[kind][0]["location"]["s3Location"] for kind in ("inputArtifacts", "outputArtifacts")
    ]
    assert len({place["bucketName"] for place in places}) == 1
    assert places[0]["bucketName"].startswith("codepipeline-eu-west-1-")


def test_values_look_like_aws_own(capsys: pytest.CaptureFixture[str]) -> None:
    real = captured("event", capsys)

    data = redacted(real)["CodePipeline.job"]["data"]

    keys = data["artifactCredentials"]
    assert re.fullmatch(r"ASIA[A-Z2-7]{16}", keys["accessKeyId"])
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", keys["secretAccessKey"])
    assert keys["sessionToken"].startswith("IQoJb3JpZ2luX2VjE")
    assert re.fullmatch(r"[0-9a-f]{40}", data["inputArtifacts"][0]["revision"])
    assert data["outputArtifacts"][0]["revision"] is None


def test_the_seed_chooses_the_new_values(capsys: pytest.CaptureFixture[str]) -> None:
    real = captured("details", capsys)

    assert redacted(real, seed="1") == redacted(real, seed="1") != redacted(real, seed="2")


def test_a_document_comes_from_standard_input_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Input:
        # Windows' tools begin UTF-8 with a mark.
        content = b'{"jobDetails": {"accountId": "998877665544", "caf\xc3\xa9": null}}'
        buffer = io.BytesIO(b"\xef\xbb\xbf" + content)

    monkeypatch.setattr("sys.stdin", Input())

    assert main(["details", "--redact", "-"]) == 0

    safe = json.loads(capsys.readouterr().out)["jobDetails"]
    assert safe["accountId"] != "998877665544"
    assert safe["café"] is None


UUID = "0A1B2C3D-4e5f-6789-abcd-ef0123456789"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PLACES = {
    "a UUID in capitals": {"jobId": UUID},
    "an id inside a text": {"message": f"job {UUID} in 998877665544 failed"},
    "an account as a number": {"accountId": 998877665544},
    "a key id inside a text": {"message": "by AKIAIOSFODNN7EXAMPLE"},
    "a secret inside a text": {"log": f"key={SECRET}"},
    "a commit inside a text": {"summary": f"built {COMMIT}."},
    "STS's own spelling": {"Credentials": {"SecretAccessKey": SECRET}},
    "a bucket inside a URI": {"uri": "s3://codepipeline-eu-west-1-123456789/web/Source/abc"},
    "a bucket known from elsewhere": {"bucketName": "my-bucket", "arn": "arn:aws:s3:::my-bucket/x"},
    "a token known from elsewhere": {"continuationToken": "page seven", "log": "got page seven"},
    "a configured value elsewhere": {
        "configuration": {"Password": "hunter2hunter2"},
        "message": "login with hunter2hunter2 failed",
    },
    "a multi-region key": {"id": f"arn:aws:kms:eu-west-1:998877665544:key/mrk-{COMMIT[:32]}"},
    "a name of a member": {"998877665544": {UUID: 1}},
    "JSON inside a text": {"Message": json.dumps({"secretAccessKey": SECRET, "id": UUID})},
    "parameters of a function": {
        "configuration": {"UserParameters": json.dumps({"pin": 998877, "to": ["ops@x.io"]})}
    },
    "a number as a configuration": {"configuration": {"Pin": "998877"}},
    "a function by its ARN": {
        "configuration": {"FunctionName": "arn:aws:lambda:us-east-1:998877665544:function:docs"}
    },
    "output variables": {"outputVariables": {"url": "https://ops@x.io/hunter2hunter2"}},
    "a partner's client": {"clientToken": "hunter2hunter2", "clientId": UUID},
    "a version of an object": {"revision": "998877.hunter2hunter2"},
}


@pytest.mark.parametrize("document", PLACES.values(), ids=PLACES.keys())
def test_secrets_are_found_wherever_they_stand(document: Any) -> None:
    text = json.dumps(redacted(document))

    for secret in (
        "998877",
        UUID,
        "IOSFODNN7EXAMPLE",
        SECRET,
        COMMIT[:32],
        "my-bucket",
        "eu-west-1-123456789",
        "page seven",
        "hunter2hunter2",
        "ops@x.io",
    ):
        assert secret not in text
    if "FunctionName" in text:
        assert text.endswith(':function:docs"}}')


def test_json_in_a_configuration_stays_readable_json() -> None:
    parameters = {"theme": "dark", "pages": 7, "ratio": 0.5, "draft": True, "to": ["x", None, ""]}

    safe = redacted({"configuration": {"UserParameters": json.dumps(parameters)}})

    assert json.loads(safe["configuration"]["UserParameters"]) == {
        "theme": "redacted",
        "pages": 0,
        "ratio": 0.0,
        "draft": True,
        "to": ["redacted", None, ""],
    }


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "revision", "configuration", "bucketName", "objectKey"])
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(DOCUMENTS)
def test_any_json_keeps_its_shape(document: Any) -> None:
    safe = redacted(document)

    assert len(list(leaves(safe))) == len(list(leaves(document)))
    for (_, before), (_, after) in zip(leaves(document), leaves(safe), strict=True):
        assert type(before) is type(after)
        assert (before == "") == (after == "")


def test_a_document_deeper_than_any_of_aws_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * 300 + "]" * 300)

    assert main(["details", "--redact", str(file)]) == 2

    assert capsys.readouterr().err.count("\n") == 1
