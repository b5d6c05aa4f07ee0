"""A command of the project that works on a development database."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from unittest import TestCase

from ...error import Unavailable
from ...mongo.driver import mongodb
from ...process.script import run_in_development
from ...program import Program
from ...progress import Progress
from ...settings import ServerSettings
from ..server_test import mongodb_uri, test_database
from .in_process import run_main


class DevelopmentTest(TestCase):
    integration = True

    def setUp(self) -> None:
        self.worked_on: list[str] = []
        self.flags = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", test_database(self))

    async def work(self, settings: ServerSettings, progress: Progress) -> None:
        await mongodb.own.command("ping")
        self.worked_on.append(mongodb.own.name)

    def main(self, program: Program, flags: Sequence[str]) -> int:
        options = argparse.ArgumentParser("fill", add_help=False)
        return run_in_development(program, options, flags, self.work)

    def test_valid(self) -> None:
        self.assertEqual(run_main(*self.flags, main=self.main), (0, ""))
        self.assertEqual(self.worked_on, [test_database(self)])
        with self.assertRaises(Unavailable):
            mongodb.own  # noqa: B018 - the command has closed it

    def test_production(self) -> None:
        secret = "0123456789abcdef" * 4
        flags = ("--environment", "production", "--secret-key", secret)
        code, printed = run_main(*self.flags, *flags, main=self.main)
        self.assertEqual(code, 1)
        self.assertIn("fill is for development, but environment is production.", printed)
        self.assertEqual(self.worked_on, [])
