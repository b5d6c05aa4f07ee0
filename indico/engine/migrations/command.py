"""The command that applies migrations, undoes them, and tells which are applied."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import standard_streams
from ..mongo.connection import unlimited
from ..mongo.driver import Database
from ..mongo.embedded import Embedded
from ..process.greeting import say
from ..process.script import run_script
from ..program import Program
from ..progress import on_terminal
from ..settings import ServerSettings
from .folder import Migration, find_migrations
from .journal import Applied, State, read_state
from .plan import load_works, make_plan, unapplied, warnings
from .running import migrate

UNAPPLIED = 3


def main(program: Program, argv: Sequence[str]) -> int:
    """Apply what is not applied, or do what a flag says, and return the exit code."""
    options = argparse.ArgumentParser(
        prog=f"python -m {program.package}.migrate",
        description="Applies the migrations that the database lacks, in order. Takes the settings "
        f"of {program.command}.",
        add_help=False,
        allow_abbrev=False,
    )
    group = options.add_argument_group("what it does instead")
    add = group.add_argument
    add("--status", action="store_true", help="list all; exit code 3 if some are not applied")
    add("--dry-run", action="store_true", help="say what would be done, and change nothing")
    add("--to", type=int, metavar="N", help="apply or undo until N is the last one; 0 undoes all")
    chosen, flags = options.parse_known_args(argv)

    async def work(settings: ServerSettings, origin: Embedded | str) -> int:
        uri = origin.uri if isinstance(origin, Embedded) else origin
        timeout = settings.mongodb_timeout_seconds
        async with unlimited(uri, settings.mongodb_database, timeout) as database:
            if chosen.status:
                return await _tell_status(program, database)
            if chosen.dry_run:
                return await _tell_steps(program, database, chosen.to)
            return await _migrate(program, settings, database, chosen.to)

    standard_streams.open_streams()
    return run_script(program, options, flags, work)


async def _migrate(
    program: Program, settings: ServerSettings, database: Database, to: int | None
) -> int:
    program.app(settings)  # its import declares the collections
    progress = on_terminal()
    _, state = await _read(program, database)
    validation = settings.document_validation
    if not await migrate(program, database, progress, to, validation=validation):
        progress.say(f"nothing to do: {len(state.applied)} are applied")
    return 0


async def _tell_steps(program: Program, database: Database, to: int | None) -> int:
    found, state = await _read(program, database)
    steps = make_plan(found, state.applied, to)
    load_works(program.migrations, steps)
    for step in steps:
        say(step.text)
    say("nothing was changed" if steps else "nothing to do")
    return 0


async def _tell_status(program: Program, database: Database) -> int:
    """Print a line for each migration, and return the exit code."""
    found, state = await _read(program, database)
    left = unapplied(found, state.applied)
    names = {migration.number: migration.name for migration in found}
    for number in sorted({*names, *state.applied}):
        entry = state.applied.get(number)
        name = names.get(number) or (entry and entry.name)
        say(
            f"{name}  {_told(entry) if entry else 'not applied'}"
            f"{'' if number in names else ', not in this code'}"
        )
    if state.holder:
        say(f"{state.holder} applies migrations, or was killed while it did")
    return UNAPPLIED if left else 0


async def _read(program: Program, database: Database) -> tuple[list[Migration], State]:
    """Return the migrations and the state of the database, and print what is odd about them."""
    found = find_migrations(program.migrations)
    state = await read_state(database)
    for line in warnings(found, state.applied):
        standard_streams.complain(line)
    return found, state


def _told(entry: Applied) -> str:
    return f"applied {entry.applied_at:%Y-%m-%d %H:%M:%S} in {entry.seconds:g} s"
