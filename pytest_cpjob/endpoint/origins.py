"""Origins: refuses the requests that a foreign web page makes a browser send.

A page of any site can send requests to a port of its reader's machine, and a site whose name
resolves to that machine can read the answers as well ("DNS rebinding"). Browsers say which page
asks in `Origin` or `Sec-Fetch-Site` (Fetch standard), and the name that they looked up in `Host`.
SDKs send neither of the first two, and are told a name that leads to this machine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from pytest_cpjob.endpoint.http_server import HttpRequest
from pytest_cpjob.service.errors import ServiceError

_LOCAL: Final = ("localhost", "internal", "local", "test", "home.arpa")
"""Names that nobody can register: RFC 6761, 6762, 8375, and ICANN's for private use."""
_OF_AWS: Final = ("amazonaws.com", "amazonaws.com.cn", "api.aws")


def foreign(http: HttpRequest, allowed: Collection[str]) -> ServiceError | None:
    """Return the refusal of a request that a foreign page has sent, else None.

    Args:
        allowed: host names, and so those below them, that lead here although they are public ones.
    """
    host = http.header("Host") or ""
    if not _leads_here(_name_in(f"//{host}"), allowed):
        return _refused(
            f"the host {host[:100]!r} is not a name of this machine; use an IP address, localhost"
            " or a name without dots, or `pytest-cpjob serve --allow-host NAME`"
        )
    origin = http.header("Origin")
    if origin is None:
        if http.header("Sec-Fetch-Site") != "cross-site":
            return None
        origin = "another site"
    elif origin.partition("://")[2] == host or _is_loopback(_name_in(origin)):
        return None
    return _refused(f"a web page of {origin[:100]!r} may not call this endpoint")


def _refused(why: str) -> ServiceError:
    return ServiceError("AccessDenied", f"pytest-cpjob: {why}", 403)


def _name_in(url: str) -> str | None:
    """Return the host name in a URL, in lower case, empty without one; None if it is malformed."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return None


def _leads_here(name: str | None, allowed: Collection[str]) -> bool:
    if name is None:
        return False
    # A site's name has a dot; what has none is a container's, a machine's, or no host at all.
    return "." not in name or _is_address(name) or _is_below(name, (*_LOCAL, *_OF_AWS, *allowed))


def _is_below(name: str, domains: Collection[str]) -> bool:
    return any(name == each or name.endswith(f".{each}") for each in domains)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str | None) -> bool:
    if not name:
        return False
    return _is_below(name, ("localhost",)) or (
        _is_address(name) and ipaddress.ip_address(name).is_loopback
    )
