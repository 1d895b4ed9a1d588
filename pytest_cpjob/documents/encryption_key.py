"""What a job's `encryption_key` may be: a KMS key's id or ARN, or an alias' ARN."""

from __future__ import annotations

import re
from typing import Final

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.aws.text import plain
from pytest_cpjob.documents.refusals import check, refuse
from pytest_cpjob.documents.streams import Stream

_KEY_ID: Final = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|mrk-[0-9a-f]{32}"
_ID = re.compile(_KEY_ID)
_ARN = re.compile(
    r"arn:(?P<partition>[a-z-]+):kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    rf"(?:key/(?:{_KEY_ID})|(?P<alias>alias/[A-Za-z0-9/_-]{{1,250}}))"
)
_RULE = "Member must be a KMS key's id, its ARN, or the ARN of an alias"
_WAY_OUT = (
    "write encryption_key=True for a realistic key ARN, or leave it out for no customer-managed key"
)


def encryption_key(value: object, *, stream: Stream, region: str, account_id: str) -> str | None:
    """Return the `encryptionKey.id` of a job's documents; `True` means the ARN of a drawn key.

    Raises:
        ValueError: naming `encryption_key`, the rule and the value.

    Source: the model's documentation of EncryptionKey; an alias works only in its own account.
    """
    if value is None:
        return None
    if value is True:
        return stream.at("encryption-key").values.kms_key_arn(region, account_id)
    if not isinstance(value, str):
        refuse("encryption_key", _RULE, value, _WAY_OUT)
    check("encryption_key", "EncryptionKeyId", value, _WAY_OUT)
    value = plain(value)
    if _ID.fullmatch(value):
        return value
    arn = _ARN.fullmatch(value)
    if arn is None:
        way_out = _WAY_OUT
        if value.startswith("alias/"):
            way_out = f"write its ARN, arn:{partition_of(region)}:kms:{region}:{account_id}:{value}"
        refuse("encryption_key", _RULE, value, way_out)
    if _partition_or_none(arn["region"]) != arn["partition"]:
        refuse("encryption_key", "an ARN's partition must be that of its region", value, _WAY_OUT)
    if arn["alias"] and arn["account"] != account_id:
        rule = f"an alias is recognized only in its own account, and the job's is {account_id}"
        refuse("encryption_key", rule, value, "write the key's ARN")
    return value


def _partition_or_none(region: str) -> str | None:
    try:
        return partition_of(region)
    except ValueError:
        return None
