"""Accounts and their sessions: registering, logging in, changing the password, deleting.

A function can end between two steps, because a client disconnects or a server crashes. Other
calls run at the same time. No session outlives the password it was made with, because one
transaction changes both: see docs/decisions/order-of-steps.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

import indico.db.session_db as SessionDB
import indico.db.user_db as UserDB
from indico.db import transaction
from indico.db.owned import delete_owned
from indico.db.session_db import Session
from indico.error import AuthError, MissingField, PermissionDenied
from indico.service.fields import UserUpdate, normal_email
from indico.service.passwords import hash_password, needs_renewal, verify_password


class Login(TypedDict):
    """The only answer that contains a token."""

    user: UserDB.User
    token: str
    expires_at: datetime


async def register(email: str, name: str | None, password: str, ttl_seconds: int) -> Login:
    """Create an account, and log in. Raise `EmailTaken` if it is."""
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


async def update(session: Session, update_user: UserUpdate, password: str | None) -> UserDB.User:
    """Change the fields that were sent, and return the account.

    A change of the email needs the password, because a stolen token must not take over the account,
    and nobody may ask for many emails which of them are taken. Raise `MissingField` without it,
    `PermissionDenied` for a wrong one, and the errors of `UserDB.update`.
    """
    if "email" in update_user.model_fields_set:
        if password is None:
            raise MissingField("password")
        await _confirm(session, password)
    return await UserDB.update(session.user_id, update_user)


async def change_password(session: Session, current_password: str, new_password: str) -> int:
    """Change the password, end all other sessions, and return their number.

    Raise `PermissionDenied` for a wrong password.
    """
    credentials = await _confirm(session, current_password)
    password_hash = await hash_password(new_password)

    async def change(part: Any) -> int:
        if not await UserDB.change_password(session.user_id, credentials, password_hash, part):
            raise PermissionDenied("The password was changed by another request.")
        return await SessionDB.revoke_others(session.user_id, session, part)

    return await transaction(change)


async def delete(session: Session, password: str) -> None:
    """Delete the account and all documents that belong to it.

    Raise `PermissionDenied` for a wrong password.
    """
    await _confirm(session, password)
    await SessionDB.revoke_all(session.user_id)
    await delete_owned(session.user_id)

    async def end(part: Any) -> None:
        await UserDB.delete(session.user_id, part)
        # Again, because logins may have succeeded while the documents were deleted.
        await SessionDB.revoke_others(session.user_id, None, part)

    await transaction(end)
    # Once more, because requests in flight may have stored documents and sessions since then.
    await delete_owned(session.user_id)


async def _open_session(
    user: UserDB.User, credentials: UserDB.Credentials, ttl_seconds: int
) -> Login:
    """Open a session. Raise `AuthError` if the password has changed, or the account is deleted."""
    token, session = await SessionDB.create(user["id"], ttl_seconds)
    # The session is stored first. A change or deletion before this write shows here; a later one
    # revokes this session with the others.
    if not await UserDB.record_login(user["id"], credentials, session.id):
        await SessionDB.revoke(session)
        raise _wrong_login()
    return Login(user=user, token=token, expires_at=session.expires_at)


async def _confirm(session: Session, password: str) -> UserDB.Credentials:
    credentials = await UserDB.get_credentials(session.user_id)
    if credentials is None:
        raise AuthError
    if not await verify_password(credentials["password_hash"], password):
        raise PermissionDenied("The password is wrong.")
    return credentials


def _wrong_login() -> AuthError:
    return AuthError("The email or the password is wrong.")
