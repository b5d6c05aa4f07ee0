"""`MemoryConnection`: a connection whose answer stays in memory, for a call inside a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    RequestStartLine,
    ResponseStartLine,
)


def _nothing() -> None:
    """Do nothing: no handler waits for the end of the connection."""


class Client(NamedTuple):
    """The client of a request, under the names that Tornado asks for.

    `carrier` is what carries its calls, for the log.
    """

    remote_ip: str | None
    protocol: str
    carrier: str


class MemoryConnection(HTTPConnection):
    """The connection of one request; `answer` has the body of its answer once that is complete."""

    def __init__(self, client: Client, max_body_bytes: int) -> None:
        self.context = client
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._max_body_size = max_body_bytes
        self._pieces: list[bytes] = []
        self._closed = _nothing

    def close(self) -> None:
        """End the request, as if its client had gone away."""
        self._closed()

    # Tornado's interface.

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        self._closed = callback or _nothing

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> asyncio.Future[None]:
        return self.write(chunk or b"")

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        self._pieces.append(chunk)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written

    def finish(self) -> None:
        if not self.answer.done():
            self.answer.set_result(b"".join(self._pieces))
