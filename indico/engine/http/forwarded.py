"""Who sends a request that came through a proxy: `trusted_proxies` says whose word counts."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from tornado.httputil import HTTPServerRequest

from ..settings import Network


class Forwarded:
    """Makes `remote_ip` and `protocol` of a request those of the client in front of the proxies."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted
        self._trusts = functools.lru_cache(1000)(self._in_trusted)

    def apply(self, request: HTTPServerRequest) -> None:
        """Each proxy adds at the end of `X-Forwarded-For` who it heard it from.

        So the client is the last one there that is no proxy of ours; what stands before it, it
        may have made up.
        """
        if not self._trusts(request.remote_ip):
            return
        for word in reversed(_words(request, "X-Forwarded-For")):
            address = _address(word)
            if address is None:
                break
            request.remote_ip = str(address)
            if not self._trusts(request.remote_ip):
                break
        protocol = _words(request, "X-Forwarded-Proto")[-1:]
        if protocol and protocol[0].lower() in ("http", "https"):
            request.protocol = protocol[0].lower()

    def _in_trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._trusted)


def _words(request: HTTPServerRequest, header: str) -> list[str]:
    return [word.strip() for word in ",".join(request.headers.get_list(header)).split(",") if word]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 address that was mapped to IPv6, as a socket for both shows it, is an IPv4 one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
