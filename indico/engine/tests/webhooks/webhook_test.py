"""`WebhookTest`: a test of webhooks with a receiver on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from standardwebhooks.webhooks import Webhook

from ...mongo.driver import ObjectId, mongodb
from ...webhooks import Delivery, Events, NewWebhook, stored_webhooks, use_webhooks, user_webhooks
from ...webhooks.delivering import deliver
from ...webhooks.delivery_log import DELIVERIES
from ...webhooks.listeners import LISTENERS
from ...webhooks.stored_webhooks import WEBHOOKS
from ..http.receiver import Receiver, Request
from ..sample.app import MEMOS
from ..server_test import ServerTest

EVENTS = Events[Literal["memo.created", "memo.deleted"]]()


@EVENTS.announced("memo.created")
async def create_memo(user_id: ObjectId, text: str) -> ObjectId:
    memo_id = ObjectId()
    await MEMOS.insert({"_id": memo_id, "user_id": user_id, "text": text, "secret": ""})
    await EVENTS.announce(id=memo_id)
    return memo_id


class ReceivingTest(ServerTest):
    """A test with a receiver, whose signatures are made with the secret of `webhook`.

    Jobs run when the test says so.
    """

    settings: ClassVar[dict[str, Any]] = {"webhooks_private_addresses": True}
    webhook: Any

    def setUp(self) -> None:
        super().setUp()
        LISTENERS.forget()  # those of another test
        self.receiver = Receiver()
        self.run_async(self.receiver.start())

    def tearDown(self) -> None:
        self.run_async(self.receiver.close())
        super().tearDown()

    def work(self) -> int:
        """Run the jobs that are queued, also those for later, and return their number."""
        return self.run_async(self.work_now())

    async def work_now(self) -> int:
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


class WebhookTest(ReceivingTest):
    """A user with one webhook for `types`, and a stranger without any."""

    varies_with = ()
    shares_database = True
    indexed = (WEBHOOKS, DELIVERIES)
    types: ClassVar[Sequence[str]] = ("memo.created",)
    webhook: NewWebhook

    def setUp(self) -> None:
        super().setUp()
        use_webhooks(self.config)
        self.user_id, self.stranger = ObjectId(), ObjectId()
        self.webhook = self.create(self.receiver.url, *self.types)

    def create(self, url: str, *types: str) -> NewWebhook:
        return self.run_async(user_webhooks.create(self.user_id, url, types))

    def found(self) -> stored_webhooks.Webhook:
        """Return the webhook as it is now."""
        (webhook,) = self.run_async(stored_webhooks.find(self.user_id))
        return webhook

    def deliveries(self) -> list[Delivery]:
        webhook_id = self.webhook["id"]
        found = user_webhooks.find_deliveries(self.user_id, webhook_id, 50, None)
        return self.run_async(found)[0]

    def change(self, text: str = "A") -> ObjectId:
        """Make an event."""
        return self.run_async(create_memo(self.user_id, text))

    def counts(self) -> tuple[int, int]:
        """Return the numbers of deliveries and jobs."""
        return len(self.stored("deliveries")), len(self.stored("jobs"))
