"""Endpoint URLs: requests for what is in the artifact store go to AWS's own endpoint.

A client may have another one: from `AWS_ENDPOINT_URL` when it was created, from a config file, or
as an argument. That is right for what is there, such as an emulator's queues. But artifacts and
their keys are in moto, which answers requests to AWS's addresses only.
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
    """Redirect a request that is not signed yet to AWS's endpoint of the service.

    Args:
        endpoint_url: the client's own; a request that already goes to AWS is not changed.
        region: the endpoint's region.
    """
    parts, told = urlsplit(request["url"]), urlsplit(endpoint_url)
    host, told_host = parts.hostname or "", told.hostname or ""
    if host.endswith(_OF_AWS):
        return
    home = f"{service}.{region}.amazonaws.com{'.cn' * (partition_of(region) == 'aws-cn')}"
    # In virtual-hosted style the bucket's name precedes the client's host.
    before = host.removesuffix(told_host)
    path = parts.path.removeprefix(told.path.rstrip("/"))
    request["url"] = parts._replace(scheme="https", netloc=before + home, path=path).geturl()
