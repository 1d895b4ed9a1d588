"""What the package index shows and what the wheel holds, from a wheel built here."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hatchling", reason="the extra test has it")

ROOT = Path(__file__).parent.parent
REPOSITORY = "https://example.com/somebody/pytest-cpjob"


def relative_links(markdown: str) -> list[str]:
    prose = re.sub(r"^```.*?^```$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return [
        target
        for target in re.findall(r"\]\(([^)\s]+)\)", prose)
        if not re.match(r"https?://|#", target)
    ]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def page(wheel: zipfile.ZipFile) -> Message:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(wheel.read(name))


@pytest.fixture(scope="module")
def hook() -> Any:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / ".ci" / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_wheel_has_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    files = [name for name in wheel.namelist() if ".dist-info/" not in name]
    tracked = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pytest_cpjob").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert set(files) == tracked
    assert [name for name in files if not name.endswith((".py", "/py.typed"))] == []
    information = sorted(name.partition(".dist-info/")[2] for name in wheel.namelist())
    assert [name for name in information if name] == [
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    ]


def test_no_link_of_the_page_needs_the_repository_around_it(page: Message) -> None:
    text = str(page.get_payload())

    assert relative_links((ROOT / "README.md").read_text("utf-8"))
    assert relative_links(text) == []
    assert "[moto](https://docs.getmoto.org)" in text
    assert page["Description-Content-Type"].startswith("text/markdown")


def test_without_a_repository_no_address_is_invented(page: Message) -> None:
    assert page.get_all("Project-URL") is None


def test_a_repository_gives_all_links_of_the_page(hook: Any) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    assert list(hook.project_urls(REPOSITORY)) == [
        "Documentation",
        "Source",
        "Changelog",
        "Issues",
    ]
    shown = hook.readme_outside(readme, REPOSITORY, "v0.2.0")
    assert relative_links(shown) == []
    for target in relative_links(readme):
        assert f"]({REPOSITORY}/blob/v0.2.0/{target})" in shown


def test_code_stays_as_it_is_written(hook: Any) -> None:
    readme = "[a](b.md) and [c](#d)\n\n```python\nx[0](y.z)\n```\n"

    assert hook.readme_outside(readme, "", "v1") == "a and [c](#d)\n\n```python\nx[0](y.z)\n```\n"


def test_the_page_names_each_python_that_the_changelog_and_ci_do(page: Message) -> None:
    named = [
        classifier.rpartition(" ")[2]
        for classifier in page.get_all("Classifier") or []
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", classifier)
    ]
    assert f"[{', '.join(f'{name!r}' for name in named)}]".replace("'", '"') in (
        ROOT / ".github" / "workflows" / "ci.yml"
    ).read_text("utf-8")


def test_the_changelog_begins_with_this_version(page: Message) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    sections = re.findall(r"^## \[(.*)\]", changelog, re.MULTILINE)
    assert next(name for name in sections if name != "Unreleased") == page["Version"]
