"""Lanes of one kind: they are opened as commands need them, and replaced when they end."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any, TypeVar

from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    NetworkTimeout,
    PyMongoError,
)

from ..error import Unavailable
from ..telemetry.metrics import CONNECTION_WAIT
from .alarm import Alarm
from .command import Command, Sessions
from .command_queue import CommandQueue
from .lane import Address, Lane, taken
from .lane_set import LaneSet
from .operation import is_transient

T = TypeVar("T")

__all__ = ["LanePool"]

_AGAIN_SECONDS = 0.02
# Seconds for lanes to end, and for PyMongo to give up the opening of others.
_END_SECONDS, _CANCEL_SECONDS = 0.1, 1


class LanePool:
    """A pool of up to `limit` lanes, with up to `depth` commands in flight on each.

    A command that finds no lane waits for one. When a lane ends, its commands wait again, as long
    as they may be sent again.
    """

    def __init__(self, client: Any, seconds: float, sessions: Sessions, limit: int, depth: int):
        self._client = client
        self._seconds = seconds
        self._sessions = sessions
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._lanes = LaneSet(client, depth)
        self._queue = CommandQueue()
        self._alarm = Alarm(self._ring)
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: Exception = TimeoutError()
        self._closed = False

    def run(self, command: Command[T]) -> asyncio.Future[T]:
        """Send `command`, and return its future."""
        self._alarm.set(command.deadline)
        if self._closed:
            command.fail(Unavailable("The database is not open."))
        elif command.too_large:  # MongoDB would close the connection
            command.fail(DocumentTooLarge("the command is too large"))
        elif not self._queue and (lane := self._lanes.take()):
            CONNECTION_WAIT.observe(0)
            self._send(lane, command)
        else:
            self._wait(command)
        return command.future

    def delay(self, now: float) -> float:
        return self._queue.delay(now)

    async def close(self) -> None:
        """End all lanes, and fail the commands that wait."""
        self._closed = True
        self._alarm.stop()
        self._queue.fail(Unavailable("The database is not open."))
        if self._loop is not asyncio.get_running_loop():
            return
        for lane in self._lanes:
            lane.end()
        for seconds in (_END_SECONDS, _CANCEL_SECONDS):
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=seconds)
            for task in self._tasks:  # lanes that are being opened
                task.cancel()

    def cleared(self, address: Address, interrupted: bool) -> None:
        self._lanes.cleared(address, interrupted)

    def answered(self, lane: Lane) -> None:
        self._lanes.answered(lane)
        if self._queue:
            self._serve()

    def succeeded(self, command: Command[Any]) -> None:
        if command.session:
            self._sessions.give_back(command.session)

    def failed(self, command: Command[Any], error: Exception) -> None:
        now = self._loop.time()
        if not self._closed and command.may_follow(error, now):
            self._wait(command)
            return
        command.fail(error)
        # A session may be in use in MongoDB as long as the answer is not known.
        if command.session and not isinstance(error, ConnectionFailure):
            self._sessions.give_back(command.session)

    def ended(self, lane: Lane) -> None:
        self._lanes.ended(lane)

    def _wait(self, command: Command[Any]) -> None:
        self._queue.append(command, self._loop.time())
        self._grow()

    def _send(self, lane: Lane, command: Command[Any]) -> None:
        if lane.in_flight:
            self._grow()
        lane.send(command)

    def _serve(self) -> None:
        """Send the commands that wait, as far as there are lanes for them."""
        while command := self._queue.first():
            lane = self._lanes.take()
            if lane is None:
                self._grow()
                return
            self._queue.pop()
            CONNECTION_WAIT.observe(self._loop.time() - command.since)
            self._send(lane, command)

    def _grow(self) -> None:
        """Open lanes for the commands that wait, and one more if all are busy."""
        wanted = max(len(self._queue), 1)
        while len(self._lanes) + self._opening < self._limit and self._opening < wanted:
            self._opening += 1
            # A lane outlives the request that needs it first.
            task = self._loop.create_task(self._keep(), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _keep(self) -> None:
        """Open a lane, and keep it until it ends."""
        lane = None
        try:
            async with taken(self._client, self._seconds) as connection:
                lane = Lane(self, connection)
                await self._opened(lane)
        except Exception as error:  # an error of a lane has been told to PyMongo
            if lane is None:
                self._not_opened(error)

    async def _opened(self, lane: Lane) -> None:
        """Use `lane` until it ends. Raises the error that is to be told to PyMongo."""
        self._opening -= 1
        self._lanes.add(lane)
        if self._closed:
            lane.end()
        try:
            self._serve()
            await lane.ended
        finally:
            lane.end()

    def _not_opened(self, error: Exception) -> None:
        self._opening -= 1
        self._error = error
        if isinstance(error, PyMongoError) and is_transient(error):
            self._loop.call_later(_AGAIN_SECONDS, self._serve)
        else:  # such as a refusal of the user
            self._queue.fail(error)

    def _ring(self, now: float) -> float | None:
        """Fail what is overdue, end its lane, and return the next deadline."""
        self._queue.expire(now, self._error)
        for lane in self._lanes:
            if any(command.deadline <= now for command in lane.in_flight):
                lane.end(NetworkTimeout("MongoDB did not answer in time"))
        in_flight = (command for lane in self._lanes for command in lane.in_flight)
        return min((command.deadline for command in (*self._queue, *in_flight)), default=None)
