"""What moto does not implement: as little answered as without moto."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from botocore.parsers import ResponseParserError

_NOT_YET: Final = "Not yet implemented"
"""What moto answers, with status 404, for a service or path that it does not have."""


def is_gap(error: BaseException) -> bool:
    """Whether an error means that moto has no such service or operation."""
    if isinstance(error, NotImplementedError):
        return True
    if isinstance(error, ResponseParserError):
        return _NOT_YET in str(error)
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return False
    return _NOT_YET in str(response.get("Error", {}).get("Message"))
