"""Handlers by name and their context, as AWS's own Python runtime for Lambda has them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_cpjob import CodePipelineStub, HandlerError, LambdaContext

HANDLER = "def handler(event, context):\n    return {!r}\n"


def write(folder: Path, name: str, says: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(HANDLER.format(says))


def test_a_handler_in_a_folder_is_named_by_its_path(
    cpjob: CodePipelineStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "cpjob-functions" / "notify", "index.py", "notify")
    monkeypatch.syspath_prepend(tmp_path)

    assert cpjob.invoke("cpjob-functions/notify/index.handler") == "notify"


def test_two_folders_with_an_index_are_two_modules(
    cpjob: CodePipelineStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "cpjob_two" / "build", "index.py", "build")
    write(tmp_path / "cpjob_two" / "deploy", "index.py", "deploy")
    monkeypatch.syspath_prepend(tmp_path)

    assert cpjob.invoke("cpjob_two/build/index.handler") == "build"
    assert cpjob.invoke("cpjob_two/deploy/index.handler") == "deploy"


def test_no_stale_module_answers_for_another_folder(
    cpjob: CodePipelineStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for name in ("one", "two", "one"):
        write(tmp_path / name, "cpjob_index.py", name)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(tmp_path / name)
            said.append(cpjob.invoke("cpjob_index.handler"))

    assert said == ["one", "two", "one"]


def test_a_module_stays_warm_while_its_folder_is_the_same(
    cpjob: CodePipelineStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cpjob_warm_index.py").write_text(
            "calls = []\ndef handler(event, context):\n    calls.append(1)\n    return len(calls)\n"
        )
    said = []
    for name in ("one", "one", "two", "one"):
        with monkeypatch.context() as patch:
            patch.syspath_prepend(tmp_path / name)
            said.append(cpjob.invoke("cpjob_warm_index.handler"))

    assert said == [1, 2, 1, 3]


@pytest.mark.parametrize("name", ["handler", "/handler.main", "a//b.main", ".main", "a..main"])
def test_a_name_that_names_nothing_is_told(cpjob: CodePipelineStub, name: str) -> None:
    with pytest.raises(HandlerError, match=f"'folder/file.function', got {re.escape(repr(name))}"):
        cpjob.invoke(name)


def test_a_name_of_something_else_is_told_as_written(cpjob: CodePipelineStub) -> None:
    with pytest.raises(HandlerError, match=r"^'os\.sep' is not a handler\(event, context\): it is"):
        cpjob.invoke("os.sep")


def test_the_context_is_the_runtimes(
    cpjob: CodePipelineStub, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, Any] = {}

    def handler(event: Any, context: LambdaContext) -> None:
        seen["identity"] = (
            context.identity.cognito_identity_id,
            context.identity.cognito_identity_pool_id,
        )
        seen["others"] = (context.client_context, context.tenant_id)
        seen["trace"] = os.environ["_X_AMZN_TRACE_ID"]
        context.log("one ")
        context.log({"two": 2})

    cpjob.invoke(handler)

    assert seen["identity"] == (None, None)
    assert seen["others"] == (None, None)
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", seen["trace"]
    )
    assert capsys.readouterr().out == "one {'two': 2}"
    assert "_X_AMZN_TRACE_ID" not in os.environ


def test_each_invocation_has_its_own_trace(cpjob: CodePipelineStub) -> None:
    traces = []
    for _ in range(2):
        cpjob.invoke(lambda event, context: traces.append(os.environ["_X_AMZN_TRACE_ID"]))

    assert traces[0] != traces[1]


def test_what_is_logged_by_the_context_is_searched_for_secrets(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(allow=["no-result"])
    job.invoke(lambda event, context: context.log(event))

    with pytest.raises(AssertionError, match="leaked-secret"):
        cpjob.check()
