"""The stage of MongoDB's pipeline that takes a token of a bucket, and the level of a bucket."""

from __future__ import annotations

import functools
from typing import Any

from pymongo.errors import OperationFailure

from ..mongo.documents import encode
from ..mongo.operation import to_api_error
from .bucket import TOLERANCE
from .rate import Rate

__all__ = ["REFUSED", "SPENT", "moving", "was_made"]

_NOW: Any = {"$toDouble": "$$NOW"}
# MongoDB tells of each statement whether it failed, and nothing else. So a refusal is an error:
# a text that is no number. `_id` keeps MongoDB from evaluating the expression in advance.
_REFUSE: Any = {"$toDouble": {"$concat": ["no token: ", "$_id"]}}
REFUSED = 241  # the code of that error

# The time until a bucket is full.
SPENT: Any = {"spent_ms": {"$subtract": ["$full_at_ms", _NOW]}}


@functools.lru_cache(1000)
def moving(rate: Rate, tokens: int) -> bytes:
    """Return the stage, in BSON, that takes `tokens`, or fails; a negative number gives back.

    A bucket that would not be full within two windows counts as full. So a clock that was set back
    shuts no bucket for longer than that.
    """
    at_most: Any = {"$add": ["$$now", 2 * rate.window_ms]}
    known: Any = {"$cond": [{"$gt": ["$full_at_ms", at_most]}, 0, "$full_at_ms"]}
    bound = {"$add": ["$$now", rate.window_ms + rate.interval_ms * TOLERANCE]}
    changed = {
        "_id": "$_id",
        "full_at_ms": {"$cond": [{"$lte": ["$$full_at", bound]}, "$$full_at", _REFUSE]},
        "expires_at": {"$toDate": {"$ceil": "$$full_at"}},
    }
    moved: Any = {"$add": [{"$max": ["$$now", known]}, rate.interval_ms * tokens]}
    inner: Any = {"$let": {"vars": {"full_at": moved}, "in": changed}}
    return encode({"$replaceWith": {"$let": {"vars": {"now": _NOW}, "in": inner}}})


def was_made(error: Exception | None) -> bool:
    """Return whether a statement with this error has taken its token. Raises any other error."""
    if error is None:
        return True
    if isinstance(error, OperationFailure) and error.code == REFUSED:
        return False
    raise to_api_error(error)
