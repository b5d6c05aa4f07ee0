from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from tornado.testing import gen_test

import indico.db.delivery_db as DeliveryDB
import indico.db.webhook_db as WebhookDB
from indico.db import ObjectId, in_transaction, mongodb
from indico.error import Unavailable
from indico.service import webhook_events
from indico.service.webhook_events import LISTENERS, Listeners, announce, announced
from indico.tests.server_test import PASSWORD, ServerTest
from indico.tests.webhook_test import WebhookTest

CHANGE = {"update_user": {"name": "A"}}


@contextmanager
def counted_reads() -> Iterator[list[int]]:
    """Yield the limits of the reads of listeners; none follows the first one after a second."""
    reads: list[int] = []
    read = WebhookDB.find_listeners

    async def find_listeners(limit: int) -> Any:
        reads.append(limit)
        return await read(limit)

    with (
        patch.object(WebhookDB, "find_listeners", find_listeners),
        patch.object(Listeners, "SECONDS", 3600),
    ):
        yield reads


class OutboxTest(WebhookTest):
    """A change and its deliveries are kept together, or not at all."""

    def counts(self) -> tuple[int, int]:
        return len(self.stored("deliveries")), len(self.stored("jobs"))

    def test_valid(self) -> None:
        self.change()
        self.assertEqual(self.counts(), (1, 1))

    def test_another_user(self) -> None:
        self.data(self.post("/user/update", CHANGE, self.eve))
        self.assertEqual(self.counts(), (0, 0))

    def test_a_change_that_fails(self) -> None:
        self.register("eve@example.com")
        changes = {"update_user": {"email": "EVE@example.com"}, "password": PASSWORD}
        self.error(self.post("/user/update", changes, self.token), 409, "conflict", "email")
        self.assertEqual(self.counts(), (0, 0))

    def test_an_event_that_fails(self) -> None:
        create = DeliveryDB.create

        async def fail(*arguments: Any) -> Any:
            await create(*arguments)
            raise Unavailable

        with patch.object(DeliveryDB, "create", fail):
            self.error(self.post("/user/update", CHANGE, self.token), 503, "unavailable")
        self.assertEqual(self.counts(), (0, 0))
        self.assertIsNone(self.data(self.post("/user/get", token=self.token))["name"])

    def test_a_call_with_a_key(self) -> None:
        for _ in range(2):
            self.data(self.post("/user/update", CHANGE, self.token, Idempotency_Key="a"))
        self.assertEqual(self.counts(), (1, 1))

    def test_a_webhook_with_a_key(self) -> None:
        body = {"url": self.receiver.url, "types": ["user.updated"]}
        first, second = (
            self.data(self.post("/webhook/create", body, self.eve, Idempotency_Key="a"), 201)
            for _ in range(2)
        )
        self.assertEqual(first, second)
        self.data(self.post("/user/update", CHANGE, self.eve))
        self.assertEqual(self.counts(), (1, 1))


class WithoutWebhooksTest(ServerTest):
    def test_a_change_is_no_transaction(self) -> None:
        """One of many changes asks MongoDB whose webhooks take which events."""
        LISTENERS.forget()
        token = self.register()["token"]
        with patch.object(webhook_events, "in_transaction", None), counted_reads() as reads:
            for _ in range(3):
                self.data(self.post("/user/update", CHANGE, token))
        self.assertEqual(len(reads), 1)
        LISTENERS.forget()


class ListenersTest(WebhookTest):
    def setUp(self) -> None:
        super().setUp()
        self.owner, self.stranger = ObjectId(self.user["id"]), ObjectId()
        self.listeners = Listeners()

    async def add(self, user_id: ObjectId) -> None:
        """Add a webhook as another process does."""
        await WebhookDB.create(ObjectId(), user_id, "https://a.example/", ["user.updated"], b"")

    @gen_test
    async def test_valid(self) -> None:
        self.assertTrue(await self.listeners.include(self.owner, "user.updated"))
        self.assertFalse(await self.listeners.include(self.stranger, "user.updated"))
        self.assertFalse(await self.listeners.include(self.owner, "address.created"))

    @gen_test
    async def test_of_another_process(self) -> None:
        with patch.object(Listeners, "SECONDS", 3600):
            self.assertFalse(await self.listeners.include(self.stranger, "user.updated"))
            await self.add(self.stranger)
            self.assertFalse(await self.listeners.include(self.stranger, "user.updated"))
        self.listeners.forget()
        with patch.object(Listeners, "SECONDS", 0):
            self.assertTrue(await self.listeners.include(self.stranger, "user.updated"))
            await mongodb.webhooks.update_many({}, {"$set": {"enabled": False}})
            self.assertFalse(await self.listeners.include(self.stranger, "user.updated"))

    @gen_test
    async def test_too_many(self) -> None:
        """Then each change asks for its own user."""
        with patch.object(Listeners, "MOST", 0), patch.object(Listeners, "SECONDS", 3600):
            self.assertTrue(await self.listeners.include(self.owner, "user.updated"))
            self.assertFalse(await self.listeners.include(self.stranger, "user.updated"))
            await self.add(self.stranger)
            self.assertTrue(await self.listeners.include(self.stranger, "user.updated"))

    @gen_test
    async def test_many_at_once(self) -> None:
        """Many changes share one read."""
        with counted_reads() as reads:
            found = await asyncio.gather(
                *(self.listeners.include(self.owner, "user.updated") for _ in range(20))
            )
        self.assertEqual((found, len(reads)), ([True] * 20, 1))


class AnnounceTest(ServerTest):
    @gen_test
    async def test_without_the_decorator(self) -> None:
        with self.assertRaises(LookupError):
            await announce(id=ObjectId())

    @gen_test
    async def test_inside_a_transaction(self) -> None:
        """An outer transaction reads what it has written."""
        user_id = ObjectId()

        @announced("user.updated")
        async def change(user_id: ObjectId) -> None:
            await announce(id=user_id)

        async def work() -> None:
            await WebhookDB.create(ObjectId(), user_id, "https://a.example/", ["user.updated"], b"")
            await change(user_id)

        await in_transaction(work)
        self.assertEqual(await mongodb.deliveries.count_documents({}), 1)
