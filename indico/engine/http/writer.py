"""The writing half of a connection, which knows how many bytes its client has not taken."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from tornado.iostream import StreamClosedError

from .unsent import Unsent, unacknowledged

if TYPE_CHECKING:
    from .connection import Context

_PIECE = 1 << 16


class Writer:
    """The writing half of a connection; `free` is done while no byte is unsent.

    The transport must pause at the first unsent byte.
    """

    __slots__ = ("_all_unsent", "_context", "_ended", "_transport", "_written", "free")

    def __init__(
        self,
        transport: asyncio.Transport,
        context: Context,
        unsent: Unsent,
        free: asyncio.Future[None],
    ) -> None:
        self.free = free
        self._transport = transport
        self._context = context
        self._all_unsent = unsent
        self._written = 0
        self._ended = False

    def __str__(self) -> str:
        return str(self._context)

    # What the connection calls.

    def write(self, data: bytes) -> asyncio.Future[None]:
        """Write `data`; the future is done once all is sent, or the client is gone."""
        if self._transport.is_closing():
            failed: asyncio.Future[None] = asyncio.Future()
            failed.set_exception(StreamClosedError())
            failed.exception()  # nobody has to look at it
            return failed
        self._written += len(data)
        self._send(data)
        if not self.free.done():
            self._all_unsent.add(len(data))
        return self.free

    def _send(self, data: bytes) -> None:
        self._transport.write(data)

    def pause(self) -> None:
        self.free = asyncio.Future()
        self._all_unsent.start(self)

    def resume(self) -> None:
        self._set_free()
        if not self._transport.is_closing():
            self._all_unsent.stop(self)

    def closing(self) -> None:
        """Limit the time until the transport, which closes after the last byte, has closed."""
        if not self._ended:
            self._all_unsent.start(self)

    def end(self) -> None:
        """Forget the unsent bytes: the connection is lost, or belongs to another protocol."""
        self._ended = True
        self._all_unsent.stop(self)
        self._set_free()

    def _set_free(self) -> None:
        if not self.free.done():
            self.free.set_result(None)

    # What `Unsent` asks.

    @property
    def taken(self) -> int:
        connection = self._transport.get_extra_info("socket")
        return self._written - self.unsent - unacknowledged(connection)

    @property
    def unsent(self) -> int:
        return self._transport.get_write_buffer_size()

    def abort(self) -> None:
        self._transport.abort()


class TLSWriter(Writer):
    """A writer that encrypts one piece at a time, because encrypted bytes can't be counted.

    Encrypting a large answer at once would block the event loop, too.
    """

    _paused = False

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._pieces: deque[memoryview] = deque()

    def _send(self, data: bytes) -> None:
        pieces = memoryview(data)
        self._pieces.extend(pieces[at : at + _PIECE] for at in range(0, len(data), _PIECE))
        self._send_pieces()

    def _send_pieces(self) -> None:
        while self._pieces and not self._paused:
            self._transport.write(self._pieces.popleft())

    def pause(self) -> None:
        self._paused = True
        if self.free.done():
            super().pause()

    def resume(self) -> None:
        self._paused = False
        self._send_pieces()
        if not self._paused:
            super().resume()

    def closing(self) -> None:
        super().closing()
        while self._pieces:  # the transport takes nothing later
            self._transport.write(self._pieces.popleft())

    @property
    def unsent(self) -> int:
        return super().unsent + sum(map(len, self._pieces))
