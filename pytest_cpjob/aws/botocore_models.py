"""What botocore's models say about any AWS service: its operations and their error codes."""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from typing import Any, NamedTuple

from pytest_cpjob.aws.botocore_data import botocore_data


@lru_cache(maxsize=1)
def services() -> frozenset[str]:
    """Return the names of all services that botocore knows."""
    return frozenset(path.name for path in botocore_data().iterdir() if path.is_dir())


class _Service(NamedTuple):
    """What a service's newest model says.

    Attributes:
        protocol: such as `json`, `query` or `rest-xml`.
        operations: operation name -> the codes, as on the wire, of the errors that it models.
    """

    protocol: str
    operations: dict[str, tuple[str, ...]]


@lru_cache(maxsize=8)
def _read(service: str) -> _Service:
    newest = max((botocore_data() / service).glob("*/service-2.json*"))
    content = newest.read_bytes()
    if newest.suffix == ".gz":
        content = zlib.decompress(content, 31)
    model: dict[str, Any] = json.loads(content)
    shapes = model["shapes"]
    return _Service(
        model["metadata"]["protocol"],
        {
            name: tuple(
                shapes[error["shape"]].get("error", {}).get("code", error["shape"])
                for error in operation.get("errors", ())
            )
            for name, operation in model["operations"].items()
        },
    )


def operations(service: str) -> tuple[str, ...]:
    """Return the names of a service's operations."""
    return tuple(_read(service).operations)


def operation_errors(service: str, operation: str) -> tuple[str, ...]:
    """Return the codes that an operation models, in the model's order."""
    return _read(service).operations[operation]


def speaks_query(service: str) -> bool:
    """Return whether a service uses one of the older query protocols, which answer in XML."""
    return _read(service).protocol in ("query", "ec2")
