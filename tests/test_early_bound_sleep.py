"""A `sleep` that a module has bound: found without a look through all modules each time."""

from __future__ import annotations

import gc
import sys
import time
import weakref
from types import ModuleType

import pytest

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.virtual_time import rebinding


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that is there before anything runs, and has bound nothing."""
    made = ModuleType("bound_late")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def run(cpjob: CodePipelineStub, code: str, module: ModuleType) -> float:
    """Run code as a handler in a module's namespace; return how far the job clock moved."""
    before = cpjob.now
    cpjob.invoke(lambda event, context: exec(code, vars(module)))
    return cpjob.now - before


def test_a_name_that_a_known_module_binds_between_two_runs_is_replaced(
    cpjob: CodePipelineStub, module: ModuleType
) -> None:
    assert run(cpjob, "", module) == 0
    exec("from time import sleep", vars(module))

    assert run(cpjob, "sleep(60)", module) == 60
    assert vars(module)["sleep"] is time.sleep


def test_what_a_known_module_binds_during_a_run_is_pythons_afterwards(
    cpjob: CodePipelineStub, module: ModuleType
) -> None:
    assert run(cpjob, "", module) == 0
    assert run(cpjob, "from time import monotonic, sleep; sleep(30)", module) == 30
    assert vars(module)["sleep"] is time.sleep
    assert vars(module)["monotonic"] is time.monotonic


def test_modules_are_looked_through_once_while_nothing_changes(
    cpjob: CodePipelineStub, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):  # the first imports time-machine, where that is installed
        assert run(cpjob, "import time; time.sleep(1)", module) == 1
    looked: list[object] = []
    original = rebinding._namespaces
    monkeypatch.setattr(
        rebinding, "_namespaces", lambda modules: looked.append(1) or original(modules)
    )
    assert run(cpjob, "time.sleep(1)", module) == 1
    assert looked == []


def test_a_module_that_is_gone_is_not_kept(cpjob: CodePipelineStub) -> None:
    made = ModuleType("goes")
    sys.modules["goes"] = made
    kept = weakref.ref(made)
    del made
    cpjob.invoke(lambda event, context: sys.modules.pop("goes"))
    gc.collect()
    assert kept() is None
