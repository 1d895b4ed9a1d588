"""The `role_policy` option: a test's words for what a role may do."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pytest_cpjob.iam.policies import Permissions, read_policies

_MOST_BYTES = 1_000_000


def permissions_given(given: object) -> Permissions:
    """Return what a `role_policy` allows: a document, a list of them, or a file's path.

    Raises:
        ValueError: it is not a policy document; the text names the place and what is wrong.
    """
    name = "role_policy"
    if isinstance(given, (str, os.PathLike)):
        name = f"role_policy {os.fspath(given)}"
        given = _read(Path(given), name)
    return Permissions("the role of role_policy", read_policies(given, name))


def _read(path: Path, name: str) -> object:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{name}: a file of more than {_MOST_BYTES:,} bytes is no policy")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{name}: cannot be read: {error.strerror or error}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{name}: not JSON: {' '.join(str(error).split())[:120]}") from None
