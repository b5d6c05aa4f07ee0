"""Clients of `bench soak` that send or read so slowly that the server has to disconnect them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import NamedTuple, cast

OF_EACH_KIND = 50
# The idle timeout is the longest of the server's timeouts.
LONGEST_SECONDS = 120.0
DRIP_SECONDS = 0.5
_HEAD = b"POST /system/echo HTTP/1.1\r\nHost: bench\r\n"
_ECHO = _HEAD + b"Content-Length: 20013\r\n\r\n" + b'{"text":"%b"}' % (b"a" * 20_002)


class Kind(NamedTuple):
    """What a client sends at first, and then again and again; without `reads` it never reads."""

    first: bytes = b""
    drip: bytes = b""
    reads: bool = True


KINDS: Mapping[str, Kind] = {
    "no request": Kind(),
    "half a line": Kind(b"POST /sys"),
    "a line, byte by byte": Kind(b"POST /", b"a"),
    "a head, byte by byte": Kind(_HEAD + b"X: ", b"a"),
    "a head, line by line": Kind(_HEAD, b"X: a\r\n"),
    "half a body": Kind(_HEAD + b"Content-Length: 1000\r\n\r\n{"),
    "a body, byte by byte": Kind(_HEAD + b"Content-Length: 1000\r\n\r\n{", b" "),
    "a body in chunks": Kind(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "answers that are not read": Kind(_ECHO * 200, b"\r\n", reads=False),
    "slow after an answer": Kind(_HEAD + b"Content-Length: 2\r\n\r\n{}POST /", b"a"),
}


async def disconnected(port: int) -> dict[str, int]:
    """Return how many of `OF_EACH_KIND` clients the server has disconnected, by their kind."""
    loop = asyncio.get_running_loop()
    slow: dict[str, list[_SlowClient]] = {}
    for name, kind in KINDS.items():
        for _ in range(OF_EACH_KIND):
            _, client = await loop.create_connection(lambda: _SlowClient(kind), "127.0.0.1", port)  # noqa: B023
            slow.setdefault(name, []).append(client)
    ends = [client.ended for clients in slow.values() for client in clients]
    await asyncio.wait(ends, timeout=LONGEST_SECONDS)
    seen = {name: sum(one.ended.done() for one in clients) for name, clients in slow.items()}
    for clients in slow.values():
        for client in clients:
            client.transport.abort()
    await asyncio.wait(ends)
    return seen


class _SlowClient(asyncio.Protocol):
    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if not self._kind.reads:
            self.transport.pause_reading()
            client: socket.socket = transport.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else the kernel reads
        self.transport.write(self._kind.first)
        self._drip()

    def _drip(self) -> None:
        """Send a little; while nothing is read, only this tells that the server has gone."""
        if not self.ended.done():
            self.transport.write(self._kind.drip)
            self._loop.call_later(DRIP_SECONDS, self._drip)

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set_result(None)
