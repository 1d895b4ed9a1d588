"""A fresh environment with the wheel of this checkout: an editable install starts slower."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent


@contextmanager
def installed_wheel() -> Iterator[str]:
    """Give the Python of an environment with the wheel, pytest-xdist and what they require.

    The versions are those of the environment that this runs in, so that all rows tell of the same.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        constraints = folder / "constraints.txt"
        constraints.write_text(
            "".join(
                f"{each.metadata['Name']}=={each.version}\n"
                for each in distributions()
                if each.metadata["Name"] != "pytest-cpjob"
            ),
            encoding="utf-8",
        )
        _run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", name, str(ROOT))
        [wheel] = folder.glob("pytest_cpjob-*.whl")
        venv.create(folder / "env", with_pip=True)
        [python] = [*folder.glob("env/bin/python"), *folder.glob("env/Scripts/python.exe")]
        install = ("-m", "pip", "install", "-q", "-c", str(constraints))
        _run(str(python), *install, str(wheel), "pytest-xdist")
        yield str(python)


def _run(*arguments: str) -> None:
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{ended.stderr}")
