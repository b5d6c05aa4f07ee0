"""Stored webhooks: every query on the collection `webhooks`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from ..error import Conflict, Contended
from ..mongo.clock import now
from ..mongo.collection import Collection, IndexModel
from ..mongo.driver import ObjectId

MAX_WEBHOOKS = 10  # of one user


class Note(TypedDict):
    """The reason why a webhook was turned off, and when, for its user."""

    at: datetime
    reason: str


class _State(TypedDict):
    """The findings of deliveries; `failing_since` is the first failure after the last success."""

    note: Note | None
    failing_since: datetime | None


class WebhookDocument(_State):
    """A stored webhook; `secret` is encrypted, `place` one of the `MAX_WEBHOOKS` of its user."""

    _id: ObjectId
    user_id: ObjectId
    place: int
    url: str
    types: list[str]
    secret: bytes
    enabled: bool
    created_at: datetime


WEBHOOKS = Collection(
    "webhooks",
    WebhookDocument,
    IndexModel([("user_id", 1), ("place", 1)], unique=True),
    IndexModel("enabled"),
    owner="user_id",
)
_FRESH = _State(note=None, failing_since=None)


class Changes(TypedDict, total=False):
    """The fields that a user may change."""

    url: str
    types: list[str]
    enabled: bool


class Webhook(TypedDict):
    """A webhook as its user sees it; `note` says why the server has turned it off."""

    id: ObjectId
    url: str
    types: list[str]
    enabled: bool
    note: Note | None
    failing_since: datetime | None
    created_at: datetime


async def create(
    webhook_id: ObjectId, user_id: ObjectId, url: str, types: Sequence[str], secret: bytes
) -> Webhook:
    """Store a new webhook. Raises `Conflict` if its user has `MAX_WEBHOOKS` already."""
    document: WebhookDocument = {
        "_id": webhook_id,
        "user_id": user_id,
        "place": await _free_place(user_id),
        "url": url,
        "types": list(types),
        "secret": secret,
        "enabled": True,
        "created_at": now(),
        **_FRESH,
    }
    try:
        await WEBHOOKS.insert(document)
    except Conflict:
        raise Contended from None
    return _webhook(document)


async def get(user_id: ObjectId, webhook_id: ObjectId) -> Webhook | None:
    document = await WEBHOOKS.find_by_id(webhook_id)
    return _webhook(document) if document and document["user_id"] == user_id else None


async def find(user_id: ObjectId) -> list[Webhook]:
    """Return the webhooks of a user, the oldest first."""
    found = await WEBHOOKS.find({"user_id": user_id}, sort=[("_id", 1)], limit=MAX_WEBHOOKS)
    return [_webhook(document) for document in found]


async def find_enabled(webhook_id: ObjectId) -> WebhookDocument | None:
    """Return what a delivery needs; None for a webhook that is turned off or deleted."""
    document = await WEBHOOKS.find_by_id(webhook_id)
    return document if document and document["enabled"] else None


async def find_listening(user_id: ObjectId, type: str) -> list[ObjectId]:
    """Return the ids of the webhooks of a user that take events of this type."""
    found = await WEBHOOKS.find({"user_id": user_id, "enabled": True, "types": type})
    return [document["_id"] for document in found]


async def find_listeners(limit: int) -> frozenset[tuple[ObjectId, str]]:
    """Return each user with each type of event that a webhook of the user takes, up to `limit`."""
    pairs = {"$group": {"_id": {"user_id": "$user_id", "type": "$types"}}}
    enabled, types = {"$match": {"enabled": True}}, {"$unwind": "$types"}
    found = await WEBHOOKS.aggregate([enabled, types, pairs, {"$limit": limit}])
    return frozenset((each["_id"]["user_id"], each["_id"]["type"]) for each in found)


async def update(user_id: ObjectId, webhook_id: ObjectId, changes: Changes) -> Webhook | None:
    """Store what a user has changed; return the webhook, or None if the user has no such one."""
    new: Any = changes if "enabled" not in changes else {**changes, **_FRESH}
    changed = await WEBHOOKS.update_one({"_id": webhook_id, "user_id": user_id}, new)
    return _webhook(changed) if changed else None


async def renew_secret(webhook: WebhookDocument, secret: bytes) -> None:
    """Store the same secret as another key encrypts it."""
    query = {"_id": webhook["_id"], "secret": webhook["secret"]}
    await WEBHOOKS.update_one(query, {"secret": secret})


async def delete(user_id: ObjectId, webhook_id: ObjectId) -> bool:
    return await WEBHOOKS.delete({"_id": webhook_id, "user_id": user_id}) == 1


async def begin_failing(webhook_id: ObjectId, at: datetime) -> datetime:
    """Store the time of a failure, unless one is stored; return the time of the first failure."""
    query = {"_id": webhook_id, "failing_since": None}
    if await WEBHOOKS.update_one(query, {"failing_since": at}):
        return at
    found = await WEBHOOKS.find_by_id(webhook_id)
    return found["failing_since"] or at if found else at


async def end_failing(webhook_id: ObjectId) -> None:
    query = {"_id": webhook_id, "failing_since": {"$ne": None}}
    await WEBHOOKS.update_one(query, {"failing_since": None})


async def turn_off(webhook_id: ObjectId, reason: str) -> None:
    """Disable a webhook, and leave its user a note."""
    note: Note = {"at": now(), "reason": reason}
    await WEBHOOKS.update_one({"_id": webhook_id}, {"enabled": False, "note": note})


async def _free_place(user_id: ObjectId) -> int:
    """Return a place that no webhook of the user has. Another call may take it meanwhile."""
    taken = {document["place"] for document in await WEBHOOKS.find({"user_id": user_id})}
    free = set(range(MAX_WEBHOOKS)) - taken
    if not free:
        raise Conflict(f"You have {MAX_WEBHOOKS} webhooks already: delete one first.")
    return min(free)


def _webhook(document: WebhookDocument) -> Webhook:
    return Webhook(
        id=document["_id"],
        url=document["url"],
        types=document["types"],
        enabled=document["enabled"],
        note=document["note"],
        failing_since=document["failing_since"],
        created_at=document["created_at"],
    )
