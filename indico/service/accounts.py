"""Accounts and their sessions: registering, logging in, changing the password, deleting.

A function can end between two steps, because a client disconnects or a server crashes. Other
calls run at the same time. The order of the steps ensures that no session outlives the password
it was made with: see docs/decisions/order-of-steps.md.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TypedDict

import indico.db.session_db as SessionDB
import indico.db.user_db as UserDB
from indico.db.owned import delete_owned
from indico.db.session_db import Session
from indico.error import AuthError, PermissionDenied
from indico.service.fields import normal_email
from indico.service.passwords import hash_password, needs_renewal, verify_password

_unfinished: set[asyncio.Future[int]] = set()


class Login(TypedDict):
    """The only answer that contains a token."""

    user: UserDB.User
    token: str
    expires_at: datetime


async def register(email: str, name: str | None, password: str, ttl_seconds: int) -> Login:
    """Create an account, and log in. Raise `Conflict` if the email is taken."""
    user, credentials = await UserDB.create(email, name, await hash_password(password))
    return await _open_session(user, credentials, ttl_seconds)


async def login(email: str, password: str, ttl_seconds: int) -> Login:
    """Open a session. Raise `AuthError` for a wrong email or password.

    Both take the same time, so that an attacker can't find out which emails have accounts.
    """
    known = normal_email(email)
    user, credentials = (known and await UserDB.find_login(known)) or (None, None)
    valid = await verify_password(credentials and credentials["password_hash"], password)
    if user is None or credentials is None or not valid:
        raise _wrong_login()
    opened = await _open_session(user, credentials, ttl_seconds)
    if needs_renewal(credentials["password_hash"]):
        await UserDB.renew_hash(user["id"], credentials, await hash_password(password))
    return opened


async def change_password(session: Session, current_password: str, new_password: str) -> int:
    """Change the password, end all other sessions, and return their number.

    Raise `PermissionDenied` for a wrong password.
    """
    credentials = await _confirm(session, current_password)
    password_hash = await hash_password(new_password)
    change = asyncio.ensure_future(_store_password(session, credentials, password_hash))
    _unfinished.add(change)  # the loop holds a task by a weak reference only
    change.add_done_callback(_unfinished.discard)
    return await asyncio.shield(change)


async def delete(session: Session, password: str) -> None:
    """Delete the account and all documents that belong to it.

    Raise `PermissionDenied` for a wrong password.
    """
    await _confirm(session, password)
    await UserDB.invalidate_logins(session.user_id)
    await SessionDB.revoke_all(session.user_id)
    await delete_owned(session.user_id)
    await UserDB.delete(session.user_id)
    # Once more, because requests in flight may have stored documents and sessions since then.
    await delete_owned(session.user_id)


async def _open_session(
    user: UserDB.User, credentials: UserDB.Credentials, ttl_seconds: int
) -> Login:
    """Open a session. Raise `AuthError` if the password has changed, or the account is deleted."""
    token, session = await SessionDB.create(user["id"], ttl_seconds)
    # The session is stored first. A change or deletion before this read shows here; a later one
    # revokes this session with the others.
    current = await UserDB.get_credentials(user["id"])
    if current is None or current["password_changed_at"] != credentials["password_changed_at"]:
        await SessionDB.revoke(session)
        raise _wrong_login()
    return Login(user=user, token=token, expires_at=session.expires_at)


async def _store_password(session: Session, old: UserDB.Credentials, password_hash: str) -> int:
    revoked = await SessionDB.revoke_others(session)
    if not await UserDB.change_password(session.user_id, old, password_hash):
        raise PermissionDenied("The password was changed by another request.")
    # Once more, because logins with the old password may have succeeded since then.
    return revoked + await SessionDB.revoke_others(session)


async def _confirm(session: Session, password: str) -> UserDB.Credentials:
    credentials = await UserDB.get_credentials(session.user_id)
    if credentials is None:
        raise AuthError
    if not await verify_password(credentials["password_hash"], password):
        raise PermissionDenied("The password is wrong.")
    return credentials


def _wrong_login() -> AuthError:
    return AuthError("The email or the password is wrong.")
