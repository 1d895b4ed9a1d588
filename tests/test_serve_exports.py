"""The variables of `pytest-cpjob serve`, in the words of the user's shell."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest

from pytest_cpjob.cli import exports as module
from pytest_cpjob.cli.exports import exports, usual_shell

AWKWARD = {"PLAIN": "http://127.0.0.1:1", "AWKWARD": 'it\'s $HOME; `x` "y" \u2019z'}


def test_a_posix_shell_gets_export_and_unset() -> None:
    lines = exports("posix", ["AWS_PROFILE"], {"AWS_REGION": "us-east-1"})
    assert lines == ["unset AWS_PROFILE", "export AWS_REGION=us-east-1"]


def test_powershell_gets_its_own_words() -> None:
    assert exports("powershell", ["AWS_PROFILE"], {"AWS_REGION": "us-east-1"}) == [
        "Remove-Item Env:AWS_PROFILE -ErrorAction SilentlyContinue",
        "$env:AWS_REGION = 'us-east-1'",
    ]


def test_powershell_takes_quotes_and_dollars_as_they_are() -> None:
    [_, line] = exports("powershell", [], AWKWARD)
    assert line == "$env:AWKWARD = 'it''s $HOME; `x` \"y\" \u2019\u2019z'"


def test_a_shell_takes_quotes_and_dollars_as_they_are() -> None:
    [_, line] = exports("posix", [], AWKWARD)
    assert shlex.split(line) == ["export", f"AWKWARD={AWKWARD['AWKWARD']}"]


@pytest.mark.parametrize(("shell", "program"), [("posix", "bash"), ("powershell", "pwsh")])
def test_a_real_shell_sets_and_removes_them(shell: str, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    lines = exports(shell, ["GONE"], {"SET": "it's"})
    show = 'echo "$SET/$GONE"' if shell == "posix" else 'Write-Output "$env:SET/$env:GONE"'

    ran = subprocess.run(
        [program, "-c", "\n".join([*lines, show])],
        env={**os.environ, "GONE": "here"},
        capture_output=True,
        text=True,
    )

    assert ran.stdout.strip() == "it's/"


@pytest.mark.parametrize(("system", "shell"), [("posix", "posix"), ("nt", "powershell")])
def test_the_usual_shell_is_the_systems(
    system: str, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class System:
        name = system

    monkeypatch.setattr(module, "os", System)

    assert usual_shell() == shell
