"""The stub's own clients: created once per run, with keys of their own."""

from __future__ import annotations

import functools
from typing import Any, Final

_KEYS: Final = {
    "aws_access_key_id": "AKIACPJOBTHETEST0000",
    "aws_secret_access_key": "pytest-cpjob/the-clients-of-the-test-itself",
}


@functools.cache
def own_client(service: str, region: str) -> Any:
    """Return a botocore client of the test's own, to which the rules for handlers do not apply.

    It uses nothing of the machine's configuration: no profile, endpoint or credentials.
    """
    import botocore.session
    from botocore.config import Config

    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_config_variable("config_file", "/dev/null")
    session.set_config_variable("credentials_file", "/dev/null")
    config = Config(
        retries={"max_attempts": 0},
        ignore_configured_endpoint_urls=True,
        use_dualstack_endpoint=False,
        use_fips_endpoint=False,
    )
    return session.create_client(service, region_name=region, config=config, **_KEYS)
