"""Accounts and their sessions: registering, logging in, changing the password, deleting.

Each change of accounts and sessions is one transaction. So no session outlives the password it was
made with, whatever ends early or runs at the same time: see docs/decisions/transactions.md.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from typing_extensions import TypedDict

import indico.db.session_db as SessionDB
import indico.db.user_db as UserDB
from indico.db import ObjectId, folded, in_transaction, now, transaction
from indico.db.owned import delete_owned
from indico.db.session_db import Session
from indico.error import AuthError, LoginTooOld, MissingField, PermissionDenied
from indico.service.fields import UserUpdate, normal_email
from indico.service.login_limits import UNLIMITED, Caller
from indico.service.passwords import hash_password, needs_renewal
from indico.service.webhooks import announce, announced

# How long a login confirms a change of an account without a password.
_FRESH = timedelta(minutes=10)


class Login(TypedDict):
    """The only answer that contains a token."""

    user: UserDB.User
    token: str
    expires_at: datetime


async def register(
    email: str, name: str | None, password: str, ttl_seconds: int, caller: Caller = UNLIMITED
) -> Login:
    """Create an account, and log in. Raise `EmailTaken` if it is, and `RateLimited`."""
    await caller.count_registration()
    password_hash = await hash_password(password)

    async def create() -> Login:
        user, credentials = await UserDB.create(email, name, password_hash)
        return await open_session(user, credentials, ttl_seconds, caller)

    return await in_transaction(create)


async def login(email: str, password: str, ttl_seconds: int, caller: Caller = UNLIMITED) -> Login:
    """Open a session. Raise `AuthError` for a wrong email or password, and `RateLimited`.

    Both take the same time, so that an attacker can't find out which emails have accounts.
    """
    user, credentials = await check_login(email, password, caller)
    opened = await open_session(user, credentials, ttl_seconds, caller)
    if needs_renewal(credentials["password_hash"] or ""):
        await UserDB.renew_hash(user["id"], credentials, await hash_password(password))
    return opened


async def check_login(email: str, password: str, caller: Caller) -> UserDB.Account:
    """Return the account with this email and password. Raise the errors of `login`."""
    known = normal_email(email)
    user, credentials = (known and await UserDB.find_login(known)) or (None, None)
    valid = await caller.is_right(folded(known or ""), credentials, password)
    if user is None or credentials is None or not valid:
        raise _wrong_login()
    return user, credentials


async def update(
    session: Session, update_user: UserUpdate, password: str | None, caller: Caller = UNLIMITED
) -> UserDB.User:
    """Change the fields that were sent, and return the account.

    A change of the email needs the password, because a stolen token must not take over the account.
    The password also prevents asking for many emails which of them are taken. Raise `MissingField`
    without the password, `PermissionDenied` for a wrong one, `RateLimited`, and the errors of
    `UserDB.update`.
    """
    if "email" in update_user.model_fields_set:
        if password is None:
            raise MissingField("password")
        await confirm(session, password, caller)
    return await _update(session.user_id, update_user)


async def change_password(
    session: Session, current_password: str, new_password: str, caller: Caller = UNLIMITED
) -> int:
    """Change the password, end all other sessions, and return their number.

    Raise `PermissionDenied` for a wrong password, and `RateLimited`.
    """
    credentials = await confirm(session, current_password, caller)
    password_hash = await hash_password(new_password)

    async def change() -> int:
        if not await UserDB.change_password(session.user_id, credentials, password_hash):
            raise PermissionDenied("The password was changed by another request.")
        return await SessionDB.revoke_others(session)

    return await in_transaction(change)


async def delete(session: Session, password: str, caller: Caller = UNLIMITED) -> None:
    """Delete the account and all documents that belong to it.

    Raise `PermissionDenied` for a wrong password, and `RateLimited`.
    """
    await confirm(session, password, caller)
    await _delete(session.user_id)
    # Once more, because requests in flight may have stored documents since the transaction began.
    await delete_owned(session.user_id)


@announced("user.updated")
async def _update(user_id: ObjectId, update_user: UserUpdate) -> UserDB.User:
    user = await UserDB.update(user_id, update_user)
    await announce(id=user_id)
    return user


@transaction
async def _delete(user_id: ObjectId) -> None:
    await UserDB.delete(user_id)
    await delete_owned(user_id)


@transaction
async def open_session(
    user: UserDB.User, credentials: UserDB.Credentials, ttl_seconds: int, caller: Caller
) -> Login:
    """Open a session. Raise `AuthError` if the password has changed, or the account is deleted."""
    token, session = await SessionDB.create(user["id"], ttl_seconds, caller.address)
    networks = caller.networks(credentials)
    if not await UserDB.record_login(user["id"], credentials, session.id, networks):
        raise _wrong_login()
    return Login(user=user, token=token, expires_at=session.expires_at)


async def confirm(session: Session, password: str, caller: Caller) -> UserDB.Credentials:
    """Return the credentials of the account, once the caller has shown to own it.

    The caller shows this by the password; without one, by a login of the last minutes. Raise
    `PermissionDenied` for a wrong password, `LoginTooOld`, and `RateLimited`.
    """
    _, credentials = await UserDB.get_with_credentials(session.user_id)
    if credentials["password_hash"] is None:
        if now() - session.created_at > _FRESH:
            raise LoginTooOld
    elif not await caller.is_right(credentials["account"], credentials, password):
        raise PermissionDenied("The password is wrong.")
    return credentials


def _wrong_login() -> AuthError:
    return AuthError("The email or the password is wrong.")
