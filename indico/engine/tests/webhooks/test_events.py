"""A change and its deliveries are kept together, or not at all."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from tornado.testing import gen_test

from ...error import Conflict, Unavailable
from ...mongo.driver import ObjectId, mongodb
from ...mongo.transactions import in_transaction
from ...webhooks import delivery_log, events, stored_webhooks
from ..sample.app import MEMOS
from .test_listeners import counted_reads
from .webhook_test import EVENTS, WebhookTest, create_memo


@EVENTS.announced("memo.created")
async def create_in_vain(user_id: ObjectId) -> None:
    await create_memo(user_id, "A")
    raise Conflict


class OutboxTest(WebhookTest):
    def test_valid(self) -> None:
        self.change()
        self.assertEqual(self.counts(), (1, 1))

    def test_what_is_stored(self) -> None:
        """Documents and jobs of a version before are read by this one."""
        self.change()
        (webhook,), (delivery,) = self.stored("webhooks"), self.stored("deliveries")
        (job,) = self.stored("jobs")
        of_both = {"_id", "user_id", "created_at"}
        found = {"url", "types", "secret", "place", "enabled", "note", "failing_since"}
        self.assertEqual(set(webhook), of_both | found)
        told = {"webhook_id", "event_id", "type", "body", "status", "attempts", "next_attempt_at"}
        self.assertEqual(set(delivery), of_both | told)
        arguments = {"delivery_id": delivery["_id"], "attempts": 0}
        self.assertEqual((job["name"], job["arguments"]), ("deliver", arguments))

    def test_another_user(self) -> None:
        self.run_async(create_memo(self.stranger, "A"))
        self.assertEqual(self.counts(), (0, 0))

    def test_another_event(self) -> None:
        @EVENTS.announced("memo.deleted")
        async def delete(user_id: ObjectId) -> None:
            await EVENTS.announce(id=user_id)

        self.run_async(delete(self.user_id))
        self.assertEqual(self.counts(), (0, 0))

    def test_no_user(self) -> None:
        """Something may belong to everybody."""

        @EVENTS.announced("memo.created")
        async def create(owner: ObjectId | str) -> None:
            await EVENTS.announce(id=ObjectId())

        self.run_async(create("public"))
        self.assertEqual(self.counts(), (0, 0))

    def test_a_change_that_fails(self) -> None:
        with self.assertRaises(Conflict):
            self.run_async(create_in_vain(self.user_id))
        self.assertEqual((self.counts(), self.stored(MEMOS.name)), ((0, 0), []))

    def test_an_event_that_fails(self) -> None:
        create = delivery_log.create

        async def fail(*arguments: Any) -> Any:
            await create(*arguments)
            raise Unavailable

        with patch.object(delivery_log, "create", fail), self.assertRaises(Unavailable):
            self.change()
        self.assertEqual((self.counts(), self.stored(MEMOS.name)), ((0, 0), []))

    def test_no_transaction_without_webhooks(self) -> None:
        """One of many changes asks MongoDB whose webhooks take which events."""
        with patch.object(events, "in_transaction", None), counted_reads() as reads:
            for _ in range(3):
                self.run_async(create_memo(self.stranger, "A"))
        self.assertEqual(len(reads), 1)


class AnnounceTest(WebhookTest):
    @gen_test
    async def test_without_the_decorator(self) -> None:
        with self.assertRaises(LookupError):
            await EVENTS.announce(id=ObjectId())

    @gen_test
    async def test_inside_a_transaction(self) -> None:
        """An outer transaction reads what it has written."""

        async def work() -> None:
            user_id, url = self.stranger, "https://a.example/"
            await stored_webhooks.create(ObjectId(), user_id, url, ["memo.created"], b"")
            await create_memo(user_id, "A")

        await in_transaction(work)
        self.assertEqual(await mongodb.deliveries.count_documents({}), 1)
