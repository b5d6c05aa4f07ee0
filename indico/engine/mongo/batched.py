"""The operations of one collection that go out in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from ..error import Unavailable
from .batches import Batches, deadline
from .documents import decode, decode_found, encode, is_key
from .driver import Document, Key, mongodb
from .driver_commands import DriverCommands
from .lane_commands import LaneCommands
from .update import setting

__all__ = ["UNBATCHED", "Batched", "open_commands"]

# An answer to a find: only a find outside a batch can tell.
UNBATCHED: Any = object()
# An answer to an update: it is made, and the document is still to be read.
_MATCHED: Any = object()

Commands = DriverCommands | LaneCommands


def open_commands(name: str) -> Commands:
    """Return the commands of a collection in the open database. Raises `Unavailable`."""
    mongodb.raw(name)  # raises if no database is open
    lanes = mongodb.lanes
    return LaneCommands(name, lanes) if lanes else DriverCommands(name)


class Batched:
    """The batches of the collection `name` in the open database.

    Every key must pass `documents.is_key`, and documents are encoded by `documents.encode`.
    """

    def __init__(self, name: str) -> None:
        self.commands = open_commands(name)
        self._finds: dict[str, Batches[Key]] = {}
        self._inserts = Batches(self.commands.insert)
        self._updates = Batches(self._update)
        self._document_bytes = 1000  # an estimate: the mean of the last batch that was found

    async def find(self, field: str, key: Key, until: float | None = None) -> Any:
        """Return the document whose unique `field` is `key`, None or `UNBATCHED`."""
        finds = self._finds.get(field)
        if finds is None:
            finds = self._finds[field] = Batches(partial(self._find, field))
        size = self._document_bytes + (len(key) if isinstance(key, bytes | str) else 0)
        return await finds.call(key, size, until or deadline())

    async def insert(self, document: bytes) -> None:
        await self._inserts.call(document, len(document), deadline())

    async def update(self, id: Key, changes: bytes) -> Any:
        """Return the document as a read right after `changes` finds it, None or `UNBATCHED`."""
        until = deadline()
        updated = await self._updates.call((id, changes), len(changes), until)
        return await self.find("_id", id, until) if updated is _MATCHED else updated

    def delay(self, now: float) -> float:
        """Return the longest delay of all kinds of batches."""
        kinds: list[Batches[Any]] = [self._inserts, self._updates, *self._finds.values()]
        return max(batches.delay(now) for batches in kinds)

    def _find(self, field: str, keys: list[Key]) -> Awaitable[Sequence[Any]]:
        wanted = list(dict.fromkeys(keys))
        return self.commands.find_keys(field, wanted, partial(self._found, field, keys))

    def _found(
        self, field: str, keys: list[Key], documents: list[bytes], whole: bool
    ) -> Sequence[Any]:
        """Return the answer to each find; the documents may not be the `whole` of all."""
        if len(keys) == 1:
            return [decode(documents[0]) if documents else None]
        wanted = set(keys)
        found: dict[Any, tuple[bytes, Document]] = {}
        missing = None if whole else UNBATCHED
        for raw in documents:
            try:
                document = decode(raw)
            except Exception:  # a date beyond the year 9999, for example
                missing = UNBATCHED
                continue
            key = document.get(field)
            if is_key(key) and key in wanted:
                found.setdefault(key, (raw, document))
            else:  # MongoDB finds 1.0 for 1, and an array that holds the key; Python does not
                missing = UNBATCHED
        if found:
            self._document_bytes = sum(map(len, documents)) // len(found)
        if len(wanted) == len(keys):
            return [found[key][1] if key in found else missing for key in keys]
        # Some callers want the same document: each gets an object of its own.
        return [decode(found[key][0]) if key in found else missing for key in keys]

    def _update(self, requests: list[tuple[Key, bytes]]) -> Awaitable[Sequence[Any]]:
        if len(requests) > 1:
            return self._update_many(requests)
        ((key, changes),) = requests
        return self.commands.find_and_modify(
            encode({"_id": key}), setting(changes), lambda updated: [decode_found(updated)]
        )

    async def _update_many(self, requests: list[tuple[Key, bytes]]) -> Sequence[Any]:
        matched, errors = await self.commands.update(requests)
        if matched == 0:
            return errors
        if matched == errors.count(None):
            return [error or _MATCHED for error in errors]
        return await self._tell_apart(requests, errors, matched)

    async def _tell_apart(
        self, requests: list[tuple[Key, bytes]], errors: list[Exception | None], matched: int
    ) -> Sequence[Any]:
        """Return what each update answers, when MongoDB only says how many found their document.

        A document that another process inserts after the update is found by the read, but does
        not hold the changes. If other documents lack their changes too, nothing is certain.
        """
        made = [request for request, error in zip(requests, errors, strict=True) if not error]
        documents: list[Any] = await asyncio.gather(*(self.find("_id", key) for key, _ in made))
        inserted = len(made) - matched - documents.count(None)
        if inserted > 0:
            pairs = zip(documents, made, strict=True)
            held = [_holds(document, changes) for document, (_, changes) in pairs]
            late = None if held.count(False) == inserted else Unavailable()
            documents = [d if holds else late for d, holds in zip(documents, held, strict=True)]
        answers = iter(documents)
        return [error or next(answers) for error in errors]


def _holds(document: Document | None, changes: bytes) -> bool:
    """Return whether `document` is None, or is as it would be right after `changes`."""
    if document is None or document is UNBATCHED:
        return document is None
    return all(document.get(name) == value for name, value in decode(changes).items())
