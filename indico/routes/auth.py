"""`/auth`: an account's tokens."""

from __future__ import annotations

from typing import Any

import indico.db.session_db as SessionDB
from indico.routes.handler import IndicoHandler
from indico.service import accounts
from indico.service.fields import Email, Name
from indico.service.passwords import Password
from indico.utils import type_check, unpack
from indico.utils.auth.auth_utils import auth


class AuthHandler(IndicoHandler):
    """Registering, logging in and out."""

    @unpack("email", "password", name=None)
    @type_check(Email, Password, Name)
    async def register(self, email: str, password: str, name: str | None) -> None:
        """Makes an account and logs in: `{"user", "token", "expires_at"}`."""
        ttl = self.config.session_ttl_seconds
        self.respond(await accounts.register(email, name, password, ttl), code=201)

    @unpack("email", "password")
    @type_check(str, str)
    async def login(self, email: str, password: str) -> None:
        """A new token: `{"user", "token", "expires_at"}`."""
        ttl = self.config.session_ttl_seconds
        self.respond(await accounts.login(email, password, ttl))

    @auth
    async def check(self) -> Any:
        """Whose the token is, and until when."""
        return {"user_id": self.user_id, "expires_at": self.session.expires_at}

    @auth
    async def logout(self) -> Any:
        """Revokes the token of this call."""
        return {"revoked": await SessionDB.revoke(self.session)}

    @auth
    async def logout_all(self) -> Any:
        """Revokes all tokens of the user."""
        return {"revoked": await SessionDB.revoke_all(self.user_id)}


AuthRoute = (r"/auth/(?P<action>[a-zA-Z_]+)?", AuthHandler)
