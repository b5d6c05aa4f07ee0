"""The delay of operations before they are sent to MongoDB, because too many are on their way."""

from __future__ import annotations

from . import waiting
from .driver import mongodb


def delay(now: float) -> float:
    """Return the seconds that the oldest operation has waited at `now`, of the loop's clock."""
    delays: list[float] = [batched.delay(now) for batched in mongodb.opened.values()]
    if mongodb.lanes:
        delays.append(mongodb.lanes.delay(now))
    return max(waiting.delay(now), *delays, 0.0)
