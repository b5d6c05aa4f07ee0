"""A replica set of three, with TLS, whose primary and whose network fail under load."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from random import Random
from typing import Any, ClassVar
from unittest import skipUnless

from tornado.testing import gen_test

from ...mongo.change_stream import ChangeStream
from ...mongo.collection import Document
from ..http.http_servers import HTTPServerTest
from ..server_test import memory
from .checked_load import LAST, CheckedLoad
from .replica_set import Member, ReplicaSet
from .round_trip_test import RoundTripTest, eventually

# PRIMARY_KILLS=8 in the environment kills so many primaries, and prints what came out.
KILLS = int(os.environ.get("PRIMARY_KILLS", "0"))
CALLERS = 32 if KILLS else 12
in_matrix = skipUnless(KILLS, "it takes seconds: python3 run.py test --matrix runs it")


class ReplicaSetTest(RoundTripTest):
    """A fault takes time. It is no error to a caller, and each write is made exactly once."""

    covers = False
    seconds = 15
    # After an election on a busy machine, MongoDB 6.0 may find no majority for half a minute.
    settings: ClassVar[dict[str, Any]] = {"mongodb_timeout_seconds": 100}
    members: ClassVar[ReplicaSet]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tests-", dir=memory()))
        cls.members = cls.enterClassContext(ReplicaSet(Path(folder)).running())

    def setUp(self) -> None:
        asyncio.set_event_loop_policy(HTTPServerTest.policy())
        self.addCleanup(asyncio.set_event_loop_policy, None)
        super().setUp()

    def server_uri(self) -> str:
        return self.members.direct_uri

    def uri(self) -> str:
        return self.members.uri

    async def primary(self) -> Member:
        return await asyncio.to_thread(self.members.primary)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[CheckedLoad]:
        """Yield a load, which goes on until the block has ended and the set is whole again."""
        load = CheckedLoad(self.things, self.stored, CALLERS)
        async with load.running():
            await load.more()
            yield load
            await asyncio.to_thread(self.members.wait_until_whole)
            await load.more()
        line = await load.judge()
        if KILLS:
            sys.stderr.write(f"{self._testMethodName}: {line}\n")

    @gen_test(timeout=240 + 60 * KILLS)
    async def test_killed(self) -> None:
        """A `watch` meanwhile tells each insert, once."""
        async with self.things.watch({"$match": {"operationType": "insert"}}) as changes:
            watching = asyncio.ensure_future(self.ids(changes))
            async with self.load() as load:
                for _ in range(KILLS or 1):
                    primary = await self.primary()
                    await asyncio.to_thread(primary.kill)
                    await load.more()
                    await asyncio.to_thread(primary.start)
                    await asyncio.to_thread(self.members.wait_until_whole)
            self.assertEqual(sorted(await watching), sorted(load.inserted))

    async def ids(self, changes: ChangeStream[Document]) -> list[Any]:
        """Return the ids of the documents of a load; `judge` inserts one more at the end."""
        ids = []
        async for change in changes:
            if change.id == LAST:
                break
            ids.append(change.id)
        return ids

    @in_matrix
    @gen_test(timeout=240)
    async def test_steps_down(self) -> None:
        async with self.load() as load:
            primary = await self.primary()
            await asyncio.to_thread(self.members.step_down)
            await asyncio.to_thread(self.members.wait_for_another, primary)
            await load.more()

    @in_matrix
    @gen_test(timeout=240)
    async def test_frozen(self) -> None:
        async with self.load() as load:
            primary = await self.primary()
            with primary.frozen():
                await asyncio.to_thread(self.members.wait_for_another, primary)
                await load.more()

    @in_matrix
    @gen_test(timeout=240)
    async def test_cut_in_a_command_or_an_answer(self) -> None:
        proxy, random = (await self.primary()).proxy, Random(0)
        async with self.load() as load:
            for traffic in (proxy.requests, proxy.answers) * 3:
                traffic.cut_at = traffic.bytes + random.randrange(20_000)
                await eventually(lambda: traffic.cut_at == inf)  # noqa: B023
                await load.more()

    @gen_test(timeout=240)
    async def test_cut_before_the_answer(self) -> None:
        """MongoDB has made the write, and gets it a second time."""
        things, proxy = self.things, (await self.primary()).proxy
        b = {"_id": 1, "key": 1, "n": "b"}
        for write, answer in (
            (lambda n: things.insert({"_id": n, "key": n}), 1),
            (lambda n: things.update_by_id(n, {"n": "a"}), {"_id": 1, "key": 1, "n": "a"}),
            (lambda n: things.update_one({"key": n}, {"n": "b"}), b),
            (lambda n: things.update_by_id(n, {"n": 0}, inc={"m": 1}), {**b, "n": 0, "m": 1}),
            (things.delete_by_id, True),
        ):
            await write(0)  # the connection is open from now on
            before = await self.stored.find_one(1)
            proxy.freeze(requests=False)
            caller = asyncio.ensure_future(write(1))
            while await self.stored.find_one(1) == before:
                await asyncio.sleep(0.002)
            proxy.cut()
            proxy.thaw()
            self.assertEqual(await caller, answer)

    @in_matrix
    @gen_test(timeout=240)
    async def test_late(self) -> None:
        """The answers that nobody waits for any more reach no other caller."""
        things, proxy = self.things, (await self.primary()).proxy
        async with self.load() as load:
            proxy.delay_seconds = 0.02
            await load.more()
            proxy.freeze(requests=False)
            calls = [things.find_by_id("none") for _ in range(20)]
            calls += [things.update_one({"_id": "none", "n": n}, {"n": 1}) for n in range(20)]
            callers = [asyncio.ensure_future(call) for call in calls]
            await asyncio.wait(callers, timeout=0.2)
            for caller in callers:
                caller.cancel()
            proxy.thaw()
            proxy.delay_seconds = 0
            await load.more()
