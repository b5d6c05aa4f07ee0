"""`WebhookTest`: a test of webhooks with a receiver on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from standardwebhooks.webhooks import Webhook

from indico.db import mongodb
from indico.db.delivery_db import DELIVERIES
from indico.db.webhook_db import WEBHOOKS
from indico.engine.tests.http.receiver import Receiver, Request
from indico.service.webhook_delivery import deliver
from indico.service.webhook_events import LISTENERS
from indico.tests.server_test import YOURS, ServerTest

# For tests that need the indexes of webhooks.
ALL = [*YOURS, WEBHOOKS, DELIVERIES]


class WebhookTest(ServerTest):
    """Ada with one webhook for `types`, and Eve without any, who registers when she is needed."""

    settings: ClassVar[dict[str, Any]] = {"webhooks_private_addresses": True}
    types: ClassVar[Sequence[str]] = ("user.updated",)

    def setUp(self) -> None:
        super().setUp()
        LISTENERS.forget()  # those of another test
        self.receiver = Receiver()
        self.run_async(self.receiver.start())
        registered = self.register()
        self.user, self.token = registered["user"], registered["token"]
        self.webhook = self.create(self.receiver.url, *self.types)

    def tearDown(self) -> None:
        self.run_async(self.receiver.close())
        super().tearDown()

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

    def work(self) -> int:
        """Run the jobs that are queued, also those for later, and return their number."""
        return self.run_async(self._work())

    async def _work(self) -> int:
        queued = await mongodb.jobs.find().to_list(None)
        for job in queued:
            await mongodb.jobs.delete_one({"_id": job["_id"]})
            await deliver(**job["arguments"])
        return len(queued)

    def next(self) -> Request:
        return self.run_async(self.receiver.next())

    def event(self, request: Request) -> Any:
        """Return the event in a request, whose signature must be right."""
        return Webhook(self.webhook["secret"]).verify(request.body, request.headers)
