"""Logins by other services that accounts have: every query on the collection `identities`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from typing_extensions import TypedDict

from indico.db import Collection, IndexModel, ObjectId, now


class IdentityDocument(TypedDict):
    """A person at another service, and their account here. `email` is as the service told it."""

    _id: ObjectId
    user_id: ObjectId
    issuer: str
    subject: str
    email: str | None
    created_at: datetime


IDENTITIES = Collection(
    "identities",
    IdentityDocument,
    IndexModel([("issuer", 1), ("subject", 1)], unique=True),
    IndexModel("user_id"),
    owner="user_id",
    live=lambda document: _linked(document),
)


class LinkedIdentity(TypedDict):
    """A login by another service, as the owner of the account sees it."""

    id: ObjectId
    issuer: str
    email: str | None
    created_at: datetime


async def create(user_id: ObjectId, issuer: str, subject: str, email: str | None) -> None:
    """Store an identity. Raise `Conflict` if an account has it."""
    document: IdentityDocument = {
        "_id": ObjectId(),
        "user_id": user_id,
        "issuer": issuer,
        "subject": subject,
        "email": email,
        "created_at": now(),
    }
    await IDENTITIES.insert(document)


async def find_owner(issuer: str, subject: str) -> ObjectId | None:
    """Return the id of the account with this identity."""
    document = await IDENTITIES.find_one({"issuer": issuer, "subject": subject})
    return document and document["user_id"]


async def find_all(user_id: ObjectId) -> list[LinkedIdentity]:
    """Return the identities of an account, the oldest first."""
    found = await IDENTITIES.find({"user_id": user_id}, sort=[("_id", 1)])
    return [_linked(document) for document in found]


async def has_any(user_id: ObjectId, issuers: Iterable[str]) -> bool:
    """Return whether an account has an identity of one of the issuers."""
    return await IDENTITIES.exists({"user_id": user_id, "issuer": {"$in": list(issuers)}})


async def delete(user_id: ObjectId, identity_id: ObjectId) -> bool:
    """Return whether the account had this identity."""
    return await IDENTITIES.delete({"_id": identity_id, "user_id": user_id}) == 1


def _linked(document: IdentityDocument) -> LinkedIdentity:
    return LinkedIdentity(
        id=document["_id"],
        issuer=document["issuer"],
        email=document["email"],
        created_at=document["created_at"],
    )
