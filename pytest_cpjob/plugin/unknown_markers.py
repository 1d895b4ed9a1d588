"""Refuses markers that begin as ours and are not registered, of which pytest itself only warns."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_cpjob.settings import nearest


def refuse_unknown_markers(metafunc: pytest.Metafunc, names: Iterable[str]) -> None:
    """Check a test's markers `cpjob_*`; users may have registered such markers of their own.

    Raises:
        pytest.fail.Exception: one is not registered; the test cannot be collected.
    """
    registered = [
        line.partition(":")[0].partition("(")[0].strip()
        for line in metafunc.config.getini("markers")
    ]
    for name in names:
        if name not in registered:
            near = nearest(name, [each for each in registered if each.startswith("cpjob")])
            raise pytest.fail.Exception(
                f"{metafunc.definition.nodeid}: unknown marker @pytest.mark.{name} (register one of"
                f" your own in pytest's option markers){near}",
                pytrace=False,
            )
