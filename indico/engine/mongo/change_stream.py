"""Changes of a collection, as MongoDB's change streams tell them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Literal, NamedTuple, Self, TypeVar

from bson.timestamp import Timestamp
from pymongo.errors import InvalidOperation, PyMongoError

from ..error import ServerError, Unavailable
from ..log import LOGGER
from .bson_types import OPTIONS
from .driver import Key, mongodb
from .operation import guard, is_transient, to_api_error

T = TypeVar("T", bound=Mapping[str, Any])

__all__ = ["Change", "ChangeStream"]

_PAUSE_SECONDS = 0.1
_CHANGES = {"$match": {"operationType": {"$in": ["insert", "update", "replace", "delete"]}}}


class Change(NamedTuple, Generic[T]):
    """A change of the document with this `id`.

    `document` is the document some time after the change, and None if it is deleted.
    """

    operation: Literal["insert", "update", "replace", "delete"]
    id: Key
    document: T | None
    position: Mapping[str, Any]


class ChangeStream(Generic[T]):
    """The changes of the collection `name`, in their order, each exactly once.

    A lost primary only delays them. They begin when the stream is entered, or at the first
    `anext`. They end when the collection is dropped. Raises `ServerError` if MongoDB no longer
    knows the changes after a position.
    """

    def __init__(
        self,
        name: str,
        pipeline: Sequence[Mapping[str, Any]],
        after: Mapping[str, Any] | None,
    ) -> None:
        self._name = name
        self._pipeline = [_CHANGES, *pipeline]
        self._start: dict[str, Any] = {"resume_after": after} if after else {}
        self._stream: Any = None

    async def __aenter__(self) -> Self:
        if not self._start:
            self._start = {"start_at_operation_time": await _next_time()}
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stream, self._stream = self._stream, None
        if stream:
            await stream.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change[T]:
        await self.__aenter__()
        while True:
            try:
                event = await self._try_next()
            except (PyMongoError, Unavailable) as error:
                await self._wait(error)
                continue
            if event is not None:
                change = event["operationType"], event["documentKey"]["_id"]
                return Change(*change, event.get("fullDocument"), event["_id"])
            if not self._stream.alive:
                raise StopAsyncIteration

    async def _try_next(self) -> Mapping[str, Any] | None:
        """Return an event, or None if there is none within a second."""
        stream, self._stream = self._stream, None  # an error or a cancellation leaves no stream
        if stream is None:
            stream = await self._open()
        event: Mapping[str, Any] | None = await stream.try_next()
        if token := stream.resume_token:
            self._start = {"resume_after": token}
        self._stream = stream
        return event

    async def _open(self) -> Any:
        collection = mongodb.own.get_collection(self._name, codec_options=OPTIONS)
        opened = collection.watch(self._pipeline, full_document="updateLookup", **self._start)
        return await opened if inspect.isawaitable(opened) else opened

    async def _wait(self, error: Exception) -> None:
        """Wait until the stream may go on. Raises what a new stream would raise too."""
        # After `disconnect` the old client is closed.
        if not isinstance(error, Unavailable | InvalidOperation) and not is_transient(error):
            raise to_api_error(error)
        LOGGER.warning("The changes of %s wait for MongoDB: %s", self._name, type(error).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _next_time() -> Timestamp:
    """Return the time of MongoDB's log after all changes that are acknowledged."""
    reply = await guard(lambda: mongodb.own.command("ping"))
    if "operationTime" not in reply:
        raise ServerError("Changes can't be watched, because MongoDB is no replica set.")
    last: Timestamp = reply["operationTime"]
    return Timestamp(last.time, last.inc + 1)
