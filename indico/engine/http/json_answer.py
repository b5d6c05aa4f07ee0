"""Answers as JSON: also of values that JSON has no type for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import orjson
from bson.tz_util import utc
from pydantic import BaseModel

from ..mongo.driver import ObjectId

__all__ = ["dumps"]

_IN_UTC = (None, UTC, utc)  # times from MongoDB have the last one


def dumps(value: Any) -> bytes:
    """Return JSON; ObjectIds, times, days, Decimals and pydantic models are allowed in `value`."""
    return orjson.dumps(value, default=_encodable, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _encodable(value: Any) -> Any:
    if isinstance(value, ObjectId | Decimal):  # a JSON number would lose digits of a Decimal
        return str(value)
    if isinstance(value, datetime):
        return _rfc3339(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _rfc3339(moment: datetime) -> str:
    """Return a time as MongoDB keeps it: in UTC, cut to milliseconds. A naive time is in UTC."""
    if moment.tzinfo not in _IN_UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.replace(tzinfo=None).isoformat('T', 'milliseconds')}Z"
