"""What a module gets done to it once it is imported, be that before or after."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_cpjob.patching import Undo, when_imported

LATE = """
import sys
from pytest_cpjob import CodePipelineStub
assert "asyncio" not in sys.modules

def function(event, context):
    import asyncio
    asyncio.run(asyncio.sleep(600))
    return asyncio.BaseEventLoop.time

with CodePipelineStub() as cpjob:
    before = list(sys.meta_path)
    during = cpjob.invoke(function)
    assert cpjob.now == 600
    import asyncio
    assert asyncio.BaseEventLoop.time is not during
    assert sys.meta_path == before
"""


def test_a_handler_that_imports_asyncio_itself_does_not_wait_either() -> None:
    subprocess.run([sys.executable, "-c", LATE], check=True, timeout=120)


def test_nothing_is_done_after_the_undo(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("modules")
    for name in ("cpjob_first", "cpjob_second"):
        (folder / f"{name}.py").write_text("ready = True\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    done: list[str] = []
    undo, finders = Undo(), list(sys.meta_path)

    when_imported("cpjob_first", lambda: done.append("first"), undo)
    when_imported("cpjob_second", lambda: done.append("second"), undo)
    when_imported("sys", lambda: done.append("there already"), undo)
    assert done == ["there already"]
    first = __import__("cpjob_first")
    undo.all()
    __import__("cpjob_second")

    assert first.ready
    assert done == ["there already", "first"]
    assert sys.meta_path == finders
    for name in ("cpjob_first", "cpjob_second"):
        del sys.modules[name]
