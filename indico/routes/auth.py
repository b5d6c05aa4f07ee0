"""`/auth`: registering, logging in and out."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

import indico.db.session_db as SessionDB
from indico.db import ObjectId
from indico.routes.handler import IndicoHandler
from indico.service import accounts
from indico.service.accounts import Login
from indico.service.fields import Email, Name
from indico.service.passwords import Password
from indico.utils import idempotent, not_idempotent, read_only, type_check, unpack
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
    async def register(self, email: str, password: str, name: str | None) -> None:
        """Create an account, log in, and return `user`, `token` and `expires_at`."""
        ttl = self.config.session_ttl_seconds
        self.respond(await accounts.register(email, name, password, ttl), code=201)

    @not_idempotent
    @unpack("email", "password")
    @type_check(str, str)
    async def login(self, email: str, password: str) -> Login:
        """Return `user`, a new `token` and `expires_at`."""
        return await accounts.login(email, password, self.config.session_ttl_seconds)

    @read_only
    @auth
    async def check(self) -> Check:
        """Return the token's `user_id` and `expires_at`."""
        return Check(user_id=self.user_id, expires_at=self.session.expires_at)

    @idempotent
    @auth
    async def logout(self) -> dict[str, int]:
        """Revoke the token of this call."""
        return {"revoked": await SessionDB.revoke(self.session)}

    @idempotent
    @auth
    async def logout_all(self) -> dict[str, int]:
        """Revoke all tokens of the user, and return their number."""
        return {"revoked": await SessionDB.revoke_all(self.user_id)}


AuthRoute = (r"/auth/(?P<action>[a-zA-Z_]+)?", AuthHandler)
