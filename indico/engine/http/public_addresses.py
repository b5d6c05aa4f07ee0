"""The addresses of the public internet, and a resolver that gives no others.

A URL that a user chose may name a host of the network that the server is in. So the addresses are
checked after the name is resolved, and `TCPClient` connects to the very addresses that were
checked. A name that resolves to another address a moment later has no effect.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

from tornado.netutil import Resolver

__all__ = ["PublicResolver", "is_public"]

# All other IPv6 addresses are reserved, or hold an IPv4 address: mapped, compatible, or of NAT64.
_IPV6_INTERNET = ip_network("2000::/3")
_SPECIAL = [
    # Not each version of Python's `is_global` knows these.
    ip_network("192.0.0.0/24"),
    ip_network("192.88.99.0/24"),
    ip_network("2001::/23"),  # Teredo is a part of it
    ip_network("2002::/16"),  # 6to4
    ip_network("3fff::/20"),
    # Each virtual machine of Azure reaches the services of its host here.
    ip_network("168.63.129.16"),
]


def is_public(address: str) -> bool:
    """Return whether an IPv4 or IPv6 address is of the public internet.

    False for loopback, private, link-local, shared (RFC 6598), multicast, unspecified, reserved and
    documentation addresses. False, too, for IPv6 addresses that hold an IPv4 address. Raise
    `ValueError` for a name.
    """
    ip = ip_address(address)
    if ip.version == 6 and ip not in _IPV6_INTERNET:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _SPECIAL)


class PublicResolver(Resolver):
    """A resolver that gives only the addresses that `is_allowed`; `names` resolves the names."""

    def initialize(
        self, names: Resolver | None = None, is_allowed: Callable[[str], bool] = is_public
    ) -> None:
        self._names = names or Resolver()
        self._is_allowed = is_allowed

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        """Return the addresses of a host. Raises `OSError` if none is allowed."""
        found = await self._names.resolve(host, port, family)
        allowed = [(kind, address) for kind, address in found if self._is_allowed(address[0])]
        if not allowed:
            raise OSError(f"{host} has no public address")
        return allowed
