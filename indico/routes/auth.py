"""`/auth`: registering, logging in and out, by a password or by another service."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

import indico.db.session_db as SessionDB
from indico.db import ObjectId
from indico.db.session_db import Revoked
from indico.error import AuthError, EmailTaken, IdentityConflict, RateLimited
from indico.routes.handler import (
    FLOW,
    IDENTITY,
    Created,
    IndicoHandler,
    LoginFailed,
    NotConfigured,
    ProviderUnavailable,
)
from indico.service import accounts, identities
from indico.service.accounts import Login
from indico.service.fields import Email, Name, OldEmail, Opaque, Returned
from indico.service.passwords import OldPassword, Password
from indico.utils import idempotent, keyless, not_idempotent, raises, read_only, type_check, unpack
from indico.utils.auth.auth_utils import auth


class Check(TypedDict):
    """The owner of a token, and the end of its validity."""

    user_id: ObjectId
    expires_at: datetime


class Begun(TypedDict):
    """A login with another service: where the person goes, and what the app keeps until then."""

    authorization_url: str
    flow: str


class Proof(TypedDict):
    """A person whom another service knows, and the account whose password is needed."""

    link: str
    email: str


class ServiceLogin(TypedDict):
    """A login; or null, and what is to be confirmed first by `/auth/oidc_link`."""

    login: Login | None
    confirm: Proof | None


class AuthHandler(IndicoHandler):
    """The tokens of an account."""

    @not_idempotent
    @unpack("email", "password", name=None)
    @type_check(Email, Password, Name)
    @raises(AuthError, EmailTaken, RateLimited)
    async def register(self, email: str, password: str, name: str | None) -> Created[Login]:
        """Create an account, and log in.

        An email is unique in any letter case. After a 503 the account may exist: log in, or try
        again and get a 409.
        """
        ttl = self.config.session_ttl_seconds
        return await accounts.register(email, name, password, ttl, self.caller)

    @not_idempotent
    @unpack("email", "password")
    @type_check(OldEmail, OldPassword)
    @raises(AuthError, RateLimited)
    async def login(self, email: str, password: str) -> Login:
        """Return the account and a new token.

        A wrong email and a wrong password have the same 401, and after too many a 429. A token is
        valid for `session_ttl_seconds`, unless it is revoked earlier.
        """
        return await accounts.login(email, password, self.config.session_ttl_seconds, self.caller)

    @read_only
    @auth
    async def check(self) -> Check:
        """Return the owner of the token, and the end of its validity."""
        return Check(user_id=self.user_id, expires_at=self.session.expires_at)

    @idempotent
    @auth
    async def logout(self) -> Revoked:
        """Revoke the token of this call."""
        return Revoked(revoked=await SessionDB.revoke(self.session))

    @idempotent
    @auth
    async def logout_all(self) -> Revoked:
        """Revoke all tokens of the user, and return their number."""
        return Revoked(revoked=await SessionDB.revoke_all(self.user_id))

    @read_only
    @unpack("provider", "redirect_uri")
    @type_check(str, str)
    @raises(NotConfigured, ProviderUnavailable, RateLimited)
    async def oidc_start(self, provider: str, redirect_uri: str) -> Begun:
        """Begin a login with another service, for an app.

        The app opens `authorization_url` in the person's browser, and keeps `flow` to itself. The
        service then leads to `redirect_uri`, which the setting `oidc_redirect_uris` must list.
        """
        if redirect_uri not in self.config.oidc_redirect_uris:
            raise NotConfigured("redirect_uri")
        flow, url = await identities.begin(self.oidc[provider], self.caller, redirect_uri)
        return Begun(authorization_url=url, flow=FLOW.write(self, flow))

    @keyless
    @not_idempotent
    @unpack("flow", "returned")
    @type_check(Opaque, Returned)
    @raises(IdentityConflict, EmailTaken, LoginFailed, ProviderUnavailable, RateLimited)
    async def oidc_finish(self, flow: str, returned: dict[str, str]) -> ServiceLogin:
        """Log in, once another service has led back to the app, within 10 minutes.

        `returned` has the query of the address that the service led to. A new person gets an
        account. If an account has the person's email, `login` is null: send `confirm.link` to
        `/auth/oidc_link`, with that account's password.
        """
        begun = FLOW.read(self, flow)
        identity = await identities.finish(self.oidc, self.caller, begun, returned)
        ttl = self.config.session_ttl_seconds
        if login := await identities.login(identity, ttl, self.caller):
            return ServiceLogin(login=login, confirm=None)
        proof = Proof(link=IDENTITY.write(self, identity), email=identity.email or "")
        return ServiceLogin(login=None, confirm=proof)

    @not_idempotent
    @unpack("link", "password")
    @type_check(Opaque, OldPassword)
    @raises(AuthError, IdentityConflict, LoginFailed, RateLimited)
    async def oidc_link(self, link: str, password: str) -> Login:
        """Link a login of another service with the account that has its email, and log in.

        `link` is of `/auth/oidc_finish`, and valid for 10 minutes. A wrong password is a 401.
        """
        identity = IDENTITY.read(self, link)
        if identity is None:
            raise LoginFailed("state")
        ttl = self.config.session_ttl_seconds
        return await identities.link_by_email(identity, password, ttl, self.caller)


AuthRoute = (r"/auth/(?P<action>[a-zA-Z_]+)?", AuthHandler)
