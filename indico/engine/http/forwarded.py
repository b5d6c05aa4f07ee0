"""The client behind trusted proxies: the setting `trusted_proxies` names the proxies."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from tornado.httputil import HTTPServerRequest

from ..settings import Network


class Forwarded:
    """The rewriting of `remote_ip` and `protocol` to the client's, for trusted proxies only."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusts = functools.lru_cache(1000)(lambda text: is_in(text, trusted))

    def apply(self, request: HTTPServerRequest) -> None:
        """Set `remote_ip` and `protocol` of a request that a trusted proxy has sent.

        Each proxy appends the address of its peer to `X-Forwarded-For`. The client is therefore the
        last address there that is no trusted proxy. The client may have forged all before.
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


def is_in(text: str, networks: Sequence[Network]) -> bool:
    """Return whether `text` is an address in one of `networks`."""
    address = _address(text)
    return address is not None and any(address in network for network in networks)


def is_loopback(text: str) -> bool:
    address = _address(text)
    return address is not None and address.is_loopback


def _words(request: HTTPServerRequest, header: str) -> list[str]:
    return [word.strip() for word in ",".join(request.headers.get_list(header)).split(",") if word]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address; None for other text.

    A socket for both versions shows IPv4 addresses mapped to IPv6. They are returned as IPv4.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
