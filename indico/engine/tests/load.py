"""`Load`: clients that ask again and again, and count the answers; and work for the processor."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from .server_test import read_answer


class Request(NamedTuple):
    method: str
    path: str
    token: str = ""

    def encode(self) -> bytes:
        body = b"{}" if self.method == "POST" else b""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        return "\r\n".join([*lines, "", ""]).encode() + body


class Load:
    """Clients of one server.

    `counted` is the number of answers by method and status; 0 is the status of no answer.
    """

    def __init__(self, port: int, requests: Sequence[Request]) -> None:
        self.port = port
        self.requests = requests
        self.counted: Counter[tuple[str, int]] = Counter()
        self.failed_ids: set[str] = set()
        self.pause_seconds = 0.0
        self._stopped = False

    @asynccontextmanager
    async def run(self, clients: int, pause_seconds: float = 0) -> AsyncIterator[None]:
        """Ask with so many clients, each of which pauses after an answer."""
        self.pause_seconds = pause_seconds
        tasks = [asyncio.create_task(self._ask(number)) for number in range(clients)]
        try:
            yield
        finally:
            self._stopped = True
            await asyncio.gather(*tasks)

    async def more(self, count: int) -> None:
        """Wait for `count` more answers."""
        wanted = self.counted.total() + count
        while self.counted.total() < wanted:
            await asyncio.sleep(0.01)

    async def _ask(self, number: int) -> None:
        while not self._stopped:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            kept = True
            while kept and not self._stopped:
                request = self.requests[number % len(self.requests)]
                number += 1
                writer.write(request.encode())
                status, kept = await self._answer(reader)
                self.counted[request.method, status] += 1
                await asyncio.sleep(self.pause_seconds)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bool]:
        """Return the status, and whether the connection is kept."""
        try:
            status, headers, body = await read_answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            return 0, False
        if status:
            envelope = json.loads(body)
            assert envelope["status"] == status, envelope
            if "error" in envelope:
                assert envelope["error"]["request_id"] == headers["x-request-id"], envelope
                self.failed_ids.add(headers["x-request-id"])
        return status, status > 0 and headers.get("connection") != "close"


def compute(seconds: float) -> None:
    """Use the processor for this long.

    A sleep would not do to block a loop: since version 6.12 Linux may count a part of a sleep as a
    wait for the processor, for which the server is not to blame.
    """
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
