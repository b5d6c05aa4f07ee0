"""`/user`: the caller's own account."""

from __future__ import annotations

import indico.db.user_db as UserDB
from indico.db.user_db import User
from indico.routes.handler import IndicoHandler
from indico.service import accounts
from indico.service.fields import UserUpdate
from indico.service.passwords import Password
from indico.utils import idempotent, not_idempotent, read_only, type_check, unpack
from indico.utils.auth.auth_utils import auth


class UserHandler(IndicoHandler):
    """The account that the token belongs to."""

    @read_only
    @auth
    async def get(self) -> User:
        """Return `id`, `email`, `name`, `created_at` and `updated_at`."""
        return await UserDB.get(self.user_id)

    @idempotent
    @auth
    @unpack("update_user", password=None)
    @type_check(UserUpdate, str)
    async def update(self, update_user: UserUpdate, password: str | None) -> User:
        """Change `name`, `email` (this needs `password`) or both, and return the account."""
        return await accounts.update(self.session, update_user, password)

    @not_idempotent
    @auth
    @unpack("current_password", "new_password")
    @type_check(str, Password)
    async def change_password(self, current_password: str, new_password: str) -> dict[str, int]:
        """Change the password, revoke every other token, and return their number."""
        revoked = await accounts.change_password(self.session, current_password, new_password)
        return {"revoked": revoked}

    @idempotent
    @auth
    @unpack("password")
    @type_check(str)
    async def delete(self, password: str) -> None:
        """Delete the account and revoke its tokens."""
        await accounts.delete(self.session, password)


UserRoute = (r"/user/(?P<action>[a-zA-Z_]+)?", UserHandler)
