"""`/auth`: registering, logging in and out."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

import indico.db.session_db as SessionDB
from indico.db import ObjectId
from indico.db.session_db import Revoked
from indico.error import AuthError, EmailTaken, RateLimited
from indico.routes.handler import Created, IndicoHandler
from indico.service import accounts
from indico.service.accounts import Login
from indico.service.fields import Email, Name, OldEmail
from indico.service.passwords import OldPassword, Password
from indico.utils import idempotent, not_idempotent, raises, read_only, type_check, unpack
from indico.utils.auth.auth_utils import auth


class Check(TypedDict):
    """The owner of a token, and the end of its validity."""

    user_id: ObjectId
    expires_at: datetime


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


AuthRoute = (r"/auth/(?P<action>[a-zA-Z_]+)?", AuthHandler)
