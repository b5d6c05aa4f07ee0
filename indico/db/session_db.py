"""Sessions: every query on the collection `sessions`.

MongoDB removes an expired session within about a minute.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from typing_extensions import TypedDict

from indico.db import Collection, IndexModel, ObjectId, now


class SessionDocument(TypedDict):
    """A stored session; `_id` is the SHA-256 of the token, and the token is stored nowhere."""

    _id: bytes
    user_id: ObjectId
    created_at: datetime
    expires_at: datetime


SESSIONS = Collection(
    "sessions",
    SessionDocument,
    IndexModel("user_id"),
    IndexModel("expires_at", expireAfterSeconds=0),
    owner="user_id",
)


@dataclass(frozen=True, slots=True)
class Session:
    """A token's right to act for a user, until `expires_at`."""

    id: bytes
    user_id: ObjectId
    expires_at: datetime


class Revoked(TypedDict):
    """The number of tokens that were revoked."""

    revoked: int


async def create(user_id: ObjectId, ttl_seconds: int) -> tuple[str, Session]:
    """Return a new token (256 random bits, 43 characters) and its stored session."""
    token = secrets.token_urlsafe(32)
    created_at = now()
    session = Session(_digest(token), user_id, created_at + timedelta(seconds=ttl_seconds))
    await SESSIONS.insert(
        {
            "_id": session.id,
            "user_id": user_id,
            "created_at": created_at,
            "expires_at": session.expires_at,
        }
    )
    return token, session


async def find(token: str) -> Session | None:
    """Return the session of `token`; None for an unknown, revoked or expired token."""
    document = await SESSIONS.find_by_id(_digest(token))
    if document is None or document["expires_at"] <= now():
        return None
    return Session(document["_id"], document["user_id"], document["expires_at"])


async def revoke(session: Session) -> int:
    """End one session, and return 1, or 0 if the session had ended before."""
    return await SESSIONS.delete({"_id": session.id})


async def revoke_all(user_id: ObjectId) -> int:
    """End all sessions of a user, and return their number."""
    return await SESSIONS.delete({"user_id": user_id})


async def revoke_others(kept: Session) -> int:
    """End all other sessions of the user of `kept`, and return their number."""
    return await SESSIONS.delete({"user_id": kept.user_id, "_id": {"$ne": kept.id}})


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
