"""Sessions: every query on the collection `sessions`.

A document: `_id` (the SHA-256 of the token, which itself is stored nowhere), `user_id`,
`created_at`, `expires_at`. MongoDB removes expired ones within about a minute.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from indico.db import Collection, IndexModel, ObjectId, now

SESSIONS = Collection(
    "sessions",
    IndexModel("user_id"),
    IndexModel("expires_at", expireAfterSeconds=0),
)


@dataclass(frozen=True, slots=True)
class Session:
    """A token's right to act for a user, until `expires_at`."""

    id: bytes
    user_id: ObjectId
    expires_at: datetime


async def create(user_id: ObjectId, ttl_seconds: int) -> tuple[str, Session]:
    """A new token of 256 random bits, in 43 characters, and its session."""
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
    """The session of `token`, unless it is unknown, revoked or expired."""
    document = await SESSIONS.find_by_id(_digest(token))
    if document is None or document["expires_at"] <= now():
        return None
    return Session(document["_id"], document["user_id"], document["expires_at"])


async def revoke(session: Session) -> int:
    """How many sessions that ended: 1, or 0 if it was gone already."""
    return await SESSIONS.delete({"_id": session.id})


async def revoke_all(user_id: ObjectId) -> int:
    """How many sessions of the user that ended."""
    return await SESSIONS.delete({"user_id": user_id})


async def revoke_others(session: Session) -> int:
    """Ends all sessions of the user but this one; how many they were."""
    return await SESSIONS.delete({"user_id": session.user_id, "_id": {"$ne": session.id}})


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
