"""Servers before they serve: what is missing is refused, or applied once."""

from __future__ import annotations

import os
from typing import Any
from unittest.mock import patch

from pymongo import MongoClient

from ...error import StartError
from ...log import LOGGER
from ...migrations.start import prepare
from ..sample.app import Settings
from ..server_process import ProcessTest, ServerProcess
from ..server_test import mongodb_uri, test_database
from .migrations_test import FolderTest, MigrationsTest


class PrepareTest(MigrationsTest):
    async def prepare(self, **settings: Any) -> None:
        chosen = Settings(mongodb_database=self.name, **settings)
        await prepare(self.program, chosen, mongodb_uri(), self.database)

    async def test_development(self) -> None:
        self.write("0001_a")
        await self.prepare()
        self.assertEqual((await self.done(), await self.applied()), ([1], ["0001_a"]))
        await self.prepare()

    async def test_production(self) -> None:
        self.write("0001_a")
        production = {"environment": "production", "secret_key": "a secret of our own"}
        production["mongodb_uri"] = mongodb_uri()
        with self.assertRaisesRegex(StartError, "^0001_a is not applied to the database test_"):
            await self.prepare(**production)
        self.assertEqual(await self.db.list_collection_names(), [])
        await self.migrate()
        await self.prepare(**production)

    async def test_a_database_that_is_newer(self) -> None:
        """Old code serves it, during an upgrade and after going back."""
        self.write("0001_a")
        newer = self.write("0002_b")
        await self.migrate()
        newer.unlink()
        with self.assertLogs(LOGGER) as logs:
            await self.prepare()
        self.assertIn("newer than this code, it has 0002_b: ", logs.output[0])

    async def test_cost(self) -> None:
        """A start finds one document."""
        self.write("0001_a")
        await self.migrate()
        await self.db.command("profile", 2)
        await self.prepare()
        await self.db.command("profile", 0)
        asked = await self.db["system.profile"].find({"command.profile": None}).to_list()
        operations = [(one["op"], one["ns"]) for one in asked]
        self.assertEqual(operations, [("query", f"{self.name}.migrations")])


class Server(ServerProcess):
    server = f"{__package__}.server"


class ServersTest(FolderTest, ProcessTest):
    """A server with a worker and one alone, started at once."""

    server_class = Server

    def test_each_migration_once(self) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri())
        self.addCleanup(client.close)
        db = client[test_database(self)]
        self.addCleanup(client.drop_database, db)
        for number in (1, 2, 3):
            self.write(f"000{number}_a")
        self.enterContext(
            patch.dict(os.environ, TEST_MIGRATIONS=self.package, PYTHONPATH=str(self.root))
        )
        flags = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", db.name)
        servers = [self.start(*flags, "--processes", "1"), self.start(*flags)]
        for server in servers:
            server.wait_until_it_listens()
        printed = "".join(server.printed() for server in servers)
        for number in (1, 2, 3):
            self.assertEqual(printed.count(f"000{number}_a applied in"), 1, printed)
        self.assertEqual([one["_id"] for one in db.done.find()], [1, 2, 3])
