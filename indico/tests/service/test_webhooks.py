"""The events of accounts."""

from __future__ import annotations

from indico.tests.server_test import PASSWORD
from indico.tests.webhook_test import WebhookTest

CHANGE = {"update_user": {"name": "A"}}


class UserEventsTest(WebhookTest):
    def counts(self) -> tuple[int, int]:
        return len(self.stored("deliveries")), len(self.stored("jobs"))

    def test_valid(self) -> None:
        self.change()
        self.assertEqual(self.counts(), (1, 1))
        self.assertEqual(self.events(), [("user.updated", {"id": self.user["id"]})])

    def test_another_user(self) -> None:
        self.data(self.post("/user/update", CHANGE, self.eve))
        self.assertEqual(self.counts(), (0, 0))

    def test_a_change_that_fails(self) -> None:
        self.register("eve@example.com")
        changes = {"update_user": {"email": "EVE@example.com"}, "password": PASSWORD}
        self.error(self.post("/user/update", changes, self.token), 409, "conflict", "email")
        self.assertEqual(self.counts(), (0, 0))

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
