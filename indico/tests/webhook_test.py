"""`WebhookTest`: a test of webhooks with a receiver on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from indico.engine.tests.webhooks.webhook_test import ReceivingTest
from indico.tests.server_test import ServerTest


class WebhookTest(ServerTest, ReceivingTest):
    """Ada with one webhook for `types`, and Eve without any, who registers when she is needed."""

    types: ClassVar[Sequence[str]] = ("user.updated",)

    def setUp(self) -> None:
        super().setUp()
        registered = self.register()
        self.user, self.token = registered["user"], registered["token"]
        self.webhook = self.create(self.receiver.url, *self.types)

    @cached_property
    def eve(self) -> str:
        """The token of another user."""
        token: str = self.register("eve@example.com")["token"]
        return token

    def call(self, action: str, token: str | None = None, **body: Any) -> Any:
        return self.post(f"/webhook/{action}", body, token or self.token)

    def create(self, url: str, *types: str) -> Any:
        return self.data(self.call("create", url=url, types=types), 201)

    def found(self) -> Any:
        """Return the webhook as it is now."""
        (webhook,) = self.data(self.call("list"))["items"]
        return webhook

    def deliveries(self) -> Any:
        return self.data(self.call("deliveries", id=self.webhook["id"]))["items"]

    def change(self, name: str = "A") -> None:
        """Make an event."""
        self.data(self.post("/user/update", {"update_user": {"name": name}}, self.token))

    def events(self) -> list[tuple[str, Any]]:
        """Return the type and the data of each event that has been sent since the last call."""
        events = [self.event(self.next()) for _ in range(self.work())]
        return [(event["type"], event["data"]) for event in events]
