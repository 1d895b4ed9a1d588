"""Where requests go: to AWS's own endpoint, for what is in the artifact store.

A client may have been told another one: by `AWS_ENDPOINT_URL` when it was made, by a config file,
or by its author. That is right for what is there, such as an emulator's queues; artifacts and
their keys are in moto, which answers at AWS's addresses only.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from pytest_cpjob.aws.regions import partition_of

_OF_AWS: Final = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
)


def send_to_aws_endpoint(
    request: dict[str, Any], endpoint_url: str, service: str, region: str
) -> None:
    """Let a request that botocore has not signed yet go to AWS's endpoint of the service.

    Args:
        endpoint_url: the client's own; a request that goes to AWS already is left as it is.
        region: whose endpoint it is.
    """
    parts, told = urlsplit(request["url"]), urlsplit(endpoint_url)
    host, told_host = parts.hostname or "", told.hostname or ""
    if host.endswith(_OF_AWS):
        return
    home = f"{service}.{region}.amazonaws.com{'.cn' * (partition_of(region) == 'aws-cn')}"
    # By path it is the client's host, else a bucket's name stands before that.
    before = host.removesuffix(told_host)
    path = parts.path.removeprefix(told.path.rstrip("/"))
    request["url"] = parts._replace(scheme="https", netloc=before + home, path=path).geturl()
