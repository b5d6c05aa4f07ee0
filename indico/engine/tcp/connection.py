"""A client's connection to the TCP service: lines are read in order, and answered in any order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from tornado.iostream import IOStream, StreamClosedError
from tornado.log import gen_log

from ..error import APIError
from ..http import inner_call
from ..http.batch import MAX_CALLS
from ..http.inner_call import Envelope
from ..http.memory_connection import Client
from ..http.message import Message, answer_to, request_id_of
from ..http.timeouts import BodyTimeout
from ..http.unsent import StreamClient
from .line import Line

if TYPE_CHECKING:
    from .server import LineServer

_PIECE = 1 << 14


class LineConnection:
    """A client of `server`, with `MAX_CALLS` calls in flight at most; then it is not read."""

    def __init__(self, server: LineServer, stream: IOStream, client: Client) -> None:
        self._server = server
        self._stream = stream
        self._client = client
        self._reader = StreamClient(stream, str(client.remote_ip))
        self._line = Line(server.app)
        self._line_timeout = BodyTimeout()
        self._room = asyncio.Semaphore(MAX_CALLS)
        self._calls: set[asyncio.Task[None]] = set()
        self._finishing = False

    # What the server calls.

    async def serve(self) -> None:
        """Read lines, and begin to answer them, until the connection takes no calls any more."""
        self._stream.set_nodelay(True)
        self._stream.set_close_callback(self._closed)
        self._server.opened(self)
        try:
            with suppress(StreamClosedError):
                while True:
                    await self._receive(await self._stream.read_bytes(_PIECE, partial=True))
                    await asyncio.sleep(0)  # others get a turn, also if the next piece is there
        finally:
            self._line.let_go()

    @property
    def is_busy(self) -> bool:
        """True while an answer is not written yet, or not taken."""
        return bool(self._calls)

    def finish(self) -> None:
        """Begin no further call, and close once all calls are answered."""
        self._finishing = True
        if not self._calls:
            self.close()

    def close(self) -> None:
        self._stream.close()

    # From lines to calls.

    async def _receive(self, data: bytes) -> None:
        """Begin the calls of the lines that `data` ends. Raises `StreamClosedError` as `_begin`."""
        if self._stream.closed():  # since `data` came
            raise StreamClosedError
        *ends, rest = data.split(b"\n")
        for end in ends:
            if not end and not self._line.begun:  # there may be thousands in a piece
                continue
            self._line.take(end)
            self._line_timeout.stop()
            line, self._line = self._line, Line(self._server.app)
            await self._begin(line)
        self._line.take(rest)
        if self._line.begun:
            self._server.idle.stop(self)
            self._line_timeout.start(self._server.line_seconds, self._line_too_slow)
        else:
            self._rest()

    async def _begin(self, line: Line) -> None:
        """Begin the call of a line, once there is room for one more.

        Raises `StreamClosedError` if the connection takes no calls any more.
        """
        if line.is_blank:
            line.let_go()
            return
        await self._room.acquire()
        if self._finishing or self._stream.closed():
            line.let_go()
            raise StreamClosedError
        self._server.idle.stop(self)
        call = asyncio.create_task(self._answer(line))
        self._calls.add(call)
        call.add_done_callback(partial(self._answered, line))

    async def _answer(self, line: Line) -> None:
        sent = await line.parse()
        line.let_go()
        if isinstance(sent, APIError):
            answer = answer_to({}, self._refusal({}, sent))
        else:
            answer = answer_to(sent, await self._call(sent))
        if self._server.app.draining:
            answer["close"] = True
        with suppress(StreamClosedError):
            await self._write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE))

    async def _call(self, sent: dict[str, Any]) -> Envelope:
        try:
            message = Message.read(sent)
        except APIError as error:
            return self._refusal(sent, error)
        headers = message.headers(request_id_of(sent))
        app = self._server.app
        return await inner_call.call(app, self._client, message.action, message.body, headers)

    def _refusal(self, sent: dict[str, Any], error: APIError) -> Envelope:
        return inner_call.refuse(self._client, "", error, request_id_of(sent))

    async def _write(self, answer: bytes) -> None:
        """Write an answer, and wait until the kernel has taken it."""
        written = self._stream.write(answer)
        self._watch()
        if self._stream.writing():
            self._server.unsent.add(len(answer))
        await written
        self._watch()

    def _watch(self) -> None:
        """Limit the client's time for what is not sent, if anything is."""
        unsent = self._server.unsent
        (unsent.start if self._stream.writing() else unsent.stop)(self._reader)

    # What ends.

    def _answered(self, line: Line, call: asyncio.Task[None]) -> None:
        line.let_go()  # also if the call was cancelled before it was parsed
        self._calls.discard(call)
        self._room.release()
        if self._finishing and not self._calls:
            self.close()
        else:
            self._rest()

    def _rest(self) -> None:
        """Begin the connection's idle time, if nothing is under way."""
        if not (self._calls or self._line.begun or self._stream.closed()):
            self._server.idle.start(self)

    def _line_too_slow(self) -> None:
        gen_log.info("Timeout reading a line from %s", self._reader)
        self.close()

    def _closed(self) -> None:
        """End the calls of a client that is gone."""
        self._line_timeout.stop()
        self._server.closed(self, self._reader)
        for call in list(self._calls):
            call.cancel()
