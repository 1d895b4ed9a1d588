"""The service's limits: what AWS documents, and our choice where it documents nothing.

All times are seconds of the job clock. `docs/behaviour.md` gives each one's source; those marked
"choice" are this project's own. The lengths of values are botocore's: see `aws/constraints.py`.
"""

from __future__ import annotations

from typing import Final

from pytest_cpjob.documents import timestamps

REDELIVERY: Final = 300.0
"""A job that was handed out but not acknowledged is queued again after this time (choice)."""

CUSTOM_TIMEOUT: Final = 24 * 3600.0
"""A custom action's job times out after this time (CodePipeline's limits page: 24 hours)."""

PARTNER_TIMEOUT: Final = 12 * 3600.0
"""A partner's job times out after this time (model shape `JobTimeout`: at most 43,200 s)."""

LAMBDA_TIMEOUT: Final = 20 * 60.0
"""A Lambda action's job times out after 20 minutes without a result (Lambda action's page)."""

LAMBDA_CONTINUATION: Final = 30.0
"""A Lambda action's continued job comes this long after the result (captured: 28 s); a worker's is
queued at once (choice)."""

CREDENTIALS_LIFETIME: Final = timestamps.CREDENTIALS_LIFETIME
"""Artifact credentials expire after this time (AWS's own Jenkins worker renews at 14 minutes)."""

DEFAULT_BATCH_SIZE: Final = 1
"""How many jobs a poll without `maxBatchSize` hands out (choice)."""

OUTPUT_VARIABLES_BYTES: Final = 122_880
"""Keys and values of one result's output variables, in UTF-8 bytes (limits page)."""

CUSTOM_ACTION_TYPES: Final = 50
"""Custom action types in one region of one account (limits page)."""

TAGS: Final = 50
"""Tags on one resource (AWS's general limit)."""

ACTION_TYPES_PER_PAGE: Final = 25
"""Action types in one answer of ListActionTypes (choice)."""
