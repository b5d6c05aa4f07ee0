"""The connection to MongoDB, with errors that tell the person at the terminal what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pymongo
from pymongo.errors import ConfigurationError, InvalidURI, NotPrimaryError

from ..error import ServerError, StartError, Unavailable
from ..log import LOGGER
from .collection import Collection
from .driver import APPLICATION_NAME, Database, Driver, mongodb
from .indexes import make_indexes
from .lanes import open_lanes
from .operation import NO_TRANSACTIONS, guard
from .pre_images import keep_pre_images
from .validators import Validation, put_validators


class NoAnswer(StartError):
    """A MongoDB that can't be reached, or has no primary."""


async def connect(
    uri: str,
    database: str,
    driver: Driver = "motor",
    timeout_seconds: float = 4,
    max_batches_in_flight: int = 2,
    lane: bool = True,
    document_validation: Validation = "error",
    prepare: Callable[[Database], Awaitable[None]] | None = None,
) -> None:
    """Open `mongodb`, with lanes if `lane` says so, and make the declared validators and indexes.

    `prepare` gets the database before that. Raises `StartError`, and opens nothing, if MongoDB
    refuses or does not answer (`NoAnswer`), or if documents contradict an index.
    """
    opening = opened(
        uri, database, driver, timeout_seconds, max_batches_in_flight, APPLICATION_NAME, lane
    )
    async with closed_on_error(opening):
        hello = await guard(lambda: opening.own.command("hello"), timeout_seconds)
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            LOGGER.warning(NO_TRANSACTIONS)
        if prepare:
            await prepare(opening)
        if opening.own_client:
            await open_lanes(opening)
        await put_validators(Collection.declared, opening, document_validation)
        await keep_pre_images(Collection.declared, opening)
        await asyncio.gather(*(make_indexes(made, opening) for made in Collection.declared))
    # Nothing may be written before all of that is there, so `mongodb` switches last.
    await mongodb.switch_to(opening)


def opened(uri: str, *options: Any) -> Database:
    """Return a database that is not `mongodb`; `options` are those of `Database.open`.

    Raises `StartError` for a malformed URI.
    """
    opening = Database()
    try:
        opening.open(uri, *options)
    except (InvalidURI, ConfigurationError, ValueError) as error:
        # Part of the URI, and so of PyMongo's error, may be part of the password.
        reason = "." if "@" in uri else f": {error}."
        raise StartError(
            "mongodb_uri is not a MongoDB URI, like mongodb://user:password@host:27017/, with "
            f"the special characters of a password written as %40 and the like{reason}"
        ) from None
    return opening


@asynccontextmanager
async def closed_on_error(opening: Database) -> AsyncIterator[None]:
    """Close `opening` and raise `StartError` when an operation on it fails."""
    try:
        yield
    except Unavailable as error:
        await opening.close()
        raise NoAnswer(_no_answer(error)) from error
    except ServerError as error:
        await opening.close()
        raise StartError(_refusal(error)) from error
    except StartError:
        await opening.close()
        raise


@asynccontextmanager
async def unlimited(
    uri: str, name: str, answers_within_seconds: float = 4
) -> AsyncIterator[Database]:
    """Yield a database of PyMongo's client whose operations have no timeout.

    Raises `StartError` if MongoDB refuses or does not answer.
    """
    database = opened(uri, name, "pymongo", 0)
    try:
        async with closed_on_error(database):
            with pymongo.timeout(answers_within_seconds):
                await guard(lambda: database.own.command("ping"), answers_within_seconds)
            yield database
    finally:
        await database.close()


async def disconnect() -> None:
    await mongodb.close()


async def ping(timeout_seconds: float = 2) -> bool:
    """Return whether MongoDB answers within `timeout_seconds`."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await guard(lambda: mongodb.own.command("ping"))
    except (TimeoutError, Unavailable, ServerError):
        return False
    return True


def _no_answer(error: Unavailable) -> str:
    why = str(error.__cause__)
    # PyMongo's name for a member of a replica set that has no configuration.
    if "RSGhost" in why or isinstance(error.__cause__, NotPrimaryError):
        return (
            "MongoDB has no primary. If its replica set is new, run rs.initiate() in mongosh, once "
            "and on one member; else name all members in mongodb_uri."
        )
    reason = why.split(", Timeout:")[0].split(" (configured timeouts")[0] or "it took too long"
    return f"MongoDB does not answer ({reason}). Check that it runs and that mongodb_uri is right."


def _refusal(error: ServerError) -> str:
    if "AuthenticationFailed" in error.message or "Unauthorized" in error.message:
        return "MongoDB refuses the user in mongodb_uri: check its name, password and roles."
    return (
        f"{error.message} Check the rights of its user, and the index that it names: drop it, "
        "or declare it as it is."
    )
