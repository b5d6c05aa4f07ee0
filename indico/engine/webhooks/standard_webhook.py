"""Events sent as Standard Webhooks says: secrets, signatures, one attempt, and the next one.

https://www.standardwebhooks.com has the specification.
"""

from __future__ import annotations

import base64
import os
import random
import time
from datetime import datetime
from typing import NamedTuple

from standardwebhooks.webhooks import Webhook as Signer
from typing_extensions import TypedDict

from ..http.outgoing_post import Received, Unreachable, post
from ..mongo.clock import now

__all__ = ["PAUSES", "Attempt", "Outcome", "new_secret", "refused", "send", "signature_headers"]

# Seconds from a failed attempt to the next one: 31 hours in all.
PAUSES = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600)
# So that the last attempt comes before the delivery is deleted, whatever a receiver asks for.
_LONGEST_PAUSE = PAUSES[-1]
_JITTER = 1.0, 1.2
_SECRET_BYTES = 32  # the specification: 24 to 64
_SECONDS = 15  # for an answer; the specification: 15 to 30
_SUCCESS = range(200, 300)
_GONE = 410
_THROTTLED = (429, 502, 503, 504)


class Attempt(TypedDict):
    """One request, and the first bytes of its answer; `error` says why there was none."""

    at: datetime
    milliseconds: int
    status: int | None
    error: str | None
    answer: str


class Outcome(NamedTuple):
    """An attempt; `retry_after` are the seconds that the receiver wants to be left alone."""

    attempt: Attempt
    retry_after: float = 0

    @property
    def succeeded(self) -> bool:
        return self.attempt["status"] in _SUCCESS

    @property
    def is_gone(self) -> bool:
        """True if the receiver wants no event any more."""
        return self.attempt["status"] == _GONE

    def pause(self, attempts: int) -> float | None:
        """Return the seconds to the next attempt, or None if this was the last of `attempts`."""
        if self.is_gone or attempts > len(PAUSES):
            return None
        pause = PAUSES[attempts - 1] * random.uniform(*_JITTER)  # noqa: S311
        return max(pause, self.retry_after)


def new_secret() -> str:
    return f"whsec_{base64.b64encode(os.urandom(_SECRET_BYTES)).decode()}"


def signature_headers(secret: str, message_id: str, body: str, time: datetime) -> dict[str, str]:
    """Return the headers by which a receiver knows that the body is of this server, and new."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(time.timestamp())),
        "webhook-signature": Signer(secret).sign(message_id, time, body),
    }


async def send(url: str, secret: str, message_id: str, body: str, private: bool) -> Outcome:
    """Make an attempt, to a public address by https unless `private` allows all."""
    began, at = time.perf_counter(), now()
    signature = signature_headers(secret, message_id, body, at)
    headers = {"Content-Type": "application/json", "User-Agent": "Standard-Webhooks", **signature}
    received, error = None, None
    try:
        if not (private or url.startswith("https:")):
            raise Unreachable("its URL does not begin with https://")
        received = await post(url, body.encode(), headers, seconds=_SECONDS, private=private)
    except Unreachable as raised:
        error = str(raised)
    attempt = Attempt(
        at=at,
        milliseconds=round((time.perf_counter() - began) * 1000),
        status=received.status if received else None,
        error=error,
        answer=received.beginning.decode(errors="replace") if received else "",
    )
    return Outcome(attempt, _retry_after(received) if received else 0)


def refused(why: str) -> Outcome:
    """Return the outcome of an attempt for which no request was made."""
    return Outcome(Attempt(at=now(), milliseconds=0, status=None, error=why, answer=""))


def _retry_after(received: Received) -> float:
    """Return the seconds of `Retry-After`, `_LONGEST_PAUSE` at most; 0 without them."""
    value = received.headers.get("Retry-After", "")
    counts = received.status in _THROTTLED and value.isdecimal()
    return min(float(value), _LONGEST_PAUSE) if counts else 0
