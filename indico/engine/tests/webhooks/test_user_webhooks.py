from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

from tornado.testing import gen_test

from ...error import Conflict, Contended, NotFound, WrongFieldType
from ...mongo.driver import ObjectId
from ...mongo.paging import Position
from ...webhooks import stored_webhooks, user_webhooks
from ...webhooks.delivery_log import Delivery
from ...webhooks.stored_webhooks import MAX_WEBHOOKS, Webhook
from ..http.receiver import answer
from .webhook_test import WebhookTest

URL = "https://receiver.example/events"
TYPES = ("memo.created",)


class CreateTest(WebhookTest):
    def test_valid(self) -> None:
        secret = self.webhook["secret"]
        self.assertRegex(secret, r"^whsec_[A-Za-z0-9+/]{43}=$")
        self.assertEqual({**self.found(), "secret": secret}, self.webhook)
        self.assertEqual(self.webhook["url"], self.receiver.url)
        self.assertEqual((self.webhook["enabled"], self.webhook["note"]), (True, None))
        (stored,) = self.stored("webhooks")
        self.assertNotIn(secret, str(stored))

    def test_types_are_a_set(self) -> None:
        self.assertEqual(self.create(URL, *TYPES * 2)["types"], [*TYPES])

    def test_wrong_url(self) -> None:
        with self.assertRaises(WrongFieldType):
            self.create("https://", *TYPES)

    def test_too_many(self) -> None:
        for _ in range(MAX_WEBHOOKS - 1):
            self.create(URL, *TYPES)
        with self.assertRaises(Conflict):
            self.create(URL, *TYPES)
        self.run_async(user_webhooks.create(self.stranger, URL, TYPES))
        self.run_async(user_webhooks.delete(self.user_id, self.webhook["id"]))
        self.create(URL, *TYPES)

    def test_two_at_once(self) -> None:
        """A place that another call has just taken is a conflict, which may be tried again."""
        (stored,) = self.stored("webhooks")

        async def free(user_id: ObjectId) -> int:
            place: int = stored["place"]
            return place

        with patch.object(stored_webhooks, "_free_place", free), self.assertRaises(Contended):
            self.create(URL, *TYPES)


class FindTest(WebhookTest):
    @gen_test
    async def test_valid(self) -> None:
        other = await user_webhooks.create(self.user_id, URL, TYPES)
        found = await stored_webhooks.find(self.user_id)
        self.assertEqual([each["id"] for each in found], [self.webhook["id"], other["id"]])
        self.assertNotIn("secret", str(found))
        self.assertEqual(await stored_webhooks.find(self.stranger), [])


class UpdateTest(WebhookTest):
    def update(
        self,
        url: str | None = None,
        types: Sequence[str] | None = None,
        enabled: bool | None = None,
        user_id: ObjectId | None = None,
    ) -> Webhook:
        webhook_id, user_id = self.webhook["id"], user_id or self.user_id
        return self.run_async(user_webhooks.update(user_id, webhook_id, url, types, enabled))

    def test_valid(self) -> None:
        self.assertEqual(self.update(url=URL)["url"], URL)
        types = ["memo.deleted", "memo.created", "memo.deleted"]
        self.assertEqual(self.update(types=types)["types"], ["memo.created", "memo.deleted"])
        self.assertEqual(self.update(), self.found())

    def test_off_and_on(self) -> None:
        self.update(enabled=False)
        self.change()
        self.assertEqual(self.work(), 0)
        self.update(enabled=True)
        self.change()
        self.assertEqual(self.work(), 1)
        self.assertEqual(self.event(self.next())["type"], "memo.created")

    def test_other_types(self) -> None:
        self.update(types=["memo.deleted"])
        self.change()
        self.assertEqual(self.counts(), (0, 0))

    def test_wrong_url(self) -> None:
        with self.assertRaises(WrongFieldType):
            self.update(url="nowhere")

    def test_other_user(self) -> None:
        with self.assertRaises(NotFound):
            self.update(enabled=False, user_id=self.stranger)
        self.assertTrue(self.found()["enabled"])


class DeleteTest(WebhookTest):
    def delete(self, user_id: ObjectId) -> None:
        self.run_async(user_webhooks.delete(user_id, self.webhook["id"]))

    def test_valid(self) -> None:
        """Deliveries that wait are not sent any more."""
        self.change()
        self.delete(self.user_id)
        self.assertEqual(self.work(), 1)
        self.change("B")
        self.assertEqual(self.work(), 0)
        self.assertTrue(self.receiver.requests.empty())
        with self.assertRaises(NotFound):
            self.delete(self.user_id)

    def test_other_user(self) -> None:
        with self.assertRaises(NotFound):
            self.delete(self.stranger)
        self.found()


class SendTestTest(WebhookTest):
    types = ("memo.deleted",)

    def send_to(self, user_id: ObjectId) -> Delivery:
        return self.run_async(user_webhooks.send_test(user_id, self.webhook["id"]))

    def test_valid(self) -> None:
        queued = self.send_to(self.user_id)
        self.assertEqual((queued["type"], queued["status"]), ("webhook.test", "pending"))
        self.work()
        event = self.event(self.next())
        expected = queued["type"], {"id": str(self.webhook["id"])}
        self.assertEqual((event["type"], event["data"]), expected)
        (delivery,) = self.deliveries()
        self.assertEqual((delivery["id"], delivery["status"]), (queued["id"], "delivered"))

    def test_it_is_tried_once(self) -> None:
        self.receiver.answer = answer(500)
        self.send_to(self.user_id)
        self.assertEqual((self.work(), self.work()), (1, 0))
        (delivery,) = self.deliveries()
        self.assertEqual((delivery["status"], delivery["attempts"][0]["status"]), ("failed", 500))
        self.assertIsNone(self.found()["failing_since"])

    def test_other_user(self) -> None:
        with self.assertRaises(NotFound):
            self.send_to(self.stranger)
        self.assertEqual(self.work(), 0)


class FindDeliveriesTest(WebhookTest):
    def test_pages(self) -> None:
        """The newest comes first."""
        for text in "ABC":
            self.change(text)
        whole = self.deliveries()
        self.assertEqual([each["status"] for each in whole], ["pending"] * 3)
        first, position = self.page(2, None)
        second, end = self.page(2, position)
        self.assertEqual((first + second, end), (whole, None))
        times = [each["created_at"] for each in whole]
        self.assertEqual(times, sorted(times, reverse=True))

    def page(self, limit: int, after: Position | None) -> tuple[list[Delivery], Position | None]:
        webhook_id = self.webhook["id"]
        return self.run_async(user_webhooks.find_deliveries(self.user_id, webhook_id, limit, after))

    def test_other_user(self) -> None:
        with self.assertRaises(NotFound):
            self.run_async(
                user_webhooks.find_deliveries(self.stranger, self.webhook["id"], 1, None)
            )
