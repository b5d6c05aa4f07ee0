"""Calls of actions over a WebSocket: several at once, each answered with the id of its message."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPHeaders

from ..error import APIError, RateLimited, Unavailable
from ..http import inner_call
from ..http.inner_call import Envelope
from ..http.json_answer import dumps
from ..http.memory_connection import Client
from ..http.message import Message, answer_to, request_id_of
from ..tasks import start
from .ending import Ending

if TYPE_CHECKING:
    from .live_handler import LiveHandler

MAX_CALLS = 32  # in flight, of one WebSocket
# What signs a call, or tells who calls. All else in a handshake is about the handshake.
_KEPT = (
    *("Host", "Origin", "Sec-Fetch-Site", "Cookie", "Authorization"),
    *("User-Agent", "Accept-Language"),
)


class SocketCalls:
    """The calls that came over one WebSocket and are not answered yet."""

    def __init__(self, handler: LiveHandler) -> None:
        self._handler = handler
        request = handler.request
        self._client = Client(request.remote_ip, request.protocol, "live")
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._leaving: Ending | None = None

    async def take(self, sent: Mapping[str, Any] | APIError) -> None:
        """Begin the call in a message, or refuse it; an error stands for an unreadable message."""
        self._count += 1
        own = {} if isinstance(sent, APIError) else sent
        call_id = f"{self._handler.request_id[:110]}.{self._count}"
        if "request_id" in own:
            call_id = request_id_of(own)
        try:
            if isinstance(sent, APIError):
                raise sent
            message = Message.read(sent)
            self._refuse_too_many()
        except APIError as error:
            await self._write(own, inner_call.refuse(self._client, "", error, call_id))
        else:
            task = start(self._answer(message, own, call_id))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def leave(self, ending: Ending) -> None:
        """Take no more calls, and close the WebSocket once all are answered."""
        self._leaving = ending
        if not self._tasks:
            self._handler.close(*ending)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _refuse_too_many(self) -> None:
        if self._leaving:
            raise Unavailable(self._leaving.reason)
        if len(self._tasks) >= MAX_CALLS:
            raise RateLimited(f"A WebSocket may have {MAX_CALLS} calls in flight: await answers.")

    async def _answer(self, message: Message, sent: Mapping[str, Any], call_id: str) -> None:
        headers, app = self._headers(message, call_id), self._handler.application
        answer = await inner_call.call(app, self._client, message.action, message.body, headers)
        await self._write(sent, answer)

    def _headers(self, message: Message, call_id: str) -> HTTPHeaders:
        """Return the headers of a call: its own, and those that sign it by the handshake's."""
        headers, sent = message.headers(call_id), self._handler.request.headers
        headers.pop("Host")
        for name in _KEPT:
            if name not in headers:
                for value in sent.get_list(name):
                    headers.add(name, value)
        return headers

    async def _write(self, sent: Mapping[str, Any], answer: Envelope) -> None:
        """Write an answer, and wait until the client has taken it."""
        await self._handler.write_whole(dumps(answer_to(sent, answer)))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._leaving:
            self.leave(self._leaving)
