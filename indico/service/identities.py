"""Accounts and other services: logging in, linking a login there with an account, unlinking.

An account is found by issuer and subject, never by the email alone: emails change their owners.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter, ValidationError

import indico.db.identity_db as IdentityDB
import indico.db.user_db as UserDB
from indico.db import ObjectId, in_transaction, transaction
from indico.db.session_db import Session
from indico.engine.oidc.client import Client
from indico.engine.oidc.clients import Clients
from indico.engine.oidc.flow import Flow
from indico.engine.oidc.identity import Identity
from indico.error import IdentityConflict, NotFound, PermissionDenied
from indico.service import accounts
from indico.service.accounts import Login
from indico.service.fields import Email, Name
from indico.service.login_limits import Caller

__all__ = [
    "Identity",
    "begin",
    "find_account",
    "finish",
    "link",
    "link_by_email",
    "login",
    "unlink",
]

_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_NAME: TypeAdapter[str] = TypeAdapter(Name)


async def begin(
    client: Client, caller: Caller, redirect_uri: str, next_path: str = "", user: str = ""
) -> tuple[Flow, str]:
    """Return a new flow, and the address where the person logs in.

    A flow can be finished once. So the limit here also limits the requests of `finish`. Raise
    `RateLimited` and `ProviderUnavailable`.
    """
    await caller.count_service_login()
    return await client.begin(redirect_uri, next_path, user)


async def finish(
    clients: Clients, caller: Caller, flow: Flow | None, returned: Mapping[str, str]
) -> Identity:
    """Return the person who came back. Raise `LoginFailed` and `ProviderUnavailable`."""
    identity = await clients.finish(flow, returned)
    await caller.uncount_service_login()
    return identity


async def login(identity: Identity, ttl_seconds: int, caller: Caller) -> Login | None:
    """Open a session for the account of an identity; an unknown person gets a new account.

    None says that an account has the email, and that `link_by_email` may link it. Raise
    `IdentityConflict` where neither is possible, and `RateLimited` after too many new accounts.
    Raise `EmailTaken` if another request has just made the account.
    """

    async def open_session() -> Login | None:
        owner = await IdentityDB.find_owner(identity.issuer, identity.subject)
        account = await UserDB.find(owner) if owner else None
        return await accounts.open_session(*account, ttl_seconds, caller) if account else None

    async def create() -> Login:
        account = await UserDB.create(email, _valid(_NAME, identity.name), None)
        await _add(account[0]["id"], identity)
        return await accounts.open_session(*account, ttl_seconds, caller)

    if opened := await in_transaction(open_session):
        return opened
    email = _email(identity)
    if account := await UserDB.find_login(email):
        _check_linkable(identity, account)
        return None
    await caller.count_registration()
    return await in_transaction(create)


async def find_account(identity: Identity) -> tuple[str, bool]:
    """Return the email of the account to link, and whether that account has a password.

    Raise `IdentityConflict` if `link_by_email` could not link it, and `AuthError` if it is deleted.
    """
    if not identity.user:
        return (await _find_by_email(identity))["email"], True
    user, credentials = await UserDB.get_with_credentials(ObjectId(identity.user))
    return user["email"], credentials["password_hash"] is not None


async def link_by_email(
    identity: Identity, password: str, ttl_seconds: int, caller: Caller
) -> Login:
    """Link an identity with the account that has its email, and open a session.

    Raise the errors of `accounts.login`. Raise `IdentityConflict` if the service does not vouch for
    the email, or the account has no password to confirm with.
    """
    found = await _find_by_email(identity)
    account = await accounts.check_login(found["email"], password, caller)

    async def add() -> Login:
        await _add(found["id"], identity)
        return await accounts.open_session(*account, ttl_seconds, caller)

    return await in_transaction(add)


async def link(session: Session, identity: Identity, password: str, caller: Caller) -> None:
    """Link an identity with the caller's account, whatever their emails are.

    Raise the errors of `accounts.confirm`, because a stolen token must not add a way to log in.
    """
    credentials = await accounts.confirm(session, password, caller)

    async def add() -> None:
        await _add(session.user_id, identity)
        networks = credentials["networks"]
        # Nobody logs in here: this only fails if the password has changed since it was checked.
        if not await UserDB.record_login(session.user_id, credentials, session.id, networks):
            raise PermissionDenied("The password was changed by another request.")

    await in_transaction(add)


@transaction
async def unlink(user_id: ObjectId, identity_id: ObjectId, issuers: Iterable[str]) -> None:
    """Unlink an identity. A password, or an identity of one of the `issuers`, must be left.

    Raise `NotFound`, and `IdentityConflict` for the last way to log in.
    """
    if not await IdentityDB.delete(user_id, identity_id):
        raise NotFound
    has_password = (await UserDB.record_unlink(user_id))["password_hash"] is not None
    if not (has_password or await IdentityDB.has_any(user_id, issuers)):
        raise IdentityConflict("last")


async def _find_by_email(identity: Identity) -> UserDB.User:
    account = await UserDB.find_login(_email(identity))
    if account is None:
        raise IdentityConflict("not_linked")
    _check_linkable(identity, account)
    return account[0]


def _check_linkable(identity: Identity, account: UserDB.Account) -> None:
    """Raise `IdentityConflict` unless the email is verified, and the account has a password."""
    if not identity.email_verified or account[1]["password_hash"] is None:
        raise IdentityConflict("not_linked")


async def _add(user_id: ObjectId, identity: Identity) -> None:
    """Store an identity, if the account does not have it. Raise `IdentityConflict`."""
    owner = await IdentityDB.find_owner(identity.issuer, identity.subject)
    if owner not in (None, user_id):
        raise IdentityConflict("linked")
    if owner is None:
        await IdentityDB.create(user_id, identity.issuer, identity.subject, identity.email)


def _email(identity: Identity) -> str:
    if email := _valid(_EMAIL, identity.email):
        return email
    raise IdentityConflict("no_email")


def _valid(kind: TypeAdapter[str], value: str | None) -> str | None:
    """Return the value in the form that is stored; None if it is not valid here."""
    try:
        return kind.validate_python(value)
    except ValidationError:
        return None
