from __future__ import annotations

from typing import Any

from ...doctor.migrations import migrations
from ...migrations.journal import COLLECTION
from ..migrations.migrations_test import ClientTest
from ..server_test import mongodb_uri
from .doctor_test import DoctorTest

PRODUCTION = {"environment": "production", "secret_key": "a secret of our own"}


class MigrationsTest(ClientTest, DoctorTest):
    def apply(self, name: str, checksum: str) -> None:
        """Record a migration as applied."""
        entry = {"number": int(name[:4]), "name": name, "checksum": checksum}
        entry |= {"applied_at": self.db.command("hello")["localTime"], "seconds": 1}
        change = {"$push": {"applied": entry}}
        self.db[COLLECTION].update_one({"_id": "journal"}, change, upsert=True)

    def findings(self, **chosen: Any) -> str:
        """Return all findings, one a line."""
        settings = self.settings(mongodb_uri=mongodb_uri(), mongodb_database=self.db.name, **chosen)
        found = migrations(self.program, settings, mongodb_uri())
        return "\n".join(f"{self.state(one)}: {one.seen} {one.fix}" for one in found)

    def test_all_applied(self) -> None:
        self.assertEqual(self.findings(**PRODUCTION), "ok: All are applied. ")

    def test_not_applied(self) -> None:
        for name in ("0001_a", "0002_b"):
            self.write(name)
        self.assertEqual(self.findings(), "ok: The next server to start applies 0001_a, 0002_b. ")
        self.assertEqual(
            self.findings(**PRODUCTION),
            "fault: Not applied, so no server starts: 0001_a, 0002_b. Run python -m "
            f"{self.program.package}.migrate before the server starts.",
        )

    def test_what_is_odd(self) -> None:
        self.write("0001_a")
        self.apply("0001_a", "another")
        self.apply("0002_b", "")
        lines = self.findings().splitlines()
        self.assertRegex(lines[0], "^warning: 0001_a has changed since .* Restore the file")
        self.assertRegex(lines[1], "^warning: The database is newer .* This is right during")
        self.assertEqual(lines[2:], ["ok: All are applied. "])

    def test_wrong_files(self) -> None:
        for name in ("0001_a", "0003_c"):
            self.write(name)
        self.assertRegex(self.findings(), "^fault: There is no migration 0002 .* Add the file")
