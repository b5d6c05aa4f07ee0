"""Calls of actions over a WebSocket: several at once, each answered with the id of its message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError
from tornado.httputil import HTTPHeaders

from ..error import APIError, InvalidArgument, RateLimited, Unavailable
from ..http import inner_call
from ..http.batch import Call
from ..http.errors import render_error
from ..http.inner_call import Envelope
from ..http.json_answer import dumps
from ..http.json_body import parse_object
from ..http.memory_connection import Client
from ..tasks import start
from ..validation import problems_of

if TYPE_CHECKING:
    from .live_handler import LiveHandler

MAX_CALLS = 32  # in flight, of one WebSocket
# What signs a call, or tells who calls. All else in a handshake is about the handshake.
_KEPT = (
    *("Host", "Origin", "Sec-Fetch-Site", "Cookie", "Authorization"),
    *("User-Agent", "Accept-Language"),
)


class NumberedCall(Call):
    """A call with an `id`, which its answer has too."""

    id: int | Annotated[str, Field(max_length=200)]


class SocketCalls:
    """The calls that came over one WebSocket and are not answered yet."""

    def __init__(self, handler: LiveHandler) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._leaving = False

    async def take(self, message: str | bytes) -> None:
        """Begin the call in a message, or refuse it."""
        self._count += 1
        call_id = f"{self._handler.request_id[:110]}.{self._count}"
        sent: dict[str, Any] = {}
        try:
            sent = parse_object(_bytes(message), self._handler.config.max_body_values)
            call = _read(sent)
            self._refuse_too_many()
        except APIError as error:
            await self._write(sent.get("id"), render_error(error, call_id))
        else:
            task = start(self._answer(call, call_id))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def leave(self) -> None:
        """Take no more calls, and let the handler leave once all are answered."""
        self._leaving = True
        if not self._tasks:
            self._handler.leave()

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _refuse_too_many(self) -> None:
        if self._leaving:
            raise Unavailable("The server is stopping: connect again.")
        if len(self._tasks) >= MAX_CALLS:
            raise RateLimited(f"A WebSocket may have {MAX_CALLS} calls in flight: await answers.")

    async def _answer(self, call: NumberedCall, call_id: str) -> None:
        request = self._handler.request
        headers = HTTPHeaders({"X-Request-Id": call_id, "Content-Type": "application/json"})
        for name in _KEPT:
            for value in request.headers.get_list(name):
                headers.add(name, value)
        client = Client(request.remote_ip, request.protocol)
        application = self._handler.application
        answer = await inner_call.call(application, client, call.action, call.body, headers)
        await self._write(call.id, answer)

    async def _write(self, id: Any, answer: Envelope) -> None:
        """Write an answer, and wait until the client has taken it."""
        await self._handler.write_whole(dumps({"id": id, **answer}))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._leaving:
            self.leave()


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _read(sent: dict[str, Any]) -> NumberedCall:
    """Return a call. Raises `InvalidArgument` with every problem."""
    try:
        return NumberedCall.model_validate(sent, strict=True)
    except ValidationError as error:
        raise InvalidArgument.join(problems_of(error)) from None
