"""`POST /batch`: several calls in one request, each with the same steps as a request of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from tornado.httputil import HTTPHeaders, RequestStartLine
from typing_extensions import TypedDict

from ..error import RouteNotFound, ServerError
from .action_handler import ActionHandler
from .decorators import type_check, unpack
from .effects import not_idempotent
from .errors import render_error
from .keyed_call import HEADER as IDEMPOTENCY_KEY
from .memory_connection import MemoryConnection

MAX_CALLS = 50
# Fields of the outer request that are about its own body, or that its `remote_ip` already shows.
# Its type stays, because a cookie signs calls of one type only.
_OWN = ("Content-Encoding", "Content-Length", "Transfer-Encoding", "Expect")
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto")


class Call(BaseModel):
    """One call: the action as `resource/action`, and its body."""

    model_config = ConfigDict(extra="forbid")

    action: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_]+/[a-zA-Z_]+$")]
    body: dict[str, Any] = Field(default_factory=dict)


class BatchAnswers(TypedDict):
    """The envelope of each call, in the order of the calls."""

    answers: list[dict[str, JsonValue]]


Calls = Annotated[list[Call], Field(min_length=1, max_length=MAX_CALLS)]


class BatchHandler(ActionHandler):
    """The calls of a batch are requests of their own: with limits, a token and a log line each."""

    takes_key = False  # each of its calls does

    @not_idempotent
    @unpack("calls", in_order=False)
    @type_check(Calls, bool)
    async def batch(self, calls: Sequence[Call], in_order: bool) -> BatchAnswers:
        """Make up to 50 calls, and return the envelope of each.

        The calls run at the same time, or with `in_order` one after the other, whatever the answer
        to the one before. Each is like a request of its own with the headers of the batch: it is
        admitted, needs the token, and has its own deadline and log line. Its `X-Request-Id` is that
        of the batch with `.0`, `.1`, ... behind, and so is its `Idempotency-Key`. The batch itself
        is 200 when its calls have failed. Only actions can be called, and no other batch. Headers
        of the answers are left out.
        """
        if in_order:
            return BatchAnswers(answers=[await self._call(*each) for each in enumerate(calls)])
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._call(*each)) for each in enumerate(calls)]
        return BatchAnswers(answers=[task.result() for task in tasks])

    async def _call(self, place: int, call: Call) -> dict[str, JsonValue]:
        """Return the envelope that the action answers."""
        call_id = f"{self.request_id[:120]}.{place}"
        if not self.application.names.has_actions(call.action.partition("/")[0]):
            return render_error(RouteNotFound(), call_id)
        connection = MemoryConnection(self.request, self.config.max_body_bytes)
        request = self.application.start_request(None, connection)
        start_line = RequestStartLine("POST", f"/{call.action}", "HTTP/1.1")
        request.headers_received(start_line, self._headers_of(call_id, place))
        request.data_received(orjson.dumps(call.body))
        request.finish()
        try:
            envelope: dict[str, JsonValue] = orjson.loads(await connection.answer)
        except asyncio.CancelledError:
            connection.close()
            raise
        except orjson.JSONDecodeError:  # an action that writes something else by itself
            return render_error(ServerError(), call_id)
        return envelope

    def _headers_of(self, call_id: str, place: int) -> HTTPHeaders:
        headers = HTTPHeaders(self.request.headers)
        for name in (*_OWN, *_FORWARDED):
            headers.pop(name, None)
        headers["X-Request-Id"] = call_id
        if key := headers.get(IDEMPOTENCY_KEY):
            headers[IDEMPOTENCY_KEY] = f"{key}.{place}"
        return headers


BatchRoute: tuple[str, type[BatchHandler]] = (r"/(?P<action>batch)", BatchHandler)
