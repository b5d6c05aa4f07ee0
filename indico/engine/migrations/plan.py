"""The plan: which migrations are to be applied or undone, and what is odd about the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..error import StartError
from .folder import Migration, Work, load_functions
from .journal import Applied


class Step(NamedTuple):
    migration: Migration
    undo: bool = False

    @property
    def name(self) -> str:
        return self.migration.name

    @property
    def text(self) -> str:
        return f"{'undo' if self.undo else 'apply'} {self.name}"


def unapplied(found: Sequence[Migration], applied: dict[int, Applied]) -> list[Migration]:
    """Return the migrations that are not applied.

    Raises `StartError` if another one was applied under the same number.
    """
    for migration in found:
        entry = applied.get(migration.number)
        if entry and entry.name != migration.name and entry.checksum != migration.checksum:
            raise StartError(
                f"The database has applied {entry.name}, but {migration.name} has its number. "
                "Give the file that is newer the next free number. In development, deleting the "
                "data also helps."
            )
    return [migration for migration in found if migration.number not in applied]


def warnings(found: Sequence[Migration], applied: dict[int, Applied]) -> list[str]:
    """Return a line for each applied migration whose file has changed or is newer than the code."""
    lines = []
    for migration in found:
        entry = applied.get(migration.number)
        if entry and entry.checksum != migration.checksum:
            lines.append(
                f"{migration.name} has changed since it was applied on "
                f"{entry.applied_at:%Y-%m-%d}, and the change has no effect on this database: "
                "restore the file, and write another migration."
            )
    newest = found[-1].number if found else 0
    if newer := [entry.name for number, entry in sorted(applied.items()) if number > newest]:
        lines.append(
            f"the database is newer than this code, it has {', '.join(newer)}: this is right "
            "during an upgrade, and after going back to older code."
        )
    return lines


def make_plan(
    found: Sequence[Migration], applied: dict[int, Applied], to: int | None = None
) -> list[Step]:
    """Return the steps that lead to the migration `to`, or to the last one, in order.

    Raises `StartError` if there is no such way.
    """
    ups = unapplied(found, applied)
    if to is None:
        return [Step(migration) for migration in ups]
    first, last = (found[0].number, found[-1].number) if found else (1, 0)
    if not first - 1 <= to <= last:
        raise StartError(f"--to {to}: the migrations have the numbers {first} to {last}.")
    known = {migration.number: migration for migration in found}
    above = sorted((number for number in applied if number > to), reverse=True)
    if unknown := [applied[number].name for number in above if number not in known]:
        raise StartError(
            f"{', '.join(unknown)} is applied, but not in this code: only newer code can undo it."
        )
    downs = [Step(known[number], undo=True) for number in above]
    return downs + [Step(migration) for migration in ups if migration.number <= to]


def load_works(package: str, steps: Sequence[Step]) -> list[tuple[Step, Work]]:
    """Import the migration of each step, and return the step with its function.

    Raises `StartError` before anything is changed, if one is broken or can't be undone.
    """
    loaded, final = [], []
    for step in steps:
        functions = load_functions(package, step.migration)
        if work := functions.down if step.undo else functions.up:
            loaded.append((step, work))
        else:
            final.append(step.name)
    if final:
        raise StartError(f"{', '.join(final)} has no `down`, so nothing was changed.")
    return loaded
