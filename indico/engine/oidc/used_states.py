"""The logins that were finished, so that none is finished twice."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from ..error import Conflict
from ..mongo.clock import now
from ..mongo.collection import Collection, IndexModel
from .error import LoginFailed
from .flow import SECONDS


class UsedState(TypedDict):
    """The `state` of a finished login. MongoDB removes it after the flow has expired."""

    _id: str
    used_at: datetime


USED = Collection("oidc_states", UsedState, IndexModel("used_at", expireAfterSeconds=2 * SECONDS))


async def use_once(state: str) -> None:
    """Record that a login is finished. Raises `LoginFailed` the second time."""
    try:
        await USED.insert({"_id": state, "used_at": now()})
    except Conflict:
        raise LoginFailed("used") from None
