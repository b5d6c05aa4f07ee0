"""Lanes of one kind: they are opened as commands need them, and replaced when they end."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from typing import Any, TypeVar

from pymongo.errors import AutoReconnect, ConnectionFailure, DocumentTooLarge, NetworkTimeout

from ..error import Unavailable
from ..telemetry.metrics import CONNECTION_WAIT, connections
from .alarm import Alarm
from .command import Command, Sessions
from .lane import Lane, taken
from .operation import GRACE_SECONDS
from .waiting import FEW

T = TypeVar("T")

__all__ = ["LanePool"]

_AGAIN_SECONDS = 0.02
_CLOSE_SECONDS = 1


class LanePool:
    """At most `limit` lanes, with at most `depth` commands in flight on each.

    A command that finds no lane waits for one. When a lane ends, its commands wait again, as long
    as they may be sent again.
    """

    def __init__(self, client: Any, seconds: float, sessions: Sessions, limit: int, depth: int):
        self._client = client
        self._seconds = seconds
        self._sessions = sessions
        self._limit = limit
        self._depth = depth
        self._loop = asyncio.get_running_loop()
        self._lanes: list[Lane] = []
        self._idle: list[Lane] = []
        self._queue: deque[Command[Any]] = deque()
        self._alarm = Alarm(self._ring)
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._topology: Any = None
        self._error: Exception = TimeoutError()
        self._closed = False

    def run(self, command: Command[T]) -> asyncio.Future[T]:
        """Send `command`, and return its future."""
        self._alarm.set(command.until + GRACE_SECONDS)
        if self._closed:
            command.fail(Unavailable("The database is not open."))
        elif command.too_large:  # MongoDB would close the connection
            command.fail(DocumentTooLarge("the command is too large"))
        elif not self._queue and (lane := self._free()):
            CONNECTION_WAIT.observe(0)
            self._send(lane, command)
        else:
            command.since = self._loop.time()
            self._queue.append(command)
            self._grow()
        return command.future

    def delay(self, now: float) -> float:
        """Return how long the oldest command has waited for a lane, or 0 while `FEW` wait."""
        return now - self._queue[0].since if len(self._queue) > FEW else 0.0

    async def close(self) -> None:
        """End all lanes, and fail the commands that wait."""
        self._closed = True
        self._alarm.stop()
        while self._queue:
            self._queue.popleft().fail(Unavailable("The database is not open."))
        if self._loop is not asyncio.get_running_loop():
            return
        for lane in list(self._lanes):
            lane.end()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)
        for task in self._tasks:
            task.cancel()

    def cleared(self, address: tuple[str, int], interrupted: bool) -> None:
        """Use the lanes to this server no more: PyMongo has found that it fails.

        If they are `interrupted`, no answers come, and the commands in flight are sent again.
        """
        for lane in [lane for lane in self._lanes if lane.address == address]:
            if interrupted:
                lane.end(AutoReconnect("the server does not answer PyMongo"), told=False)
            else:
                lane.retire()

    def answered(self, lane: Lane) -> None:
        if not lane.in_flight and not lane.ended.done():
            connections.add(in_use=-1)
            self._idle.append(lane)
        if self._queue:
            self._serve()

    def succeeded(self, command: Command[Any]) -> None:
        if command.session:
            self._sessions.give_back(command.session)

    def failed(self, command: Command[Any], error: Exception) -> None:
        now = self._loop.time()
        if not self._closed and command.may_follow(error, now):
            command.since = now
            self._queue.append(command)
            self._grow()
            return
        command.fail(error)
        # A session may be in use in MongoDB as long as the answer is not known.
        if command.session and not isinstance(error, ConnectionFailure):
            self._sessions.give_back(command.session)

    def ended(self, lane: Lane) -> None:
        self._lanes.remove(lane)
        if lane in self._idle:
            self._idle.remove(lane)
        else:
            connections.add(in_use=-1)

    def _free(self) -> Lane | None:
        """Return a lane for the next command, or None."""
        if self._topology is not self._client.topology_description:
            self._follow_topology()
        if self._idle:
            return self._idle.pop()
        if self._depth > 1:
            self._grow()
            usable = (lane for lane in self._lanes if not lane.retired)
            lane = min(usable, key=_load, default=None)
            return lane if lane and _load(lane) < self._depth else None
        return None

    def _send(self, lane: Lane, command: Command[Any]) -> None:
        if not lane.in_flight:
            connections.add(in_use=1)
        lane.send(command)

    def _follow_topology(self) -> None:
        """Retire lanes to a server that is not the primary any more."""
        self._topology = self._client.topology_description
        if self._topology.topology_type_name == "Single":  # the server that the URI names
            return
        servers = self._topology.server_descriptions()
        for lane in list(self._lanes):
            server = servers.get(lane.address)
            if server is None or not server.is_writable:
                lane.retire()

    def _serve(self) -> None:
        """Send the commands that wait, as far as there are lanes for them."""
        while self._queue:
            command = self._queue.popleft()
            if command.future.done():
                continue
            lane = self._free()
            if lane is None:
                self._queue.appendleft(command)
                self._grow()
                return
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
        connections.add(in_use=-1)  # PyMongo counts what it has given away
        self._opening -= 1
        self._lanes.append(lane)
        self._idle.append(lane)
        if self._closed:
            lane.end()
        try:
            self._serve()
            await lane.ended
        finally:
            connections.add(in_use=1)
            lane.end()

    def _not_opened(self, error: Exception) -> None:
        self._opening -= 1
        self._error = error
        if isinstance(error, ConnectionFailure):
            self._loop.call_later(_AGAIN_SECONDS, self._serve)
            return
        while self._queue:  # such as a refusal of the user
            self._queue.popleft().fail(error)

    def _ring(self, now: float) -> float | None:
        """Fail what is overdue, end its lane, and return the next deadline."""
        waiting = [command for command in self._queue if not command.future.done()]
        self._queue = deque(command for command in waiting if not _overdue(command, now))
        for command in waiting:
            if _overdue(command, now):
                command.fail(self._error)
        for lane in list(self._lanes):
            if any(_overdue(command, now) for command in lane.in_flight):
                lane.end(NetworkTimeout("MongoDB did not answer in time"))
        in_flight = (command for lane in self._lanes for command in lane.in_flight)
        deadlines = [command.until for command in (*self._queue, *in_flight)]
        return min(deadlines) + GRACE_SECONDS if deadlines else None


def _load(lane: Lane) -> int:
    return len(lane.in_flight)


def _overdue(command: Command[Any], now: float) -> bool:
    return now >= command.until + GRACE_SECONDS
