"""boto3's transfers of files: by the client's own calls, never by AWS's C library (`boto3[crt]`).

That library signs and sends by itself, past every client: with a developer's own credentials, to
AWS's own hosts. boto3 chooses it where it is asked to, and by itself on some machines.
"""

from __future__ import annotations

import sys
from typing import Any

from pytest_cpjob.patching import Undo, when_imported


def transfer_without_crt(undo: Undo) -> None:
    """Let boto3 choose its classic transfer until the undo."""

    def choose() -> None:
        transfer: Any = sys.modules["boto3.s3.transfer"]
        undo.set_attribute(transfer, "_should_use_crt", lambda config: False)

    when_imported("boto3.s3.transfer", choose, undo)
