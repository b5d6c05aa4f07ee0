"""Accounts: every query on the collection `users`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from indico.db import Collection, Document, IndexModel, ObjectId, folded, now
from indico.error import AuthError, Conflict, EmailTaken


class UserDocument(TypedDict):
    """A stored account, with `email` as the user typed it.

    `email_key` is the same in all letter cases, and unique. `last_session_id` is of the last login.
    `networks` are those that the latest logins came from, the last one first. An account without a
    `password_hash` logs in by other services only.
    """

    _id: ObjectId
    email: str
    email_key: str
    name: str | None
    password_hash: str | None
    password_changed_at: datetime
    last_session_id: NotRequired[bytes]
    networks: NotRequired[list[str]]
    created_at: datetime
    updated_at: datetime


USERS = Collection(
    "users",
    UserDocument,
    IndexModel("email_key", unique=True),
    owner="_id",
    live=lambda document: _user(document),
)


class User(TypedDict):
    """An account as its owner sees it."""

    id: ObjectId
    email: Annotated[str, Field(examples=["ada@example.com"])]
    name: Annotated[str | None, Field(examples=["Ada Lovelace"])]
    created_at: datetime
    updated_at: datetime


class Credentials(TypedDict):
    """Data that a password is checked with, if there is one, never part of an answer.

    `account` is the `email_key`, and `networks` are those of the latest logins.
    """

    account: str
    password_hash: str | None
    password_changed_at: datetime
    networks: list[str]


Account = tuple[User, Credentials]


async def create(email: str, name: str | None, password_hash: str | None) -> Account:
    """Store a new account. Raise `EmailTaken` if the email is taken, in any letter case."""
    time = now()
    document: UserDocument = {
        "_id": ObjectId(),
        "email": email,
        "email_key": folded(email),
        "name": name,
        "password_hash": password_hash,
        "password_changed_at": time,
        "created_at": time,
        "updated_at": time,
    }
    try:
        await USERS.insert(document)
    except Conflict as error:
        raise EmailTaken from error
    return _account(document)


async def get(user_id: ObjectId) -> User:
    """Return an account. Raise `AuthError` if the account has been deleted."""
    return _user(_existing(await USERS.find_by_id(user_id)))


async def get_with_credentials(user_id: ObjectId) -> Account:
    """Return an account and its credentials, from one query. Raise `AuthError` as `get` does."""
    return _account(_existing(await USERS.find_by_id(user_id)))


async def find(user_id: ObjectId) -> Account | None:
    """Return an account, or None if it has been deleted."""
    document = await USERS.find_by_id(user_id)
    return _account(document) if document else None


async def find_login(email: str) -> Account | None:
    """Return the account with this email, in any letter case."""
    document = await USERS.find_one({"email_key": folded(email)})
    return _account(document) if document else None


async def update(user_id: ObjectId, update_user: BaseModel) -> User:
    """Set the fields that the client sent, and return the changed account.

    Raise `EmailTaken` if the email is taken, and `AuthError` if the account has been deleted.
    """
    changes: Any = {**update_user.model_dump(exclude_unset=True), "updated_at": now()}
    if "email" in changes:
        changes["email_key"] = folded(changes["email"])
    try:
        document = await USERS.update_by_id(user_id, changes)
    except Conflict as error:
        raise EmailTaken from error
    return _user(_existing(document))


async def record_login(
    user_id: ObjectId, old: Credentials, session_id: bytes, networks: list[str]
) -> bool:
    """Store the id of a new session, and the networks of the latest logins.

    Return False if the password has changed since `old` was read, or the account was deleted. Of
    two transactions that write the same account, MongoDB runs one again after the other. So no
    session escapes a change of password or a deletion.
    """
    changed = await USERS.update_one(
        _as_read(user_id, old), {"last_session_id": session_id, "networks": networks}
    )
    return changed is not None


async def change_password(user_id: ObjectId, old: Credentials, password_hash: str) -> bool:
    """Store a new hash, and return False as `record_login` does."""
    time = now()
    changed = await USERS.update_one(
        _as_read(user_id, old),
        {"password_hash": password_hash, "password_changed_at": time, "updated_at": time},
    )
    return changed is not None


async def renew_hash(user_id: ObjectId, old: Credentials, password_hash: str) -> None:
    """Store a new hash of the same password, unless the password has changed since `old`."""
    query = {"_id": user_id, "password_hash": old["password_hash"]}
    await USERS.update_one(query, {"password_hash": password_hash})


async def record_unlink(user_id: ObjectId) -> Credentials:
    """Return the credentials, and change the account, so that of two unlinks one is run again."""
    return _credentials(_existing(await USERS.update_by_id(user_id, {"updated_at": now()})))


async def delete(user_id: ObjectId) -> None:
    await USERS.delete_by_id(user_id)


def _as_read(user_id: ObjectId, old: Credentials) -> Document:
    """Return a query for the account, unless its password has changed since `old` was read."""
    return {"_id": user_id, "password_changed_at": old["password_changed_at"]}


def _existing(document: UserDocument | None) -> UserDocument:
    """Return the document. Raise `AuthError` without one, because its token is then worthless."""
    if document is None:
        raise AuthError
    return document


def _account(document: UserDocument) -> Account:
    return _user(document), _credentials(document)


def _user(document: UserDocument) -> User:
    return User(
        id=document["_id"],
        email=document["email"],
        name=document["name"],
        created_at=document["created_at"],
        updated_at=document["updated_at"],
    )


def _credentials(document: UserDocument) -> Credentials:
    return Credentials(
        account=document["email_key"],
        password_hash=document["password_hash"],
        password_changed_at=document["password_changed_at"],
        networks=document.get("networks", []),
    )
