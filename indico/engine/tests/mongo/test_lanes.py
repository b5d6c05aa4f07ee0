"""A database with lanes and without: options of the URI, and the check at `connect()`."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar
from unittest.mock import patch

from pymongo import AsyncMongoClient
from tornado.testing import gen_test

from ...error import Unavailable
from ...log import LOGGER
from ...mongo import connection as db
from ...mongo import lanes
from ...mongo.collection import Collection, Document
from ...mongo.driver import Driver, mongodb
from ..async_test import AsyncTest
from ..server_test import mongodb_uri
from .lane_test import LaneTest
from .test_db import DRIVERS, NO_SERVER

THINGS = Collection("lanes", Document)
Collection.declared.remove(THINGS)


class WithoutLanesTest(AsyncTest):
    """The driver does all, and one line in the log says why."""

    integration = True

    def setUp(self) -> None:
        level = LOGGER.level
        LOGGER.setLevel("INFO")
        self.addCleanup(LOGGER.setLevel, level)

    async def asyncTearDown(self) -> None:
        await db.disconnect()

    async def why(self, options: str = "", driver: Driver = "motor") -> str:
        """Return the line in the log of a connection that works nevertheless."""
        with self.assertLogs(LOGGER, "WARNING") as logged:
            await db.connect(f"{mongodb_uri()}{options}", "test_lanes", driver)
        self.assertIsNone(mongodb.lanes)
        self.assertIsNone(mongodb.own_client)
        await THINGS.delete({})
        self.assertEqual(await THINGS.insert({"_id": 1}), 1)
        self.assertEqual(await THINGS.find_by_id(1), {"_id": 1})
        await db.disconnect()
        (line,) = logged.output
        return line

    async def test_options(self) -> None:
        for option in (
            "readPreference=secondaryPreferred",
            "compressors=zlib",
            "maxPoolSize=35",
            "maxIdleTimeMS=60000",
            "maxAdaptiveRetries=1",
        ):
            name = option.split("=")[0]
            with self.subTest(option=option):
                self.assertIn(name.lower(), (await self.why(f"&{option}")).lower())

    async def test_a_pymongo_that_has_changed(self) -> None:
        for driver in DRIVERS:
            broken = AttributeError("it has no such name")
            with patch.object(AsyncMongoClient, "_conn_for_writes", side_effect=broken):
                self.assertIn("it has no such name", await self.why(driver=driver))

    async def test_a_server_that_is_not_the_primary(self) -> None:
        with patch.object(lanes, "plain", lambda reply: {"setName": "a"}):
            self.assertIn("primary of a replica set", await self.why())

    async def test_off(self) -> None:
        with self.assertNoLogs(LOGGER, "WARNING"):
            await db.connect(mongodb_uri(), "test_lanes", lane=False)
        self.assertIsNone(mongodb.own_client)

    async def test_no_server(self) -> None:
        for driver in DRIVERS:
            with self.assertRaises(db.NoAnswer):
                await db.connect(NO_SERVER, "test_lanes", driver, 0.1)
            with self.assertRaises(Unavailable):
                await THINGS.find_by_id(1)


class OneClientTest(AsyncTest):
    """Motor stays unopened until somebody asks `mongodb` itself."""

    integration = True

    async def asyncTearDown(self) -> None:
        await db.disconnect()

    async def test_pymongo(self) -> None:
        await db.connect(mongodb_uri(), "test_lanes", "pymongo")
        self.assertIs(mongodb.own_client, mongodb.client)

    async def test_motor(self) -> None:
        await db.connect(mongodb_uri(), "test_lanes", "motor")
        await THINGS.insert({})
        self.assertTrue(await db.ping())
        self.assertFalse(mongodb.client.delegate._opened)
        self.assertGreater(await mongodb[THINGS.name].count_documents({}), 0)
        self.assertTrue(mongodb.client.delegate._opened)
        await mongodb.client.drop_database("test_lanes")


class OptionsTest(LaneTest):
    """Options of the URI that a lane honours."""

    options: ClassVar[str] = "&readConcernLevel=majority"

    def uri(self) -> str:
        return f"{self.proxy.uri}{self.options}"

    async def sent(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the commands of a find and an insert."""
        with self.commands("find", "insert") as sent:
            await self.things.find_by_id(1)
            await self.things.insert({"_id": "a", "key": "a"})
        find, insert = sent
        return find, insert

    @gen_test
    async def test_valid(self) -> None:
        find, insert = await self.sent()
        self.assertEqual(find["readConcern"], {"level": "majority"})
        self.assertEqual(find["$readPreference"], {"mode": "primaryPreferred"})
        self.assertEqual(insert["writeConcern"], {"w": "majority", "j": True})
        self.assertEqual({find["$db"], insert["$db"]}, {self.database})


class NoRetriesTest(OptionsTest):
    options = (
        "&retryReads=false&retryWrites=false&w=1&journal=false&wtimeoutMS=1"
        "&heartbeatFrequencyMS=500"
    )

    @gen_test
    async def test_valid(self) -> None:
        find, insert = await self.sent()
        self.assertNotIn("readConcern", find)
        self.assertNotIn("txnNumber", insert)
        self.assertEqual(insert["writeConcern"], {"w": "majority", "j": True})
        for call in (self.things.find_by_id(1), self.things.insert({"_id": "b", "key": "b"})):
            with self.commands("find", "insert") as sent:
                self.proxy.cut_after = 2
                with self.assertRaises(Unavailable):
                    await call
            self.assertEqual(len(sent), 1)
            await asyncio.sleep(0)
