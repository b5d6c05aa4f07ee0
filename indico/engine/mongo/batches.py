"""Batches of operations: while one batch is in flight, the next one gathers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Generic, TypeVar

from ..telemetry.metrics import BATCH_SIZE
from .alarm import Alarm
from .driver import mongodb
from .operation import GRACE_SECONDS, to_api_error

Request = TypeVar("Request")

MAX_COUNT = 500
MAX_BYTES = 4 << 20

# A batch belongs to no request, so it has no request's deadline.
_NO_REQUEST = Context()

__all__ = ["MAX_BYTES", "Batches", "deadline"]


class Batches(Generic[Request]):
    """The calls of one kind of operation on one collection.

    `send` takes the requests of one batch, and returns an answer for each in the same order.
    An answer that is an exception is raised to its own caller. If `send` raises an exception,
    each caller of the batch gets a copy of it.

    At most `mongodb.max_batches_in_flight` batches are in flight. Below that number, all calls of
    one turn of the event loop go out at the end of that turn. So batches grow with load, and a
    lone call does not wait.
    """

    def __init__(self, send: Callable[[list[Request]], Awaitable[Sequence[Any]]]) -> None:
        self._send = send
        self._waiting: deque[_Call[Request]] = deque()
        self._waiting_bytes = 0
        self._in_flight: dict[asyncio.Future[Sequence[Any]], list[_Call[Request]]] = {}
        self._scheduled = False
        self._alarm = Alarm(self._ring)

    async def call(self, request: Request, size: int, deadline: float) -> Any:
        """Return the answer to `request`, which adds about `size` bytes to a batch.

        Raises `Unavailable` at `deadline`, a time of the loop's clock.
        """
        loop = asyncio.get_running_loop()
        call = _Call(request, size, loop.create_future(), loop.time(), deadline)
        self._waiting.append(call)
        self._waiting_bytes += size
        self._alarm.set(deadline)
        self._schedule(loop)
        return await call.future

    def delay(self, now: float) -> float:
        """Return how long the oldest call has waited; 0 if the next batch has room for all calls.

        Calls for which a batch has room only wait for the answer to another batch.
        """
        if len(self._waiting) <= MAX_COUNT and self._waiting_bytes <= MAX_BYTES:
            return 0.0
        return now - self._waiting[0].since

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        room = len(self._in_flight) < mongodb.max_batches_in_flight
        if self._waiting and room and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._start, loop, context=_NO_REQUEST)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        if batch := self._take():
            BATCH_SIZE.observe(len(batch))
            sending = asyncio.ensure_future(self._send([call.request for call in batch]))
            self._in_flight[sending] = batch
            sending.add_done_callback(partial(self._answer, loop))
        self._schedule(loop)

    def _take(self) -> list[_Call[Request]]:
        """Return the next batch, without the calls that are cancelled or have timed out."""
        batch: list[_Call[Request]] = []
        size = 0
        while self._waiting and len(batch) < MAX_COUNT:
            call = self._waiting[0]
            if batch and size + call.size > MAX_BYTES:
                break
            self._waiting.popleft()
            self._waiting_bytes -= call.size
            if not call.future.done():
                batch.append(call)
                size += call.size
        return batch

    def _answer(
        self, loop: asyncio.AbstractEventLoop, sending: asyncio.Future[Sequence[Any]]
    ) -> None:
        batch = self._in_flight.pop(sending)
        error = TimeoutError() if sending.cancelled() else sending.exception()
        if isinstance(error, Exception):
            for call in batch:
                call.fail(error)
        else:
            for call, answer in zip(batch, sending.result(), strict=True):
                call.answer(answer)
        self._schedule(loop)

    def _ring(self, now: float) -> float | None:
        """Fail the calls whose time is over, and return the next deadline.

        Their batch goes on: its own commands end in time.
        """
        late, deadlines = [], []
        for call in self._calls():
            if call.deadline <= now:
                late.append(call)
            else:
                deadlines.append(call.deadline)
        for call in late:
            call.fail(TimeoutError())
        return min(deadlines, default=None)

    def _calls(self) -> Iterator[_Call[Request]]:
        yield from (call for call in self._waiting if not call.future.done())
        for batch in self._in_flight.values():
            yield from (call for call in batch if not call.future.done())


class _Call(Generic[Request]):
    """One caller that waits; it may be cancelled before its answer comes."""

    __slots__ = ("deadline", "future", "request", "since", "size")

    def __init__(
        self,
        request: Request,
        size: int,
        future: asyncio.Future[Any],
        since: float,
        deadline: float,
    ) -> None:
        self.request = request
        self.size = size
        self.future = future
        self.since = since
        self.deadline = deadline

    def answer(self, answer: Any) -> None:
        if isinstance(answer, Exception):
            self.fail(answer)
        elif not self.future.done():
            self.future.set_result(answer)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(to_api_error(error))


def deadline() -> float:
    """Return the time of the loop's clock at which an operation that begins now times out."""
    return asyncio.get_running_loop().time() + mongodb.timeout_seconds + GRACE_SECONDS
