"""Changes of a collection, as MongoDB's change streams tell them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Literal, NamedTuple, Self, TypeVar

from bson.timestamp import Timestamp
from pymongo.errors import InvalidOperation, OperationFailure, PyMongoError

from ..error import ServerError, Unavailable
from ..log import LOGGER
from ..tasks import wait_until_set
from .bson_types import OPTIONS
from .driver import Key, mongodb
from .operation import guard, is_transient, to_api_error

T = TypeVar("T", bound=Mapping[str, Any])

__all__ = ["Change", "ChangeStream"]

_PAUSE_SECONDS = 0.1
_KEY_NOT_FOUND = 211
_LONGEST_READ = 1000  # milliseconds
_CHANGES = {"$match": {"operationType": {"$in": ["insert", "update", "replace", "delete"]}}}


class Change(NamedTuple, Generic[T]):
    """A change of the document with this `id`.

    `document` is the document some time after the change, and None if it is deleted. `before` has
    fields of it from before the change, where a stream asks for them and MongoDB knows them.
    """

    operation: Literal["insert", "update", "replace", "delete"]
    id: Key
    document: T | None
    position: Mapping[str, Any]
    collection: str
    before: Mapping[str, Any] | None = None


class ChangeStream(Generic[T]):
    """The changes of the collection `name`, in their order, each exactly once.

    A lost primary only delays them. They begin when the stream is entered, or at the first
    `anext`, and end when the collection is dropped. A caller may give up waiting, and call again.
    Raises `ServerError` if MongoDB no longer knows the changes after a position.
    """

    def __init__(
        self, name: str, pipeline: Sequence[Mapping[str, Any]], after: Mapping[str, Any] | None
    ) -> None:
        self._name = name
        self._pipeline = [_CHANGES, *pipeline]
        self._start: dict[str, Any] = {"resume_after": after} if after else {}
        self._stream: Any = None
        self._reading: asyncio.Task[Change[T] | None] | None = None
        self._begun = asyncio.Event()
        self._caught_up = False  # whether MongoDB's log had no further change

    @property
    def position(self) -> str:
        """The position of the last change that was read, or a later one; "" until `begin`.

        Positions compare like the changes' order.
        """
        token = self._start.get("resume_after")
        return token["_data"] if token else ""

    async def begin(self) -> None:
        """Open the stream, so that its `position` is known. Raises what `anext` raises."""
        await self.__aenter__()
        self._reading = self._reading or asyncio.create_task(self._read())
        await wait_until_set(self._begun, self._reading)

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
        # PyMongo sends by `asyncio.wait_for`, which loses a cancellation before Python 3.12.
        while self._reading and not self._reading.done():
            self._reading.cancel()
            await asyncio.wait([self._reading], timeout=_PAUSE_SECONDS)
        if self._stream:
            await self._stream.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change[T]:
        await self.__aenter__()
        # A task of its own, because a driver that is cancelled may lose a change.
        self._reading = self._reading or asyncio.create_task(self._read())
        await asyncio.wait([self._reading])
        reading, self._reading = self._reading, None
        if (change := reading.result()) is None:
            raise StopAsyncIteration
        return change

    async def _read(self) -> Change[T] | None:
        """Return the next change, or None after the last one."""
        while not self._is_over():
            try:
                if self._stream is None:
                    self._stream = await self._open()
                    continue
                stream = self._stream
                event = await stream.try_next()  # None if there is no change for a while
            except (PyMongoError, Unavailable) as error:
                self._stream = None
                if _is_end(error):
                    return None
                await self._wait(error)
                continue
            self._remember(stream)
            self._caught_up = event is None
            if event is not None:
                return self._change(event)
            if not stream.alive:
                return None
        return None

    def _is_over(self) -> bool:
        """Return whether the last change was read; by itself a stream does not end."""
        return False

    def _remember(self, stream: Any) -> None:
        """Remember where to go on, which is unknown until MongoDB's first answer."""
        if token := stream.resume_token:
            self._start = {"resume_after": token}
            self._begun.set()

    def _change(self, event: Mapping[str, Any]) -> Change[T]:
        return Change(
            event["operationType"],
            event["documentKey"]["_id"],
            event.get("fullDocument"),
            event["_id"],
            event.get("ns", {}).get("coll", self._name),
            event.get("fullDocumentBeforeChange"),
        )

    async def _open(self) -> Any:
        options = {"full_document": "updateLookup", "max_await_time_ms": _LONGEST_READ}
        stream = self._watch(**options, **self._start)
        if inspect.isawaitable(stream):
            before, stream = self.position, await stream
            self._remember(stream)  # Motor's stream opens at its first read
            self._caught_up = self.position != before
        return stream

    def _watch(self, **options: Any) -> Any:
        collection = mongodb.own.get_collection(self._name, codec_options=OPTIONS)
        return collection.watch(self._pipeline, **options)

    async def _wait(self, error: Exception) -> None:
        """Wait until the stream may go on. Raises what a new stream would raise too."""
        # After `disconnect` the old client is closed.
        if not (isinstance(error, Unavailable | InvalidOperation) or _may_end(error)):
            raise to_api_error(error)
        LOGGER.warning("The changes of %s wait for MongoDB: %s", self._name, type(error).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)


def _may_end(error: Exception) -> bool:
    """Return whether a later try may succeed: a member that has just started lacks its keys."""
    return is_transient(error) or getattr(error, "code", None) == _KEY_NOT_FOUND


def _is_end(error: Exception) -> bool:
    """Return whether the collection was dropped before the stream was open."""
    return isinstance(error, OperationFailure) and "invalidate notification" in str(error)


async def _next_time() -> Timestamp:
    """Return the time of MongoDB's log after all changes that are acknowledged."""
    reply = await guard(lambda: mongodb.own.command("ping"))
    if "operationTime" not in reply:
        raise ServerError("Changes can't be watched, because MongoDB is no replica set.")
    last: Timestamp = reply["operationTime"]
    return Timestamp(last.time, last.inc + 1)
