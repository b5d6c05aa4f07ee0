"""`CheckedLoad`: callers of a collection, and whether MongoDB made each write exactly once."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from ...mongo.collection import Collection, Document
from .round_trip_test import eventually

PAUSE_SECONDS = 0.5  # at most, after a round of a caller
LARGE = 20_000  # such a document comes in several records of TLS

# The writes to one document in their order, by the version that each has made.
Writes = list[int]
DELETED = -1
LAST = "last"  # the document that `judge` inserts at the end


class CheckedLoad:
    """Concurrent callers of `things`, each with documents of its own, that check every answer.

    A caller goes on with another document after an error. `stored` is another client's view.
    """

    def __init__(self, things: Collection[Any], stored: Any, callers: int) -> None:
        self.errors: list[Exception] = []
        self._things = things
        self._stored = stored
        self._rounds = [0] * callers
        self._acknowledged: defaultdict[str, Writes] = defaultdict(list)
        self._longest_seconds = 0.0
        self._is_stopped = False

    @property
    def inserted(self) -> list[str]:
        """The ids of the documents whose insert was acknowledged."""
        return list(self._acknowledged)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._began = (await self._stored.database.command("ping"))["operationTime"]
        callers = [asyncio.create_task(self._call(number)) for number in range(len(self._rounds))]
        try:
            yield
        finally:
            self._is_stopped = True
            await asyncio.gather(*callers)

    async def more(self, rounds: int = 1) -> None:
        """Wait until every caller has made so many more rounds."""
        wanted = [made + rounds for made in self._rounds]
        await eventually(lambda: all(map(int.__ge__, self._rounds, wanted)), 120)

    async def judge(self) -> str:
        """Return what came out, as a line for a person.

        Raises AssertionError for an error, and for a write that is lost, made twice or made late.
        """
        acknowledged, made = self._acknowledged, await self._made()
        lost = [each for each in acknowledged if Counter(acknowledged[each]) - Counter(made[each])]
        doubled = [writes for writes in made.values() if len(writes) > len(set(writes))]
        line = (
            f"{sum(map(len, acknowledged.values()))} writes, {len(lost)} lost, {len(doubled)} "
            f"doubled, {len(self.errors)} errors, {self._longest_seconds:.1f} s at most"
        )
        wrong = [
            (writes, made[each]) for each, writes in acknowledged.items() if writes != made[each]
        ]
        causes = {str(error.__cause__ or error)[:500] for error in self.errors}
        assert not (lost or wrong or self.errors), f"{line}: {wrong[:5]}, {causes}"
        kept = {each: writes[-1] for each, writes in made.items() if writes[-1] != DELETED}
        assert kept == {found["_id"]: found["version"] async for found in self._stored.find()}
        return line

    async def _made(self) -> defaultdict[str, Writes]:
        """Return the writes that MongoDB has made to each document, from a change stream."""
        made: defaultdict[str, Writes] = defaultdict(list)
        last = (await self._stored.insert_one({"_id": LAST})).inserted_id
        async with await self._stored.watch(start_at_operation_time=self._began) as events:
            async for event in events:
                changed = event["documentKey"]["_id"]
                if changed == last:
                    break
                made[changed].append(_version(event))
        await self._stored.delete_one({"_id": last})
        return made

    async def _call(self, number: int) -> None:
        while not self._is_stopped:
            try:
                await self._make_round(f"{number}:{self._rounds[number]}", number)
            except Exception as error:
                self.errors.append(error)
            self._rounds[number] += 1
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))

    async def _make_round(self, id: str, number: int) -> None:
        """Call each method that is one command. Every second caller deletes its document."""
        things, key = self._things, {"key": f"key of {id}"}
        text = id * (LARGE // len(id) if number % 8 == 0 else 1)
        document: Document = {"_id": id, **key, "version": 0, "text": text}
        await self._write(id, 0, things.insert({**document}), id)
        await self._read(things.find_by_id(id), document)
        document["version"] = 1
        await self._write(id, 1, things.update_by_id(id, {"version": 1}), document)
        await self._read(things.find_one(key), document)
        change = things.update_one({**key, "version": 1}, {"version": 2})
        document["version"] = 2
        await self._write(id, 2, change, document)
        await self._read(things.find({**key, "version": 2}, limit=2), [document])
        if number % 2:
            await self._write(id, DELETED, things.delete_by_id(id), True)
        await self._read(
            things.find_one({"_id": id, "version": 2}), None if number % 2 else document
        )

    async def _write(self, id: str, version: int, call: Awaitable[Any], answer: object) -> None:
        await self._read(call, answer)
        self._acknowledged[id].append(version)

    async def _read(self, call: Awaitable[Any], answer: object) -> None:
        began = time.monotonic()
        answered = await call
        self._longest_seconds = max(self._longest_seconds, time.monotonic() - began)
        assert answered == answer, f"{str(answered)[:200]} in place of {str(answer)[:200]}"


def _version(event: Document) -> int:
    """Return the version that an event of a change stream has made."""
    if event["operationType"] == "delete":
        return DELETED
    inserted = event.get("fullDocument")
    version: int = (inserted or event["updateDescription"]["updatedFields"])["version"]
    return version
