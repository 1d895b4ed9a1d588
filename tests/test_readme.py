"""Every code block of the README runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from forked_pytest import run_forked

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(len(BLOCKS))])
def test_a_block_runs_as_pasted(pytester: pytest.Pytester, block: str) -> None:
    pytester.makepyfile(test_pasted=block)

    outcomes = run_forked(pytester.path, "-p", "no:faker").parseoutcomes()

    assert set(outcomes) == {"passed"}
    assert outcomes["passed"] == block.count("\ndef test_")


def test_the_first_test_is_short() -> None:
    code = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(code) < 15


def test_the_table_names_every_fixture(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--fixtures", "-p", "no:faker").stdout.str()
    fixtures = set(re.findall(r"^(cpjob\w*) --", printed, re.MULTILINE))

    named = re.findall(r"^\| `(cpjob\w*)` \|", README, re.MULTILINE)

    assert set(named) == fixtures


def test_the_table_names_every_finding() -> None:
    from pytest_cpjob.settings import CHECKS

    [table] = re.findall(r"^\| finding \|.*?\n\n", README, re.DOTALL | re.MULTILINE)
    first_cells = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    assert set(re.findall(r"`([a-z-]+)`", " ".join(first_cells))) == set(CHECKS)


def test_the_ini_line_that_turns_fakers_plugin_off_works(pytester: pytest.Pytester) -> None:
    [line] = re.findall(r"^```ini\n(.*?)\n```$", README, re.DOTALL | re.MULTILINE)
    pytester.makeini(f"[pytest]\n{line}")
    pytester.makepyfile(
        "def test_none(pytestconfig): assert not pytestconfig.pluginmanager.hasplugin('faker')"
    )

    run_forked(pytester.path).assert_outcomes(passed=1)
