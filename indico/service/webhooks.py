"""Webhooks: the URLs to which a user has events sent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

from pydantic import Field, HttpUrl, StringConstraints, TypeAdapter, ValidationError

import indico.db.delivery_db as DeliveryDB
import indico.db.webhook_db as WebhookDB
from indico.db import ObjectId, Position
from indico.db.delivery_db import Delivery
from indico.db.webhook_db import Changes, Webhook
from indico.error import NotFound, Reasons, WrongFieldType
from indico.service.outgoing import is_public, new_secret
from indico.service.webhook_delivery import TEST, encrypt, new_event, queue
from indico.service.webhook_events import LISTENERS, EventType

_HTTP: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)
Url = Annotated[
    str,
    StringConstraints(max_length=1000),
    Field(examples=["https://receiver.example/events"]),
    Reasons("url"),
]
Types = Annotated[list[EventType], Field(min_length=1, max_length=50, examples=[["user.updated"]])]


class NewWebhook(Webhook):
    """A webhook with its secret, by which the receiver checks signatures; shown this once."""

    secret: Annotated[str, Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])]


async def create(
    user_id: ObjectId, url: str, types: Sequence[EventType], private: bool
) -> NewWebhook:
    """Make a webhook; `private` allows http and private addresses.

    Raise `WrongFieldType` for a wrong URL, and `Conflict` if the user has too many webhooks.
    """
    webhook_id, secret = ObjectId(), new_secret()
    url, types = _checked(url, private), sorted(set(types))
    stored = encrypt(secret, webhook_id)
    webhook = await WebhookDB.create(webhook_id, user_id, url, types, stored)
    LISTENERS.forget()
    return {**webhook, "secret": secret}


async def update(
    user_id: ObjectId,
    webhook_id: ObjectId,
    url: str | None,
    types: Sequence[EventType] | None,
    enabled: bool | None,
    private: bool,
) -> Webhook:
    """Change what is not None. Raise `NotFound`, and `WrongFieldType` for a wrong URL."""
    changes = Changes()
    if url is not None:
        changes["url"] = _checked(url, private)
    if types is not None:
        changes["types"] = sorted(set(types))
    if enabled is not None:
        changes["enabled"] = enabled
    webhook = _existing(await WebhookDB.update(user_id, webhook_id, changes))
    LISTENERS.forget()
    return webhook


async def delete(user_id: ObjectId, webhook_id: ObjectId) -> None:
    """Delete a webhook; no more attempts are made. Raise `NotFound`."""
    if not await WebhookDB.delete(user_id, webhook_id):
        raise _not_found()


async def send_test(user_id: ObjectId, webhook_id: ObjectId) -> Delivery:
    """Send an event that tells of nothing, also if the webhook does not take it. Raise `NotFound`.

    It is sent once, to a webhook that is on.
    """
    _existing(await WebhookDB.get(user_id, webhook_id))
    return await queue(user_id, webhook_id, new_event(TEST, id=webhook_id))


async def find_deliveries(
    user_id: ObjectId, webhook_id: ObjectId, limit: int, after: Position | None
) -> tuple[list[Delivery], Position | None]:
    """Return a page of the deliveries, the newest first. Raise `NotFound`."""
    _existing(await WebhookDB.get(user_id, webhook_id))
    return await DeliveryDB.find(webhook_id, limit, after)


def _checked(text: str, private: bool) -> str:
    """Return a URL in its normal form. Raise `WrongFieldType`.

    Each address that its name resolves to is checked when an event is sent. An address in the URL
    itself is checked here too, because then its user learns of it.
    """
    try:
        url = _HTTP.validate_python(text)
    except ValidationError:
        raise _wrong("it must be a URL, such as https://receiver.example/events") from None
    if url.username or url.password or url.fragment is not None:
        raise _wrong("it must be without user, password and fragment")
    if not private:
        _refuse_private(url)
    return str(url)


def _refuse_private(url: HttpUrl) -> None:
    if url.scheme != "https":
        raise _wrong("it must begin with https://")
    with suppress(ValueError):  # a name
        if not is_public((url.host or "").strip("[]")):
            raise _wrong("its address is not public")


def _wrong(why: str) -> WrongFieldType:
    return WrongFieldType("url", why, "url")


def _existing(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise _not_found()
    return webhook


def _not_found() -> NotFound:
    return NotFound("There is no such webhook.")
