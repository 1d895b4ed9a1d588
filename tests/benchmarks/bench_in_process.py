"""The works of one process under pytest-benchmark; the normal run does not collect this file.

`python -m pytest tests/benchmarks/bench_in_process.py`
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.action import by_hand
from tests.benchmarks.measuring import always
from tests.benchmarks.sides import WORKS

ALL = {**WORKS, "whole test, by hand": lambda: always(by_hand)}


@pytest.mark.parametrize("name", ALL)
def test_cost(benchmark: Any, name: str) -> None:
    with ALL[name]()() as work:
        benchmark(work)
