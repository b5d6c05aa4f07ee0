"""The protocol of a WebSocket whose client learns that its message was too long."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketProtocol13

from ..tasks import start

_TOO_LONG = 1009
_SECONDS = 5
_PIECE = 1 << 16


class PatientProtocol(WebSocketProtocol13):
    """Tornado's protocol, which reads the rest of a message that is too long, and drops it.

    Tornado closes the connection under the rest. The client's system may then discard the frame
    with the code 1009.
    """

    _dropping: asyncio.Task[None] | None = None

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        super().close(code, reason)
        if code == _TOO_LONG and self._dropping is None:
            self._dropping = start(self._drop())

    def _abort(self) -> None:
        if self._dropping is None:
            super()._abort()
        else:
            self.client_terminated = True

    async def _drop(self) -> None:
        """Read until the client closes, for a few seconds at most."""
        stream = self.stream
        with suppress(StreamClosedError, OSError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await stream.write(b"")  # after all that was written before
                stream.socket.shutdown(socket.SHUT_WR)
                while True:
                    await stream.read_bytes(_PIECE, partial=True)
        stream.close()
