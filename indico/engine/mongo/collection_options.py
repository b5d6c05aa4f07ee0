"""The options of collections that a start puts on: validators, and images of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..error import ServerError
from ..log import LOGGER
from .bson_types import OPTIONS
from .driver import Database, Document
from .operation import guard

_EXISTS = 48  # the code of a refusal: another process has made the collection

__all__ = ["put_options"]


async def put_options(
    wanted: Mapping[str, Document],
    defaults: Document,
    database: Database,
    no_right: str,
    more_for_new: Mapping[str, Document] | None = None,
) -> None:
    """Give each collection in `wanted` its options, unless it has the same ones already.

    `defaults` are what MongoDB does without these options. A collection that does not exist is
    made. A new collection gets `more_for_new` too, because a user may have no right to change it
    later. The log gets `no_right` with the name of a collection that the user may not change.
    """
    present = await _present(list(wanted), list(defaults), database)
    for name, options in wanted.items():  # together they would need a connection each
        if defaults | present.get(name, {}) != options:
            more = {} if name in present else (more_for_new or {}).get(name, {})
            await _put(name, {**options, **more}, name in present, database, no_right)


async def _present(
    names: Sequence[str], options: Sequence[str], database: Database
) -> dict[str, Document]:
    """Return these options of each collection that exists."""
    command = {
        "listCollections": 1,
        "filter": {"name": {"$in": names}},
        "cursor": {"batchSize": len(names) + 1},
    }

    async def ask() -> Document:
        reply: Document = await database.own.command(command, codec_options=OPTIONS)
        return reply

    reply = await guard(ask, database.timeout_seconds)
    return {
        found["name"]: {
            name: found["options"][name] for name in options if name in found["options"]
        }
        for found in reply["cursor"]["firstBatch"]
    }


async def _put(
    name: str, options: Document, exists: bool, database: Database, no_right: str
) -> None:
    async def run(command: str, **arguments: Any) -> Document:
        ask = database.own.command
        reply: Document = await guard(
            lambda: ask(command, name, **arguments, **options), database.timeout_seconds
        )
        return reply

    if not exists:
        reply = await run("create", allowable_errors=[_EXISTS])
        exists = not reply["ok"]
    if exists:
        try:
            await run("collMod")
        except ServerError as error:
            if "Unauthorized" not in error.message:
                raise
            LOGGER.warning(no_right, name)
