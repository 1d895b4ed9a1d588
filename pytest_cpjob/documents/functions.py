"""What a definition says of a Lambda function: its code, its variables, its time-out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple


class FunctionCode(NamedTuple):
    """A function as it is run.

    Attributes:
        name: the function's.
        place: where it is defined, as messages name it.
        handler: `file.function`, as Lambda takes it.
        path: a folder or a zip file; None if the code is inline, or not known.
        inline: the code itself, module `index`.
        missing: why there is no code to run, empty if there is.
        environment: the variables that are known.
        timeout: seconds, None where the definition does not say.
    """

    name: str
    place: str
    handler: str = ""
    path: Path | None = None
    inline: str | None = None
    missing: str = ""
    environment: Mapping[str, str] = MappingProxyType({})
    timeout: float | None = None
