"""Runs of pytest that need not import boto3 and moto: forks of a process that has.

A run is a process of its own, with its own environment, folder, plugins and modules, like that of
`runpytest_subprocess`. But for these imports, which take two thirds of a short run's time: what is
about them, or about what is loaded when, takes `runpytest_subprocess`.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

# What a stub with artifacts imports, but for plugins: pytest must be the one to load them.
IMPORTED = (
    "boto3",
    "cryptography.hazmat.primitives.ciphers",
    "moto.core.models",
    "moto.kms.responses",
    "moto.s3.responses",
    "moto.sns.responses",
    "moto.sts.responses",
)
_server: subprocess.Popen[str] | None = None


def run_forked(folder: Path, *arguments: str) -> pytest.RunResult:
    """Run pytest in a folder, in the environment of now, as `runpytest_subprocess` does."""
    run = {
        "arguments": [f"--basetemp={folder / 'basetemp'}", *arguments],
        "environment": dict(os.environ),
        "folder": str(folder),
        "out": str(folder / "stdout"),
        "err": str(folder / "stderr"),
    }
    start = time.perf_counter()
    server = _started()
    assert server.stdin is not None
    assert server.stdout is not None
    print(json.dumps(run), file=server.stdin, flush=True)
    status = int(server.stdout.readline())
    out, err = (Path(str(run[name])).read_text("utf-8").splitlines() for name in ("out", "err"))
    for lines in (out, err):
        print(*lines, sep="\n")
    return pytest.RunResult(
        os.waitstatus_to_exitcode(status), out, err, time.perf_counter() - start
    )


def _started() -> subprocess.Popen[str]:
    global _server
    if _server is None:
        _server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
        )
    return _server


@contextmanager
def ended() -> Iterator[None]:
    """End the process that is forked, if there is one by then."""
    yield
    if _server is not None:
        _server.communicate()


def _serve() -> None:
    """Fork for each line that asks for a run, and answer with the exit status."""
    for module in IMPORTED:
        import_module(module)
    gc.freeze()  # pytest collects garbage at each run's end, and would go through all of this
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(**json.loads(line))
        print(os.waitpid(child, 0)[1], flush=True)


def _become(
    arguments: list[str], environment: dict[str, str], folder: str, out: str, err: str
) -> Any:
    """Be `python -m pytest` with these arguments, and end."""
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        os.dup2(os.open(path, flags), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv = ["pytest", *arguments]
    sys.exit(pytest.main())


if __name__ == "__main__":
    _serve()
