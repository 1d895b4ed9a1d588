"""What all tests share: pytest inside a test (`pytester`), and a Hypothesis profile."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from user_projects import LEAN

pytest_plugins = ["pytester"]

# In a fresh clone Hypothesis first builds its tables of Unicode, which takes more than a second and
# would be blamed on the test that draws the first text. How fast we are is for benchmarks to judge.
settings.register_profile("cpjob", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cpjob")


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """pytest's own, whose runs load no plugin that their test does not ask for."""
    monkeypatch.setenv("PYTEST_ADDOPTS", LEAN)
    return pytester
