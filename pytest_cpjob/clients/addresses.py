"""Where requests go: to AWS's own endpoint, for what is in the artifact store.

A client may have been told another one: by `AWS_ENDPOINT_URL` when it was made, by a config file,
or by its author. That is right for what is there, such as an emulator's queues; artifacts and
their keys are in moto, which answers at AWS's addresses only.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from pytest_cpjob.documents.regions import partition_of

_SUFFIXES: Final = (".amazonaws.com", ".amazonaws.com.cn")


def bring_home(request: dict[str, Any], service: str, region: str, bucket: str | None) -> None:
    """Let a request that botocore has not signed yet go to AWS's endpoint of the service."""
    parts = urlsplit(request["url"])
    host = parts.hostname or ""
    home = f"{service}.{region}{_SUFFIXES[partition_of(region) == 'aws-cn']}"
    # moto knows S3 by all its names, and KMS by one.
    if host == home or (service == "s3" and host.endswith(_SUFFIXES)):
        return
    if bucket is not None and host.startswith(f"{bucket}."):
        home = f"{bucket}.{home}"
    request["url"] = parts._replace(scheme="https", netloc=home).geturl()
