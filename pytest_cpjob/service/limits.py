"""The service's numbers in one table: what AWS documents, and what we chose where it does not.

All times are seconds of the job clock. The page `docs/behaviour.md` says for each where it
comes from; the ones marked "choice" are this project's own.
"""

from __future__ import annotations

from typing import Final

REDELIVERY: Final = 300.0
"""A job handed out and not acknowledged is queued again after this long (choice)."""

CUSTOM_TIMEOUT: Final = 24 * 3600.0
"""A custom action's job ends as TimedOut after this long (CodePipeline's limits page: 24 hours)."""

PARTNER_TIMEOUT: Final = 12 * 3600.0
"""A partner's job ends after this long (model shape `JobTimeout`: at most 43,200 s)."""

LAMBDA_TIMEOUT: Final = 20 * 60.0
"""A Lambda action's job ends when no result came for 20 minutes (Lambda invoke action page)."""

LAMBDA_CONTINUATION: Final = 30.0
"""A Lambda action's continued job comes this long after the result (captured: 28 s); a worker's is
queued at once (choice)."""

CREDENTIALS_LIFETIME: Final = 15 * 60.0
"""A job's artifact credentials expire after this long (AWS's own Jenkins worker renews at 14)."""

DEFAULT_BATCH_SIZE: Final = 1
"""Jobs handed out by a poll that names no `maxBatchSize` (choice)."""

OUTPUT_VARIABLES_BYTES: Final = 122_880
"""Keys and values of one result's output variables, in UTF-8 bytes (limits page)."""

CUSTOM_ACTION_TYPES: Final = 50
"""Custom action types in one region of one account (limits page)."""

TAGS: Final = 50
"""Tags on one resource (AWS's general limit)."""

ACTION_TYPES_PER_PAGE: Final = 25
"""Action types in one answer of ListActionTypes (choice)."""
