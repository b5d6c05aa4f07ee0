"""The lanes of a pool that are open, and the choice of the one for the next command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pymongo.errors import AutoReconnect

from ..telemetry.metrics import connections
from .lane import Address, Lane

__all__ = ["LaneSet"]


class LaneSet:
    """Open lanes, each with at most `depth` commands in flight.

    The metrics count a lane as in use while a command is in flight on it.
    """

    def __init__(self, client: Any, depth: int) -> None:
        self._client = client
        self._depth = depth
        self._lanes: list[Lane] = []
        self._idle: list[Lane] = []
        self._topology: Any = None

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes))

    def add(self, lane: Lane) -> None:
        connections.add(in_use=-1)  # PyMongo counts the connection that it has given away
        self._lanes.append(lane)
        self._idle.append(lane)

    def take(self) -> Lane | None:
        """Return a lane for a command, or None if there is no room."""
        if self._topology is not self._client.topology_description:
            self._follow_topology()
        if self._idle:
            connections.add(in_use=1)
            return self._idle.pop()
        if self._depth == 1:
            return None
        usable = (lane for lane in self._lanes if not lane.retired)
        lane = min(usable, key=_load, default=None)
        return lane if lane and _load(lane) < self._depth else None

    def answered(self, lane: Lane) -> None:
        if not lane.in_flight and not lane.ended.done():
            connections.add(in_use=-1)
            self._idle.append(lane)

    def ended(self, lane: Lane) -> None:
        self._lanes.remove(lane)
        if lane in self._idle:
            self._idle.remove(lane)
            connections.add(in_use=1)  # until PyMongo has the connection back

    def cleared(self, address: Address, interrupted: bool) -> None:
        """Use the lanes to this server no more, because PyMongo has found that it fails.

        If they are `interrupted`, no answers come, and the commands in flight are sent again.
        """
        for lane in self:
            if lane.address == address and interrupted:
                lane.end(AutoReconnect("the server does not answer PyMongo"), told=False)
            elif lane.address == address:
                lane.retire()

    def _follow_topology(self) -> None:
        """Retire the lanes to servers that are not the primary any more."""
        self._topology = self._client.topology_description
        if self._topology.topology_type_name == "Single":  # the server that the URI names
            return
        servers = self._topology.server_descriptions()
        for lane in self:
            server = servers.get(lane.address)
            if server is None or not server.is_writable:
                lane.retire()


def _load(lane: Lane) -> int:
    return len(lane.in_flight)
