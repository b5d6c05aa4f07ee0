"""The database of the settings: migrated, with its indexes, and open."""

from __future__ import annotations

from functools import partial

from ..error import StartError
from ..migrations.start import prepare
from ..mongo.connection import NoAnswer, connect
from ..mongo.embedded import Embedded
from ..program import Program
from ..settings import ServerSettings


async def connect_to(program: Program, settings: ServerSettings, origin: Embedded | str) -> None:
    """Open `mongodb`, which is that of `origin`, or of the URI `origin`. Raises `StartError`."""
    uri = origin.uri if isinstance(origin, Embedded) else origin
    try:
        await connect(
            uri,
            settings.mongodb_database,
            settings.mongodb_driver,
            settings.mongodb_timeout_seconds,
            settings.max_batches_in_flight,
            settings.mongodb_lane,
            settings.document_validation,
            partial(prepare, program, settings, uri),
        )
    except NoAnswer as error:
        if settings.mongodb_uri is None or settings.environment == "production":
            raise
        raise StartError(f"{error} Or unset mongodb_uri to use an embedded MongoDB.") from None
