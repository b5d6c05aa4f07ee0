"""`/webhook`: the URLs to which the caller's events are sent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from indico.db import Id, ObjectId
from indico.error import Conflict, NotFound
from indico.routes.handler import DEFAULT_LIMIT, Created, Cursor, IndicoHandler, Limit, Page, Status
from indico.service import webhooks
from indico.service.webhooks import Delivery, EventType, NewWebhook, Types, Url, Webhook
from indico.utils import idempotent, limit, not_idempotent, raises, read_only, type_check, unpack
from indico.utils.auth.auth_utils import auth


class WebhookHandler(IndicoHandler):
    """The webhooks of the token's user."""

    @not_idempotent
    @auth
    @unpack("url", "types")
    @type_check(Url, Types)
    @raises(Conflict)
    async def create(self, url: str, types: Sequence[EventType]) -> Created[NewWebhook]:
        """Have events of these types sent to a URL, and return the secret that signs them.

        The secret is never shown again. A user has at most 10 webhooks. Changes are told from one
        second after this call on.
        """
        return await webhooks.create(self.user_id, url, types)

    @read_only
    @auth
    async def list(self) -> Page[Webhook]:
        """Return all webhooks, the oldest first.

        The server turns a webhook off that answers 410, or that fails for days. `note` says why.
        """
        return Page(items=await webhooks.find(self.user_id), next_cursor=None)

    @idempotent
    @auth
    @unpack("id", url=None, types=None, enabled=None)
    @type_check(Id, Url, Types, bool)
    @raises(NotFound)
    async def update(
        self,
        webhook_id: ObjectId,
        url: str | None,
        types: Sequence[EventType] | None,
        enabled: bool | None,
    ) -> Webhook:
        """Change the fields that are sent; `enabled` turns a webhook off, or on again."""
        return await webhooks.update(self.user_id, webhook_id, url, types, enabled)

    @idempotent
    @auth
    @unpack("id")
    @type_check(Id)
    @raises(NotFound)
    async def delete(self, webhook_id: ObjectId) -> None:
        """Delete a webhook. Events that wait are not sent any more."""
        await webhooks.delete(self.user_id, webhook_id)

    @not_idempotent
    @auth
    @limit("10/minute", per="user")
    @unpack("id")
    @type_check(Id)
    @raises(NotFound)
    async def test(self, webhook_id: ObjectId) -> Annotated[Delivery, Status(202)]:
        """Send an event of the type `webhook.test`, once. `/webhook/deliveries` has its outcome."""
        return await webhooks.send_test(self.user_id, webhook_id)

    @read_only
    @auth
    @unpack("id", limit=DEFAULT_LIMIT, cursor=None)
    @type_check(Id, Limit, Cursor)
    @raises(NotFound)
    async def deliveries(
        self, webhook_id: ObjectId, limit: int, cursor: str | None
    ) -> Page[Delivery]:
        """Return a page of the deliveries of the last seven days, the newest first."""
        find = partial(webhooks.find_deliveries, self.user_id, webhook_id)
        return await self.page(find, limit, cursor, str(webhook_id))


WebhookRoute = (r"/webhook/(?P<action>[a-zA-Z_]+)?", WebhookHandler)
