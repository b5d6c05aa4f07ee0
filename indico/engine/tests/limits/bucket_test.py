"""`BucketTest`: a test of token buckets, in which time passes when the test says so."""

from __future__ import annotations

from typing import ClassVar

from ...error import RateLimited
from ...limits.bucket import Bucket, Level
from ...limits.buckets import RATE_LIMITS, take
from ...limits.rate import Rate
from ...mongo.driver import mongodb
from ..environment import DRIVER, LANE
from ..server_test import ServerTest

# A token comes every six minutes, and no test takes as long.
SLOW = Rate(10, 3600)
INTERVAL = 360


async def pass_time(seconds: float) -> None:
    """Make all buckets fuller by what `seconds` give, and forget which ones are empty."""
    move = {"$inc": {"full_at_ms": -seconds * 1000}}
    await mongodb[RATE_LIMITS.name].update_many({}, move)
    forget()


def forget() -> None:
    """Forget which buckets are known to be empty, as another process would not know of them."""
    mongodb.opened.clear()


def bucket(value: str = "ada", rate: Rate = SLOW) -> Bucket:
    return Bucket("Test.take", "user", value, rate)


async def granted(*buckets: Bucket) -> list[Level] | None:
    """Return the levels after a token was taken; None if it was refused."""
    try:
        return await take(*buckets)
    except RateLimited:
        return None


class BucketTest(ServerTest):
    varies_with: ClassVar[tuple[str, ...]] = (DRIVER, LANE)
