"""The network guard: blocks requests that nothing has answered from leaving the machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from botocore.exceptions import EndpointConnectionError
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from pytest_cpjob.errors import UnfakedCallError

_METADATA = tuple(map(ipaddress.ip_network, ("169.254.0.0/16", "fd00:ec2::/32")))
"""Instance, container and pod metadata, in both address families."""


def is_loopback(url: str) -> bool:
    """Whether a URL stays on this machine, so that local emulators go on working.

    A name below `localhost` does only where it is resolved so: many machines ask a name server. A
    URL that urllib3, which sends it, reads as another host's does not.
    """
    try:
        host = (urlsplit(url).hostname or "").lower()
        sent_to = (parse_url(url).host or "").strip("[]").lower()
    except (ValueError, LocationParseError):
        return False
    if host != sent_to:
        return False
    return host == "localhost" or (
        _resolves_to_loopback(host) if host.endswith(".localhost") else _is_loopback_address(host)
    )


def _resolves_to_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(_is_loopback_address(str(address[4][0])) for address in found)


def _is_loopback_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def passing_by_proxy(url: str, proxy: str | None) -> str | None:
    """Return the proxy that a request is sent by: none where it would leave the machine by it."""
    if proxy is None or not is_loopback(url) or is_loopback(proxy):
        return proxy
    return None


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
    # A URL may have a user's name and password before the host: nobody is to read them.
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    if _is_metadata(parts.hostname or ""):
        raise EndpointConnectionError(endpoint_url=address)
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
