"""`bench live`: thousands of WebSockets of one process, and a change that all of them get."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

from bench.held import SPARE_FILES, raise_file_limit
from bench.machine import description, pinned, two_cores
from bench.mongodb import embedded
from bench.servers import OURS, Server, running
from bench.soak_connection import Connection

SOCKETS = 5000
CHANGES = 5
DATABASE = "bench_live"
PATIENCE_SECONDS = 60.0
_OPENING = 25  # at the same time; more may be too much load, which the server refuses
_PONG = b"\x8a\x80\0\0\0\0"
_ACCOUNT = {"email": "live@example.com", "name": "Live", "password": "a long way to go 2015"}


@dataclass
class Told:
    """The seconds from a call until its change has reached each socket."""

    answered: float
    reached: list[float]


class _Socket(asyncio.Protocol):
    """A WebSocket that only reads; `changes` has the time of each change."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._received = bytearray()
        self._open = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.changes: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET /live HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._token}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n"
        )
        self.transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._open:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            self._open = bool(end)
            if not head.startswith(b"HTTP/1.1 101 ") and end:
                self.ready.set_exception(ChildProcessError(head.decode()))
            self._received = rest if end else self._received
        while self._open and (frame := self._frame()):
            self._take(*frame)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ChildProcessError("The server has closed a WebSocket."))

    def _frame(self) -> tuple[int, bytes] | None:
        """Return the next frame: its kind and its payload."""
        received, start = self._received, 2
        if len(received) < start:
            return None
        size = received[1]
        if size == 126:
            start, size = 4, int.from_bytes(received[2:4], "big")
        if len(received) < start + size:
            return None
        kind, payload = received[0] & 15, bytes(received[start : start + size])
        del received[: start + size]
        return kind, payload

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == 9:
            self.transport.write(_PONG)
        elif payload.startswith(b'{"ready"'):
            self.ready.set_result(None)
        elif payload.startswith(b'{"change"'):
            self.changes.append(self._loop.time())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench live", description=__doc__)
    parser.add_argument("--sockets", type=int, default=SOCKETS)
    parser.add_argument("--changes", type=int, default=CHANGES, help="one after the other")
    options = parser.parse_args(arguments)
    cores = two_cores()
    raise_file_limit(options.sockets + SPARE_FILES)
    print(f"indico {description()['indico']}; {options.sockets} WebSockets of one user")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="indico-bench-")))
        with pinned(cores[1]):
            mongodb = stack.enter_context(embedded(folder / "data"))
        log = folder / "server.log"
        server = stack.enter_context(running(OURS, mongodb.uri, DATABASE, cores[0], log))
        with pinned(cores[1]), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            told = runner.run(_measure(server, options.sockets, options.changes))
    return 0 if all(len(each.reached) == options.sockets for each in told) else 1


async def _measure(server: Server, sockets: int, changes: int) -> list[Told]:
    token = (await _ask(Connection(server.port, ""), "auth/register", _ACCOUNT))["token"]
    _close(await _open(server.port, token, 1))  # what the first one needs once
    before, files = server.memory_bytes(), server.open_files()
    loop = asyncio.get_running_loop()
    began = loop.time()
    opened = await _open(server.port, token, sockets)
    seconds = loop.time() - began
    memory = (server.memory_bytes() - before) / sockets
    print(
        f"opened in {seconds:.1f} s; {memory / 1024:.1f} KB of the server's memory and "
        f"{(server.open_files() - files) / sockets:.1f} files a socket"
    )
    print("change  reached  answered     first    median      last")
    results = []
    for number in range(1, changes + 1):
        results.append(told := await _change(server.port, token, opened, number))
        print(f"{number:6} {len(told.reached):8}  {_times(told)}", flush=True)
    _close(opened)
    return results


async def _open(port: int, token: str, count: int) -> list[_Socket]:
    loop, turns = asyncio.get_running_loop(), asyncio.Semaphore(_OPENING)

    async def open_one() -> _Socket:
        async with turns:
            _, opened = await loop.create_connection(lambda: _Socket(token), "127.0.0.1", port)
            await asyncio.wait_for(opened.ready, PATIENCE_SECONDS)
            return opened

    return await asyncio.gather(*(open_one() for _ in range(count)))


def _close(opened: list[_Socket]) -> None:
    for each in opened:
        each.transport.abort()


async def _change(port: int, token: str, opened: list[_Socket], number: int) -> Told:
    """Add an entry to the address book, and wait until each socket knows."""
    loop, connection = asyncio.get_running_loop(), Connection(port, token)
    began = loop.time()
    await _ask(connection, "address/create", {"entry": {"name": f"entry {number}"}})
    answered = loop.time() - began
    while loop.time() < began + PATIENCE_SECONDS and any(
        len(each.changes) < number for each in opened
    ):
        await asyncio.sleep(0.01)
    reached = [each.changes[-1] - began for each in opened if len(each.changes) == number]
    return Told(answered, reached)


async def _ask(connection: Connection, path: str, body: object) -> dict[str, str]:
    await connection.send(connection.request(f"/{path}", body, "live"))
    status, _, text = await connection.answer()
    if status not in (b"200", b"201"):
        raise ChildProcessError(f"{path}: {text.decode()}")
    data: dict[str, str] = json.loads(text)["data"]
    return data


def _times(told: Told) -> str:
    reached = told.reached or [float("nan")]
    parts = told.answered, min(reached), statistics.median(reached), max(reached)
    return "".join(f"{part * 1000:7.0f} ms" for part in parts)
