"""The workflows: what builds a release installs nothing else, and what proves it runs no code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="the extra test has it")

WORKFLOWS = Path(__file__).parents[1] / ".github" / "workflows"


def jobs() -> dict[str, dict[str, Any]]:
    read: dict[str, dict[str, Any]] = yaml.safe_load((WORKFLOWS / "release.yml").read_text())[
        "jobs"
    ]
    return read


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"]).strip()


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_the_distribution_is_built_where_nothing_else_is_installed() -> None:
    built = commands(jobs()["build"])

    assert re.findall(r"pip install (.+)", built) == ["build"]
    assert ".ci/run" not in built
    assert ".ci/run" in commands(jobs()["check"])
    for name, job in jobs().items():
        assert ("python -m build" in commands(job)) is (name == "build")


def test_a_proof_of_identity_is_for_jobs_that_run_no_code() -> None:
    trusted = {name for name, job in jobs().items() if "id-token" in job["permissions"]}

    assert trusted == {"attest", "publish"}
    for name in trusted:
        assert not commands(jobs()[name])


def test_nothing_is_published_before_everything_has_passed() -> None:
    needed, left = set(), ["publish"]
    while left:
        needs = jobs()[left.pop()].get("needs", [])
        left += [needs] if isinstance(needs, str) else needs
        needed |= {*left}
    assert needed == jobs().keys() - {"publish"}


def test_the_wheel_is_tried_on_every_system() -> None:
    assert jobs()["systems"]["strategy"]["matrix"]["system"] == [
        "ubuntu-latest",
        "macos-latest",
        "windows-latest",
    ]
