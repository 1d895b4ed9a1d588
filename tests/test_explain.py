"""`pytest-cpjob explain`, and the page of findings: both say what the one table says."""

from __future__ import annotations

import re
from email.message import Message
from pathlib import Path

import pytest

from pytest_cpjob.cli import explain
from pytest_cpjob.cli.parser import main
from pytest_cpjob.contract.findings import KINDS
from pytest_cpjob.defaults import CHECKS

PAGE = (Path(__file__).parent.parent / "docs" / "findings.md").read_text("utf-8")


def explained(capsys: pytest.CaptureFixture[str], *names: str) -> str:
    assert main(["explain", *names]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_every_finding_has_a_row() -> None:
    assert sorted(KINDS) == sorted(CHECKS)


def test_the_page_has_the_tables_rows() -> None:
    rows = re.findall(r"^\| \[`([a-z-]+)`\]\(#\1\) \| (.*) \|$", PAGE, re.MULTILINE)

    assert len(rows) == len(KINDS)
    assert dict(rows) == {name: kind.what for name, kind in KINDS.items()}


def test_the_page_has_a_section_for_each_row() -> None:
    sections = re.findall(r"^### `(.*)`$", PAGE, re.MULTILINE)

    assert sorted(sections) == sorted(KINDS)


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    printed = explained(capsys)

    assert re.findall(r"^([a-z-]+)  ", printed, re.MULTILINE) == list(KINDS)
    for kind in KINDS.values():
        assert kind.what in " ".join(printed.split())


def test_one_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(capsys, "no-result") == (
        '"It" is the code under test: a handler or a worker.\n'
        "no-result: it reported nothing: the action hangs until it times out. It breaks\n"
        "  CodePipeline's job contract.\n"
        '  CodePipeline waits until the action times out, then fails it ("The AWS Lambda\n'
        '  function ... failed to return a result. ...").\n'
        "  To fix it: Call put_job_success_result or put_job_failure_result on every way\n"
        "  out of the code.\n"
        '  To allow it in a test: @pytest.mark.cpjob(allow=["no-result"])\n'
        "  To allow it in all tests, in the ini file: cpjob_allow = no-result\n"
    )


@pytest.mark.parametrize("name", KINDS)
def test_no_text_has_a_gap(capsys: pytest.CaptureFixture[str], name: str) -> None:
    printed = explained(capsys, name)

    assert not re.search(r"\{[a-z_]+\}", printed)
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize(("names", "section"), [((), ""), (("no-result",), "#no-result")])
def test_the_page_is_named_once_it_has_an_address(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    section: str,
) -> None:
    repository = "https://git.example/team/pytest-cpjob"
    package = Message()
    # As .ci/hatch_build.py makes them; see test_package_page.
    package["Project-URL"] = f"Source, {repository}"
    package["Project-URL"] = f"Documentation, {repository}/blob/main/docs/index.md"
    monkeypatch.setattr(explain, "metadata", {"pytest-cpjob": package}.__getitem__)

    printed = explained(capsys, *names)

    page = f"{repository}/blob/main/docs/findings.md{section}"
    assert printed.splitlines()[-1].split() == ["Page:", page]


def test_a_role_is_given_access_where_silence_is_no_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = explained(capsys, "own-role")

    assert "@pytest.mark.cpjob(own_role=True)\n" in printed
    assert "in the ini file: cpjob_own_role = true\n" in printed


def test_a_misspelt_name_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "leaked-secrets"]) == 2
    assert capsys.readouterr().err == (
        "pytest-cpjob: error: explain: there is no finding 'leaked-secrets'; did you mean"
        " 'leaked-secret'?\n"
    )
