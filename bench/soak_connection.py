"""A connection of `bench soak`."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import Any

from bench.clients import LENGTH

ANSWER_SECONDS = 60


class Connection:
    """A connection that can be dropped in the middle of a request, with RST or with FIN."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, *parts: bytes, pause: float = 0.0) -> None:
        """Send `parts`, on a new connection if there is none, with a pause between two."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(pause)
            self._writer.write(part)
            await self._writer.drain()

    async def answer(self) -> tuple[bytes, str, bytes]:
        """Return status, request id and body of the next answer."""
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
            (length,) = LENGTH.findall(head)
            body = await self._reader.readexactly(int(length))
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        if lines.get(b"connection") == b"close":
            self.drop(abruptly=False)
        return head[9:12], lines[b"x-request-id"].decode(), body

    def drop(self, abruptly: bool) -> None:
        if self._writer is None:
            return
        if abruptly:
            client: socket.socket = self._writer.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.close()
        self._writer = None

    def request(self, path: str, body: Any, request_id: str) -> bytes:
        text = json.dumps(body).encode()
        return (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._token}\r\n"
            f"X-Request-Id: {request_id}\r\nContent-Length: {len(text)}\r\n\r\n"
        ).encode() + text
