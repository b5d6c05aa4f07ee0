"""The lock: two processes at once, a killed holder, and a holder that has lost the lock."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

from ...migrations import lease
from ...migrations.journal import COLLECTION
from ...migrations.lease import LEASE, LostLock, hold
from ...migrations.running import migrate
from ...progress import Progress
from ..server_process import ROOT
from ..server_test import mongodb_uri
from .migrations_test import MigrationsTest

SECONDS = 3  # so short that the tests end soon, and so long that a busy machine renews it
# A migration that waits as long as the collection `holds` has a document for its process.
HOLDS = """
import asyncio, os

async def up(db):
    await db.begun.insert_one({"process": os.getpid()})
    while await db.holds.find_one({"process": os.getpid()}):
        await asyncio.sleep(0.01)
    await db.ended.insert_one({"process": os.getpid()})

down = up
"""
STOLEN = """
async def up(db):
    await db.migrations.update_one({}, {"$set": {"lock.token": "another"}})

down = up
"""
THINGS = """
import asyncio, os
from ENGINE.migrations.iteration import batches

async def up(db):
    async for (thing,) in batches(db.things, {"by": None}, size=1):
        await db.things.update_one(thing, {"$set": {"by": os.getpid()}})
        while await db.holds.find_one({"process": os.getpid()}):
            await asyncio.sleep(0.01)
""".replace("ENGINE", __name__.rpartition(".tests.")[0])


class LeaseTest(MigrationsTest):
    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        """Return what `condition` gives once that is true."""
        async with asyncio.timeout(60):
            while not (value := await condition()):
                await asyncio.sleep(0.01)
            return value

    async def held(self) -> None:
        """Let the migrations of this process wait."""
        await self.db.holds.insert_one({"process": os.getpid()})


class OneProcessTest(LeaseTest):
    async def test_two_at_once(self) -> None:
        for name in ("0001_a", "0002_b"):
            self.write(name)
        several = [await self.opened() for _ in range(3)]
        steps = await asyncio.gather(
            *(migrate(self.program, database, Progress()) for database in several)
        )
        self.assertEqual(sorted(len(made) for made in steps), [0, 0, 2])
        self.assertEqual((await self.done(), await self.applied()), ([1, 2], ["0001_a", "0002_b"]))

    async def test_a_long_one_renews_its_lease(self) -> None:
        self.write("0001_holds", HOLDS)
        await self.held()
        self.enterContext(patch.object(lease, "RENEWALS", 300))
        first = asyncio.create_task(self.migrate())
        await self.until(self.db.begun.find_one)
        first_end = (await self.journal())["lock"]["expires_at"]
        later = {"lock.expires_at": {"$gt": first_end}}
        await self.until(lambda: self.db[COLLECTION].find_one(later))
        second = asyncio.create_task(self.migrate())
        await self.until(lambda: _true("waiting for the migrations of" in self.shown.getvalue()))
        await self.db.holds.drop()
        self.assertEqual((await first, await second), (["apply 0001_holds"], []))

    async def test_another_process_takes_the_lock(self) -> None:
        """The holder ends, records nothing, and does not release the lock of the other."""
        self.write("0001_holds", HOLDS)
        await self.held()
        self.enterContext(patch.object(lease, "RENEWALS", 300))
        migrating = asyncio.create_task(self.migrate())
        await self.until(self.db.begun.find_one)
        stolen = {"$set": {"lock.token": "another"}}
        await self.db[COLLECTION].update_one({}, stolen)
        with self.assertRaises(LostLock):
            await migrating
        self.assertEqual((await self.journal())["lock"]["token"], "another")
        self.assertEqual((await self.applied(), await self.db.ended.find_one()), ([], None))

    async def test_nothing_is_recorded_without_the_lock(self) -> None:
        self.write("0001_stolen", STOLEN)
        with self.assertRaises(LostLock):
            await self.migrate()
        self.assertEqual(await self.applied(), [])
        entry = {"number": 1, "name": "0001_stolen", "checksum": "", "applied_at": 0, "seconds": 0}
        await self.db[COLLECTION].update_one({}, {"$set": {"lock": None, "applied": [entry]}})
        with self.assertRaises(LostLock):
            await self.migrate(0)
        self.assertEqual(await self.applied(), ["0001_stolen"])

    async def test_renewals_fail(self) -> None:
        """The work goes on until its lease ends, because a later renewal may succeed."""
        self.write("0001_holds", HOLDS)
        await self.held()
        migrating = asyncio.create_task(self.migrate(lease_seconds=SECONDS))
        await self.until(self.db.begun.find_one)
        refused = {"lock.expires_at": {"$exists": False}}
        await self.db.command("collMod", COLLECTION, validator=refused)
        with self.assertRaises(LostLock):
            await migrating
        self.assertEqual((await self.applied(), await self.db.ended.find_one()), ([], None))

    async def test_code_that_ignores_its_end(self) -> None:
        """The loop was blocked for longer than the lease, and the work goes on after that."""
        async with hold(self.database, Progress(), 0.2) as held:
            (renewing,) = [task for task in asyncio.all_tasks() if task.get_name() == LEASE]
            time.sleep(0.3)
            with self.assertRaises(asyncio.CancelledError):
                await asyncio.sleep(60)
            with self.assertRaises(LostLock):
                await held.renew()
            await asyncio.wait([renewing])
        self.assertIsNone((await self.journal())["lock"])

    async def test_a_timeout_of_the_work_itself(self) -> None:
        with self.assertRaises(TimeoutError):
            async with hold(self.database, Progress()):
                raise TimeoutError


class ProcessesTest(LeaseTest):
    """A holder in another process."""

    async def start(self) -> asyncio.subprocess.Process:
        module = f"{__package__}.holder"
        given = (mongodb_uri(), self.name, self.package, str(SECONDS))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *given),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(self.root)},
            stdout=asyncio.subprocess.PIPE,
        )
        await self.db.holds.insert_one({"process": process.pid})
        return process

    async def test_a_killed_holder(self) -> None:
        self.write("0001_holds", HOLDS)
        process = await self.start()
        await self.until(self.db.begun.find_one)
        process.kill()
        await process.wait()
        self.assertEqual(await self.migrate(), ["apply 0001_holds"])
        self.assertIn(f"waiting for the migrations of process {process.pid}", self.shown.getvalue())
        begun = await self.db.begun.find().to_list()
        self.assertEqual([one["process"] for one in begun], [process.pid, os.getpid()])
        self.assertEqual(await self.applied(), ["0001_holds"])

    async def test_a_holder_that_was_stopped_for_a_while(self) -> None:
        """The holder does nothing more once it goes on, and the other one finishes its work."""
        self.write("0001_things", THINGS)
        await self.db.things.insert_many([{"_id": n} for n in range(3)])
        process = await self.start()
        await self.until(lambda: self.db.things.find_one({"by": process.pid}))
        process.send_signal(signal.SIGSTOP)
        self.assertEqual(await self.migrate(), ["apply 0001_things"])
        things = await self.db.things.find().sort("_id").to_list()
        self.assertEqual([one["by"] for one in things], [process.pid, os.getpid(), os.getpid()])
        await self.db.things.insert_one({"_id": 3})
        await self.db.holds.drop()
        process.send_signal(signal.SIGCONT)
        printed, _ = await process.communicate()
        self.assertEqual(printed.split(), [b"LostLock"])
        self.assertEqual(await self.db.things.find_one({"_id": 3}), {"_id": 3})
        self.assertEqual(await self.applied(), ["0001_things"])


async def _true(value: bool) -> bool:
    return value
