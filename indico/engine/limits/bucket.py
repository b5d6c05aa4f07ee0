"""`Bucket` and `Level`: what a limit counts, what is left, and how a client is told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from ..error import RateLimited
from .rate import Rate

__all__ = ["Bucket", "Level", "headers_of", "refusal"]

# A share of a token that may lack because of rounding.
TOLERANCE = 0.001


class Bucket:
    """The tokens of one user, address or other `value`; a call takes a token.

    `scope` is what is limited, like `Note.add`, and `per` what `value` is, like `user`. `policy` is
    the name of the limit, for clients, and `key` the id in MongoDB. With another rate it is another
    bucket.
    """

    __slots__ = ("key", "policy", "rate")

    def __init__(self, scope: str, per: str, value: str, rate: Rate) -> None:
        self.rate = rate
        self.policy = f"{scope} by {per} {rate.text}"
        self.key = f"{self.policy} {value}"


class Level(NamedTuple):
    """The number of tokens that are left, and the time until there is one more.

    `granted` says whether a call has got the token that it asked for.
    """

    bucket: Bucket
    granted: bool
    remaining: int
    wait_ms: float

    @classmethod
    def of(cls, bucket: Bucket, spent_ms: float, granted: bool) -> Self:
        """Return the level of a bucket that needs `spent_ms` until it is full."""
        rate = bucket.rate
        left = (rate.window_ms - max(spent_ms, 0)) / rate.interval_ms + TOLERANCE
        # A token that came since a refusal is for the next call.
        tokens = max(math.floor(left), 0) if granted else 0
        return cls(bucket, granted, tokens, max(tokens + 1 - left, 0) * rate.interval_ms)

    @property
    def seconds(self) -> int:
        """The time until there is one more token, in whole seconds."""
        return max(math.ceil(self.wait_ms / 1000), 1)


def headers_of(levels: Sequence[Level], shown: Iterable[Level]) -> dict[str, str]:
    """Return the header fields of draft-ietf-httpapi-ratelimit-headers-11.

    `shown` are the levels of which clients learn what is left.
    """
    policies = (
        f'"{bucket.policy}";q={bucket.rate.count};w={bucket.rate.seconds}' for bucket, *_ in levels
    )
    left = (f'"{each.bucket.policy}";r={each.remaining};t={each.seconds}' for each in shown)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


def refusal(levels: Sequence[Level]) -> RateLimited:
    """Return the error for a call that lacks a token of some of these buckets.

    `Retry-After` may not be earlier than any `t` of the same answer, by section 6 of the draft. So
    `RateLimit` has only the buckets that lack a token.
    """
    refused = [level for level in levels if not level.granted]
    longest = max(refused, key=lambda level: level.wait_ms)
    error = RateLimited(
        f"The limit {longest.bucket.policy!r} is reached: try again in {longest.seconds} s.",
        retry_after=longest.seconds,
    )
    error.headers |= headers_of(levels, refused)
    return error
