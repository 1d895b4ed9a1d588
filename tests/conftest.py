"""What all tests share: pytest inside a test (`pytester`), and a Hypothesis profile."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# In a fresh clone Hypothesis first builds its tables of Unicode, which takes more than a second and
# would be blamed on the test that draws the first text. How fast we are is for benchmarks to judge.
settings.register_profile("cpjob", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cpjob")
