"""An oracle of valid and invalid requests, made from botocore's model alone, over both protocols.

It knows nothing of the service but the model: what the model allows is never refused as invalid,
what it forbids always is. 600 requests in a normal run; `CPJOB_ORACLE_REQUESTS=4000` asks for more.
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import random
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel

from pytest_cpjob import CodePipelineStub, Endpoint

pytest.importorskip("flask", reason="the endpoint needs the extra server")
cbor2 = pytest.importorskip("cbor2", reason="the endpoint needs the extra server")

REQUESTS = int(os.environ.get("CPJOB_ORACLE_REQUESTS", "600"))
JOBS = (
    "PollForJobs",
    "AcknowledgeJob",
    "GetJobDetails",
    "PutJobSuccessResult",
    "PutJobFailureResult",
    "PollForThirdPartyJobs",
    "GetThirdPartyJobDetails",
    "AcknowledgeThirdPartyJob",
    "PutThirdPartyJobSuccessResult",
    "PutThirdPartyJobFailureResult",
)
LIVE_MAXIMUM = {"ActionConfigurationValue": 50_000}
UUID = "11111111-2222-4333-8444-555555555555"
REFUSALS = ("ValidationException", "SerializationException")
# Every other type than its own is wrong for a member; a number is what JSON has for a timestamp.
TYPES: dict[str, Any] = {
    "string": "text",
    "integer": 5,
    "boolean": True,
    "list": ["text"],
    "map": {"text": "text"},
}
NOT_OF: dict[str, tuple[str, ...]] = {
    "string": ("integer", "boolean", "list", "map"),
    "integer": ("string", "boolean", "list", "map"),
    "timestamp": ("string", "boolean", "list", "map"),
    "structure": ("string", "integer", "boolean", "list"),
    "map": ("string", "integer", "boolean", "list"),
    "list": ("string", "integer", "boolean", "map"),
}


@functools.cache
def model() -> ServiceModel:
    return ServiceModel(create_loader().load_service_model("codepipeline", "service-2"))


def text_of(shape: Any, length: int) -> str | None:
    """A text of this length that fits the shape's pattern, or None."""
    pattern = shape.metadata.get("pattern")
    enum = shape.enum
    if enum:
        return str(enum[0])
    for text in ("a" * length, "1" * length, UUID, "AWS"):
        if pattern is None or re.fullmatch(pattern, text, re.ASCII):
            return text
    return None


def bounds_of(shape: Any) -> tuple[int, int | None]:
    most = LIVE_MAXIMUM.get(shape.name, shape.metadata.get("max"))
    return shape.metadata.get("min", 0), most


def good(shape: Any, chance: random.Random) -> Any:
    """A value at one of the edges that the model allows."""
    kind = shape.type_name
    least, most = bounds_of(shape)
    if kind == "string":
        length = chance.choice([max(least, 1), most if most is not None else 40])
        return text_of(shape, length)
    if kind in ("integer", "long"):
        return chance.choice([least, most if most is not None else 2**31 - 1])
    if kind == "boolean":
        return chance.random() < 0.5
    if kind == "timestamp":
        return datetime(2026, 3, 1, 12, 30, chance.randrange(60), tzinfo=timezone.utc)
    if kind == "list":
        count = max(least, 1 if chance.random() < 0.7 else least)
        return [good(shape.member, chance) for _ in range(count)]
    if kind == "map":
        count = chance.choice([least, max(least, 1)])
        return {str(good(shape.key, chance)): good(shape.value, chance) for _ in range(count)}
    return {
        name: good(member, chance)
        for name, member in shape.members.items()
        if name in shape.required_members or chance.random() < 0.6
    }


