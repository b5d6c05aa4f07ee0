"""`FolderTest`, `ClientTest` and `MigrationsTest`: tests with a folder of migrations."""

from __future__ import annotations

import importlib
import io
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any
from unittest import TestCase

from pymongo import MongoClient

from ...migrations.journal import COLLECTION
from ...migrations.running import migrate
from ...mongo.connection import unlimited
from ...mongo.driver import Database
from ...program import Program
from ...progress import Progress
from ..async_test import AsyncTest
from ..sample.server import PROGRAM
from ..server_test import drop_collections, mongodb_uri, test_database

# A migration that stores its own number, and takes it back.
UP = """
async def up(db):
    await db.done.insert_one({{"_id": {number}}})
"""
UP_AND_DOWN = f"""{UP}
async def down(db):
    await db.done.delete_one({{{{"_id": {{number}}}}}})
"""


class FolderTest(TestCase):
    """An empty package for migrations, which can be imported during the test."""

    def setUp(self) -> None:
        super().setUp()
        root = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="test-")))
        self.package = f"migrations_of_{test_database(self)}"
        self.root = root
        self.folder = root / self.package
        self.folder.mkdir()
        (self.folder / "__init__.py").touch()
        sys.path.insert(0, str(root))
        self.addCleanup(sys.path.remove, str(root))
        self.addCleanup(self.forget)

    @property
    def program(self) -> Program:
        return PROGRAM._replace(migrations=self.package)

    def write(self, name: str, text: str = UP_AND_DOWN) -> Path:
        """Write a migration; `{number}` in `text` is its number."""
        file = self.folder / f"{name}.py"
        number = name[:4].lstrip("0")
        file.write_text(textwrap.dedent(text).format(number=number) if "{number}" in text else text)
        self.forget()
        return file

    def forget(self) -> None:
        """Import the files anew at the next use, as another process does."""
        for name in [name for name in sys.modules if name.startswith(f"{self.package}")]:
            del sys.modules[name]
        importlib.invalidate_caches()


class ClientTest(FolderTest):
    """`self.db` is a database of the test's own, by a client that blocks."""

    integration = True

    def setUp(self) -> None:
        super().setUp()
        client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri())
        self.addCleanup(client.close)
        self.db = client[test_database(self)]
        self.addCleanup(client.drop_database, self.db)


class MigrationsTest(FolderTest, AsyncTest):
    """A package of the test's own, and a database without timeouts."""

    integration = True

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.name = test_database(self)
        self.database = await self.opened()
        self.db = self.database.own
        self.addAsyncCleanup(drop_collections, self.db)
        self.shown = io.StringIO()

    async def opened(self) -> Database:
        """Return the test's database, opened once more."""
        return await self.enterAsyncContext(unlimited(mongodb_uri(), self.name))

    async def migrate(self, to: int | None = None, **options: Any) -> list[str]:
        """Return the lines of the steps."""
        progress = Progress(self.shown)
        steps = await migrate(self.program, self.database, progress, to, **options)
        return [step.text for step in steps]

    async def journal(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.db[COLLECTION].find_one() or {}
        return found

    async def applied(self) -> list[str]:
        return [entry["name"] for entry in (await self.journal()).get("applied", [])]

    async def done(self) -> list[int]:
        """Return what the migrations have stored."""
        found = await self.db.done.find().sort("_id").to_list()
        return [document["_id"] for document in found]
