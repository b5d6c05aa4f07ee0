"""The commands `seed`, `migrate` and `jobs`, without their processes."""

from __future__ import annotations

import runpy
import sys
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from pymongo import MongoClient

from indico.engine.program import Program
from indico.engine.progress import Progress
from indico.engine.tests.process.in_process import run_main
from indico.engine.tests.server_test import mongodb_uri, test_database
from indico.seed import NAMES, PASSWORD, email, seed
from indico.server import PROGRAM
from indico.tests.server_test import ServerTest


class SeedTest(ServerTest):
    def seed(self) -> None:
        self.run_async(seed(self.config, Progress()))

    def test_twice(self) -> None:
        """The second time makes nothing, also where the first one was cut off."""
        self.register()
        self.seed()
        users = self.stored("users")
        self.assertEqual(len(users), len(NAMES))
        self.seed()
        self.assertEqual(self.stored("users"), users)

    def test_log_in(self) -> None:
        self.seed()
        self.assertEqual(
            self.login(email("Grace Hopper"), PASSWORD)["user"]["name"], "Grace Hopper"
        )

    def test_addresses(self) -> None:
        for _ in range(2):
            self.seed()
            token = self.login("grace@example.com", PASSWORD)["token"]
            items = self.data(self.post("/address/list", token=token))["items"]
            self.assertEqual([one["entry"]["name"] for one in items], list(NAMES))
            emails = [one["entry"]["emails"][0]["email"] for one in items]
            self.assertEqual(emails, [email(name) for name in NAMES])


class CommandTest(TestCase):
    """The commands as a person types them."""

    integration = True

    def command(self, name: str, *flags: str) -> tuple[int, str]:
        """Return the exit code of `python -m` the module, and what it prints."""
        module = f"{PROGRAM.package}.{name}"

        def main(program: Program, given: Any) -> int:
            # Without an import by another test, of which runpy would warn.
            sys.modules.pop(module, None)
            with patch.object(sys, "argv", [module, *given]):
                try:
                    runpy.run_module(module, run_name="__main__")
                except SystemExit as end:
                    return int(end.code or 0)
                raise AssertionError

        return run_main(*flags, main=main)

    def test_each(self) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri())
        self.addCleanup(client.close)
        database = client[test_database(self)]
        self.addCleanup(client.drop_database, database)
        flags = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", database.name)
        self.assertEqual(self.command("migrate", "--status", *flags), (0, ""))
        self.assertEqual(self.command("jobs", *flags), (0, "there are no jobs\n"))
        code, printed = self.command("seed", "--port", "81", *flags)
        self.assertEqual(code, 0, printed)
        self.assertIn(f"{len(NAMES)} accounts made in {database.name}, 0 kept", printed)
        self.assertIn('log in: curl localhost:81/auth/login -d \'{"email": "niklaus@', printed)
        self.assertEqual(database.users.count_documents({}), len(NAMES))

    def test_production(self) -> None:
        production = ("--environment", "production", "--secret-key", "a secret of our own")
        code, printed = self.command(
            "seed", *production, "--mongodb-uri", "mongodb://nowhere.invalid"
        )
        self.assertEqual(code, 1)
        self.assertIn("seed is for development, but environment is production.", printed)
