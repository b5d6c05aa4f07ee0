"""The connection to MongoDB, and its indexes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from ...error import StartError, Unavailable
from ...mongo.collection import Collection, Document, IndexModel
from ...mongo.connection import NoAnswer, connect, disconnect, ping
from ...mongo.driver import Driver, mongodb
from ...mongo.inspection import inspect
from ...mongo.mongod_binary import find_binary
from ...mongo.mongod_process import Launcher, free_port
from ..async_test import AsyncTest
from ..environment import CHOSEN
from ..sample.accounts import SESSIONS, USERS
from ..server_test import ServerTest, mongodb_uri
from .test_embedded import EmbeddedTest

NO_SERVER = "mongodb://127.0.0.1:1/?directConnection=true"

DRIVERS: list[Driver] = ["motor", "pymongo"]
DRIVER: Any = CHOSEN["mongodb_driver"]


class ConnectTest(AsyncTest):
    varies_with = (DRIVER,)
    integration = True

    async def asyncTearDown(self) -> None:
        await disconnect()

    async def refusal(self, uri: str, timeout_seconds: float = 0.3) -> str:
        with self.assertRaises(StartError) as raised:
            await connect(uri, "test_connect", DRIVER, timeout_seconds)
        with self.assertRaisesRegex(Unavailable, "not open"):
            mongodb["users"]
        return str(raised.exception)

    async def test_valid(self) -> None:
        await connect(mongodb_uri(), "test_connect", DRIVER)
        self.assertEqual(mongodb.users.name, "users")
        self.assertEqual(mongodb["users"].full_name, "test_connect.users")
        self.assertTrue(await ping())
        await mongodb.client.drop_database("test_connect")

    async def test_not_open(self) -> None:
        with self.assertRaisesRegex(Unavailable, "not open"):
            mongodb.users  # noqa: B018
        with self.assertRaises(AttributeError):
            mongodb._secret  # noqa: B018
        await disconnect()

    async def test_no_server_answers(self) -> None:
        text = await self.refusal(NO_SERVER)
        self.assertIn("MongoDB does not answer", text)
        self.assertIn("mongodb_uri", text)

    async def test_malformed_uri(self) -> None:
        for uri in ("nonsense", "mongodb://", "http://a", "mongodb://a:b:c"):
            with self.subTest(uri=uri):
                self.assertIn("mongodb_uri", await self.refusal(uri))

    async def test_password_is_not_shown(self) -> None:
        uris = [
            "mongodb://ada:hunter2@127.0.0.1:1/",
            "mongodb://ada:hunter2@:x/",
            "mongodb://ada:top/hunter2@mongo:27017/",
            "mongodb://ada:12/hun ter2@db.example.com/app",
        ]
        for uri in uris:
            self.assertNotRegex(await self.refusal(uri), "hunter2|ter2")

    async def test_user_is_refused(self) -> None:
        uri = mongodb_uri().replace("//", "//ada:hunter2@")
        text = await self.refusal(uri, 5)
        self.assertIn("refuses the user", text)
        self.assertNotIn("hunter2", text)

    async def test_an_index_that_is_there_already_with_other_options(self) -> None:
        await connect(mongodb_uri(), "test_connect", DRIVER)
        await mongodb["clashes"].create_index("a", unique=True)
        await disconnect()
        clash = Collection("clashes", Document, IndexModel("a"))
        try:
            text = await self.refusal(mongodb_uri(), 5)
            self.assertIn("a_1", text)
            self.assertLess(len(text), 600)
        finally:
            Collection.declared.remove(clash)
        await connect(mongodb_uri(), "test_connect", DRIVER)
        await mongodb.client.drop_database("test_connect")

    async def test_an_index_that_documents_contradict(self) -> None:
        await connect(mongodb_uri(), "test_connect", DRIVER)
        await mongodb["clashes"].insert_many([{"email": "ada"}, {"email": "ada"}])
        await disconnect()
        clash = Collection("clashes", Document, IndexModel("email", unique=True))
        try:
            self.assertIn("index email_1 of clashes", await self.refusal(mongodb_uri(), 5))
        finally:
            Collection.declared.remove(clash)
        await connect(mongodb_uri(), "test_connect", DRIVER)
        await mongodb.client.drop_database("test_connect")

    async def test_ping(self) -> None:
        mongodb.open(NO_SERVER, "test_connect", DRIVER, 5)
        self.assertFalse(await ping(0.1))


class NewReplicaSetTest(EmbeddedTest):
    """Members of a replica set that nobody has initiated."""

    def test_each_driver_and_uri(self) -> None:
        port, data = free_port(), self.folder / "mongodb"
        data.mkdir()
        launcher = Launcher(data, self.folder / "log")
        deadline = time.monotonic() + 30
        with launcher.launched(find_binary(None), port, deadline, "--replSet", "new"):
            for driver in DRIVERS:
                for options in ("replicaSet=new", "directConnection=true", ""):
                    uri = f"mongodb://127.0.0.1:{port}/?{options}"
                    with self.subTest(driver=driver, options=options):
                        self.assert_told(connect(uri, "test_new", driver, 0.8))
            self.assert_told(inspect(uri, "test_new", "motor", 0.8))

    def assert_told(self, opening: Coroutine[Any, Any, object]) -> None:
        with self.assertRaisesRegex(NoAnswer, r"is new, run rs\.initiate\(\) in mongosh, once"):
            asyncio.run(opening)


class DriversTest(AsyncTest):
    """Both drivers, whichever one the other tests use."""

    integration = True

    async def asyncTearDown(self) -> None:
        await disconnect()

    async def test_open(self) -> None:
        for driver in DRIVERS:
            with self.subTest(driver=driver):
                await connect(mongodb_uri(), "test_drivers", driver, 30)
                module = type(mongodb.client).__module__
                self.assertEqual(module.split(".")[0], driver)
                self.assertTrue(await ping())
                await disconnect()

    async def test_aggregate(self) -> None:
        for driver in DRIVERS:
            with self.subTest(driver=driver):
                await connect(mongodb_uri(), "test_drivers", driver, 30)
                await mongodb.things.delete_many({})
                await mongodb.things.insert_many([{"n": 1}, {"n": 2}])
                total = {"$group": {"_id": None, "total": {"$sum": "$n"}}}
                found = await mongodb.aggregate("things", [total])
                self.assertEqual(found, [{"_id": None, "total": 3}])

    async def test_no_server_answers(self) -> None:
        for driver in DRIVERS:
            with self.subTest(driver=driver), self.assertRaisesRegex(StartError, "not answer"):
                await connect(NO_SERVER, "test_drivers", driver, 0.1)


class IndexTest(ServerTest):
    indexed = (SESSIONS, USERS)

    def test_declared_indexes_are_made(self) -> None:
        keys = {
            "sample_users": {"_id_", "email_1"},
            "sample_sessions": {"_id_", "user_id_1"},
        }
        for name, indexes in keys.items():
            made = self.run_async(mongodb[name].index_information())
            self.assertEqual(set(made), indexes)
        self.assertTrue(
            self.run_async(mongodb.sample_users.index_information())["email_1"]["unique"]
        )
