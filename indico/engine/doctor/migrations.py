"""Check of migrations: whether the server would refuse to start without some."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from ..error import StartError
from ..migrations.folder import find_migrations
from ..migrations.journal import State, read_state
from ..migrations.plan import unapplied, warnings
from ..mongo.connection import unlimited
from ..program import Program
from ..settings import ServerSettings
from .finding import Finding, fault, fault_of, ok, warning


def migrations(program: Program, settings: ServerSettings, uri: str) -> Iterator[Finding]:
    try:
        found = find_migrations(program.migrations)
        applied = asyncio.run(_read(settings, uri)).applied
        left = unapplied(found, applied)
    except StartError as error:
        yield fault_of(error, "Correct the files of the migrations.")
        return
    for line in warnings(found, applied):
        seen, _, fix = line.partition(": ")
        yield warning(f"{seen[:1].upper()}{seen[1:]}.", fix[:1].upper() + fix[1:])
    names = ", ".join(migration.name for migration in left)
    if left and settings.environment == "production":
        fix = f"Run python -m {program.package}.migrate before the server starts."
        yield fault(f"Not applied, so no server starts: {names}.", fix)
    else:
        yield ok(f"The next server to start applies {names}." if left else "All are applied.")


async def _read(settings: ServerSettings, uri: str) -> State:
    timeout = settings.mongodb_timeout_seconds
    async with unlimited(uri, settings.mongodb_database, timeout) as database:
        return await read_state(database)
