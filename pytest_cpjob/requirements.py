"""The lowest versions of what we stand on, and how one that is older is refused at its first use.

pip keeps these floors where it installs us; a vendored or pinned older copy would otherwise show
itself by an error from somewhere inside.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import Final

from pytest_cpjob.errors import CpjobError

FLOORS: Final = {
    "boto3": "1.35.37",
    "botocore": "1.35.37",
    "cbor2": "5.6.5",
    "faker": "30.0.0",
    "hypothesis": "6.112.0",
    "moto": "5.0.16",
    "pytest": "8.0.0",
    "pyyaml": "6.0.2",
}
"""The lowest version of each, as in `pyproject.toml`."""


def require(*names: str) -> None:
    """Refuse a dependency that is too old, before it is used.

    Raises:
        CpjobError: with its name, the version found and the version needed.
    """
    for name in names:
        # What is loaded says itself what it is; asking for what is installed costs more.
        found = getattr(sys.modules.get(name), "__version__", None) or _installed(name)
        if found is not None:
            _check(name, str(found))


@cache
def _installed(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _check(name: str, found: str) -> None:
    needed = FLOORS[name]
    release = re.match(r"\d+(?:\.\d+)*", found)
    if release is not None and _numbers(release.group()) < _numbers(needed):
        raise CpjobError(
            f"{name} {found} is too old for pytest-cpjob, which needs {name} {needed} or later\n"
            f"- way out: pip install --upgrade '{name}>={needed}'"
        )


def _numbers(version: str) -> tuple[int, ...]:
    # 8.0 and 8.0.0 are one.
    return tuple(map(int, re.sub(r"(\.0+)+$", "", version).split(".")))
