"""Thousands of clients, each with about one request a second.

The rate stays the same while answers become slow, as long as they take less than a second. Refused
clients come again as if they had been answered, or wait for `Retry-After`.
They run in one loop over `epoll`. A request costs the loop 20 us of a processor, so that it can
share a core with MongoDB. wrk can't replace them: it does not report the time of each answer, and
looks at every client's timer in each turn.
"""

from __future__ import annotations

import random
import re
import select
import socket
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import cycle
from pathlib import Path
from time import perf_counter, sleep, time_ns

from bench.data import NUMBER

# Seconds between two requests of a client, unless the answer takes longer. A patient client
# multiplies them by the `Retry-After` of a refusal.
PAUSES = (0.5, 1.5)
NO_PAUSES = (0.0, 0.0)
ANSWER_SECONDS = 30
_OPENING_AT_ONCE = 100
_READ_BYTES = 1 << 16
# The loop polls, because a waiting process must be woken by the server. That would cost the server
# more of a processor than the rest of a small answer.
_TICK_SECONDS = 0.001
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)\r\n", re.IGNORECASE)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_NUMBER = NUMBER.encode()
_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n"


@dataclass
class Seen:
    """Seconds until each answer; `errors` counts answers that are no success and no refusal."""

    seconds: float
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    errors: int = 0


class _Client:
    __slots__ = ("due", "socket", "unread")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.unread = b""

    def received(self, data: bytes) -> bytes:
        """Return the whole answer, or nothing while it is incomplete."""
        data = self.unread = self.unread + data
        end = data.find(b"\r\n\r\n")
        length = LENGTH.search(data, 0, end + 2)
        if end < 0 or length is None or len(data) < end + 4 + int(length[1]):
            return b""
        self.unread = b""
        return data


class Clients:
    """The clients of the server on `port`, with `requests` in turn.

    `pauses` are the shortest and the longest one. Only `patient` clients wait for `Retry-After`.
    """

    def __init__(
        self,
        port: int,
        requests: list[bytes],
        pauses: tuple[float, float] = PAUSES,
        patient: bool = False,
    ) -> None:
        self._port = port
        self._requests = cycle(requests)
        self._pauses = pauses
        self._patient = patient
        self._random = random.Random(2015)  # noqa: S311
        self._clients: list[_Client] = []
        self._by_file: dict[int, _Client] = {}
        self._epoll = select.epoll()
        self._due: list[tuple[float, int]] = []  # time of the next request, and the client's file
        self._asking: set[_Client] = set()

    def open(self, count: int) -> None:
        """Add clients up to `count`; on return the server has accepted each of them."""
        known = len(self._clients)
        while len(self._clients) < count:
            for _ in range(min(_OPENING_AT_ONCE, count - len(self._clients))):
                client = _Client(self._port)
                self._clients.append(client)
                self._by_file[client.socket.fileno()] = client
            client.socket.sendall(_HEALTH)
            while not client.received(client.socket.recv(_READ_BYTES)):
                pass
        for client in self._clients[known:]:
            client.socket.setblocking(False)
            self._epoll.register(client.socket, select.EPOLLIN)

    def ask(self, count: int, seconds: float) -> Seen:
        """Send the requests of `count` clients for `seconds`, and return their answers."""
        seen = Seen(seconds)
        now = perf_counter()
        if not self._due:
            self._due = [
                (now + self._random.random() * self._pauses[1], client.socket.fileno())
                for client in self._clients[:count]
            ]
            heapify(self._due)
        end = now + seconds
        while now < end:
            self._send(now)
            self._receive(seen)
            sleep(_TICK_SECONDS)
            now = perf_counter()
        return seen

    def rest(self) -> None:
        """Send no more requests, and wait for the answers in flight."""
        self._due.clear()
        end = perf_counter() + ANSWER_SECONDS
        while self._asking and perf_counter() < end:
            self._receive(Seen(0))
            self._due.clear()
            sleep(_TICK_SECONDS)
        if self._asking:
            raise ChildProcessError(f"{len(self._asking)} requests were not answered.")

    def close(self) -> None:
        for client in self._clients:
            client.socket.close()
        self._epoll.close()

    def _send(self, now: float) -> None:
        due = self._due
        while due and due[0][0] <= now:
            at, file = heappop(due)
            client = self._by_file[file]
            client.due = at
            self._asking.add(client)
            number = b"%016d" % (time_ns() // 1000)
            client.socket.send(next(self._requests).replace(_NUMBER, number))

    def _receive(self, seen: Seen) -> None:
        for file, _ in self._epoll.poll(0, -1):
            client = self._by_file[file]
            data = client.socket.recv(_READ_BYTES)
            answer = client.received(data)
            now = perf_counter()
            if answer:
                self._count(answer, now - client.due, seen)
                self._asking.discard(client)
                pause = self._random.uniform(*self._pauses) * self._retry_after(answer)
                heappush(self._due, (max(now, client.due + pause), file))
            elif not data:
                raise ChildProcessError("The server has closed a connection.")

    def _retry_after(self, answer: bytes) -> int:
        found = _RETRY_AFTER.search(answer) if self._patient else None
        return int(found[1]) if found else 1

    def _count(self, answer: bytes, took: float, seen: Seen) -> None:
        if answer.startswith(b"HTTP/1.1 2"):
            seen.accepted.append(took)
        elif answer.startswith(b"HTTP/1.1 503 "):
            seen.refused.append(took)
        else:
            seen.errors += 1


def requests(file: Path) -> list[bytes]:
    """Return the requests in a file of `Data.write_requests`, as bytes."""
    path, *lines = file.read_text().splitlines()
    return [_request(path, *line.split("\t", 1)) for line in lines]


def _request(path: str, token: str, body: str) -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
