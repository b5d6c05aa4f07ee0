"""`Receiver`: an HTTP server on loopback that keeps what it gets, and answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from ssl import SSLContext
from typing import NamedTuple

PATIENCE = 60


class Request(NamedTuple):
    """A request, with the names of its headers in lower case."""

    start: str
    headers: dict[str, str]
    body: bytes


def answer(status: int, body: bytes = b"", **headers: str) -> list[bytes]:
    """Return the pieces of an answer; `_` in the name of a header is `-`."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"Content-Length": str(len(body)), **fields}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
    return [f"HTTP/1.1 {status} Status\r\n{''.join(lines)}\r\n".encode() + body]


class Receiver:
    """A server that gives each request the pieces of `answer`, and closes the connection.

    A server that `holds` leaves connections open until `close`.
    """

    def __init__(self) -> None:
        self.answer: Iterable[bytes] = answer(204)
        self.holds = False
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self._closed = asyncio.Event()

    async def start(self, host: str = "127.0.0.1", tls: SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, host, 0, ssl=tls)
        self.address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{self.address[1]}/events?from=here"

    async def close(self) -> None:
        self._closed.set()
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    async def next(self) -> Request:
        """Wait for a request that was not returned before."""
        async with asyncio.timeout(PATIENCE):
            return await self.requests.get()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
            start, *lines = head.strip().split("\r\n")
            pairs = [line.partition(":") for line in lines]
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers["content-length"]))
            self.requests.put_nowait(Request(start, headers, body))
            for piece in self.answer:
                writer.write(piece)
                await writer.drain()
            if self.holds:
                await self._closed.wait()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has closed
        finally:
            writer.close()
