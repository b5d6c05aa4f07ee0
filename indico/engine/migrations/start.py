"""The check of a server before it serves, and in development the run of what is missing."""

from __future__ import annotations

from ..error import StartError
from ..log import LOGGER
from ..mongo.connection import unlimited
from ..mongo.driver import Database
from ..program import Program
from ..progress import Progress
from ..settings import ServerSettings
from .folder import find_migrations
from .journal import read_state
from .plan import unapplied, warnings
from .running import migrate


async def prepare(program: Program, settings: ServerSettings, uri: str, database: Database) -> None:
    """Apply in development what is not applied yet. Raise `StartError` for that in production.

    A database that is newer than the code is served, with a warning.
    """
    found = find_migrations(program.migrations)
    state = await read_state(database)
    left = unapplied(found, state.applied)
    for line in warnings(found, state.applied):
        LOGGER.warning("%s", line)
    if left and settings.environment == "production":
        more = f" and {len(left) - 1} more are" if left[1:] else " is"
        raise StartError(
            f"{left[0].name}{more} not applied to the database {settings.mongodb_database}. "
            f"Run python -m {program.package}.migrate with the settings of this server, then start."
        )
    if left:
        async with unlimited(uri, settings.mongodb_database) as opened:
            validation = settings.document_validation
            await migrate(program, opened, Progress(), validation=validation)
