"""Every code block of the README runs as it stands there, and fails as it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from forked_pytest import run_forked
from test_docs import FINDINGS, code, fenced, tables

from pytest_cpjob.defaults import CHECKS

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
BLOCKS = fenced(README, "python")


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(len(BLOCKS))])
def test_a_block_runs_as_pasted(pytester: pytest.Pytester, block: str) -> None:
    pytester.makepyfile(test_pasted=block)

    outcomes = run_forked(pytester.path, "-p", "no:faker").parseoutcomes()

    assert set(outcomes) == {"passed"}
    assert outcomes["passed"] == block.count("\ndef test_")


def test_the_failing_report_is_what_the_terminal_shows(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    [block], [shown] = fenced(README, "python fails"), fenced(README, "text")
    monkeypatch.setenv("COLUMNS", "80")
    pytester.makepyfile(test_my_action=block)

    result = run_forked(pytester.path, "-p", "no:faker")

    result.assert_outcomes(failed=1)
    assert f"\n{shown}" in result.stdout.str()


def test_the_first_test_is_short() -> None:
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) < 15


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 160


def test_the_table_of_findings_has_every_finding() -> None:
    [[_, *rows], _] = tables(FINDINGS)
    assert sorted(code(row[0]) for row in rows) == sorted(CHECKS)
