"""`Unsent`: limits on the bytes that wait until slow clients have taken their answers."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import NamedTuple, Protocol

from tornado.iostream import IOStream
from tornado.log import gen_log

from ..log import LOGGER
from .timeouts import TimeoutQueue

if sys.platform == "linux":  # pragma: no branch
    import fcntl
    import termios


class Client(Protocol):
    """A client to which answers are written; `taken` and `unsent` count bytes."""

    @property
    def taken(self) -> int:
        """The bytes that the client has acknowledged so far."""

    @property
    def unsent(self) -> int:
        """The bytes that wait in this process until the client has room."""

    def abort(self) -> None:
        """Close the connection, and discard the unsent bytes."""


class StreamClient(NamedTuple):
    """A client to which answers are written through one of Tornado's streams."""

    stream: IOStream
    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def taken(self) -> int:
        return self.stream._total_write_done_index - unacknowledged(self.stream.socket)

    @property
    def unsent(self) -> int:
        return len(self.stream._write_buffer or b"")

    def abort(self) -> None:
        self.stream.close()


class Unsent:
    """The clients that have not taken all bytes of their answers.

    In each period of `seconds`, a client must take `rate` bytes a second on average. Otherwise its
    connection is closed. All clients together have `limit` unsent bytes at most. Beyond that,
    clients are disconnected: first the clients below the rate, then the others, oldest first.
    """

    def __init__(self, seconds: float, rate: int, limit: int) -> None:
        self._rate = rate
        self._limit = limit
        self._queue = TimeoutQueue[Client](seconds, self._time_out)
        # The time at which each client's period began, and the bytes taken until then.
        self._periods: dict[Client, tuple[float, int]] = {}
        self._bytes = 0  # an upper bound, because bytes that go out are not subtracted

    def __len__(self) -> int:
        return len(self._periods)

    def start(self, client: Client) -> None:
        """Begin the first period of `client`, unless one has begun."""
        if client not in self._periods:
            self._begin_period(client)

    def stop(self, client: Client) -> None:
        if self._periods.pop(client, None):
            self._queue.stop(client)

    def add(self, size: int) -> None:
        """Count bytes that were written to a client, and keep the limit."""
        self._bytes += size
        if self._bytes > self._limit:
            self.shed()

    def shed(self) -> None:
        """Disconnect clients, except the last, until a quarter of the limit is free."""
        unsent = {client: client.unsent for client in self._periods}
        self._bytes = sum(unsent.values())
        if self._bytes <= self._limit:
            return
        for client in sorted(unsent, key=self._is_slow, reverse=True)[:-1]:  # oldest first
            if self._bytes <= self._limit * 3 // 4:
                break
            self._bytes -= unsent[client]
            self._disconnect(client)
        if count := len(unsent) - len(self):
            LOGGER.warning(
                "%s of %s clients that had not taken their answers were disconnected, because "
                "more than max_unsent_bytes waited for them",
                *(count, len(unsent)),
            )

    def _begin_period(self, client: Client) -> None:
        self._periods.pop(client, None)  # a new key is the last
        self._periods[client] = (asyncio.get_running_loop().time(), client.taken)
        self._queue.start(client)

    def _time_out(self, client: Client) -> None:
        if self._is_slow(client):
            gen_log.info("Timeout writing to %s", client)
            self._disconnect(client)
        else:
            self._begin_period(client)

    def _is_slow(self, client: Client) -> bool:
        began, taken = self._periods[client]
        seconds = asyncio.get_running_loop().time() - began
        return client.taken - taken < self._rate * seconds

    def _disconnect(self, client: Client) -> None:
        self.stop(client)
        client.abort()


def unacknowledged(connection: socket.socket | None) -> int:
    """Return the bytes in the kernel that the client has not acknowledged; 0 if not on Linux.

    The kernel may hold megabytes, and takes more only after a third has gone out. So a client that
    takes less than that in a period would seem to take nothing. None is a closed connection.
    """
    if connection is None or sys.platform != "linux":
        return 0
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])
