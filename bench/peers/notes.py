"""Sessions and notes in MongoDB: the same queries for every peer, one operation a call."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Self

from bson import ObjectId
from pymongo import AsyncMongoClient, ReturnDocument

from bench.peers.options import OPTIONS


class Notes:
    """The queries; `client` is Motor's or PyMongo's own."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._notes = client[OPTIONS.mongodb_database].notes
        self._sessions = client[OPTIONS.mongodb_database].sessions

    @classmethod
    def connect(cls) -> Self:
        """Open PyMongo's own client, inside the running event loop."""
        return cls(AsyncMongoClient(OPTIONS.mongodb_uri, tz_aware=True))

    async def close(self) -> None:
        await self._client.close()

    async def user_id(self, authorization: str | None) -> ObjectId | None:
        """Return the user of the token in the header `Authorization`; None without a valid one."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        digest = hashlib.sha256(token.encode()).digest()
        session = await self._sessions.find_one({"_id": digest})
        if session is None or session["expires_at"] <= datetime.now(UTC):
            return None
        return session["user_id"]

    async def get(self, note_id: str) -> dict[str, Any] | None:
        document = await self._notes.find_one({"_id": ObjectId(note_id)})
        return document and _note(document)

    async def create(self, user_id: ObjectId, title: str, text: str) -> dict[str, Any]:
        time = datetime.now(UTC)
        time = time.replace(microsecond=time.microsecond // 1000 * 1000)
        document = {"user_id": user_id, "title": title, "text": text, "created_at": time}
        await self._notes.insert_one(document)  # adds the _id
        return _note(document)

    async def update(self, note_id: str, title: str) -> dict[str, Any] | None:
        document = await self._notes.find_one_and_update(
            {"_id": ObjectId(note_id)},
            {"$set": {"title": title}},
            return_document=ReturnDocument.AFTER,
        )
        return document and _note(document)


def _note(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(document["_id"]),
        "title": document["title"],
        "text": document["text"],
        "created_at": document["created_at"],
    }
