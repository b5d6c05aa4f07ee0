"""A connection handed over as a stream, when another protocol begins on it."""

from __future__ import annotations

import asyncio
import socket

from tornado.iostream import IOStream

from ..tasks import start

FLUSH_SECONDS = 30


def detach_stream(transport: asyncio.Transport, unparsed: bytes, encrypted: bool) -> IOStream:
    """Return the connection of `transport` as a stream that begins with `unparsed`.

    The socket itself is handed over, unless its bytes pass through the transport: those that were
    received or are still to be sent, and all of TLS. Then a tunnel joins the two.
    """
    if unparsed or encrypted or transport.get_write_buffer_size():
        transport.pause_reading()
        ours, theirs = socket.socketpair()
        start(connect(transport, ours, unparsed))
    else:
        own = transport.get_extra_info("socket")
        theirs = socket.fromfd(own.fileno(), own.family, own.type)
        transport.close()
    theirs.setblocking(False)
    return IOStream(theirs)


class Pump(asyncio.Protocol):
    """Carries what its transport receives to another transport."""

    def __init__(self, other: asyncio.Transport) -> None:
        self._other = other

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Close the other side, which has a while to take what it has not taken."""
        self._other.close()
        asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._other.abort)


async def connect(client: asyncio.Transport, end: socket.socket, first: bytes) -> None:
    """Join a client with a socket, whose other end stands for the client."""
    end.setblocking(False)
    loop = asyncio.get_running_loop()
    inner, _ = await loop.create_connection(lambda: Pump(client), sock=end)
    if client.is_closing():
        inner.close()
    else:
        inner.write(first)
        client.set_protocol(Pump(inner))
        client.resume_reading()
