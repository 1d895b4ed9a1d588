"""What all tests share: pytest inside a test (`pytester`), and a Hypothesis profile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import yaml  # noqa: F401  # before `pytester`, which would have its C part import it twice
from forked_pytest import ended
from hypothesis import HealthCheck, settings
from user_projects import run_alike

if TYPE_CHECKING:
    from pytest_cpjob import CodePipelineStub
    from pytest_cpjob.contract.observer import Evidence

pytest_plugins = ["pytester"]

# A machine behind a proxy reaches itself without it, and has no instance metadata.
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = ",".join([os.environ.get(name, ""), "127.0.0.1", "169.254.169.254"])
# moto answers nothing at an emulator's address, where clients made at import would stay.
for name in [name for name in os.environ if name.startswith(("AWS_ENDPOINT_URL", "AWS_USE_"))]:
    del os.environ[name]

# In a fresh clone Hypothesis first builds its tables of Unicode, which takes more than a second and
# would be blamed on the test that draws the first text. How fast we are is for benchmarks to judge.
settings.register_profile(
    "cpjob",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),  # a red run can be repeated
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("cpjob")

# The files whose tests take long are begun first, so that no worker is left with one at the end.
LONG = ("test_typing", "test_xdist", "test_other_clients", "test_nothing_configured")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """On several workers of pytest-xdist, keep a module's tests together where that may be."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="session", autouse=True)
def forked_pytest_is_ended() -> Iterator[None]:
    with ended():
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_is_found_without_suspicion() -> Iterator[None]:
    """Let every test of this suite show that no check would have objected to what is unsuspicious.

    So a new check whose occasion `contract.suspicion` does not know fails the tests of it.
    """
    from pytest_cpjob.contract import inspection
    from pytest_cpjob.contract.checks import find_all

    is_suspicious = inspection.is_suspicious

    def held_to_the_checks(evidence: Evidence) -> bool:
        suspicious = is_suspicious(evidence)
        assert suspicious or not find_all(evidence), "contract.suspicion does not know of this"
        return suspicious

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspection, "is_suspicious", held_to_the_checks)
        yield


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """pytest's own, whose runs load no plugin that their test does not ask for."""
    run_alike(monkeypatch)
    return pytester


@pytest.fixture(params=["invoke", "run_worker"])
def run(
    request: pytest.FixtureRequest, cpjob: CodePipelineStub
) -> Callable[[Callable[[], object]], object]:
    """Run a function as Lambda would, and as a worker."""
    if request.param == "run_worker":
        return lambda function: cpjob.run_worker(function)
    return lambda function: cpjob.invoke(lambda event, context: function())
