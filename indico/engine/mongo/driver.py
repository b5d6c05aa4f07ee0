"""The open database. No other module knows which of the two drivers is in use."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import bson
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient

from ..error import Unavailable
from ..log import LOGGER
from . import pymongo_patch  # noqa: F401 - the import fixes PyMongo
from .bson_types import ENCODERS, OPTIONS, RAW
from .lane_options import refusal
from .object_id import Id, ObjectId
from .pool_metrics import PoolListener

if TYPE_CHECKING:
    from .lanes import Lanes

Driver = Literal["motor", "pymongo"]
Document = dict[str, Any]
Key = ObjectId | bytes | str | int

__all__ = [
    "APPLICATION_NAME",
    "Database",
    "Document",
    "Driver",
    "Id",
    "Key",
    "ObjectId",
    "mongodb",
]

APPLICATION_NAME = LOGGER.name
CLOSE_SECONDS = 2


class Database:
    """The database that is open at the time of use, or none.

    So an import of `mongodb` works in any module, before and after `connect()`.
    `mongodb.users` and `mongodb["users"]` are the driver's own collections.
    """

    def __init__(self) -> None:
        self._client: Any = None
        self._database: Any = None
        # PyMongo's client: for lanes, and for what the engine itself asks.
        self.own_client: Any = None
        self.lanes: Lanes | None = None
        self.timeout_seconds = 0.0
        self.max_batches_in_flight = 0
        # What each `Collection` needs of this database while it is open, by its name.
        self.opened: dict[str, Any] = {}

    def open(
        self,
        uri: str,
        name: str,
        driver: Driver,
        timeout_seconds: float,
        max_batches_in_flight: int = 2,
        application: str = APPLICATION_NAME,
        lane: bool = False,
    ) -> None:
        """Make the client inside the running event loop. Its first operation connects.

        With `lane` there is a client for lanes too, unless `uri` refuses them. Raises PyMongo's
        errors for a malformed `uri`.
        """
        make = partial(_client, uri, timeout_seconds, application)
        self._client = make(AsyncIOMotorClient if driver == "motor" else AsyncMongoClient)
        self._database = self._client[name]
        self.timeout_seconds = timeout_seconds
        self.max_batches_in_flight = max_batches_in_flight
        if lane and (reason := refusal(uri, self._client.options)):
            _log_no_lanes(reason)
        elif lane:
            self.own_client = self._client if driver == "pymongo" else make(AsyncMongoClient)

    @property
    def own(self) -> Any:
        """The database by the client that serves operations: so the other one stays unopened."""
        database = self._open_database()
        return self.own_client[database.name] if self.own_client else database

    async def switch_to(self, other: Database) -> None:
        """Take over what `other` has opened, and close what was open before."""
        old = Database()
        vars(old).update(vars(self))
        vars(self).update(vars(other))
        await old.close()

    async def close(self) -> None:
        """Close every connection. Harmless when nothing is open."""
        client, own, lanes = self._client, self.own_client, self.lanes
        self._client = self._database = self.own_client = self.lanes = None
        self.opened = {}
        if lanes:
            await lanes.close()
        if own is not client:
            await _close(own)
        await _close(client)

    async def drop_lanes(self, reason: str) -> None:
        """Let the driver serve all operations."""
        _log_no_lanes(reason)
        own, self.own_client = self.own_client, None
        if own is not self._client:
            await _close(own)

    async def aggregate(
        self, collection: str, pipeline: Sequence[Mapping[str, Any]], **options: Any
    ) -> list[Document]:
        cursor = self.raw(collection).aggregate(pipeline, **options)
        opened = await cursor if inspect.isawaitable(cursor) else cursor
        return [bson.decode(found.raw, OPTIONS) for found in await opened.to_list(None)]

    def raw(self, collection: str) -> Any:
        """Return a collection of the driver whose documents are not decoded."""
        return self._open_database().get_collection(collection, codec_options=RAW)

    def __getitem__(self, collection: str) -> Any:
        return self._open_database()[collection]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._open_database(), name)

    def _open_database(self) -> Any:
        if self._database is None:
            raise Unavailable("The database is not open.")  # await connect() first
        return self._database


def _log_no_lanes(reason: str) -> None:
    LOGGER.warning("mongodb_lane has no effect, and the driver does all: %s", reason)


def _client(uri: str, timeout_seconds: float, application: str, kind: Any) -> Any:
    return kind(
        uri,
        appname=f"{application} {os.getpid()}",
        tz_aware=True,
        type_registry=ENCODERS,
        w="majority",
        journal=True,
        timeoutMS=int(timeout_seconds * 1000),
        uuidRepresentation="standard",
        event_listeners=[PoolListener()],
    )


async def _close(client: Any) -> None:
    """Close a client, or None, and wait at most `CLOSE_SECONDS` for it.

    A client first tells its server, which may be away. Motor's client waits half a minute for
    an answer, and would block the event loop: so a thread closes it.
    """
    if isinstance(client, AsyncIOMotorClient):
        closing = threading.Thread(target=client.close, daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, CLOSE_SECONDS)
    elif client is not None:
        await asyncio.wait([asyncio.ensure_future(client.close())], timeout=CLOSE_SECONDS)


mongodb = Database()
