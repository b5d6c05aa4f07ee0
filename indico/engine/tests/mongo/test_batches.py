"""Batches that reach the limits of one command, or whose callers leave."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tornado.testing import gen_test

from ...mongo.batches import Batches, deadline
from .round_trip_test import RoundTripTest, together


class BoundsTest(RoundTripTest):
    """Batches that exceed one command by number or by size."""

    settings: ClassVar[dict[str, Any]] = {"mongodb_timeout_seconds": 60}

    @gen_test(timeout=60)
    async def test_many(self) -> None:
        count = 1200
        inserted = await together(*(self.things.insert({"_id": n, "key": n}) for n in range(count)))
        self.assertEqual(inserted, [*range(count)])
        found = await together(*(self.things.find_by_id(n) for n in range(count)))
        self.assertEqual(found, [{"_id": n, "key": n} for n in range(count)])

    @gen_test(timeout=60)
    async def test_large_documents(self) -> None:
        large = "x" * (1 << 20)
        inserts = (self.things.insert({"_id": n, "key": n, "n": large}) for n in range(64))
        self.assertEqual(await together(*inserts), [*range(64)])
        for n, found in enumerate(await together(*(self.things.find_by_id(n) for n in range(64)))):
            self.assertEqual((found["_id"], len(found["n"])), (n, len(large)))

    @gen_test(timeout=60)
    async def test_large_arguments(self) -> None:
        """Together they are more than MongoDB takes in one command, which is 16 MiB."""
        large = "x" * (1 << 20)
        await self.stored.insert_many([{"_id": f"{large}{n}", "key": n} for n in range(10)])
        for n, found in enumerate(
            await together(*(self.things.find_by_id(f"{large}{n}") for n in range(20)))
        ):
            self.assertEqual(found and found["key"], n if n < 10 else None)
        updates = (self.things.update_by_id(f"{large}{n}", {"n": large}) for n in range(20))
        results = await together(*updates)
        self.assertEqual([bool(result) for result in results], [True] * 10 + [False] * 10)
        deletes = (self.things.delete_by_id(f"{large}{n}") for n in range(20))
        self.assertEqual(await together(*deletes), [True] * 10 + [False] * 10)


class CancelledTest(RoundTripTest):
    @gen_test
    async def test_nothing_is_sent_for_a_caller_that_has_left(self) -> None:
        sent: list[list[int]] = []

        async def send(requests: list[int]) -> list[int]:
            sent.append(requests)
            return requests

        batches = Batches(send)
        for leaving in (1, 3):
            calls = [asyncio.create_task(batches.call(n, 1, deadline())) for n in range(3)]
            await asyncio.sleep(0)  # the batch goes out at the end of the next turn
            for call in calls[:leaving]:
                call.cancel()
            await asyncio.wait(calls)
            self.assertEqual([call.result() for call in calls[leaving:]], [*range(leaving, 3)])
        self.assertEqual(sent, [[1, 2]])
