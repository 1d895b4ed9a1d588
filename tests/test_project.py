"""The project's own files agree with each other."""

from __future__ import annotations

import re
from importlib.metadata import entry_points, metadata, requires
from pathlib import Path

import pytest

from pytest_cpjob.requirements import FLOORS

ROOT = Path(__file__).parent.parent
LOWEST = ROOT / ".ci" / "lowest.txt"
VERSIONS = (ROOT / "docs" / "versions.md").read_text("utf-8")
RUNTIME = {"boto3", "botocore", "faker", "moto", "pytest"}


def declared_floors() -> dict[str, str]:
    """Name -> lowest version, of what pyproject.toml requires at run time and in users' extras."""
    floors = {}
    for requirement in requires("pytest-cpjob") or []:
        if re.search(r"extra == .(test|docs|benchmarks).", requirement):
            continue
        match = re.match(r"([\w-]+)(?:\[[\w,-]+\])?>=([\d.]+)(?: *;|$)", requirement)
        assert match, f"{requirement!r} is no plain floor: a name, >= and a version, no upper cap"
        floors[match[1].lower()] = match[2]
    return floors


def test_the_lowest_versions_under_test_are_the_declared_floors() -> None:
    pins = dict(
        line.split("==")
        for line in LOWEST.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )

    assert declared_floors() == pins
    assert pins.keys() >= RUNTIME


def test_the_page_of_versions_and_our_errors_name_the_declared_floors() -> None:
    told = {
        name.strip().lower(): lowest
        for names, lowest in re.findall(r"^\| ([\w, -]+) \| ([\d.]+) \|", VERSIONS, re.MULTILINE)
        for name in names.split(",")
    }
    # time-machine's is no refusal: an older one is left alone (tests/test_time_of_day.py).
    refused = {**FLOORS, "time-machine": declared_floors()["time-machine"]}

    assert told.pop("python") == metadata("pytest-cpjob")["Requires-Python"].removeprefix(">=")
    assert told == refused == declared_floors()


def test_the_page_of_versions_names_a_newer_version_than_the_lowest_that_ran() -> None:
    rows = re.findall(r"^\| ([\w, -]+) \| ([\d.]+) \| ([\d.]+) \|", VERSIONS, re.MULTILINE)
    assert {names for names, *_ in rows} >= {"Python", "pytest", "boto3, botocore", "moto"}
    for names, lowest, newest in rows:
        assert [int(part) for part in newest.split(".")] > [
            int(part) for part in lowest.split(".")
        ], names


def test_the_table_of_layers_has_every_module_of_the_top_folder() -> None:
    layout = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("## The layout", 1)[1]
    tables = "\n".join(re.findall(r"^\|.*\|$", layout.split("\n## ", 1)[0], re.MULTILINE))
    folder = ROOT / "pytest_cpjob"
    modules = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    packages = [f"{path.parent.name}/" for path in folder.glob("*/__init__.py")]

    named = re.findall(r"`([\w/]+)`", "\n".join(re.findall(r"^\| (.*?) \|", tables, re.MULTILINE)))

    assert sorted(named) == sorted(modules + packages)


def test_pytest_finds_the_plugin_once(pytestconfig: pytest.Config) -> None:
    [found] = entry_points(group="pytest11", name="cpjob")

    assert found.value == "pytest_cpjob.plugin"
    assert pytestconfig.pluginmanager.get_plugin("cpjob") is found.load()
