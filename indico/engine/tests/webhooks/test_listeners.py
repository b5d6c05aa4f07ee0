from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from tornado.testing import gen_test

from ...mongo.driver import ObjectId, mongodb
from ...webhooks import stored_webhooks
from ...webhooks.listeners import Listeners
from .webhook_test import WebhookTest


@contextmanager
def counted_reads() -> Iterator[list[int]]:
    """Yield the limits of the reads of listeners; none follows the first one after a second."""
    reads: list[int] = []
    read = stored_webhooks.find_listeners

    async def find_listeners(limit: int) -> Any:
        reads.append(limit)
        return await read(limit)

    with (
        patch.object(stored_webhooks, "find_listeners", find_listeners),
        patch.object(Listeners, "SECONDS", 3600),
    ):
        yield reads


class ListenersTest(WebhookTest):
    def setUp(self) -> None:
        super().setUp()
        self.listeners = Listeners()

    async def add(self, user_id: ObjectId) -> None:
        """Add a webhook as another process does."""
        url = "https://a.example/"
        await stored_webhooks.create(ObjectId(), user_id, url, ["memo.created"], b"")

    @gen_test
    async def test_valid(self) -> None:
        self.assertTrue(await self.listeners.include(self.user_id, "memo.created"))
        self.assertFalse(await self.listeners.include(self.stranger, "memo.created"))
        self.assertFalse(await self.listeners.include(self.user_id, "memo.deleted"))

    @gen_test
    async def test_of_another_process(self) -> None:
        with patch.object(Listeners, "SECONDS", 3600):
            self.assertFalse(await self.listeners.include(self.stranger, "memo.created"))
            await self.add(self.stranger)
            self.assertFalse(await self.listeners.include(self.stranger, "memo.created"))
        self.listeners.forget()
        with patch.object(Listeners, "SECONDS", 0):
            self.assertTrue(await self.listeners.include(self.stranger, "memo.created"))
            await mongodb.webhooks.update_many({}, {"$set": {"enabled": False}})
            self.assertFalse(await self.listeners.include(self.stranger, "memo.created"))

    @gen_test
    async def test_too_many(self) -> None:
        """Then each change asks for its own user."""
        with patch.object(Listeners, "MOST", 0), patch.object(Listeners, "SECONDS", 3600):
            self.assertTrue(await self.listeners.include(self.user_id, "memo.created"))
            self.assertFalse(await self.listeners.include(self.stranger, "memo.created"))
            await self.add(self.stranger)
            self.assertTrue(await self.listeners.include(self.stranger, "memo.created"))

    @gen_test
    async def test_many_at_once(self) -> None:
        """Many changes share one read."""
        with counted_reads() as reads:
            found = await asyncio.gather(
                *(self.listeners.include(self.user_id, "memo.created") for _ in range(20))
            )
        self.assertEqual((found, len(reads)), ([True] * 20, 1))
