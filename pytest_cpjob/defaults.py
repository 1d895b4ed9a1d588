"""The options' built-in values, and the names that findings and warnings have.

Every start of pytest imports this, for the help on its options; `settings` is imported later.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

BUILT_IN_SEED: Final = "cpjob"
BUILT_IN_REGION: Final = "us-east-1"
BUILT_IN_ACCOUNT: Final = "123456789012"

WIDTH: Final = 80
"""How many columns a report has where nobody says it."""

FindingName = Literal[
    "no-result",
    "not-acknowledged",
    "not-owner",
    "second-result",
    "raised",
    "raised-after-result",
    "missing-output",
    "output-encryption",
    "own-role",
    "refused-request",
    "leaked-secret",
    "unfaked-call",
    "unused-fault",
    "running-thread",
    "not-permitted",
]
"""The name of a finding, for type checkers; `allow=[...]` takes these.

>>> name: FindingName = "leaked-secret"
>>> marker = pytest.mark.cpjob(allow=[name])
"""
CHECKS: Final[tuple[FindingName, ...]] = get_args(FindingName)
"""The names of the contract's findings, as `allow=[...]` takes them."""

WarningName = Literal["unknown-variable", "ineffective-policy"]
WARNINGS: Final[tuple[WarningName, ...]] = get_args(WarningName)
"""What `add_pipeline` warns of, and `allow=[...]` takes as well."""
