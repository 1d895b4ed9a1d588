"""The lines of docs/migration-figures.md are counted as that page says."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from benchmarks.setup_lines import set_up_lines
from test_docs import PAGES, tables

SUITE = '''
import json
from unittest.mock import patch

# not needed by the test
OTHER = 1
REGION = "us-east-1"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Every test has a region."""
    monkeypatch.setenv("AWS_REGION", REGION)


def parameters():
    return {"theme": "dark"}


@pytest.fixture
def event():

    return {
        "UserParameters": json.dumps(parameters()),
    }


@patch("boto3.client")
def test_it(client, event):
    """One test."""
    client.return_value = None  # a comment
    handler(
        event,
    )
    client.assert_called()
    assert OTHER


def test_nothing():
    handler({})
'''
# REGION 1, environment 3, parameters 2, event 5, the decorator 1, two statements 4
LINES = 16


def test_what_a_test_needs_before_it_asserts_is_counted(tmp_path: Path) -> None:
    suite = tmp_path / "test_suite.py"
    suite.write_text(SUITE)

    assert set_up_lines("test_it", [suite]) == LINES


def test_fixtures_in_other_files_count(tmp_path: Path) -> None:
    start, end = SUITE.split("@patch")
    (tmp_path / "conftest.py").write_text(start)
    (tmp_path / "test_suite.py").write_text(f"@patch{end}")

    files = [tmp_path / "test_suite.py", tmp_path / "conftest.py"]
    assert set_up_lines("test_it", files) == LINES


@pytest.mark.parametrize(
    ("name", "text"),
    [("test_nothing", "asserts nothing"), ("test_gone", "0 times")],
)
def test_what_cannot_be_counted_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    suite = tmp_path / "test_suite.py"
    suite.write_text(SUITE)

    with pytest.raises(LookupError, match=text):
        set_up_lines(name, [suite])


def test_the_page_draws_its_medians_from_its_table() -> None:
    page = PAGES["migration-figures.md"]
    [[_, *rows]] = tables(page)

    both = [(int(theirs), int(ours)) for *_, theirs, ours in rows if ours.isdigit()]
    before, after = (statistics.median(side) for side in zip(*both, strict=True))
    assert f"The median of the five that have both falls from {before} lines to {after}." in (
        page.replace("\n", " ")
    )
    assert len(both) == 5
