"""The embedded MongoDB ends under a server, and is started again."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

from ...error import Conflict
from ...log import LOGGER
from ...mongo import embedded as embedded_module
from ...mongo import supervision
from ...mongo.collection import Collection, Document, IndexModel
from ...mongo.connection import connect, disconnect, ping
from ...mongo.embedded import Embedded
from ...mongo.mongod_binary import find_binary
from ...mongo.supervision import supervise
from ..async_test import AsyncTest
from ..server_process import ProcessTest
from .round_trip_test import eventually


class SuperviseTest(ProcessTest, AsyncTest):
    varies_with = ()
    seconds = 9

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.enterContext(patch.object(supervision, "LOOK_SECONDS", 0.01))
        self.things = Collection("things", Document, IndexModel("key", unique=True))
        self.addCleanup(Collection.declared.remove, self.things)
        self.binary = self.folder / "mongod"
        self.binary.symlink_to(find_binary(None))
        self.embedded = Embedded(self.folder, self.binary, lambda line: None)
        await asyncio.to_thread(self.embedded.start)
        await self.connect()
        self.addAsyncCleanup(disconnect)

    async def connect(self) -> None:
        await connect(self.embedded.uri, "test_supervision", timeout_seconds=5)

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[list[str]]:
        """Supervise MongoDB during the block, until it answers; yield the lines of the log."""
        with self.assertLogs(LOGGER, "ERROR") as logs:
            supervising = asyncio.create_task(supervise(self.embedded, disconnect, self.connect))
            yield logs.output
            while not await ping(0.1):
                await asyncio.sleep(0.01)
        self.assertFalse(supervising.done())
        supervising.cancel()
        await asyncio.wait([supervising])

    async def test_it_ends_twice(self) -> None:
        await self.things.insert({"key": 1})
        await self.can_not_be_started_for_a_while()
        self.assertIsNotNone(await self.things.find_one({"key": 1}))
        await self.comes_back_empty_and_elsewhere()
        await self.things.insert({"key": 1})
        with self.assertRaises(Conflict):
            await self.things.insert({"key": 1})

    async def can_not_be_started_for_a_while(self) -> None:
        target = self.binary.readlink()
        self.binary.unlink()
        async with self.supervised() as logs:
            self.end_all()
            await eventually(lambda: "is not a program that can be run" in str(logs))
            self.binary.symlink_to(target)

    async def comes_back_empty_and_elsewhere(self) -> None:
        uri = self.embedded.uri
        self.end_all()
        shutil.rmtree(self.folder / "mongodb")
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            await eventually(lambda: bound(taken, uri))
            taken.listen()
            # The start asks the program on the port, which never answers.
            self.enterContext(patch.object(embedded_module, "CLIENT_SECONDS", 1))
            self.assertFalse(await ping(0.1))
            async with self.supervised() as logs:
                await eventually(lambda: self.embedded.uri != uri)
            self.assertIn("has ended; starting it again", logs[0])


def bound(taken: socket.socket, uri: str) -> bool:
    try:
        taken.bind(("127.0.0.1", int(uri.split("/")[2].rpartition(":")[2])))
    except OSError:
        return False
    return True
