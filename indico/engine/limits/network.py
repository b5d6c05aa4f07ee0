"""Addresses of clients, as limits tell them apart."""

from __future__ import annotations

import functools
from ipaddress import IPv6Address, IPv6Network, ip_address

__all__ = ["network_of"]

# A provider gives each household or office at least so many addresses (RFC 6177).
_IPV6_PREFIX = 64


@functools.lru_cache(1000)
def network_of(address: str | None) -> str:
    """Return the address, or of an IPv6 address its /64, whose owner may use any address in it.

    A text that is no address, such as that of a Unix socket, stays as it is.
    """
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(IPv6Network((int(parsed), _IPV6_PREFIX), strict=False))
    return str(parsed)
