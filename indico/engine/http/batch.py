"""`POST /batch`: several calls in one request, each with the same steps as a request of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from tornado.httputil import HTTPHeaders
from typing_extensions import TypedDict

from . import inner_call
from .action_handler import ActionHandler
from .decorators import type_check, unpack
from .effects import not_idempotent
from .inner_call import ActionPath, Envelope
from .keyed_call import HEADER as IDEMPOTENCY_KEY
from .memory_connection import Client

MAX_CALLS = 50
# Fields of the outer request that are about its own body, or that its `remote_ip` already shows.
# Its type stays, because a cookie signs calls of one type only.
_OWN = ("Content-Encoding", "Content-Length", "Transfer-Encoding", "Expect")
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto")


class Call(BaseModel):
    """One call: the action as `resource/action`, and its body."""

    model_config = ConfigDict(extra="forbid")

    action: ActionPath
    body: dict[str, Any] = Field(default_factory=dict)


class BatchAnswers(TypedDict):
    """The envelope of each call, in the order of the calls."""

    answers: list[Envelope]


Calls = Annotated[list[Call], Field(min_length=1, max_length=MAX_CALLS)]


class BatchHandler(ActionHandler):
    """The calls of a batch are requests of their own: with limits, a token and a log line each."""

    takes_key = False  # each of its calls does

    @not_idempotent
    @unpack("calls", in_order=False)
    @type_check(Calls, bool)
    async def batch(self, calls: Sequence[Call], in_order: bool) -> BatchAnswers:
        """Make up to 50 calls, and return the envelope of each.

        The calls run at the same time, or with `in_order` one after the other. No answer stops the
        calls after it. Each is like a request of its own with the headers of the batch: it is
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

    async def _call(self, place: int, call: Call) -> Envelope:
        """Return the envelope that the action answers."""
        client = Client(self.request.remote_ip, self.request.protocol, "batch")
        headers = self._headers_of(f"{self.request_id[:120]}.{place}", place)
        return await inner_call.call(self.application, client, call.action, call.body, headers)

    def _headers_of(self, call_id: str, place: int) -> HTTPHeaders:
        headers = HTTPHeaders(self.request.headers)
        for name in (*_OWN, *_FORWARDED):
            headers.pop(name, None)
        headers["X-Request-Id"] = call_id
        if key := headers.get(IDEMPOTENCY_KEY):
            headers[IDEMPOTENCY_KEY] = f"{key}.{place}"
        return headers


BatchRoute: tuple[str, type[BatchHandler]] = (r"/(?P<action>batch)", BatchHandler)
