"""Deliveries of events to webhooks: each attempt is a job, signed, limited and logged.

The schedule is that of Standard Webhooks, over more than a day. A job that MongoDB or a killed
server has cut off runs again, so a receiver may get an event twice, with the same `webhook-id`.
"""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson

import indico.db.delivery_db as DeliveryDB
import indico.db.webhook_db as WebhookDB
from indico.db import ObjectId, now, transaction, turn
from indico.db.delivery_db import Attempt, Delivery, DeliveryDocument
from indico.db.webhook_db import WebhookDocument
from indico.error import Overloaded
from indico.service import webhook_secrets
from indico.service.jobs import job
from indico.service.outgoing import Received, Unreachable, post

TEST = "webhook.test"  # such an event is tried once
# Seconds from a failed attempt to the next one: 31 hours in all.
PAUSES = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600)
FAILING = timedelta(days=3)
_LONGEST_PAUSE = 24 * 3600
_JITTER = 1.0, 1.2
_SECONDS = 15  # for an answer; Standard Webhooks: 15 to 30
_AT_ONCE = 3  # requests of this process to one webhook
_BUSY_SECONDS = 5, 30
_THROTTLED = (429, 502, 503, 504)
_SUCCESS = range(200, 300)
_GONE = 410
_private = False


class Event(NamedTuple):
    """A change of which webhooks are told; `body` is the JSON that they get."""

    id: ObjectId
    type: str
    body: str


class Outcome(NamedTuple):
    """An attempt, and the seconds that the receiver wants to be left alone."""

    attempt: Attempt
    retry_after: float = 0


def allow_private_addresses(allowed: bool) -> None:
    """Send to private addresses too, such as those of the machine itself."""
    global _private
    _private = allowed


def new_event(type: str, **ids: ObjectId) -> Event:
    """Return an event, which names what has changed: receivers read that by a call."""
    data = {name: str(each) for name, each in ids.items()}
    timestamp = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = orjson.dumps({"type": type, "timestamp": timestamp, "data": data}).decode()
    return Event(ObjectId(), type, body)


@transaction
async def queue(user_id: ObjectId, webhook_id: ObjectId, event: Event) -> Delivery:
    """Log a delivery, and let a worker make its first attempt."""
    delivery = await DeliveryDB.create(user_id, webhook_id, event.id, event.type, event.body)
    await deliver.later(delivery["id"], 0)
    return delivery


@job()
async def deliver(delivery_id: ObjectId, attempts: int) -> None:
    """Make an attempt at a delivery that had so many `attempts` before; queue the next if it fails.

    Nothing is done for a delivery that has had the attempt already.
    """
    delivery = await DeliveryDB.find_pending(delivery_id, attempts)
    if delivery is None:
        return
    webhook = await WebhookDB.find_enabled(delivery["webhook_id"])
    if webhook is None:
        ended = _attempt(error="The webhook was turned off or deleted.")
        await DeliveryDB.record(delivery, ended, "failed")
        return
    try:
        async with turn(("webhook", webhook["_id"]), _AT_ONCE):
            outcome = await _send(webhook, delivery)
    except Overloaded:  # a slow receiver must not keep workers from other jobs
        await deliver.later_in(random.uniform(*_BUSY_SECONDS), delivery_id, attempts)  # noqa: S311
    except webhook_secrets.UnknownKey:
        await _lose_secret(webhook, delivery)
    else:
        await _record(webhook, delivery, outcome)


async def _send(webhook: WebhookDocument, delivery: DeliveryDocument) -> Outcome:
    """Make one request, and return its outcome. Raise `UnknownKey`."""
    secret = webhook_secrets.decrypt(webhook["secret"], webhook["_id"])
    body, began, at = delivery["body"], time.perf_counter(), now()
    message_id = DeliveryDB.message_id(delivery["event_id"])
    signature = webhook_secrets.signature_headers(secret, message_id, body, at)
    headers = {"Content-Type": "application/json", "User-Agent": "indico", **signature}
    received, error = None, None
    try:
        if not (_private or webhook["url"].startswith("https:")):
            raise Unreachable("its URL does not begin with https://")
        received = await post(
            webhook["url"], body.encode(), headers, seconds=_SECONDS, private=_private
        )
    except Unreachable as raised:
        error = str(raised)
    took = time.perf_counter() - began
    return Outcome(_attempt(at, took, received, error), _retry_after(received))


@transaction
async def _record(webhook: WebhookDocument, delivery: DeliveryDocument, outcome: Outcome) -> None:
    """Log the attempt, with what follows: the next attempt, or the end of the webhook."""
    attempt, attempts = outcome.attempt, len(delivery["attempts"])
    if attempt["status"] in _SUCCESS:
        if await DeliveryDB.record(delivery, attempt, "delivered"):
            await WebhookDB.end_failing(webhook["_id"])
    elif (pause := _pause(delivery, outcome)) is None:
        if await DeliveryDB.record(delivery, attempt, "failed"):
            await _judge(webhook["_id"], delivery, attempt)
    elif await DeliveryDB.record(delivery, attempt, "pending", now() + timedelta(seconds=pause)):
        await deliver.later_in(pause, delivery["_id"], attempts + 1)
        await WebhookDB.begin_failing(webhook["_id"], attempt["at"])


async def _judge(webhook_id: ObjectId, delivery: DeliveryDocument, last: Attempt) -> None:
    """Turn a webhook off that is gone or fails for days, after the last attempt at a delivery."""
    if last["status"] == _GONE:
        await WebhookDB.turn_off(webhook_id, "It answered 410 Gone, so it wants no more events.")
    elif delivery["type"] != TEST:
        since = await WebhookDB.begin_failing(webhook_id, last["at"])
        if last["at"] - since >= FAILING:
            why = last["error"] or f"status {last['status']}"
            reason = f"No delivery has succeeded since {since:%Y-%m-%d %H:%M} UTC, the last: {why}."
            await WebhookDB.turn_off(webhook_id, reason)


@transaction
async def _lose_secret(webhook: WebhookDocument, delivery: DeliveryDocument) -> None:
    """Turn a webhook off that nobody can sign for, because the key has left `old_secret_keys`."""
    reason = "Its secret was lost with a key of the server: delete it, and create another one."
    if await DeliveryDB.record(delivery, _attempt(error=reason), "failed"):
        await WebhookDB.turn_off(webhook["_id"], reason)


def _pause(delivery: DeliveryDocument, outcome: Outcome) -> float | None:
    """Return the seconds to the next attempt, or None after the last one."""
    attempts, is_gone = len(delivery["attempts"]), outcome.attempt["status"] == _GONE
    if is_gone or delivery["type"] == TEST or attempts >= len(PAUSES):
        return None
    pause = PAUSES[attempts] * random.uniform(*_JITTER)  # noqa: S311
    return max(pause, outcome.retry_after)


def _retry_after(received: Received | None) -> float:
    """Return the seconds of `Retry-After`, a day at most; 0 without them."""
    value = received.headers.get("Retry-After", "") if received else ""
    throttled = received is not None and received.status in _THROTTLED
    return min(int(value), _LONGEST_PAUSE) if throttled and value.isdecimal() else 0


def _attempt(
    at: datetime | None = None,
    seconds: float = 0,
    received: Received | None = None,
    error: str | None = None,
) -> Attempt:
    return Attempt(
        at=at or now(),
        milliseconds=round(seconds * 1000),
        status=received.status if received else None,
        error=error,
        answer=received.beginning.decode(errors="replace") if received else "",
    )
