"""The minimum versions of dependencies, and the check that rejects older ones at first use.

pip ensures these versions when it installs this package. An older vendored or pinned copy would
otherwise fail later, with an error that does not name the cause.
"""

from __future__ import annotations

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
"""The minimum version of each dependency, as in `pyproject.toml`."""


def require(*names: str) -> None:
    """Reject dependencies that are too old, before they are used.

    Raises:
        CpjobError: with the name, the version found and the version required.
    """
    for name in names:
        # The loaded module's own version is the right one, and faster to get than metadata.
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
    numbers = _numbers(found)
    if numbers and numbers < _numbers(needed):
        raise CpjobError(
            f"{name} {found} is too old for pytest-cpjob, which needs {name} {needed} or later\n"
            f"- way out: pip install --upgrade '{name}>={needed}'"
        )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with: of `1.2rc1`, these are 1 and 2."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if digits:
            numbers.append(int(digits))
        if digits != part:
            break
    # 8.0 and 8.0.0 are the same version.
    while len(numbers) > 1 and numbers[-1] == 0:
        del numbers[-1]
    return tuple(numbers)
