"""What the page about migration promises: the steps of an old suite, and stable snapshots."""

from __future__ import annotations

import re

import pytest
from test_docs import PAGES, fenced, section, tables
from user_projects import run_alike

PAGE = PAGES["migration.md"]
OLD_SUITE = fenced(section(PAGE, "An old suite, step by step"), "py")[0]
SNAPSHOTS = fenced(section(PAGE, "Snapshot tests"), "py")[0]


def test_the_table_leads_to_every_page_about_moving() -> None:
    [shown] = tables(section(PAGE, "You have, you write"))
    led_to = re.findall(r"\]\(([\w-]+\.md)\)", "\n".join(row[-1] for row in shown[1:]))
    assert sorted(led_to) == [name for name in PAGES if name.startswith("from-")]


def indented(language: str) -> str:
    [block] = re.findall(rf"^   ```{language}\n(.*?)^   ```$", PAGE, re.DOTALL | re.MULTILINE)
    return re.sub(r"^   ", "", block, flags=re.MULTILINE)


def test_the_suite_ends_with_the_list_of_step_two_and_is_green_with_step_three(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_pasted=OLD_SUITE)

    red = pytester.runpytest("-p", "no:faker", "-p", "no:randomly")
    pytester.makefile(".ini", pytest=indented("ini"))
    green = pytester.runpytest("-p", "no:faker", "-p", "no:randomly")

    red.assert_outcomes(failed=2)
    assert indented("text") in red.stdout.str()
    green.assert_outcomes(passed=2)


def test_the_snapshots_are_the_same_in_another_run_and_others_with_another_seed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("syrupy", reason="the extra test has it")
    run_alike(monkeypatch, beside="syrupy")
    pytester.makepyfile(test_pasted=SNAPSHOTS)

    pytester.runpytest_subprocess("--snapshot-update", "-p", "no:faker").assert_outcomes(passed=2)
    again = pytester.runpytest_subprocess("-p", "no:faker", "-p", "no:randomly", "-n", "2")
    other = pytester.runpytest_subprocess("-p", "no:faker", "--cpjob-seed=7")

    again.assert_outcomes(passed=2)
    other.assert_outcomes(failed=2)
    [written] = (pytester.path / "__snapshots__").glob("test_pasted.ambr")
    assert "secretAccessKey" not in written.read_text("utf-8")
