"""The command of migrations: what it prints, changes, and returns."""

from __future__ import annotations

from typing import Any

from ...migrations.command import main
from ...migrations.journal import COLLECTION
from ..process.in_process import run_main
from ..server_test import mongodb_uri
from .migrations_test import UP, ClientTest

STOPPED = """
import asyncio, os, signal

async def up(db):
    os.kill(os.getpid(), signal.{name})
    await asyncio.sleep(60)
"""
PRODUCTION = ("--environment", "production", "--secret-key", "a secret of our own")


class CommandTest(ClientTest):
    def setUp(self) -> None:
        super().setUp()
        self.flags = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", self.db.name)

    def run_command(self, *flags: str) -> tuple[int, str]:
        """Return the exit code, and what is printed, without the times of the log."""
        code, printed = run_main(*self.flags, *flags, program=self.program, main=main)
        return code, "\n".join(line.partition(" INFO ")[2] or line for line in printed.splitlines())

    def journal(self) -> dict[str, Any]:
        return self.db[COLLECTION].find_one() or {}

    def test_apply_undo_and_status(self) -> None:
        for name in ("0001_a", "0002_b"):
            self.write(name)
        self.assertEqual(
            self.run_command("--status"), (3, "0001_a  not applied\n0002_b  not applied")
        )
        code, printed = self.run_command()
        self.assertEqual(code, 0)
        self.assertRegex(
            printed,
            r"\Aapply 0001_a \.\.\.\n0001_a applied in .* s\napply 0002_b \.\.\.\n0002_b applied",
        )
        code, printed = self.run_command("--status")
        self.assertEqual(code, 0)
        time = r"applied \d{4}-\d\d-\d\d \d\d:\d\d:\d\d in \S+ s"
        self.assertRegex(printed, rf"\A0001_a  {time}\n0002_b  {time}\Z")
        self.assertEqual(self.run_command(), (0, "nothing to do: 2 are applied"))
        self.assertEqual(self.run_command("--to", "1")[0], 0)
        self.assertEqual([entry["number"] for entry in self.journal()["applied"]], [1])

    def test_dry_run(self) -> None:
        for name in ("0001_a", "0002_b"):
            self.write(name)
        code, printed = self.run_command("--dry-run")
        self.assertEqual((code, printed), (0, "apply 0001_a\napply 0002_b\nnothing was changed"))
        self.assertEqual(self.run_command("--dry-run", "--to", "0"), (0, "nothing to do"))
        self.assertEqual(self.db.list_collection_names(), [])

    def test_what_is_odd(self) -> None:
        file = self.write("0001_a")
        self.write("0002_b")
        self.run_command()
        file.write_text(UP.format(number=5))
        (self.folder / "0002_b.py").unlink()
        lock = {"token": "", "holder": "process 1 on moon"}
        self.db[COLLECTION].update_one({}, {"$set": {"lock": lock}})
        code, printed = self.run_command("--status")
        self.assertEqual(code, 0)
        self.assertIn(": 0001_a has changed since it was applied on ", printed)
        self.assertIn(": the database is newer than this code, it has 0002_b: ", printed)
        self.assertRegex(printed, "\n0002_b  applied .* s, not in this code\n")
        self.assertIn("\nprocess 1 on moon applies migrations, or was killed", printed)

    def test_a_signal(self) -> None:
        """The lock is free at once."""
        for name in ("SIGINT", "SIGTERM"):
            self.write("0001_stopped", STOPPED.format(name=name))
            self.assertEqual(self.run_command(), (130, "apply 0001_stopped ..."))
            self.assertEqual(self.journal(), {"_id": "journal", "applied": [], "lock": None})

    def test_refusals(self) -> None:
        self.write("0001_a", UP)
        self.run_command()
        code, printed = self.run_command("--to", "0")
        self.assertEqual(code, 1)
        self.assertIn(": 0001_a has no `down`, so nothing was changed.", printed)
        code, printed = self.run_command("--mongodb-timeout-seconds", "0")
        self.assertEqual(code, 2)
        self.assertIn("mongodb_timeout_seconds: '0' is not allowed", printed)
        nowhere = ("--mongodb-uri", "mongodb://127.0.0.1:1", "--mongodb-timeout-seconds", "0.1")
        code, printed = self.run_command("--status", *nowhere)
        self.assertEqual(code, 1)
        self.assertIn("MongoDB does not answer (127.0.0.1:1", printed)

    def test_a_server_in_production(self) -> None:
        for name in ("0001_a", "0002_b", "0003_c"):
            self.write(name)
        self.run_command("--to", "1")
        code, printed = run_main("--port", "0", *self.flags, *PRODUCTION, program=self.program)
        self.assertEqual(code, 1)
        self.assertIn(
            f": 0002_b and 1 more are not applied to the database {self.db.name}. "
            f"Run python -m {self.program.package}.migrate with the settings of this server",
            printed,
        )
        self.run_command("--to", "2")
        code, printed = run_main("--port", "0", *self.flags, *PRODUCTION, program=self.program)
        self.assertIn(": 0003_c is not applied to", printed)

    def test_a_server_in_development_fails(self) -> None:
        self.write("0001_fails", "async def up(db): 1 / 0\n")
        code, printed = run_main("--port", "0", *self.flags, program=self.program)
        self.assertEqual(code, 1)
        self.assertIn(": 0001_fails failed, and is not recorded as applied. ", printed)
        self.assertIn("0001_fails.py, line 1: ZeroDivisionError", printed)

    def test_a_server_in_development_is_stopped(self) -> None:
        """A migration may take long, and a Ctrl-C ends it."""
        self.write("0001_stopped", STOPPED.format(name="SIGINT"))
        code, printed = run_main("--port", "0", *self.flags, program=self.program)
        self.assertEqual(code, 0)
        self.assertNotIn("listens", printed)
        self.assertEqual(self.journal(), {"_id": "journal", "applied": [], "lock": None})
