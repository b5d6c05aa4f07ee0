"""The log of deliveries: every query on the collection `deliveries`.

MongoDB removes a delivery some days after its event.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict

from ..mongo.clock import now
from ..mongo.collection import Collection, IndexModel
from ..mongo.driver import ObjectId
from ..mongo.paging import Position, find_page
from .standard_webhook import Attempt

Status = Literal["pending", "delivered", "failed"]
_KEPT_SECONDS = 7 * 24 * 3600


class DeliveryDocument(TypedDict):
    """A stored delivery of one event to one webhook; `body` is sent in each attempt."""

    _id: ObjectId
    user_id: ObjectId
    webhook_id: ObjectId
    event_id: ObjectId
    type: str
    body: str
    status: Status
    attempts: list[Attempt]
    next_attempt_at: datetime | None
    created_at: datetime


DELIVERIES = Collection(
    "deliveries",
    DeliveryDocument,
    IndexModel([("webhook_id", 1), ("_id", -1)]),
    IndexModel("user_id"),
    IndexModel("created_at", expireAfterSeconds=_KEPT_SECONDS),
    owner="user_id",
)


class Delivery(TypedDict):
    """A delivery as the user sees it; `event` is the header `webhook-id`."""

    id: ObjectId
    event: str
    type: str
    status: Status
    attempts: list[Attempt]
    next_attempt_at: datetime | None
    created_at: datetime


async def create(
    user_id: ObjectId, webhook_id: ObjectId, event_id: ObjectId, type: str, body: str
) -> Delivery:
    time = now()
    document: DeliveryDocument = {
        "_id": ObjectId(),
        "user_id": user_id,
        "webhook_id": webhook_id,
        "event_id": event_id,
        "type": type,
        "body": body,
        "status": "pending",
        "attempts": [],
        "next_attempt_at": time,
        "created_at": time,
    }
    await DELIVERIES.insert(document)
    return _delivery(document)


async def find_pending(delivery_id: ObjectId, attempts: int) -> DeliveryDocument | None:
    """Return a delivery after so many attempts; None if it has ended, or had another attempt."""
    return await DELIVERIES.find_one(_after(delivery_id, attempts))


async def find(
    webhook_id: ObjectId, limit: int, after: Position | None
) -> tuple[list[Delivery], Position | None]:
    """Return a page of the deliveries to a webhook, the newest first."""
    query, newest_first = {"webhook_id": webhook_id}, [("_id", -1)]
    found, end = await find_page(DELIVERIES, query, limit=limit, after=after, sort=newest_first)
    return [_delivery(document) for document in found], end


async def record(
    delivery: DeliveryDocument,
    attempt: Attempt,
    status: Status,
    next_attempt_at: datetime | None = None,
) -> bool:
    """Store an attempt, and what follows; return False if another run of the job was quicker."""
    changed = await DELIVERIES.update_one(
        _after(delivery["_id"], len(delivery["attempts"])),
        {"status": status, "next_attempt_at": next_attempt_at},
        push={"attempts": attempt},
    )
    return changed is not None


def message_id(event_id: ObjectId) -> str:
    """Return the header `webhook-id`, which is the same in all attempts."""
    return f"msg_{event_id}"


def _after(delivery_id: ObjectId, attempts: int) -> dict[str, object]:
    return {"_id": delivery_id, "status": "pending", "attempts": {"$size": attempts}}


def _delivery(document: DeliveryDocument) -> Delivery:
    return Delivery(
        id=document["_id"],
        event=message_id(document["event_id"]),
        type=document["type"],
        status=document["status"],
        attempts=document["attempts"],
        next_attempt_at=document["next_attempt_at"],
        created_at=document["created_at"],
    )
