"""Which AWS partition a region belongs to, from the list that botocore ships."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_cpjob.errors import ArgumentError, CpjobError


def botocore_data() -> Path:
    """Return botocore's data folder, found without importing botocore (which costs 170 ms).

    Raises:
        CpjobError: botocore is not installed.
    """
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise CpjobError(
            "pytest-cpjob reads CodePipeline's rules from botocore, which is not installed.\n"
            "- way out: pip install botocore"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


@cache
def _partitions() -> tuple[tuple[str, str, frozenset[str]], ...]:
    listed: dict[str, Any] = json.loads((botocore_data() / "partitions.json").read_bytes())
    return tuple(
        (
            entry["id"],
            entry["regionRegex"],
            # "aws-global" and similar stand for services without regions: no job runs there.
            frozenset(name for name in entry["regions"] if not name.endswith("-global")),
        )
        for entry in listed["partitions"]
    )


@cache
def partition_of(region: str) -> str:
    """Return the partition (`aws`, `aws-cn`, `aws-us-gov`, …) that `region` belongs to.

    A region that botocore does not list yet passes when it is spelled like its partition's others.

    Raises:
        ValueError: no partition has such a region.

    >>> partition_of("eu-west-1"), partition_of("cn-north-1")
    ('aws', 'aws-cn')
    """
    for partition, pattern, regions in _partitions():
        # A pattern is compiled where a region is not listed, which is next to never.
        if region in regions or re.fullmatch(pattern, region, re.ASCII):
            return partition
    raise ArgumentError(
        "region", f"{region[:60]!r} is not an AWS region; write one such as 'us-east-1'"
    )
