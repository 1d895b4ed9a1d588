"""The recipe of a container image for `serve`: its steps, without Docker."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_command_line import served
from test_docs import PAGES, fenced, section

ROOT = Path(__file__).parent.parent
RECIPE = (ROOT / "docs" / "Dockerfile").read_text("utf-8").replace("\\\n", "")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^\s*{name} (.*)$", RECIPE, re.MULTILINE)


def words(instruction: str) -> list[str]:
    return list(json.loads(instruction[instruction.index("[") :]))


def test_what_is_copied_is_all_that_the_package_is_built_from(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the extra test has it")
    for line in instructions("COPY"):
        *sources, _ = line.split()
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tmp_path / source)
            else:
                (tmp_path / source).parent.mkdir(exist_ok=True)
                shutil.copy(ROOT / source, tmp_path / source)

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=tmp_path, check=True
    )

    assert list((tmp_path / "dist").glob("*.whl"))


def test_the_base_is_pinned_by_its_digest() -> None:
    [base] = instructions("ARG")
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", base)
    assert instructions("FROM") == ["${BASE}"]


def test_what_is_copied_is_not_ignored() -> None:
    ignored = (ROOT / "docs" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    copied = [source for line in instructions("COPY") for source in line.split()[:-1]]
    assert sorted(copied) == sorted(line[1:] for line in ignored if line.startswith("!"))


def test_it_is_installed_as_root_and_runs_as_somebody_else() -> None:
    [user] = instructions("USER")
    assert user != "root"
    assert f" {user}\n" in RECIPE[: RECIPE.index("\nUSER ")]
    assert RECIPE.index("pip install") < RECIPE.index("\nUSER ") < RECIPE.index("\nENTRYPOINT ")


def test_its_command_serves_and_its_health_check_sees_that() -> None:
    [entry], [health] = instructions("ENTRYPOINT"), instructions("HEALTHCHECK")
    program, command, *options = words(entry)
    assert (program, command) == ("pytest-cpjob", "serve")
    port = options[options.index("--port") + 1]
    check = [sys.executable, *words(health)[1:]]
    assert port in check[-1]

    with served(*options[options.index("--port") + 2 :], "--job", "Build:Custom:Docs:1") as serving:
        free = serving.env["AWS_ENDPOINT_URL"].rpartition(":")[2]
        check[-1] = check[-1].replace(port, free)
        healthy = subprocess.run(check, capture_output=True)
        [stop] = instructions("STOPSIGNAL")
        code, told = serving.interrupt(signal.Signals[stop])
    unhealthy = subprocess.run(check, capture_output=True)

    assert (healthy.returncode, code) == (0, 0)
    assert "no findings" in told
    assert unhealthy.returncode != 0


def test_the_page_gives_a_worker_what_serve_needs() -> None:
    [composed] = fenced(section(PAGES["endpoint.md"], "In a container"), "yaml")
    services = yaml.safe_load(composed)["services"]
    [port] = re.findall(r'"--port", "(\d+)"', RECIPE)

    assert services["worker"]["network_mode"] == "service:codepipeline"
    assert services["worker"]["environment"]["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"
    assert (ROOT / services["codepipeline"]["build"]["dockerfile"]).is_file()
