"""Accounts and their sessions: registering, logging in, changing the password, leaving.

Each function may be cut off between two steps (a client that goes away, a crash), and others
run at the same time; the order of the steps is such that no session outlives the password it
was made with: see docs/decisions/order-of-steps.md.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TypedDict

import indico.db.address_db as AddressDB
import indico.db.session_db as SessionDB
import indico.db.user_db as UserDB
from indico.db.session_db import Session
from indico.error import AuthError, PermissionDenied
from indico.service.fields import normal_email
from indico.service.passwords import hash_password, needs_renewal, verify_password

_unfinished: set[asyncio.Future[int]] = set()


class Login(TypedDict):
    """The one answer that hands out a token."""

    user: UserDB.User
    token: str
    expires_at: datetime


async def register(email: str, name: str | None, password: str, ttl_seconds: int) -> Login:
    """Raises `Conflict` if the email is taken."""
    user, credentials = await UserDB.create(email, name, await hash_password(password))
    return await _open_session(user, credentials, ttl_seconds)


async def login(email: str, password: str, ttl_seconds: int) -> Login:
    """Raises the same `AuthError`, after the same time, for a wrong email or password."""
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
    """How many other sessions that ended. Raises `PermissionDenied` for a wrong password."""
    credentials = await _confirm(session, current_password)
    password_hash = await hash_password(new_password)
    change = asyncio.ensure_future(_store_password(session, credentials, password_hash))
    _unfinished.add(change)  # the loop itself keeps no task alive
    change.add_done_callback(_unfinished.discard)
    return await asyncio.shield(change)


async def delete(session: Session, password: str) -> None:
    """Raises `PermissionDenied` for a wrong password."""
    await _confirm(session, password)
    await UserDB.invalidate_logins(session.user_id)
    await SessionDB.revoke_all(session.user_id)
    await AddressDB.delete_book(session.user_id)
    await UserDB.delete(session.user_id)
    # Once more, for addresses that were on their way since then.
    await AddressDB.delete_book(session.user_id)


async def _open_session(
    user: UserDB.User, credentials: UserDB.Credentials, ttl_seconds: int
) -> Login:
    """Raises `AuthError` if the password has changed, or the account is gone, meanwhile."""
    token, session = await SessionDB.create(user["id"], ttl_seconds)
    # Looked at after the session is there: a change of the password, or the end of the account,
    # either shows here or comes later, and then it revokes this session with the others.
    current = await UserDB.get_credentials(user["id"])
    if current is None or current["password_changed_at"] != credentials["password_changed_at"]:
        await SessionDB.revoke(session)
        raise _wrong_login()
    return Login(user=user, token=token, expires_at=session.expires_at)


async def _store_password(session: Session, old: UserDB.Credentials, password_hash: str) -> int:
    revoked = await SessionDB.revoke_others(session)
    if not await UserDB.change_password(session.user_id, old, password_hash):
        raise PermissionDenied("The password was changed by another request.")
    # Once more, for logins with the old password since then.
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
