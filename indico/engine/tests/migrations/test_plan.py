"""The steps between the code and a database."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import TestCase

from ...error import StartError
from ...migrations.folder import Migration
from ...migrations.journal import Applied
from ...migrations.plan import make_plan, warnings

FOUND = [Migration(n, f"000{n}_{name}", name) for n, name in enumerate("abcd", 1)]


def applied(*numbers: int, name: str = "", checksum: str = "") -> dict[int, Applied]:
    """Return the entries of these migrations; 5 to 9 are not in the code."""
    known = {migration.number: migration for migration in FOUND}
    entries = {}
    for n in numbers:
        of = known.get(n, Migration(n, f"000{n}_new", "new"))
        time = datetime(2030, 1, 2, tzinfo=UTC)
        entries[n] = Applied(n, name or of.name, checksum or of.checksum, time, 1)
    return entries


class PlanTest(TestCase):
    def plan(self, of: dict[int, Applied], to: int | None = None, start: int = 0) -> list[str]:
        return [step.text.replace("000", "") for step in make_plan(FOUND[start:], of, to)]

    def refusal(self, of: dict[int, Applied], to: int | None = None, start: int = 0) -> str:
        with self.assertRaises(StartError) as raised:
            self.plan(of, to, start)
        return str(raised.exception)

    def test_all(self) -> None:
        self.assertEqual(self.plan({}), ["apply 1_a", "apply 2_b", "apply 3_c", "apply 4_d"])
        self.assertEqual(self.plan(applied(1, 2, 3)), ["apply 4_d"])
        self.assertEqual(self.plan(applied(1, 2, 3, 4)), [])

    def test_to(self) -> None:
        self.assertEqual(self.plan({}, 2), ["apply 1_a", "apply 2_b"])
        self.assertEqual(self.plan(applied(1, 2), 2), [])
        self.assertEqual(self.plan(applied(1, 2, 3, 4), 2), ["undo 4_d", "undo 3_c"])
        self.assertEqual(self.plan(applied(1, 2), 0), ["undo 2_b", "undo 1_a"])

    def test_wrong_numbers(self) -> None:
        for to in (-1, 5):
            self.assertEqual(
                self.refusal({}, to), f"--to {to}: the migrations have the numbers 1 to 4."
            )
        self.assertIn("the numbers 3 to 4", self.refusal(applied(1, 2), 1, start=2))
        self.assertEqual(make_plan([], {}, 0), [])

    def test_a_database_that_is_newer(self) -> None:
        newer = applied(1, 2, 3, 4, 5, 6)
        self.assertEqual(self.plan(newer), [])
        self.assertIn("0006_new, 0005_new is applied, but not in this code", self.refusal(newer, 4))
        (warning,) = warnings(FOUND, newer)
        self.assertIn("newer than this code, it has 0005_new, 0006_new: ", warning)
        self.assertEqual(len(warnings([], newer)), 1)

    def test_old_ones_are_deleted(self) -> None:
        old = applied(1, 2)
        self.assertEqual(self.plan(old, start=2), ["apply 3_c", "apply 4_d"])
        self.assertEqual(warnings(FOUND[2:], old), [])

    def test_changed(self) -> None:
        changed = applied(2, checksum="other")
        (warning,) = warnings(FOUND, changed)
        self.assertIn("0002_b has changed since it was applied on 2030-01-02", warning)
        self.assertNotIn("apply 2_b", self.plan(changed))

    def test_renamed(self) -> None:
        self.assertEqual(self.plan(applied(1, 2, 3, 4, name="0001_same")), [])

    def test_another_one_has_the_number(self) -> None:
        text = self.refusal(applied(2, name="0002_theirs", checksum="theirs"))
        self.assertIn("has applied 0002_theirs, but 0002_b has its number", text)
