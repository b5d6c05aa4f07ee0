"""`Proxy`: a network between a driver and MongoDB that tests make slow or break."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any, Self, cast
from urllib.parse import urlsplit

import bson

# The bytes that may wait in one direction of a connection, as in the buffers of a socket.
MAX_WAITING_BYTES = 4 << 20
_HEADER = struct.Struct("<4i")  # length, id, id of the answered request, operation
_OP_MSG = 2013
_COMMAND = _HEADER.size + 5  # the position of the document in an OP_MSG
_END = b""


class Proxy:
    """A loopback port in front of the MongoDB at `uri`, served by a thread of its own.

        with Proxy(mongodb_uri()) as proxy:
            await db.connect(proxy.uri, ...)
            proxy.delay_seconds = 0.005
            proxy.cut()

    `delay_seconds` delays every byte in each direction, but not connecting. `refuse` resets new
    connections. `cut_after` resets all connections in place of the message with that number. The
    messages in both directions are counted from now; 0 is never. While `commands` is a list,
    every command is appended to it, without the documents of an insert. The messages by which a
    driver watches its server don't count. `answers.cut_at` is the number of bytes at which all
    connections are reset, mostly in the middle of an answer.

    With `tls=true` in `uri` messages are not seen, because they are encrypted.
    """

    def __init__(self, uri: str) -> None:
        self.delay_seconds = 0.0
        self.cut_after = 0
        self.refuse = False
        self.commands: list[dict[str, Any]] | None = None
        self.requests = Traffic()
        self.answers = Traffic()
        self._uri = urlsplit(uri)
        self._sees_messages = "tls=true" not in self._uri.query
        self._server_address = str(self._uri.hostname), self._uri.port or 27017
        self._ends: set[_End] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = self._loop.create_server(lambda: _Client(self), "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        port = self._server.sockets[0].getsockname()[1]
        self.uri = self._uri._replace(netloc=f"127.0.0.1:{port}").geturl()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._server.close)
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def freeze(self, *, requests: bool = True, answers: bool = True) -> None:
        """Hold all bytes in these directions until `thaw()`."""
        self.requests.frozen, self.answers.frozen = requests, answers

    def thaw(self) -> None:
        self.freeze(requests=False, answers=False)
        self._do(self._release)

    def cut(self) -> None:
        """Reset all connections. Bytes that were held or in flight are lost."""
        self._do(self._reset)

    def _do(self, work: Callable[[], None]) -> None:
        async def do() -> None:
            work()

        asyncio.run_coroutine_threadsafe(do(), self._loop).result()

    def _release(self) -> None:
        for end in self._ends:
            end.release()

    def _reset(self) -> None:
        for end in self._ends:
            end.reset()

    def _passes(self, message: bytearray, traffic: Traffic) -> bool:
        """Return whether `message` is passed on; otherwise reset all connections."""
        traffic.messages += 1
        if self.commands is not None and traffic is self.requests:
            size = int.from_bytes(message[_COMMAND : _COMMAND + 4], "little")
            self.commands.append(bson.decode(message[_COMMAND : _COMMAND + size]))
        if not self.cut_after:
            return True
        self.cut_after -= 1
        if not self.cut_after:
            self._reset()
        return self.cut_after > 0


@dataclass
class Traffic:
    """The traffic that came from one side."""

    bytes: int = 0
    messages: int = 0
    frozen: bool = False
    cut_at: float = inf


class _End(asyncio.Protocol):
    """The proxy's connection with one side; its bytes go out at the `other` end."""

    other: _End
    watches = True  # the driver only asks for the state of its server

    def __init__(self, proxy: Proxy, incoming: Traffic) -> None:
        self._proxy = proxy
        self._incoming = incoming
        self._message = bytearray()
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._waiting_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._proxy._ends.add(self)
        self.release()

    def data_received(self, data: bytes) -> None:
        self._incoming.bytes += len(data)
        excess = self._incoming.bytes - self._incoming.cut_at
        if excess >= 0:
            self._incoming.cut_at = inf
            self.other.send(data[: len(data) - int(excess)])
            self._proxy._reset()
        elif not self._proxy._sees_messages or self._pass_messages(data):
            self.other.send(data)

    def _pass_messages(self, data: bytes) -> bool:
        """Return whether `data` is passed on."""
        self._message += data
        return all(self._passes(message) for message in self._whole_messages())

    def _whole_messages(self) -> Iterator[bytearray]:
        while len(self._message) >= _HEADER.size:
            size = _HEADER.unpack_from(self._message)[0]
            if len(self._message) < size:
                break
            message, self._message = self._message[:size], self._message[size:]
            yield message

    def _passes(self, message: bytearray) -> bool:
        return self.watches or self._proxy._passes(message, self._incoming)

    def connection_lost(self, _: Exception | None) -> None:
        self._proxy._ends.discard(self)
        self._waiting.clear()
        self.other.send(_END)

    def send(self, data: bytes) -> None:
        """Write `data` after its delay, and after all data that waits already."""
        self._waiting.append((self._proxy._loop.time() + self._proxy.delay_seconds, data))
        self._waiting_bytes += len(data)
        if self._timer is None:
            self.release()

    def release(self) -> None:
        """Write the data that has waited long enough."""
        if self._transport is None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and not self.other._incoming.frozen:
            due, data = self._waiting[0]
            if due > self._proxy._loop.time():
                self._timer = self._proxy._loop.call_at(due, self.release)
                break
            self._waiting.popleft()
            self._waiting_bytes -= len(data)
            if data is _END:
                self._transport.close()
            else:
                self._transport.write(data)
        self.resume_writing()

    def resume_writing(self) -> None:
        """Read from the other side again, unless too much waits for this one."""
        transport, sender = self._transport, self.other._transport
        if transport is None or sender is None:
            return
        if self._waiting_bytes + transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            sender.pause_reading()
        else:
            sender.resume_reading()

    def reset(self) -> None:
        transport = self._transport
        assert transport
        at_once = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        transport.abort()


class _Client(_End):
    """The end that a client has connected to; it connects the other end."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy, proxy.requests)
        self.other = _End(proxy, proxy.answers)
        self.other.other = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connecting = self._proxy._loop.create_task(self._connect())

    def _passes(self, message: bytearray) -> bool:
        name = bytes(message[_COMMAND + 5 : message.find(0, _COMMAND + 5)]).lower()
        is_command = _HEADER.unpack_from(message)[3] == _OP_MSG
        self.watches = self.other.watches = not is_command or name in (b"hello", b"ismaster")
        return super()._passes(message)

    async def _connect(self) -> None:
        proxy = self._proxy
        try:
            if proxy.refuse:
                raise ConnectionRefusedError
            await proxy._loop.create_connection(lambda: self.other, *proxy._server_address)
        except OSError:
            self.reset()
