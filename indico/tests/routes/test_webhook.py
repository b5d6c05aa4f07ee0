from __future__ import annotations

from typing import Any
from unittest import TestCase

from pydantic import ValidationError

from indico.config import Settings
from indico.db import ObjectId
from indico.engine.webhooks.stored_webhooks import MAX_WEBHOOKS
from indico.tests.server_test import PASSWORD, ServerTest
from indico.tests.webhook_test import WebhookTest

URL = "https://receiver.example/events"
BODY: dict[str, Any] = {"url": URL, "types": ["user.updated"]}


class CreateTest(WebhookTest):
    def test_valid(self) -> None:
        secret = self.webhook.pop("secret")
        self.assertRegex(secret, r"^whsec_[A-Za-z0-9+/]{43}=$")
        self.assertEqual(self.found(), self.webhook)
        self.assertEqual(self.webhook["url"], self.receiver.url)
        self.assertEqual((self.webhook["enabled"], self.webhook["note"]), (True, None))
        (stored,) = self.stored("webhooks")
        self.assertNotIn(secret, str(stored))

    def test_anonymous(self) -> None:
        self.error(self.post("/webhook/create", BODY), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        self.error(self.call("create", x=1), 400, "invalid_argument", "url", "types", "x")

    def test_wrong_type(self) -> None:
        wrong: list[tuple[Any, str]] = [
            ([], "types"),
            ("user.updated", "types"),
            (["user.exploded"], "types.0"),
            ([None], "types.0"),
        ]
        for types, path in wrong:
            self.error(self.call("create", url=URL, types=types), 400, "invalid_argument", path)

    def test_wrong_url(self) -> None:
        for url in ("https://", 5, ["a"]):
            with self.subTest(url=url):
                response = self.call("create", **{**BODY, "url": url})
                self.error(response, 400, "invalid_argument", "url")

    def test_conflict(self) -> None:
        for _ in range(MAX_WEBHOOKS - 1):
            self.create(URL, "user.updated")
        self.error(self.call("create", **BODY), 409, "conflict")


class PublicTest(ServerTest):
    """A server whose settings allow public addresses only."""

    def test_valid(self) -> None:
        token = self.register()["token"]
        self.data(self.post("/webhook/create", BODY, token), 201)

    def test_private(self) -> None:
        token, url = self.register()["token"], "https://127.0.0.1/"
        webhook = self.data(self.post("/webhook/create", BODY, token), 201)
        response = self.post("/webhook/create", {**BODY, "url": url}, token)
        self.error(response, 400, "invalid_argument", "url")
        response = self.post("/webhook/update", {"id": webhook["id"], "url": url}, token)
        self.error(response, 400, "invalid_argument", "url")


class SettingsTest(TestCase):
    def test_production(self) -> None:
        wrong = "webhooks_private_addresses: must be off with environment=production"
        with self.assertRaisesRegex(ValidationError, wrong):
            Settings(environment="production", webhooks_private_addresses=True)


class ListTest(WebhookTest):
    def test_valid(self) -> None:
        other = self.create(URL, "user.updated")
        items = self.data(self.call("list"))["items"]
        self.assertEqual([item["id"] for item in items], [self.webhook["id"], other["id"]])
        self.assertNotIn("secret", str(items))

    def test_anonymous(self) -> None:
        self.error(self.post("/webhook/list"), 401, "unauthenticated")

    def test_other_user(self) -> None:
        self.assertEqual(self.data(self.call("list", self.eve))["items"], [])


class UpdateTest(WebhookTest):
    def update(self, **body: Any) -> Any:
        return self.call("update", id=self.webhook["id"], **body)

    def test_valid(self) -> None:
        self.assertEqual(self.data(self.update(url=URL))["url"], URL)
        types = ["address.created", "user.updated"]
        self.assertEqual(self.data(self.update(types=types))["types"], types)
        changed = {**self.webhook, "url": URL, "types": types}
        del changed["secret"]
        self.assertEqual(self.data(self.update()), changed)
        self.assertEqual(self.found(), changed)

    def test_off_and_on(self) -> None:
        self.data(self.update(enabled=False))
        self.change()
        self.assertEqual(self.work(), 0)
        self.data(self.update(enabled=True))
        self.change()
        self.assertEqual(self.work(), 1)
        self.assertEqual(self.event(self.next())["type"], "user.updated")

    def test_anonymous(self) -> None:
        self.error(self.post("/webhook/update", {"id": self.webhook["id"]}), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        self.error(self.call("update", url=URL), 400, "invalid_argument", "id")

    def test_wrong_type(self) -> None:
        response = self.update(url="nowhere", types=["a"], enabled="no")
        self.error(response, 400, "invalid_argument", "types.0", "enabled")
        self.error(self.update(url="nowhere"), 400, "invalid_argument", "url")

    def test_not_found(self) -> None:
        response = self.call("update", id=str(ObjectId()), enabled=False)
        self.error(response, 404, "not_found")

    def test_other_user(self) -> None:
        response = self.call("update", self.eve, id=self.webhook["id"], enabled=False)
        self.error(response, 404, "not_found")
        self.assertTrue(self.found()["enabled"])


class DeleteTest(WebhookTest):
    def test_valid(self) -> None:
        """Deliveries that wait are not sent any more."""
        self.change()
        self.assertIsNone(self.data(self.call("delete", id=self.webhook["id"])))
        self.assertEqual(self.data(self.call("list"))["items"], [])
        self.assertEqual(self.work(), 1)
        self.change("B")
        self.assertEqual(self.work(), 0)
        self.assertTrue(self.receiver.requests.empty())
        self.error(self.call("delete", id=self.webhook["id"]), 404, "not_found")

    def test_anonymous(self) -> None:
        self.error(self.post("/webhook/delete", {"id": self.webhook["id"]}), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        self.error(self.call("delete"), 400, "invalid_argument", "id")

    def test_wrong_type(self) -> None:
        self.error(self.call("delete", id="5"), 400, "invalid_argument", "id")

    def test_other_user(self) -> None:
        self.error(self.call("delete", self.eve, id=self.webhook["id"]), 404, "not_found")
        self.found()

    def test_with_the_account(self) -> None:
        self.change()
        self.data(self.post("/user/delete", {"password": PASSWORD}, self.token))
        self.assertEqual((self.stored("webhooks"), self.stored("deliveries")), ([], []))
        self.work()
        self.assertTrue(self.receiver.requests.empty())


class TestTest(WebhookTest):
    def test_valid(self) -> None:
        queued = self.data(self.call("test", id=self.webhook["id"]), 202)
        self.assertEqual((queued["type"], queued["status"]), ("webhook.test", "pending"))
        self.work()
        event = self.event(self.next())
        self.assertEqual(
            (event["type"], event["data"]), (queued["type"], {"id": self.webhook["id"]})
        )
        (delivery,) = self.deliveries()
        self.assertEqual((delivery["id"], delivery["status"]), (queued["id"], "delivered"))

    def test_too_often(self) -> None:
        """Each call sends a request, so that a user has ten a minute."""
        calls = 0
        while (response := self.call("test", id=self.webhook["id"])).code == 202:
            calls += 1
            self.assertLess(calls, 100)  # some come back while the test runs
        self.error(response, 429, "rate_limited")
        self.assertGreaterEqual(calls, 10)

    def test_anonymous(self) -> None:
        self.error(self.post("/webhook/test", {"id": self.webhook["id"]}), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        self.error(self.call("test"), 400, "invalid_argument", "id")

    def test_other_user(self) -> None:
        self.error(self.call("test", self.eve, id=self.webhook["id"]), 404, "not_found")
        self.assertEqual(self.work(), 0)


class DeliveriesTest(WebhookTest):
    def test_pages(self) -> None:
        """The newest comes first."""
        for name in "ABC":
            self.change(name)
        whole = self.deliveries()
        self.assertEqual([each["status"] for each in whole], ["pending"] * 3)
        found, cursor = [], None
        for _ in range(2):
            page = self.data(self.call("deliveries", id=self.webhook["id"], limit=2, cursor=cursor))
            found += page["items"]
            cursor = page["next_cursor"]
        self.assertEqual((found, cursor), (whole, None))
        times = [each["created_at"] for each in found]
        self.assertEqual(times, sorted(times, reverse=True))

    def test_cursor_of_another_webhook(self) -> None:
        other = self.create(self.receiver.url, "user.updated")
        for name in "AB":
            self.change(name)
        cursor = self.data(self.call("deliveries", id=other["id"], limit=1))["next_cursor"]
        response = self.call("deliveries", id=self.webhook["id"], cursor=cursor)
        self.error(response, 400, "invalid_argument", "cursor")

    def test_with_the_account(self) -> None:
        self.change()
        self.work()
        self.data(self.post("/user/delete", {"password": PASSWORD}, self.token))
        self.assertEqual(self.stored("deliveries"), [])

    def test_anonymous(self) -> None:
        response = self.post("/webhook/deliveries", {"id": self.webhook["id"]})
        self.error(response, 401, "unauthenticated")

    def test_missing_field(self) -> None:
        self.error(self.call("deliveries"), 400, "invalid_argument", "id")

    def test_other_user(self) -> None:
        self.error(self.call("deliveries", self.eve, id=self.webhook["id"]), 404, "not_found")
