"""The lanes of a database, and what each command on them has in common."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from .command import Command, Sessions
from .driver import Database
from .lane import Address
from .lane_pool import LanePool
from .replies import plain
from .wire import element

__all__ = ["Lanes", "Unfit", "open_lanes"]

# Together they are less than the connections that PyMongo opens by default, which is 100.
# Finds by a unique field end soon, so others may follow them on the same lane.
_READ_LANES, _READ_DEPTH = 4, 16
# Other commands have a lane for themselves: a write waits for the disk and for a majority.
_OTHER_LANES = 32
# MongoDB ends sessions by itself in the end.
_END_SECONDS = 0.5


class Unfit(Exception):
    """A MongoDB, a URI or a PyMongo for which there are no lanes, with the reason."""


class Lanes:
    """The lanes to the primary for one database, on connections of `client`.

    `reads` are for finds by a unique field, `others` for all other commands.
    """

    def __init__(self, client: Any, database: str, seconds: float) -> None:
        options = client.options
        self.sessions = Sessions()
        self.reads = LanePool(client, seconds, self.sessions, _READ_LANES, _READ_DEPTH)
        self.others = LanePool(client, seconds, self.sessions, _OTHER_LANES, 1)
        self.retry_reads, self.retry_writes = options.retry_reads, options.retry_writes
        # The end of each command, by what it does.
        self.plain = self.read = self.write = element("$db", database)
        if concern := options.read_concern.document:
            self.read += element("readConcern", concern)
        if options.direct_connection:  # the server that the URI names, whatever its state is
            self.read += element("$readPreference", {"mode": "primaryPreferred"})
        concern = dict(options.write_concern.document)
        concern.pop("wtimeout", None)  # the deadline of the command takes its place
        self.write += element("writeConcern", concern)
        self.hasty = self.plain + element("writeConcern", {"w": 1})
        listeners: Sequence[Any] = options.event_listeners  # its type in PyMongo is wrong
        listeners[0].cleared = self.cleared
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()

    async def check(self) -> None:
        """Raise `Unfit`, or what goes wrong, unless a lane reaches the primary of a replica set."""
        until = self._loop.time() + self._seconds
        hello = Command(element("hello", 1) + element("$db", "admin"), plain, until)
        fields = await self.reads.run(hello)
        if "setName" not in fields or not fields.get("isWritablePrimary"):
            raise Unfit("mongodb_uri does not lead to the primary of a replica set")

    def cleared(self, address: Address, interrupted: bool) -> None:
        self.reads.cleared(address, interrupted)
        self.others.cleared(address, interrupted)

    def delay(self, now: float) -> float:
        return max(self.reads.delay(now), self.others.delay(now))

    async def close(self) -> None:
        """End the sessions, and then the lanes."""
        if self._loop is asyncio.get_running_loop() and (ids := self.sessions.end()):
            until = self._loop.time() + _END_SECONDS
            end = Command(element("endSessions", ids) + element("$db", "admin"), plain, until)
            await asyncio.wait([self.others.run(end)])
            end.future.exception()
        await self.reads.close()
        await self.others.close()


async def open_lanes(opening: Database) -> None:
    """Give `opening` lanes if they work there; otherwise say in the log why they don't."""
    lanes = Lanes(opening.own_client, opening.own.name, opening.timeout_seconds)
    try:
        await lanes.check()
    except Exception as error:
        await lanes.close()
        await opening.drop_lanes(str(error) or repr(error))
    else:
        opening.lanes = lanes
