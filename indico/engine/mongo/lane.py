"""A lane: a connection that PyMongo has opened, on which commands go out without PyMongo.

PyMongo does what is hard: names, TLS, authentication, the choice of the server. The driver's cost
of a command is then two thirds of all that an operation costs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple, Protocol

import pymongo
from pymongo.errors import AutoReconnect, ProtocolError

from .command import Command
from .replies import retryable, state_changed
from .wire import Messages

__all__ = ["Address", "Lane", "Owner", "Taken", "taken"]

Address = tuple[str, int | None]


class Taken(NamedTuple):
    """A connection of PyMongo: its transport, PyMongo's protocol and the server's address.

    `lost` is done once that protocol knows the end of the connection.
    """

    transport: asyncio.Transport
    protocol: asyncio.BaseProtocol
    address: Address
    lost: asyncio.Future[None]


@asynccontextmanager
async def taken(client: Any, seconds: float) -> AsyncIterator[Taken]:
    """Yield a connection with the primary, which PyMongo closes at the end.

    An error that ends the block is told to PyMongo, whose monitoring then looks for the primary.
    No other function touches names of PyMongo that are not public.
    """
    async with AsyncExitStack() as stack:
        with pymongo.timeout(seconds):
            checkout = await client._conn_for_writes(None, "lane")
            connection = await stack.enter_async_context(checkout)
        stack.push_async_callback(connection.close_conn, None)
        transport, protocol = connection.conn.conn
        lost: asyncio.Future[None] = protocol._closed
        if lost.done() or transport.is_closing():
            raise AutoReconnect("connection closed before its first command")
        yield Taken(transport, protocol, connection.address, lost)


class Owner(Protocol):
    """The object to which a lane reports on its commands."""

    def answered(self, lane: Lane) -> None:
        """Take note of an answer, after which the lane has room for another command."""

    def succeeded(self, command: Command[Any]) -> None:
        """Take note of a command that its caller has the answer to."""

    def failed(self, command: Command[Any], error: Exception) -> None:
        """Send the command again, or fail it."""

    def ended(self, lane: Lane) -> None:
        """Send no command on this lane any more."""


class Lane(asyncio.Protocol):
    """Commands in flight on one connection; MongoDB answers them in their order.

    `ended` is the lane's end. Its error, if it has one, is to be told to PyMongo.
    """

    def __init__(self, owner: Owner, connection: Taken) -> None:
        loop = asyncio.get_running_loop()
        self.address = connection.address
        self.in_flight: deque[Command[Any]] = deque()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.retired = False
        self._owner = owner
        self._time: Callable[[], float] = loop.time
        self._transport = connection.transport
        self._replaced = connection.protocol
        self._messages = Messages()
        self._number = 0
        self._transport.set_protocol(self)
        self._transport.resume_reading()
        # With TLS, the end may be on its way to PyMongo's protocol, and nobody would tell the lane.
        connection.lost.add_done_callback(lambda _: self.connection_lost(None))

    def send(self, command: Command[Any]) -> None:
        self._number += 1
        self.in_flight.append(command)
        self._transport.write(command.message(self._number, self._time()))

    def data_received(self, data: bytes) -> None:
        try:
            for number, reply in self._messages.feed(data):
                if not self.in_flight or self.in_flight[0].number != number:
                    raise ProtocolError("MongoDB answered a command that was not sent")
                self._receive(reply)
        except ProtocolError as error:
            self.end(AutoReconnect(str(error)))

    def _receive(self, reply: bytes) -> None:
        command = self.in_flight.popleft()
        error = command.answer(reply)
        if error is None:
            self._owner.succeeded(command)
        else:
            if state_changed(error) or retryable(error, write=False):
                self.end(error)
            self._owner.failed(command, error)
        if self.retired and not self.in_flight:
            self.end()
        self._owner.answered(self)

    def retire(self) -> None:
        """End when all commands in flight are answered."""
        self.retired = True
        if not self.in_flight:
            self.end()

    def connection_lost(self, error: Exception | None) -> None:
        # PyMongo waits for it when the connection is closed.
        self._replaced.connection_lost(error)
        lost = AutoReconnect(f"connection closed: {error}" if error else "connection closed")
        self.end(lost, told=bool(self.in_flight))

    def end(self, error: Exception | None = None, told: bool = True) -> None:
        """Send nothing more. The commands in flight have to be sent again, or to fail."""
        if self.ended.done():
            return
        if error and told:
            self.ended.set_exception(error)
            self.ended.exception()  # asyncio would log an error that nobody has seen
        else:
            self.ended.set_result(None)
        self._owner.ended(self)
        while self.in_flight:
            self._owner.failed(self.in_flight.popleft(), error or AutoReconnect("lane closed"))
