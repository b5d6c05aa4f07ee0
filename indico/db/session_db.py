"""Sessions: every query on the collection `sessions`.

MongoDB removes an expired session within about a minute.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NotRequired

from typing_extensions import TypedDict

from indico.db import Collection, IndexModel, ObjectId, now, start_task
from indico.error import DeadlineExceeded, Unavailable


class SessionDocument(TypedDict):
    """A stored session; `_id` is the SHA-256 of the token, and the token is stored nowhere.

    `address` is the client's that logged in, and `last_used_at` up to `USED_ANEW` behind. Sessions
    of version 1.0 have neither.
    """

    _id: bytes
    user_id: ObjectId
    created_at: datetime
    expires_at: datetime
    address: NotRequired[str | None]
    last_used_at: NotRequired[datetime]


SESSIONS = Collection(
    "sessions",
    SessionDocument,
    IndexModel("user_id"),
    IndexModel("expires_at", expireAfterSeconds=0),
    owner="user_id",
)


# A write in each call would cost too much.
USED_ANEW = timedelta(minutes=10)
MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class Session:
    """A token's right to act for a user, from a login at `created_at` until `expires_at`."""

    id: bytes
    user_id: ObjectId
    created_at: datetime
    expires_at: datetime


class Use(TypedDict):
    """A session as its user sees it: since when, from where, and when it was used last."""

    id: bytes
    created_at: datetime
    address: str | None
    last_used_at: datetime


class Revoked(TypedDict):
    """The number of tokens that were revoked."""

    revoked: int


async def create(
    user_id: ObjectId, ttl_seconds: int, address: str | None = None
) -> tuple[str, Session]:
    """Return a new token (256 random bits, 43 characters) and its stored session."""
    token = secrets.token_urlsafe(32)
    created_at = now()
    expires_at = created_at + timedelta(seconds=ttl_seconds)
    session = Session(_digest(token), user_id, created_at, expires_at)
    await SESSIONS.insert(
        {
            "_id": session.id,
            "user_id": user_id,
            "created_at": created_at,
            "expires_at": session.expires_at,
            "address": address,
            "last_used_at": created_at,
        }
    )
    return token, session


async def find(token: str) -> Session | None:
    """Return the session of `token`; None for an unknown, revoked or expired token."""
    document = await SESSIONS.find_by_id(_digest(token))
    time = now()
    if document is None or document["expires_at"] <= time:
        return None
    if time - _last_used_at(document) > USED_ANEW:
        start_task(_record_use(document["_id"], time))
    owner, times = document["user_id"], (document["created_at"], document["expires_at"])
    return Session(document["_id"], owner, *times)


async def find_uses(user_id: ObjectId) -> list[Use]:
    """Return the sessions of a user that are valid, the newest first, `MAX_LISTED` at most."""
    query = {"user_id": user_id, "expires_at": {"$gt": now()}}
    found = await SESSIONS.find(query, sort=[("created_at", -1)], limit=MAX_LISTED)
    return [_use(document) for document in found]


async def revoke_one(user_id: ObjectId, session_id: bytes) -> int:
    """End a session if it is the user's; return the number of sessions that ended, 0 or 1."""
    return await SESSIONS.delete({"_id": session_id, "user_id": user_id})


async def revoke(session: Session) -> int:
    """End one session, and return 1, or 0 if the session had ended before."""
    return await SESSIONS.delete({"_id": session.id})


async def revoke_all(user_id: ObjectId) -> int:
    """End all sessions of a user, and return their number."""
    return await SESSIONS.delete({"user_id": user_id})


async def revoke_others(kept: Session) -> int:
    """End all other sessions of the user of `kept`, and return their number."""
    return await SESSIONS.delete({"user_id": kept.user_id, "_id": {"$ne": kept.id}})


async def _record_use(session_id: bytes, time: datetime) -> None:
    """Store the time of a session's last use. A later call tries again if MongoDB can't."""
    query = {"_id": session_id, "last_used_at": {"$not": {"$gt": time - USED_ANEW}}}
    with suppress(DeadlineExceeded, Unavailable):
        await SESSIONS.update_one(query, {"last_used_at": time})


def _use(document: SessionDocument) -> Use:
    return Use(
        id=document["_id"],
        created_at=document["created_at"],
        address=document.get("address"),
        last_used_at=_last_used_at(document),
    )


def _last_used_at(document: SessionDocument) -> datetime:
    time: datetime = document.get("last_used_at") or document["created_at"]
    return time


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
