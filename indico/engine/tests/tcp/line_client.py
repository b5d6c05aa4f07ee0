"""`LineClient`: a client of the TCP service, which `serve_lines` starts in the test's process."""

from __future__ import annotations

import asyncio
import json
from ssl import SSLContext
from typing import Any, Self

from tornado.netutil import bind_sockets

from ...http.application import Application
from ...settings import ServerSettings
from ...tcp.server import LineServer

_LONGEST = 1 << 26


def serve_lines(
    app: Application, settings: ServerSettings, certificate: SSLContext | None = None
) -> tuple[LineServer, int]:
    """Return a server of the TCP service, and its port."""
    server = LineServer(app, settings, certificate)
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    return server, sockets[0].getsockname()[1]


def close(server: LineServer) -> None:
    server.close_all_connections()
    server.stop()


class LineClient:
    """A connection to the TCP service, on which a test sends lines and reads answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, **tls: Any) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=_LONGEST, **tls))

    def send(self, *messages: Any) -> None:
        """Send each message as a line; bytes are sent as they are."""
        for message in messages:
            raw = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
            self.writer.write(raw)

    async def answer(self) -> Any:
        """Return the next answer, None if the server has closed."""
        line = await self.reader.readline()
        return json.loads(line) if line else None

    async def ask(self, action: str, body: Any = None, **more: Any) -> Any:
        """Make a call, and return its answer, which must be the next one."""
        self.send({"action": action, **({} if body is None else {"body": body}), **more})
        return await self.answer()

    async def closed(self) -> bool:
        """Wait until the server has closed; return False if something came before."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.writer.transport.abort()
