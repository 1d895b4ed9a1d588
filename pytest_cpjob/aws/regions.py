"""Which AWS partition a region belongs to, from the list that botocore ships."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from pytest_cpjob.aws.botocore_data import botocore_data, read_by_boto3
from pytest_cpjob.errors import ArgumentError


@cache
def _partitions() -> tuple[tuple[str, str, frozenset[str]], ...]:
    folder = botocore_data()
    listed: dict[str, Any] = read_by_boto3(folder, "partitions") or json.loads(
        (folder / "partitions.json").read_bytes()
    )
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
