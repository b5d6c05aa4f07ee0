"""`ClassDatabase`: one database for all tests of a class, each of which finds it empty."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import TestCase

import pymongo
from tornado.ioloop import IOLoop

from ..mongo import lane_pool
from ..mongo.collection import Collection
from ..mongo.connection import disconnect
from ..mongo.driver import mongodb

# The code of tasks that live as long as the connection, rather than as a test.
_OF_CONNECTION = str(Path(pymongo.__file__).parent), lane_pool.__file__
_all_tasks = asyncio.all_tasks


class ClassDatabase:
    """The database of a test class, which keeps `collections` until the last test.

    MongoDB takes longer to make and drop validators and indexes than most tests run. To connect
    takes longer, too: so the connection may be kept, and the event loop that it needs.
    """

    def __init__(self, kind: type[TestCase], collections: Sequence[Collection[Any]]) -> None:
        number = zlib.crc32(f"{kind.__module__}.{kind.__qualname__}".encode())
        self.name = f"test_{kind.__name__[:35]}_{number:08x}"
        self._collections = collections
        self._is_made = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened: tuple[Any, dict[str, Any]] | None = None

    def io_loop(self) -> IOLoop:
        """Return the event loop of all tests, which is made for the first one."""
        self._loop = self._loop or asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        return IOLoop.current()

    def missing(self) -> Sequence[Collection[Any]]:
        """Return the collections that are to be made, which is all or none."""
        return () if self._is_made else self._collections

    def keep(self, options: Any) -> None:
        """Keep the connection, which `mongodb` has opened with these options."""
        self._opened = options, _state()

    def is_open(self, options: Any) -> bool:
        """Return whether `mongodb` is still as it was opened with these options, and all made."""
        return self._is_made and self._opened == (options, _state())

    async def empty(self, database: Any) -> None:
        """Delete all documents of `database`, which is this one, and drop all other collections."""
        while _in_flight():
            await asyncio.sleep(0.001)
        kept = {collection.name for collection in self._collections}
        names = await database.list_collection_names()
        for name in names:
            if name in kept:
                await database[name].delete_many({})
            else:
                await database.drop_collection(name)
        self._is_made = kept <= set(names)

    async def drop(self) -> None:
        """Drop the database by the connection that is open."""
        if self._is_made and self._collections:
            await mongodb.own.command("dropDatabase")
        self._is_made = False

    def close(self) -> None:
        """Drop the database, and close the connection and the event loop."""
        if self._loop is None:
            return
        loop = self.io_loop()
        if self._opened and self._opened[1] == _state():
            loop.run_sync(self.drop)
        loop.run_sync(disconnect)
        asyncio.set_event_loop(None)
        loop.close(all_fds=True)
        self._loop = None


def _state() -> dict[str, Any]:
    """Return what a test changes when it closes or opens `mongodb`, or chooses another lane."""
    return {name: value for name, value in vars(mongodb).items() if name != "opened"}


def _in_flight() -> bool:
    """Return whether MongoDB may still store what a test has left in flight."""
    pools = (mongodb.lanes.reads, mongodb.lanes.others) if mongodb.lanes else ()
    return any(lane.in_flight for pool in pools for lane in pool._lanes)


def tasks_of_tests(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[Any]]:
    """Return the tasks of `loop` that end with a test: not those that keep the connection."""
    return {task for task in _all_tasks(loop) if not _file(task).startswith(_OF_CONNECTION)}


def _file(task: asyncio.Task[Any]) -> str:
    """Return the file with the code of a task."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code.co_filename if code else ""
