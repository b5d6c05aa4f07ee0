"""Accounts and sessions, as small as the engine's tests allow."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from typing_extensions import TypedDict

from ...error import AuthError
from ...http.action import Action, record_of
from ...http.json_handler import JSONHandler
from ...http.session_cookie import cookie_of_action
from ...mongo.collection import Collection, IndexModel
from ...mongo.driver import Document, ObjectId


# In one process with the project's own tests: these names must not be the project's too.
class UserDocument(TypedDict):
    _id: ObjectId
    email: str
    password: bytes
    name: str | None


class SessionDocument(TypedDict):
    _id: bytes
    user_id: ObjectId


USERS = Collection("sample_users", UserDocument, IndexModel("email", unique=True))
SESSIONS = Collection("sample_sessions", SessionDocument, IndexModel("user_id"))


async def register(email: str, password: str) -> Document:
    user_id = ObjectId()
    await USERS.insert(
        {"_id": user_id, "email": email, "password": _digest(password), "name": None}
    )
    return await _log_in(user_id, email)


async def login(email: str, password: str) -> Document:
    user = await USERS.find_one({"email": email})
    if user is None or user["password"] != _digest(password):
        raise AuthError("The email or the password is wrong.")
    return await _log_in(user["_id"], email)


async def get(user_id: ObjectId) -> Document:
    user = await USERS.find_by_id(user_id)
    if user is None:
        raise AuthError
    return _shown(user)


async def update(user_id: ObjectId, name: str) -> Document:
    user = await USERS.update_by_id(user_id, {"name": name})
    if user is None:
        raise AuthError
    return _shown(user)


async def delete(user_id: ObjectId) -> None:
    await SESSIONS.delete({"user_id": user_id})
    await USERS.delete_by_id(user_id)


async def logout(token: str) -> int:
    return await SESSIONS.delete({"_id": _digest(token)})


@dataclass(frozen=True)
class Session:
    id: bytes
    token: str
    user_id: ObjectId


def auth(action: Action) -> Action:
    """Call the action only with a valid token; `self.session` then says whose token it is."""
    record_of(action).look_up = find_session
    return action


async def find_session(handler: JSONHandler) -> Session | None:
    sent = handler.request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = sent or cookie_of_action(handler)
    session = await SESSIONS.find_by_id(_digest(token)) if token else None
    return Session(session["_id"], token, session["user_id"]) if token and session else None


async def _log_in(user_id: ObjectId, email: str) -> Document:
    token = secrets.token_urlsafe(32)
    await SESSIONS.insert({"_id": _digest(token), "user_id": user_id})
    return {"user": {"id": user_id, "email": email, "name": None}, "token": token}


def _shown(user: UserDocument) -> Document:
    return {"id": user["_id"], "email": user["email"], "name": user["name"]}


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
