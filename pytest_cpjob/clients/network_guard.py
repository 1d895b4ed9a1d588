"""The network guard: blocks requests that nothing has answered from leaving the machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from botocore.exceptions import EndpointConnectionError

from pytest_cpjob.errors import UnfakedCallError

_METADATA = tuple(map(ipaddress.ip_network, ("169.254.0.0/16", "fd00:ec2::/32")))
"""Instance, container and pod metadata, in both address families."""


def is_loopback(url: str) -> bool:
    """Return whether a URL stays on this machine, as those of local emulators do."""
    host = (urlsplit(url).hostname or "").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_leaving(method: str, url: str, call: str | None, report: Callable[[str], None]) -> None:
    """Block a request that would leave the machine.

    `call` is the AWS call it belongs to, such as `sts.GetCallerIdentity`. `report` is called with
    what was blocked, since the code under test may swallow the error.

    Raises:
        EndpointConnectionError: for requests to instance metadata, which has no credentials on
            machines that are not EC2 instances; botocore then goes on to its next source.
        UnfakedCallError: for any other request that would leave the machine.
    """
    if is_loopback(url):
        return
    parts = urlsplit(url)
    if _is_metadata(parts.hostname or ""):
        raise EndpointConnectionError(endpoint_url=url)
    address = f"{parts.scheme}://{parts.netloc}{parts.path}"
    what = call or f"{method} {address}"
    report(what)
    raise UnfakedCallError(
        f"{what} was blocked before it reached {address}: nothing fakes it.\n"
        "Inside the test, start moto's mock_aws() for services other than CodePipeline, or point"
        " the client at a local endpoint; a job with artifacts starts moto by itself."
    )


def _is_metadata(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _METADATA)
