"""CodePipeline's own rules, read from botocore's model, and AWS's messages for breaking them.

botocore checks required members, types and minimum lengths; the service also checks maxima,
patterns and enums. The model is read as JSON, so botocore need not be imported.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from pytest_cpjob.aws.botocore_data import botocore_data, read_by_boto3
from pytest_cpjob.aws.constraints import (
    SCALARS,
    Check,
    ListOf,
    MapOf,
    Scalar,
    Structure,
    TypeMismatch,
    Violation,
)
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.requirements import require

__all__ = [
    "LIVE_LIMITS",
    "Model",
    "TypeMismatch",
    "Violation",
    "is_sensitive",
    "load",
    "operation_errors",
    "operations",
    "request_violations",
    "validation_message",
    "violations",
]

LIVE_LIMITS: Final[Mapping[str, Mapping[str, int]]] = {
    # The model says 1000; the service's own ValidationException has said 50000 since 2023.
    "ActionConfigurationValue": {"max": 50_000},
}
"""Where the live service is known to allow more than its model: shape -> the replaced traits."""


class Model:
    """CodePipeline's service model; each shape becomes a check when it is first needed.

    Attributes:
        description: the model as botocore ships it.
        shapes: its shapes, with the limits of the live service.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.description = description
        self._operations: Mapping[str, Any] = description["operations"]
        shapes = description["shapes"]
        self.shapes: Mapping[str, Any] = {
            **shapes,
            **{
                name: {**shapes[name], **live}
                for name, live in LIVE_LIMITS.items()
                if name in shapes
            },
        }
        self._checks: dict[str, Check] = {}
        self._inputs: dict[str, Check] = {}

    def operation(self, name: str) -> Mapping[str, Any]:
        """Return an operation's description; a ValueError if CodePipeline has no such operation."""
        try:
            found: Mapping[str, Any] = self._operations[name]
        except KeyError:
            raise ValueError(
                f"operation: CodePipeline has no operation {name[:60]!r}; names are the API's, "
                "such as 'PutJobSuccessResult'"
            ) from None
        return found

    def operations(self) -> tuple[str, ...]:
        """Return the names of all of CodePipeline's operations."""
        return tuple(self._operations)

    def check_of(self, shape_name: str) -> Check:
        """Return the check of one shape, created at the first call."""
        known = self._checks.get(shape_name)
        if known is None:
            known = self._checks[shape_name] = self._make(self.shapes[shape_name])
        return known

    def input_check(self, operation: str) -> Check:
        """Return the check of an operation's request."""
        known = self._inputs.get(operation)
        if known is None:
            shape: Mapping[str, str] = self.operation(operation)["input"]
            known = self._inputs[operation] = self.check_of(shape["shape"])
        return known

    def _make(self, shape: Mapping[str, Any]) -> Check:
        kind = shape["type"]
        if kind == "structure":
            return Structure(shape, self.check_of).check
        if kind == "list":
            return ListOf(shape, self.check_of(shape["member"]["shape"])).check
        if kind == "map":
            value_name = shape["value"]["shape"]
            value_shape = self.shapes[value_name]
            value = Scalar(value_shape) if value_shape["type"] in SCALARS else None
            key = Scalar(self.shapes[shape["key"]["shape"]])
            return MapOf(shape, key, value, self.check_of(value_name)).check
        return Scalar(shape).check


@cache
def load() -> Model:
    """Read the installed botocore's model of CodePipeline, once a process.

    Raises:
        CpjobError: botocore is not installed, too old, or has no model of CodePipeline.
    """
    require("botocore")
    data = botocore_data()
    folder = data / "codepipeline"
    # Not by `glob`, which compiles a pattern for each part of a path.
    for version in sorted(folder.iterdir() if folder.is_dir() else (), reverse=True):
        for path in (version / "service-2.json.gz", version / "service-2.json"):
            if not path.is_file():
                continue
            kept = read_by_boto3(data, f"codepipeline/{version.name}/service-2")
            if kept is not None:
                return Model(kept)
            content = path.read_bytes()
            if path.suffix == ".gz":
                # zlib reads gzip itself (wbits 31), which saves importing the gzip module.
                content = zlib.decompress(content, 31)
            return Model(json.loads(content))
    raise CpjobError(
        "botocore's model of CodePipeline is missing: "
        f"expected {folder.name}/*/service-2.json in its data folder\n"
        "- way out: reinstall botocore"
    )


def violations(shape_name: str, value: object, path: str = "") -> list[Violation]:
    """Return the violations of a shape's rules by `value`, in the model's order.

    A value of the wrong type is reported as a `TypeMismatch`.

    `path` is the value's location in the request, as the service writes it.

    >>> violations("JobId", "nope", "jobId")[0].path
    'jobId'
    """
    found: list[Violation] = []
    load().check_of(shape_name)(value, path, found)
    return found


def request_violations(operation: str, params: Mapping[str, object]) -> list[Violation]:
    """Return the violations of an operation's request rules by `params`.

    Raises:
        ValueError: CodePipeline has no such operation.

    >>> request_violations("GetJobDetails", {})
    [Violation(path='jobId', constraint='Member must not be null')]
    """
    found: list[Violation] = []
    load().input_check(operation)(params, "", found)
    return found


def validation_message(found: list[Violation]) -> str:
    """Return the message of the service's ValidationException, which names paths, never values.

    >>> validation_message([Violation("nonce", "Member must not be null")])[:45]
    "1 validation error detected: Value at 'nonce'"
    """
    plural = "" if len(found) == 1 else "s"
    each = "; ".join(
        f"Value at '{path}' failed to satisfy constraint: {constraint}"
        for path, constraint in found
    )
    return f"{len(found)} validation error{plural} detected: {each}"


def operation_errors(operation: str) -> tuple[str, ...]:
    """Return the error codes that an operation models, in the model's order.

    Raises:
        ValueError: CodePipeline has no such operation.

    >>> operation_errors("GetJobDetails")
    ('ValidationException', 'JobNotFoundException')
    """
    errors = load().operation(operation).get("errors", ())
    return tuple(error["shape"] for error in errors)


def operations() -> tuple[str, ...]:
    """Return the names of CodePipeline's operations."""
    return load().operations()


def is_sensitive(shape_name: str) -> bool:
    """Return whether the model marks a shape as sensitive, so that it must not be logged."""
    return bool(load().shapes[shape_name].get("sensitive"))
