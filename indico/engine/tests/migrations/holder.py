"""A process that migrates: `python -m` this module with URI, database, package and seconds."""

from __future__ import annotations

import asyncio
import sys

from ...error import StartError
from ...migrations.running import migrate
from ...mongo.connection import unlimited
from ...progress import Progress
from ..sample.server import PROGRAM


async def main(uri: str, name: str, package: str, lease_seconds: str) -> str:
    """Return why it ended."""
    program = PROGRAM._replace(migrations=package)
    try:
        async with unlimited(uri, name) as database:
            await migrate(program, database, Progress(), lease_seconds=float(lease_seconds))
    except StartError as error:
        return type(error).__name__
    return "done"


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(main(*sys.argv[1:])))
