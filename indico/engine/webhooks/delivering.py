"""Deliveries of events to webhooks: each attempt is a job, and logged.

A job that was cut off runs again. So a receiver may get an event twice, with the same `webhook-id`.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import NamedTuple

import orjson

from ..encryption import UnknownKey
from ..error import Overloaded
from ..jobs import job
from ..mongo.clock import now
from ..mongo.driver import ObjectId
from ..mongo.transactions import transaction
from ..mongo.turns import turn
from . import delivery_log, stored_webhooks
from .delivery_log import Delivery, DeliveryDocument
from .options import Options
from .standard_webhook import Outcome, refused, send
from .stored_webhooks import WebhookDocument

__all__ = ["FAILING", "TEST", "Event", "deliver", "new_event", "queue"]

TEST = "webhook.test"  # such an event is tried once
FAILING = timedelta(days=3)
_AT_ONCE = 3  # requests of this process to one webhook
_TURN_SECONDS = 0.25  # a job that waits has one of the few places of `job_concurrency`
_BUSY_SECONDS = 5, 30
_LOST = "Its secret was lost with a key of the server: delete it, and create another one."


class Event(NamedTuple):
    """A change of which webhooks are told; `body` is the JSON that they get."""

    id: ObjectId
    type: str
    body: str


def new_event(type: str, **ids: ObjectId) -> Event:
    """Return an event, which names what has changed: receivers read that by a call."""
    data = {name: str(each) for name, each in ids.items()}
    timestamp = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = orjson.dumps({"type": type, "timestamp": timestamp, "data": data}).decode()
    return Event(ObjectId(), type, body)


@transaction
async def queue(user_id: ObjectId, webhook_id: ObjectId, event: Event) -> Delivery:
    """Log a delivery, and let a worker make its first attempt."""
    delivery = await delivery_log.create(user_id, webhook_id, event.id, event.type, event.body)
    await deliver.later(delivery["id"], 0)
    return delivery


# The name is that of jobs which are stored. The attempts are for faults of this side only, such as
# servers that are killed.
@job(name="deliver", attempts=20)
async def deliver(delivery_id: ObjectId, attempts: int) -> None:
    """Make an attempt at a delivery that had so many `attempts` before; queue the next if it fails.

    Nothing is done for a delivery that has had the attempt already.
    """
    delivery = await delivery_log.find_pending(delivery_id, attempts)
    if delivery is None:
        return
    webhook = await stored_webhooks.find_enabled(delivery["webhook_id"])
    if webhook is None:
        gone = refused("The webhook was turned off or deleted.")
        await delivery_log.record(delivery, gone.attempt, "failed")
        return
    try:
        async with turn(("webhook", webhook["_id"]), _AT_ONCE, seconds=_TURN_SECONDS):
            outcome = await _send(webhook, delivery)
    except Overloaded:  # a slow receiver must not keep workers from other jobs
        await deliver.later_in(random.uniform(*_BUSY_SECONDS), delivery_id, attempts)  # noqa: S311
    except UnknownKey:
        await _lose(webhook, delivery)
    else:
        await _record(webhook, delivery, outcome)


async def _send(webhook: WebhookDocument, delivery: DeliveryDocument) -> Outcome:
    """Make one request, and return its outcome. Raises `UnknownKey`."""
    stored, place = webhook["secret"], webhook["_id"].binary
    secret = Options.encryption.decrypt(stored, place).decode()
    if renewed := Options.encryption.renewed(stored, place):
        await stored_webhooks.renew_secret(webhook, renewed)
    message_id = delivery_log.message_id(delivery["event_id"])
    return await send(webhook["url"], secret, message_id, delivery["body"], Options.private)


@transaction
async def _record(webhook: WebhookDocument, delivery: DeliveryDocument, outcome: Outcome) -> None:
    """Log the attempt, with what follows: the next attempt, or the end of the webhook."""
    attempt, attempts = outcome.attempt, len(delivery["attempts"]) + 1
    pause = None if delivery["type"] == TEST else outcome.pause(attempts)
    if outcome.succeeded:
        if await delivery_log.record(delivery, attempt, "delivered"):
            await stored_webhooks.end_failing(webhook["_id"])
    elif pause is None:
        if await delivery_log.record(delivery, attempt, "failed"):
            await _judge(webhook["_id"], delivery, outcome)
    elif await delivery_log.record(delivery, attempt, "pending", now() + timedelta(seconds=pause)):
        await deliver.later_in(pause, delivery["_id"], attempts)
        await stored_webhooks.begin_failing(webhook["_id"], attempt["at"])


async def _judge(webhook_id: ObjectId, delivery: DeliveryDocument, last: Outcome) -> None:
    """Disable a webhook that is gone or fails for days, after the last attempt at a delivery."""
    if last.is_gone:
        reason = "It answered 410 Gone, so it wants no more events."
        await stored_webhooks.turn_off(webhook_id, reason)
    elif delivery["type"] != TEST:
        at, error = last.attempt["at"], last.attempt["error"]
        since = await stored_webhooks.begin_failing(webhook_id, at)
        if at - since >= FAILING:
            why = error or f"status {last.attempt['status']}"
            reason = f"No delivery has succeeded since {since:%Y-%m-%d %H:%M} UTC, the last: {why}."
            await stored_webhooks.turn_off(webhook_id, reason)


@transaction
async def _lose(webhook: WebhookDocument, delivery: DeliveryDocument) -> None:
    """Disable a webhook for which nobody can sign, because a key has left `old_secret_keys`."""
    await delivery_log.record(delivery, refused(_LOST).attempt, "failed")
    await stored_webhooks.turn_off(webhook["_id"], _LOST)
