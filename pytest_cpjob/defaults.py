"""What holds where nobody says otherwise."""

from __future__ import annotations

from typing import Final

BUILT_IN_SEED: Final = "cpjob"
BUILT_IN_REGION: Final = "us-east-1"
BUILT_IN_ACCOUNT: Final = "123456789012"