def bad_values(shape: Any, chance: random.Random) -> Iterator[tuple[str, Any]]:
    """Values beyond each edge of a shape, each with what is wrong."""
    kind = shape.type_name
    least, most = bounds_of(shape)
    for other in NOT_OF.get(kind, ()):
        yield f"{other} for {kind}", TYPES[other]
    if kind == "string":
        if most is not None and not shape.enum:
            yield "too long", "a" * (most + 1)
        if least > 0:
            yield "too short", "a" * (least - 1)
        if shape.metadata.get("pattern") or shape.enum:
            yield "no match", "!?"
    elif kind == "integer":
        if most is not None:
            yield "too great", most + 1
        if "min" in shape.metadata:
            yield "too small", least - 1
    elif kind == "map":
        if most is not None:
            yield "too many", {f"key-{n}": good(shape.value, chance) for n in range(most + 1)}
        for what, value in bad_values(shape.value, chance):
            yield f"a value: {what}", {str(good(shape.key, chance)): value}
        if shape.key.metadata.get("pattern"):
            yield "a key: no match", {"!?": good(shape.value, chance)}
    elif kind == "structure":
        for name in shape.required_members:
            whole = good(shape, chance)
            del whole[name]
            yield f"no {name}", whole
        for name, member in shape.members.items():
            for what, value in bad_values(member, chance):
                yield f"{name}: {what}", {**good(shape, chance), name: value}


def cases(chance: random.Random) -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Operation, what is tried, the request, and whether the model allows it; without an end."""
    while True:
        for operation in JOBS:
            shape = model().operation_model(operation).input_shape
            yield operation, "good", good(shape, chance), True
            wrong = list(bad_values(shape, chance))
            for what, request in chance.sample(wrong, min(4, len(wrong))):
                yield operation, what, request, False


def in_json(value: Any) -> float:
    seconds: float = value.timestamp()
    return seconds


class Line:
    """One connection, that speaks either protocol."""

    def __init__(self, endpoint: Endpoint) -> None:
        where = urlsplit(endpoint.url)
        self.connection = http.client.HTTPConnection(str(where.hostname), where.port)

    def call(self, operation: str, request: dict[str, Any], protocol: str) -> tuple[int, str]:
        """Call; give the status and the error's code."""
        if protocol == "json":
            body = json.dumps(request, default=in_json).encode()
            target, headers = (
                "/",
                {
                    "X-Amz-Target": f"CodePipeline_20150709.{operation}",
                    "Content-Type": "application/x-amz-json-1.1",
                },
            )
        else:
            body = cbor2.dumps(request, datetime_as_timestamp=True)
            target = f"/service/CodePipeline_20150709/operation/{operation}"
            headers = {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}
        self.connection.request("POST", target, body, headers)
        answer = self.connection.getresponse()
        said = answer.read()
        parsed = {} if not said else json.loads(said) if protocol == "json" else cbor2.loads(said)
        return answer.status, str(parsed.get("__type", "")).rpartition("#")[2]


@pytest.mark.cpjob(allow=["refused-request"])
def test_the_service_refuses_what_the_model_forbids_and_nothing_else(
    cpjob: CodePipelineStub, cpjob_endpoint: Endpoint
) -> None:
    chance = random.Random(19)
    line = Line(cpjob_endpoint)
    anomalies = []
    sent = 0
    for operation, what, request, is_allowed in cases(chance):
        for protocol in ("json", "cbor"):
            status, code = line.call(operation, request, protocol)
            sent += 1
            is_refused = status == 400 and code in REFUSALS
            # An owner that does not poll here, and output variables beside a token, are refused
            # by rules that the model states in prose.
            in_prose = (
                is_allowed
                and code == "ValidationException"
                and (
                    operation.startswith("Poll")
                    or ("continuationToken" in request and request.get("outputVariables"))
                )
            )
            if status not in (200, 400) or (is_refused == is_allowed and not in_prose):
                anomalies.append(f"{operation} over {protocol}, {what}: {status} {code}")
        if sent >= REQUESTS:
            break
    line.connection.close()

    assert anomalies == []
