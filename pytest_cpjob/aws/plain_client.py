"""The stub's own clients: made once for the whole run, with keys of their own."""

from __future__ import annotations

import functools
from typing import Any, Final

_KEYS: Final = {
    "aws_access_key_id": "AKIACPJOBTHETEST0000",
    "aws_secret_access_key": "pytest-cpjob/the-clients-of-the-test-itself",
}


@functools.cache
def own_client(service: str, region: str) -> Any:
    """Make a botocore client of the test's own, which no rule for handlers concerns.

    Nothing of the machine's configuration is used: no profile, no endpoint, no credentials.
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
