"""The webhooks of a user: what the actions of a resource call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from ..error import NotFound
from ..mongo.driver import ObjectId
from ..mongo.paging import Position
from . import delivery_log, stored_webhooks
from .delivering import TEST, new_event, queue
from .delivery_log import Delivery
from .listeners import LISTENERS
from .options import Options
from .standard_webhook import new_secret
from .stored_webhooks import Changes, Webhook
from .target_url import checked

__all__ = ["NewWebhook", "create", "delete", "find_deliveries", "send_test", "update"]


class NewWebhook(Webhook):
    """A webhook with its secret, by which the receiver checks signatures; shown this once."""

    secret: Annotated[str, Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])]


async def create(user_id: ObjectId, url: str, types: Sequence[str]) -> NewWebhook:
    """Make a webhook.

    Raises `WrongFieldType` for a wrong URL, and `Conflict` if the user has too many webhooks.
    """
    webhook_id, secret = ObjectId(), new_secret()
    url, types = checked(url), sorted(set(types))
    stored = Options.encryption.encrypt(secret.encode(), webhook_id.binary)
    webhook = await stored_webhooks.create(webhook_id, user_id, url, types, stored)
    LISTENERS.forget()
    return {**webhook, "secret": secret}


async def update(
    user_id: ObjectId,
    webhook_id: ObjectId,
    url: str | None,
    types: Sequence[str] | None,
    enabled: bool | None,
) -> Webhook:
    """Change what is not None. Raises `NotFound`, and `WrongFieldType` for a wrong URL."""
    changes = Changes()
    if url is not None:
        changes["url"] = checked(url)
    if types is not None:
        changes["types"] = sorted(set(types))
    if enabled is not None:
        changes["enabled"] = enabled
    webhook = _existing(await stored_webhooks.update(user_id, webhook_id, changes))
    LISTENERS.forget()
    return webhook


async def delete(user_id: ObjectId, webhook_id: ObjectId) -> None:
    """Delete a webhook; no more attempts are made. Raises `NotFound`."""
    if not await stored_webhooks.delete(user_id, webhook_id):
        raise _not_found()


async def send_test(user_id: ObjectId, webhook_id: ObjectId) -> Delivery:
    """Send an event that tells of nothing, also if the webhook does not take it. Raises `NotFound`.

    It is sent once, to a webhook that is on.
    """
    _existing(await stored_webhooks.get(user_id, webhook_id))
    return await queue(user_id, webhook_id, new_event(TEST, id=webhook_id))


async def find_deliveries(
    user_id: ObjectId, webhook_id: ObjectId, limit: int, after: Position | None
) -> tuple[list[Delivery], Position | None]:
    """Return a page of the deliveries, the newest first. Raises `NotFound`."""
    _existing(await stored_webhooks.get(user_id, webhook_id))
    return await delivery_log.find(webhook_id, limit, after)


def _existing(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise _not_found()
    return webhook


def _not_found() -> NotFound:
    return NotFound("There is no such webhook.")
