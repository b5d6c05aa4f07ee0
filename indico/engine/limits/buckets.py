"""Token buckets in MongoDB, which all processes share.

A bucket is one number: the time at which it will be full. A token moves that time ahead by the
rate's interval. No token moves it beyond a whole window from now. MongoDB does this in one step, by
its own clock. So no other process comes between, and the processes' clocks don't matter. A bucket
without a document is full, and MongoDB removes the document of a full bucket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain

from typing_extensions import TypedDict

from ..error import APIError
from ..mongo.batched import open_commands
from ..mongo.batches import Batches, deadline
from ..mongo.collection import Collection, IndexModel
from ..mongo.documents import decode, encode
from ..mongo.driver import mongodb
from ..mongo.driver_commands import Find
from ..mongo.observation import observed
from ..mongo.upserts import open_upserts
from .bucket import Bucket, Level, refusal
from .stage import REFUSED, SPENT, moving, was_made

__all__ = ["RATE_LIMITS", "give_back", "take"]


class BucketDocument(TypedDict):
    """A bucket that is not full. `full_at_ms` is in milliseconds since 1970, by MongoDB's clock."""

    _id: str
    full_at_ms: float
    expires_at: datetime


RATE_LIMITS = Collection(
    "rate_limits", BucketDocument, IndexModel("expires_at", expireAfterSeconds=0)
)
Call = Sequence[Bucket]

_BYTES = 500  # of a statement, about
# A bucket may be known to be empty for so long. Another process may give a token back.
_KNOWN_SECONDS = 1.0
_MOST_KNOWN = 10_000


async def take(*buckets: Bucket) -> list[Level]:
    """Take a token of each bucket, or none of any. Return what is left.

    Raises `RateLimited` if a bucket is empty, and `Unavailable` while MongoDB can't answer. Calls
    at the same time share round trips. No transaction contains what is taken.
    """
    opened = _opened()
    if empty := opened.known_empty(buckets):
        raise refusal(empty)
    levels = await opened.take(buckets)
    if not all(level.granted for level in levels):
        await give_back(*(level.bucket for level in levels if level.granted))
        raise refusal(levels)
    return levels


async def give_back(*buckets: Bucket) -> None:
    """Give back a token of each bucket, if MongoDB can answer."""
    if buckets:
        with suppress(APIError):
            await _opened().give_back(buckets)


class Buckets:
    """The buckets of the open database, and those that are known to be empty."""

    name = RATE_LIMITS.name

    def __init__(self) -> None:
        self._commands, self._upserts = open_commands(self.name), open_upserts(self.name)
        self._batches: Batches[Call] = Batches(self._decide)
        # By its key, until when a bucket is known to be empty, and when it has a token again.
        self._empty: dict[str, tuple[float, float]] = {}

    def delay(self, now: float) -> float:
        return self._batches.delay(now)

    def known_empty(self, buckets: Call) -> list[Level]:
        """Return the level of each bucket that has no token, without asking MongoDB."""
        if not self._empty:
            return []
        now = asyncio.get_running_loop().time()
        known = ((bucket, *self._empty.get(bucket.key, (0, 0))) for bucket in buckets)
        return [Level(b, False, 0, (filled - now) * 1000) for b, end, filled in known if end > now]

    @observed
    async def take(self, buckets: Call) -> list[Level]:
        """Take a token of each bucket that has one, and return each level."""
        if not mongodb.max_batches_in_flight:
            return (await self._decide([buckets]))[0]
        levels: list[Level] = await self._batches.call(buckets, _BYTES * len(buckets), deadline())
        return levels

    @observed
    async def give_back(self, buckets: Call) -> None:
        await self._move(buckets, -1)
        for bucket in buckets:
            self._empty.pop(bucket.key, None)

    async def _decide(self, calls: list[Call]) -> list[list[Level]]:
        """Return the levels for each call."""
        began = asyncio.get_running_loop().time()
        buckets = list(chain.from_iterable(calls))
        levels = await (self._take_one(*buckets) if len(buckets) == 1 else self._take_all(buckets))
        for level in levels:
            if not level.granted:
                self._remember(level, began)
        each = iter(levels)
        return [[next(each) for _ in call] for call in calls]

    async def _take_one(self, bucket: Bucket) -> list[Level]:
        """Decide by one command, which tells what is left, too, if it grants the token."""
        stage = moving(bucket.rate, 1)
        if granted := await self._upserts.one(bucket.key, stage, SPENT, REFUSED):
            return [Level.of(bucket, decode(granted)["spent_ms"], True)]
        spent = await self._spent([bucket.key])
        return [Level.of(bucket, spent.get(bucket.key, 0), False)]

    async def _take_all(self, buckets: Call) -> list[Level]:
        """Decide by one write, and read what is left."""
        granted = await self._move(buckets, 1)
        spent = await self._spent(list({bucket.key for bucket in buckets}))
        return [
            Level.of(bucket, spent.get(bucket.key, 0), grant)
            for bucket, grant in zip(buckets, granted, strict=True)
        ]

    async def _move(self, buckets: Call, tokens: int) -> list[bool]:
        """Take `tokens` of each bucket in this order. Return whether each had them."""
        upserts = [(bucket.key, moving(bucket.rate, tokens)) for bucket in buckets]
        return [was_made(error) for error in await self._upserts.each(upserts)]

    async def _spent(self, keys: list[str]) -> dict[str, float]:
        """Return the time until each bucket is full, in milliseconds, by MongoDB's clock."""
        wanted = Find(encode({"_id": {"$in": keys}}), len(keys), fields=SPENT)

        def read(found: list[bytes]) -> dict[str, float]:
            documents = map(decode, found)
            return {document["_id"]: document["spent_ms"] for document in documents}

        return await self._commands.find(wanted, read)

    def _remember(self, level: Level, began: float) -> None:
        """Remember an empty bucket for the time in which it surely gets no token."""
        if len(self._empty) >= _MOST_KNOWN:
            self._empty = {key: ends for key, ends in self._empty.items() if ends[0] > began}
            if len(self._empty) >= _MOST_KNOWN:
                self._empty.clear()
        filled = began + level.wait_ms / 1000
        self._empty[level.bucket.key] = min(filled, began + _KNOWN_SECONDS), filled


def _opened() -> Buckets:
    """Return the buckets of the open database. Raises `Unavailable`."""
    key = f"{Buckets.name} buckets"
    opened: Buckets | None = mongodb.opened.get(key)
    if opened is None:
        opened = mongodb.opened[key] = Buckets()
    return opened
